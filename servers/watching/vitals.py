"""How machines do: read from their hosts, often while somebody watches and now and then otherwise (SRV-12).

A reading that cannot be had leaves the last one as it was, with the instant since when; it never becomes a zero.
"""

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

from panel.core import due, live
from panel.core.errors import ProviderError
from servers import actions, places, providers
from servers.models import Server, Vitals
from servers.rules import ON_THE_HOST, Power, State
from servers.watching import vitals_rules
from servers.watching.vitals_models import KEPT
from servers.watching.vitals_rules import BASE, SOON, Reading

ATTENDED_FOR = timedelta(seconds=20)  # a page that is still open says so more often
TOPIC = "vitals"
HANDS, PART, MOST = 16, 500, 4000  # readings at a time, rows in memory, readings of one sweep
A_DAY = timedelta(days=1)


def topic(server: Server) -> str:
    """What tells open pages that there is another reading."""
    return f"{TOPIC}:{server.pk}"


def attended(names: Sequence[str], now: datetime) -> None:
    """Somebody has the pages of these servers open."""
    ids = [int(name) for name in names if name.isdecimal()]
    Vitals.objects.filter(pk__in=ids).update(watched_until=now + ATTENDED_FOR)


live.register_topic(TOPIC, actions.may_watch)
live.attend(TOPIC, attended)


def ensure(servers: Iterable[Server], *, now: datetime) -> None:
    """Each has its row from now on; `servers` come with `vitals` selected."""
    fresh = [
        Vitals(server=server, account_id=server.account_id, next_at=now)
        for server in servers
        if not hasattr(server, "vitals")
    ]
    if fresh:
        Vitals.objects.bulk_create(fresh, ignore_conflicts=True, batch_size=200)


@due.sweep("servers.vitals", every_seconds=60)
def read_due(now: datetime, *, dry_run: bool = False) -> due.SweepReport:
    """SRV-12: read every machine now and then, though nobody watches; the longest waiting first."""
    rows = Vitals.objects.filter(next_at__lte=now).order_by("next_at", "pk")
    if dry_run:
        waiting = rows.values_list("server__reference", flat=True)[:MOST]
        return due.SweepReport(would=[f"read {reference}" for reference in waiting])
    report = due.SweepReport()
    for _ in range(MOST // PART):
        ids = list(rows.values_list("pk", flat=True)[:PART])
        servers = list(Server.objects.filter(pk__in=ids).select_related("vitals"))
        if not servers:
            break
        gone = [server.pk for server in servers if server.state == State.DESTROYED]
        Vitals.objects.filter(pk__in=gone).delete()
        part = read([server for server in servers if server.pk not in gone], now=now)
        report.done, report.failed = report.done + part.done, report.failed + part.failed
    return report


def read(servers: Sequence[Server], *, now: datetime) -> due.SweepReport:
    """Read those that are on, where their place tells; each page that is open hears of it. With `vitals` selected."""
    report, rows, failed = due.SweepReport(), [], dict[str, str]()
    telling = {place for place in {server.place for server in servers} if places.capabilities(place).vitals}
    able = [server for server in servers if server.place in telling]
    on = [server for server in able if server.power == Power.ON and server.state in ON_THE_HOST]
    Vitals.objects.filter(pk__in=[one.pk for one in servers if one.place not in telling]).update(next_at=now + A_DAY)
    Vitals.objects.filter(pk__in=[one.pk for one in able if one not in on]).update(next_at=now + BASE)
    with ThreadPoolExecutor(HANDS, thread_name_prefix="vitals") as pool:
        found = list(pool.map(lambda server: _asked(server, now), on))
    for server, reading in zip(on, found, strict=True):
        _keep(server, reading, now=now)
        rows.append(server.vitals)
        if isinstance(reading, ProviderError):
            failed.setdefault(server.place, f"{server.reference}: {reading}")
        else:
            report.done += 1
    report.failed = [f"{place}, for one {said}" for place, said in failed.items()]
    Vitals.objects.bulk_update(rows, KEPT, batch_size=100)
    for server in on:
        if server.vitals.watched_until and server.vitals.watched_until > now:
            live.publish([topic(server)], "servers.vitals.read", {"id": server.pk})
    return report


def _asked(server: Server, now: datetime) -> Reading | ProviderError | None:
    try:
        return providers.get(server.place).vitals(server.provider_ref, now=now)
    except ProviderError as error:
        return error


def _keep(server: Server, found: Reading | ProviderError | None, *, now: datetime) -> None:
    row = server.vitals
    if isinstance(found, ProviderError):
        row.misses += 1
        row.failing_since = row.failing_since or now
        row.next_at = now + max(SOON, vitals_rules.pause(row.misses))
        return
    row.misses, row.failing_since, row.next_at = 0, None, now + BASE
    if found is not None:
        known = row.rates
        rates = vitals_rules.rates(row.reading, known, found, vcpu=int(server.size["vcpu"]))
        if rates is not known:
            row.hours = vitals_rules.with_hour(row.hours, rates, now)
            row.keep(found, rates, now)


def watched(now: datetime) -> list[Server]:
    """The servers whose pages are open, at most MOST of them, with `vitals` selected."""
    rows = Server.objects.on_the_host().filter(vitals__watched_until__gt=now)
    return list(rows.select_related("vitals").order_by("pk")[:MOST])
