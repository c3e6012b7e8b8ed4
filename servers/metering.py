"""Traffic from the host's counters: read, counted once, kept by hour and by month, warned of (SRV-4, SRV-5)."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from panel import terms
from panel.core import bulk, events, live, mail, operations
from panel.core.actors import CLOCK
from panel.core.errors import ProviderError
from panel.core.models import Operation
from servers import providers, rules, traffic_rules, upgrading
from servers.models import AddressHolding, DoubtfulReading, Meter, Server, TrafficHour, TrafficMonth, TrafficReading
from servers.providers import Counters
from servers.traffic_rules import DOUBTED, Claim, Flag, Reading

NO_COUNT = "its counter tells what is no count of bytes"


def record(server: Server, read: Counters, *, now: datetime) -> int:
    """Count one reading in one transaction: reading, hours, month, warnings (SRV-4). Returns the bytes it added.

    One that is not later than the last adds nothing, whoever brings it and however often; nor does one of a closed
    meter, whose count is final. Many at once: `servers.traffic.in_bulk`, by the same law.
    """
    with transaction.atomic():
        Meter.objects.get_or_create(server=server, defaults={"account_id": server.account_id})
        meter = Meter.objects.select_for_update().get(server=server)
        if meter.closed_at is not None:
            return 0
        previous = Reading(meter.epoch, meter.rx_bytes, meter.tx_bytes, meter.at) if meter.at else None
        current = Reading(read.epoch, read.rx_bytes, read.tx_bytes, read.at, read.width, read.from_zero)
        added = traffic_rules.delta(previous, current, read.link_bps, _claims(meter))
        if added.flag is Flag.REPLAY:
            return 0
        since = meter.at or min(server.ready_at or read.at, read.at)
        fresh = TrafficReading(
            server_id=server.pk, account_id=meter.account_id, at=read.at, epoch=read.epoch, rx_bytes=read.rx_bytes,
            tx_bytes=read.tx_bytes, added=added.total, verdict=added.flag,
        )  # fmt: skip
        TrafficReading.objects.bulk_create([fresh], ignore_conflicts=added.flag is Flag.LATE)
        if added.flag is Flag.LATE:
            return 0
        meter.epoch, meter.rx_bytes, meter.tx_bytes, meter.at = read.epoch, read.rx_bytes, read.tx_bytes, read.at
        meter.failing_since, meter.error, meter.misses, meter.ask_again_at = None, "", 0, None
        meter.save()
        if added.flag is Flag.QUARANTINED:
            _doubt(server, meter.account_id, added, since, read, now)
        _charge(server, added, since, read.at, now)
        live.publish([f"server:{server.pk}"], "servers.meter.read", {"id": server.pk})
        return added.total


def _claims(meter: Meter) -> Iterator[Claim]:
    """What the meter's counter stands upon that was doubted, newest first: it has not fallen since."""
    heard = TrafficReading.objects.filter(server_id=meter.server_id, epoch=meter.epoch, at__lte=meter.at)
    doubts = DoubtfulReading.objects.filter(server_id=meter.server_id)
    for row in heard.filter(verdict__in=DOUBTED).order_by("-at"):
        since = heard.filter(at__gt=row.at).exclude(verdict=Flag.LATE)
        if since.filter(Q(rx_bytes__lt=row.rx_bytes) | Q(tx_bytes__lt=row.tx_bytes)).exists():
            return
        doubt = doubts.get(at=row.at)
        yield Claim(doubt.rx_bytes, doubt.tx_bytes, doubt.since)


def _doubt(
    server: Server, account_id: int, added: traffic_rules.Delta, since: datetime, read: Counters, now: datetime
) -> None:
    """Keep what was claimed for staff to decide upon."""
    rx, tx = added.claimed
    doubt = DoubtfulReading.objects.create(
        server=server, account_id=account_id, since=since, at=read.at, rx_bytes=rx, tx_bytes=tx, link_bps=read.link_bps
    )
    events.record(
        "servers.meter.implausible", now=now, actor=CLOCK, subject=server, account_id=account_id, rule="SRV-4",
        data={"server_id": server.pk, "claimed": rx + tx, "reading": doubt.pk},
    )  # fmt: skip


def _charge(server: Server, added: traffic_rules.Delta, since: datetime, until: datetime, now: datetime) -> None:
    """Share the bytes out; of a reading that spans a hand-over, what lies before it by time stays the giver's."""
    held = AddressHolding.objects.filter(server=server, is_first=True)
    taken = held.filter(until=None, since__gt=since).first()
    given = held.filter(until=taken.since).exclude(account=taken.account_id).first() if taken else None
    if taken is None or given is None:
        share_out(server, added.rx, added.tx, since, until, now)
        return
    at = min(taken.since, until)
    rx, tx = (rules.spread(amount, since, until, [at])[0][1] for amount in (added.rx, added.tx))
    share_out(server, rx, tx, since, at, now, giver=given.account_id)
    if at < until:
        share_out(server, added.rx - rx, added.tx - tx, at, until, now)


