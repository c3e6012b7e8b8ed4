"""The live state of every machine as two facts: what its host says, and whether SSH answers (SRV-12).

All are looked at every quarter of a minute, in parts by key; those whose page is open, every few seconds.
"""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from time import monotonic
from typing import TypeAlias

from django.db import transaction
from django.db.models import Exists, OuterRef, Q

from panel.core import due
from panel.core.errors import ProviderError
from panel.core.querysets import in_parts
from panel.core.states import move
from servers import outages, providers, rules
from servers.action_log import published, told
from servers.models import Server, ServerAction
from servers.rules import TRANSITIONS, Power, State
from servers.watching import asking, vitals

PART = 500
HANDS = 16
STALE = timedelta(seconds=15)  # what a place said that long ago is asked for anew
FEW = 50  # machines of a place that are asked for one by one; from here on its list is shorter

Powers: TypeAlias = Mapping[str, Power]
"""What a place said of its machines, by their ref."""


@due.sweep("servers.watch", every_seconds=15)
def watch(now: datetime, *, dry_run: bool = False) -> due.SweepReport:
    """SRV-12: ask each place once for all its machines, and each machine's SSH; changes reach open pages."""
    rows = Server.objects.on_the_host()
    if dry_run:
        return due.SweepReport(would=[f"look at {name}" for name in rows.values_list("reference", flat=True)])
    report, by_place = due.SweepReport(), dict[str, Powers | ProviderError]()
    began, at = monotonic(), now
    for part in in_parts(rows.select_related("vitals"), PART):
        if (present := now + timedelta(seconds=monotonic() - began)) - at > STALE:
            by_place, at = {}, present
        for place in {server.place for server in part} - set(by_place):
            by_place[place] = _listed(place)
        report.done += _look(part, by_place, now=at)
    report.failed = [f"{at}: {said}" for at, said in sorted(by_place.items()) if isinstance(said, ProviderError)]
    outages.close_settled(now=now)
    return report


@due.sweep("servers.attend", every_seconds=5)
def attend(now: datetime, *, dry_run: bool = False) -> due.SweepReport:
    """SRV-12: look at the machines whose page somebody has open, and read how they do."""
    servers = vitals.watched(now)
    if dry_run:
        return due.SweepReport(would=[f"look at {server.reference}" for server in servers])
    if not servers:
        return due.SweepReport()
    by_place = _asked(servers)
    told_of = [server for server in servers if server.provider_ref in by_place[server.place]]
    done = _look(told_of, by_place, now=now, rested=True)
    patient = [one for one in servers if not one.vitals.misses or (one.vitals.next_at or now) <= now]
    report = vitals.read(patient, now=now)
    report.done += done
    return report


def look_at(server: Server, power: Power, *, now: datetime) -> bool:
    """Apply what the server's place says of its machine just now; whether that is news. `server` comes with `vitals`
    selected, as it was read before its place was asked; `now` is the instant of that."""
    return _look([server], {server.place: {server.provider_ref: power}}, now=now, rested=True) > 0


def _look(
    servers: Sequence[Server], by_place: Mapping[str, Powers | ProviderError], *, now: datetime, rested: bool = False
) -> int:
    """See what has changed of them, and how many; `servers` come with `vitals` selected. `now` is an instant before
    their places were asked: of whom something later is known already, nothing is touched."""
    known = Server.objects.filter(_not_known_since(now), pk__in=[server.pk for server in servers])
    open_to_news = set(known.values_list("pk", flat=True))
    servers = [server for server in servers if server.pk in open_to_news]
    vitals.ensure(servers, now=now)
    waiting = ServerAction.objects.filter(state=ServerAction.State.WAITING, server__in=servers)
    busy = set(waiting.values_list("server_id", flat=True))
    seen = [(server, _power(server, by_place[server.place])) for server in servers if server.pk not in busy]
    answers = asking.reachable(seen, now=now, rested=rested)
    same: dict[bool, list[int]] = {True: [], False: []}
    changed = 0
    for server, power in seen:
        reachable = answers[server.pk]
        if (server.power, server.reachable) == (power, reachable):
            same[bool(reachable)].append(server.pk)
        elif note(server, power=power, reachable=reachable, now=now):
            changed += 1
            server.power = power
    Server.objects.filter(pk__in=same[True]).update(checked_at=now, seen_at=now)
    Server.objects.filter(pk__in=same[False]).update(checked_at=now)
    return changed


@transaction.atomic
def note(server: Server, *, power: Power, reachable: bool | None, now: datetime) -> bool:
    """Keep what was newly seen of `server` and tell open pages; False if an operation changed the row meanwhile.

    A machine that its owner switched off from inside is stopped from now on, so that the button to start it applies.
    """
    seen_at = now if reachable else server.seen_at
    unheard = Server.objects.filter(_not_known_since(now), pk=server.pk)
    as_known = unheard.filter(power=server.power, reachable=server.reachable, state=server.state)
    if not as_known.update(power=power, reachable=reachable, checked_at=now, seen_at=seen_at):
        return False
    outages.seen(server, power=power, reachable=reachable, now=now)
    adopted = rules.adopted(server.state, power)
    if adopted is None:
        published(server, "servers.server.seen")
    else:
        move(server, adopted, TRANSITIONS)
        told(server, "servers.server.went_off" if adopted is State.STOPPED else "servers.server.came_up", now=now)
    return True


def _not_known_since(at: datetime) -> Q:
    """Servers that were not looked at, and of which no action ended, after `at`."""
    ended = ServerAction.objects.filter(server=OuterRef("pk"), finished_at__gt=at)
    return (Q(checked_at=None) | Q(checked_at__lte=at)) & ~Q(Exists(ended))


def _power(server: Server, said: Powers | ProviderError) -> Power:
    return Power.UNKNOWN if isinstance(said, ProviderError) else said.get(server.provider_ref, Power.GONE)


def _listed(place: str) -> Powers | ProviderError:
    """Every machine of a place; one that it lists twice is there once."""
    try:
        return {node.ref: node.power for node in providers.get(place).list()}
    except ProviderError as error:
        return error


def _asked(servers: Sequence[Server]) -> dict[str, Powers]:
    """What their places say of these machines, one by one where they are few. A machine that could not be asked for is
    left out: `watch` says what that means."""
    of_place: dict[str, list[str]] = {}
    for server in servers:
        of_place.setdefault(server.place, []).append(server.provider_ref)
    return {at: _each(at, refs) if len(refs) <= FEW else _among(_listed(at), refs) for at, refs in of_place.items()}


def _among(said: Powers | ProviderError, refs: Iterable[str]) -> Powers:
    return {} if isinstance(said, ProviderError) else {ref: said.get(ref, Power.GONE) for ref in refs}


def _each(place: str, refs: Iterable[str]) -> Powers:
    def one(ref: str) -> dict[str, Power]:
        try:
            node = providers.get(place).get(ref)
        except ProviderError:
            return {}
        return {ref: node.power if node is not None else Power.GONE}

    with ThreadPoolExecutor(HANDS, thread_name_prefix="watch") as pool:
        return {ref: power for found in pool.map(one, refs) for ref, power in found.items()}
