"""Traffic from the host's counters: read, counted once, kept by hour and by month, warned of (SRV-4, SRV-5)."""

import logging
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext_lazy as _

from panel import terms
from panel.core import due, events, live, mail, operations
from panel.core.actors import CLOCK
from panel.core.errors import ProviderError
from panel.core.models import Operation
from servers import providers, rules, traffic_rules, upgrading
from servers.models import Meter, Server, TrafficHour, TrafficMonth, TrafficReading
from servers.providers import Counters
from servers.traffic_rules import Flag, Reading

log = logging.getLogger(__name__)

READERS = 8  # places answer slowly; counters are read side by side, and written one after the other


def record(server: Server, read: Counters, *, now: datetime) -> int:
    """Count one reading in one transaction: reading, hours, month, warnings (SRV-4). Returns the bytes it added.

    A reading not later than the last one adds nothing, whoever brings it and however often.
    """
    with transaction.atomic():
        Meter.objects.get_or_create(server=server, defaults={"account_id": server.account_id})
        meter = Meter.objects.select_for_update().get(server=server)
        previous = Reading(meter.epoch, meter.rx_bytes, meter.tx_bytes, meter.at) if meter.at else None
        current = Reading(read.epoch, read.rx_bytes, read.tx_bytes, read.at, read.width, read.from_zero)
        added = traffic_rules.delta(previous, current, read.link_bps)
        if added.flag is Flag.REPLAY:
            return 0
        since = meter.at or min(server.ready_at or read.at, read.at)
        TrafficReading.objects.create(
            server_id=server.pk, account_id=server.account_id, at=read.at, epoch=read.epoch, rx_bytes=read.rx_bytes,
            tx_bytes=read.tx_bytes, added=added.total, verdict=added.flag,
        )  # fmt: skip
        meter.epoch, meter.rx_bytes, meter.tx_bytes, meter.at = read.epoch, read.rx_bytes, read.tx_bytes, read.at
        meter.failing_since, meter.error = None, ""
        meter.save()
        if added.flag is Flag.QUARANTINED:
            events.record(
                "servers.meter.implausible", now=now, actor=CLOCK, subject=server, account_id=server.account_id,
                rule="SRV-4", data={"server_id": server.pk, "claimed": added.claimed},
            )  # fmt: skip
        _keep(server, added, since, read.at, now)
        live.publish([f"server:{server.pk}"], "servers.meter.read", {"id": server.pk})
        return added.total


def _keep(server: Server, added: traffic_rules.Delta, since: datetime, until: datetime, now: datetime) -> None:
    """Share the bytes out over the hours they were carried in; months begin on a full hour, so hours make months."""
    edges = rules.hours_in(since, until)
    slots = {
        start.replace(minute=0, second=0, microsecond=0): (rx, tx)
        for (start, rx), (_, tx) in zip(
            rules.spread(added.rx, since, until, edges), rules.spread(added.tx, since, until, edges), strict=True
        )
    }
    months: dict[rules.Month, tuple[int, int]] = {rules.month_at(server.subscription.anchor_on, until): (0, 0)}
    for hour, (rx, tx) in slots.items():
        month = rules.month_at(server.subscription.anchor_on, hour)
        before = months.get(month, (0, 0))
        months[month] = (before[0] + rx, before[1] + tx)
    payers = {month: _add_month(server, month, rx, tx, now) for month, (rx, tx) in months.items()}
    for hour, amounts in slots.items():
        if any(amounts):
            _add_hour(server, hour, amounts, payers[rules.month_at(server.subscription.anchor_on, hour)])


def _add_hour(server: Server, hour: datetime, amounts: tuple[int, int], account_id: int) -> None:
    """Bytes are the evidence of the account that they are charged to. An hour in which the server changed hands has a
    row for each holder, a second apart."""
    rows = TrafficHour.objects.filter(server_id=server.pk, hour__gte=hour, hour__lt=hour + timedelta(hours=1))
    known = {row.account_id: row.hour for row in rows}
    if account_id in known:
        TrafficHour.objects.filter(server_id=server.pk, hour=known[account_id]).update(
            rx_bytes=F("rx_bytes") + amounts[0], tx_bytes=F("tx_bytes") + amounts[1]
        )
        return
    TrafficHour.objects.create(
        server_id=server.pk, account_id=account_id, hour=hour + timedelta(seconds=len(known)), rx_bytes=amounts[0],
        tx_bytes=amounts[1],
    )  # fmt: skip


def _add_month(server: Server, month: rules.Month, rx: int, tx: int, now: datetime) -> int:
    """The account that the bytes are charged to."""
    row, _ = TrafficMonth.objects.get_or_create(
        server=server, starts_on=month.starts_on,
        defaults={"account_id": server.account_id, "ends_on": month.ends_on, "included_bytes": server.included_bytes},
    )  # fmt: skip
    if rx or tx:
        TrafficMonth.objects.filter(pk=row.pk).update(rx_bytes=F("rx_bytes") + rx, tx_bytes=F("tx_bytes") + tx)
        row.rx_bytes, row.tx_bytes = row.rx_bytes + rx, row.tx_bytes + tx
        _warn(server, row, now)
    return row.account_id