def share_out(
    server: Server, rx: int, tx: int, since: datetime, until: datetime, now: datetime, *, giver: int | None = None
) -> None:
    """Share the bytes out over the hours they were carried in; months begin on a full hour, so hours make months.
    Those of a `giver`, who had the server before, are charged to nobody any more and used up the included volume."""
    edges = rules.hours_in(since, until)
    slots = {
        start.replace(minute=0, second=0, microsecond=0): (part_rx, part_tx)
        for (start, part_rx), (_, part_tx) in zip(
            rules.spread(rx, since, until, edges), rules.spread(tx, since, until, edges), strict=True
        )
    }
    months: dict[rules.Month, tuple[int, int]] = {rules.month_at(server.subscription.anchor_on, until): (0, 0)}
    for hour, (part_rx, part_tx) in slots.items():
        month = rules.month_at(server.subscription.anchor_on, hour)
        before = months.get(month, (0, 0))
        months[month] = (before[0] + part_rx, before[1] + part_tx)
    payers = {month: _add_month(server, month, *amounts, now, giver=giver) for month, amounts in months.items()}
    for hour, amounts in slots.items():
        if any(amounts):
            add_hour(server.pk, hour, amounts, payers[rules.month_at(server.subscription.anchor_on, hour)])


def add_hour(server_id: int, hour: datetime, amounts: tuple[int, int], account_id: int) -> None:
    """Bytes are the evidence of the account that they are charged to. An hour in which the server changed hands has a
    row for each holder, a second apart."""
    rows = TrafficHour.objects.filter(server_id=server_id, hour__gte=hour, hour__lt=hour + timedelta(hours=1))
    known = {row.account_id: row.hour for row in rows}
    if account_id in known:
        TrafficHour.objects.filter(server_id=server_id, hour=known[account_id]).update(
            rx_bytes=F("rx_bytes") + amounts[0], tx_bytes=F("tx_bytes") + amounts[1]
        )
        return
    TrafficHour.objects.create(
        server_id=server_id, account_id=account_id, hour=hour + timedelta(seconds=len(known)), rx_bytes=amounts[0],
        tx_bytes=amounts[1],
    )  # fmt: skip


def _add_month(server: Server, month: rules.Month, rx: int, tx: int, now: datetime, *, giver: int | None) -> int:
    """The account whose bytes they are."""
    row, _ = TrafficMonth.objects.get_or_create(
        server=server, starts_on=month.starts_on,
        defaults={"account_id": server.account_id, "ends_on": month.ends_on, "included_bytes": server.included_bytes},
    )  # fmt: skip
    if giver is not None and giver != row.account_id:
        TrafficMonth.objects.filter(pk=row.pk).update(
            rx_bytes=F("rx_bytes") + rx, tx_bytes=F("tx_bytes") + tx,
            given_rx_bytes=F("given_rx_bytes") + rx, given_tx_bytes=F("given_tx_bytes") + tx,
        )  # fmt: skip
        return giver
    if rx or tx:
        TrafficMonth.objects.filter(pk=row.pk).update(rx_bytes=F("rx_bytes") + rx, tx_bytes=F("tx_bytes") + tx)
        row.rx_bytes, row.tx_bytes = row.rx_bytes + rx, row.tx_bytes + tx
        warn(server, row, now)
    return row.account_id


def warn(server: Server, month: TrafficMonth, now: datetime) -> None:
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
    """Ask the host; outside any transaction. ProviderError when it does not answer, or with what is no count."""
    found = providers.get(server.place).counters(server.provider_ref, now=now)
    if not traffic_rules.fits(found.rx_bytes, found.tx_bytes):
        raise ProviderError(NO_COUNT, code="failed")
    return found


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


def missed(lost: Mapping[int, ProviderError], *, now: datetime) -> None:
    """`failed` for many, by server. A machine that did not answer is asked ever more rarely; where its whole place did
    not, it is not the machine's fault."""
    rows = Meter.objects.filter(server__in=bulk.among(lost)).values_list("server_id", "misses")
    alike: dict[tuple[str, int | None], list[int]] = {}
    for pk, misses in rows if lost else ():
        counts = None if lost[pk].code in providers.NO_PLACE else misses + 1
        alike.setdefault((str(lost[pk])[:300], counts), []).append(pk)
    for (error, counts), ids in alike.items():
        meters = Meter.objects.filter(server__in=bulk.among(ids))
        meters.filter(failing_since=None).update(failing_since=now)
        meters.update(error=error)
        if counts is not None:
            rest = traffic_rules.ask_again_after(counts)
            meters.update(misses=counts, ask_again_at=now + rest if rest else None)


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