def _warn(server: Server, month: TrafficMonth, now: datetime) -> None:
    """SRV-5: one mail for each threshold, once; when several are passed in one stride, the highest."""
    bandwidth = terms.version(server.subscription.terms_version).bandwidth
    passed = rules.crossed(
        month.own_percent, warn_at=bandwidth.warn_at, own=server.warn_percent, warned=month.warned_percent
    )
    if not passed:
        return
    percent = passed[-1]
    TrafficMonth.objects.filter(pk=month.pk).update(warned_percent=percent)
    month.warned_percent = percent
    account = server.account
    mail.send(
        "servers/traffic", to=account.billing_email, lang=account.language, now=now, account_id=account.pk,
        subject=server, key=f"servers.traffic:{server.pk}:{account.pk}:{month.starts_on}:{percent}",
        context={
            "server": server, "percent": percent, "used": month.own, "included": month.own_included,
            "unit_price": bandwidth.unit_price, "ends_on": month.ends_on, "over": month.own > month.own_included,
        },
    )  # fmt: skip
    events.record(
        "servers.traffic.warned", now=now, actor=CLOCK, subject=server, account_id=account.pk, rule="SRV-5",
        data={"server_id": server.pk, "percent": percent, "month": month.pk},
    )  # fmt: skip
    if month.own >= month.own_included:
        upgrading.propose(server, month, now=now)
    live.publish([f"server:{server.pk}", f"account:{account.pk}", "staff"], "servers.traffic.warned", {"id": server.pk})


# ---------------------------------------------------------------- reading


def read(server: Server, *, now: datetime) -> Counters:
    """Ask the host; outside any transaction. ProviderError when it does not answer."""
    return providers.get(server.place).counters(server.provider_ref, now=now)


def last_reading(server: Server, *, now: datetime) -> None:
    """Just before the panel itself cuts the power: the counter would be lost. A failure is noted, not fatal."""
    if not server.provider_ref or not providers.get(server.place).capabilities.counters:
        return
    try:
        record(server, read(server, now=now), now=now)
    except ProviderError as error:
        failed(server, str(error), now=now)


def failed(server: Server, error: str, *, now: datetime) -> None:
    """Note that the meter could not be read: pages show "stale since", never zero."""
    Meter.objects.get_or_create(server=server, defaults={"account_id": server.account_id})
    Meter.objects.filter(server=server, failing_since=None).update(failing_since=now)
    Meter.objects.filter(server=server).update(error=error[:300])


@due.sweep("servers.meter", every_seconds=300)
def meter_all(now: datetime, *, dry_run: bool = False) -> due.SweepReport:
    """SRV-4: read every machine's counters. One that cannot be read stops no other."""
    counted = Server.objects.on_the_host().filter(meter__isnull=False, meter__closed_at=None)
    servers = list(counted.select_related("subscription", "account").order_by("pk"))
    if dry_run:
        return due.SweepReport(would=[f"read {server.reference}" for server in servers])
    report = due.SweepReport()
    for server, outcome in _read_all(servers, now):
        try:
            if isinstance(outcome, ProviderError):
                failed(server, str(outcome), now=now)
                report.failed.append(f"{server.reference}: {outcome}")
            else:
                record(server, outcome, now=now)
                report.done += 1
        except Exception as error:
            log.exception("metering %s", server.reference)
            report.failed.append(f"{server.reference}: {type(error).__name__}: {error}")
    return report


def _read_all(servers: list[Server], now: datetime) -> Iterable[tuple[Server, Counters | ProviderError]]:
    """Readings side by side; the threads talk to places only, never to the database."""

    def one(server: Server) -> tuple[Server, Counters | ProviderError]:
        try:
            return server, read(server, now=now)
        except ProviderError as error:
            return server, error
        except Exception as error:
            log.exception("reading the counters of %s", server.reference)
            return server, ProviderError(f"{type(error).__name__}: {error}")

    with ThreadPoolExecutor(READERS, thread_name_prefix="meter") as pool:
        yield from pool.map(one, servers)


@operations.register
class ReadMeter(operations.Handler):
    """A meter that stayed silent: tried until it answers, or until staff sees that it does not."""

    kind = "servers.read_meter"
    label = _("Read a silent traffic meter")
    max_attempts = 6

    def perform(self, op: Operation, *, now: datetime) -> dict[str, object]:
        server = Server.objects.select_related("subscription", "account").get(pk=op.payload["server"])
        if server.state not in rules.ON_THE_HOST:
            return {"skipped": server.state}
        return {"added": record(server, read(server, now=now), now=now)}
