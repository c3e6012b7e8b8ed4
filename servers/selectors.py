"""Reads for the customer's pages: the list, one server, its traffic."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.db.models import F, OuterRef, Q, QuerySet, Subquery, Sum
from django.http import Http404

from invoicing.consuming import usage_rules
from panel import terms
from panel.accounts.models import Restriction
from panel.core.actors import Actor
from panel.core.money import Cents
from panel.core.prepared import Prepared, whoever
from panel.core.querysets import at_ip
from panel.terms.numbers import BandwidthTerms
from servers import enforcement, months, rules
from servers.label_models import ServerLabel
from servers.models import AddressHolding, Meter, Server, ServerAction, SshKey, TrafficHour, TrafficMonth

PAGE = 50
SHORT = 6
STALE_AFTER = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class ServerPage:
    """Rows of a list, newest first; `next_before` continues it, None at its end."""

    rows: Sequence[Server]
    next_before: int | None


def _listed(actor: Actor) -> QuerySet[Server]:
    """The living servers with `first_ip`, their first address, `month_bytes` of their latest traffic month, and
    `month_given`, those of who had them earlier in it."""
    first = AddressHolding.objects.filter(server=OuterRef("pk"), until=None, is_first=True)
    return (
        Server.objects.visible_to(actor)
        .alive()
        .annotate(
            first_ip=Subquery(first.values("address__ip")[:1]),
            month_bytes=months.own(),
            month_given=months.given(),
        )
    )


def page_of_servers(
    actor: Actor, *, words: str = "", state: str = "", label: str = "", before: int | None = None
) -> ServerPage:
    """The account's living servers by name, reference, address or label; two queries, however many there are."""
    rows = _listed(actor).prefetch_related("labels")
    if label:
        rows = rows.filter(labels__name=label)
    if words:
        held = Q(pk__in=AddressHolding.objects.filter(at_ip(words, "address__ip", until=None)).values("server_id"))
        labelled = Q(pk__in=ServerLabel.objects.visible_to(actor).filter(name=words.lower()).values("server_id"))
        rows = rows.filter(Q(name__icontains=words) | Q(reference__iexact=words) | held | labelled)
    if state in rules.ALIVE:
        rows = rows.filter(state=state)
    if before:
        rows = rows.filter(pk__lt=before)
    found = list(rows.order_by("-pk")[: PAGE + 1])
    return ServerPage(found[:PAGE], found[PAGE - 1].pk if len(found) > PAGE else None)


def labels(actor: Actor, limit: int = 20) -> list[str]:
    """The labels of the account's living servers."""
    rows = ServerLabel.objects.visible_to(actor).exclude(server__state=rules.State.DESTROYED)
    return list(rows.order_by("name").values_list("name", flat=True).distinct()[:limit])


_DRAWN = ("first_ip", "month_bytes", "month_given")
# the account's newest living servers as `Brief`; one more than SHORT if there are more
NEWEST = Prepared(
    lambda: (
        _listed(whoever())
        .order_by("-pk")
        .values_list("reference", "name", "state", "included_bytes", *_DRAWN)[: SHORT + 1]
    )
)


@dataclass(frozen=True, slots=True)
class Brief:
    """A server in a short list. `used`: bytes of its latest traffic month; `given`: of who had it earlier in it, off
    what the `package` includes."""

    reference: str
    name: str
    state: str
    package: int
    address: str | None
    used: int | None
    given: int | None

    @property
    def included(self) -> int:
        return months.left(self.package, self.given)


def find(actor: Actor, reference: str) -> Server:
    """The server the actor may see; Server.DoesNotExist otherwise."""
    rows = Server.objects.visible_to(actor).select_related("subscription", "subscription__package", "account", "meter")
    return rows.get(reference=reference)


def find_or_404(actor: Actor, reference: str) -> Server:
    """`find` for a page: what the actor may not see is not there (Http404)."""
    try:
        return find(actor, reference)
    except Server.DoesNotExist:
        raise Http404(reference) from None


@dataclass(frozen=True, slots=True)
class Traffic:
    """Where a server stands in its traffic month (SRV-4, SRV-5): bytes, and what is beyond in cents without VAT."""

    month: rules.Month
    rx: int
    tx: int
    included: int
    forecast: rules.Forecast | None
    overage_now: Cents
    overage_forecast: Cents | None
    unit_price: Decimal
    read_at: datetime | None
    stale: bool

    @property
    def used(self) -> int:
        return self.rx + self.tx

    @property
    def forecast_total(self) -> int | None:
        return self.forecast.total if self.forecast else None

    @property
    def percent(self) -> int:
        return rules.percent_used(self.used, self.included)

    @property
    def forecast_over(self) -> int:
        """Bytes beyond the allowance that the forecast expects."""
        return max((self.forecast_total or 0) - self.included, 0)


def traffic(server: Server, *, now: datetime) -> Traffic:
    """SRV-5: this month's use, and what it will come to at the pace of the last days."""
    month = rules.month_at(server.subscription.anchor_on, now)
    row = TrafficMonth.objects.filter(server=server, starts_on=month.starts_on).first()
    rx, tx, included = 0, 0, server.included_bytes
    if row is not None:
        rx, tx, included = row.own_rx, row.own_tx, row.own_included
    meter = Meter.objects.filter(server=server).first()
    read_at = meter.at if meter else None
    ahead = _forecast(server, month, rx + tx, read_at, now)
    bandwidth = terms.version(server.subscription.terms_version).bandwidth
    stale = meter is not None and server.state in rules.ON_THE_HOST and (read_at is None or now - read_at > STALE_AFTER)
    return Traffic(
        month, rx, tx, included, ahead, _cost(rx + tx, included, bandwidth),
        _cost(ahead.total, included, bandwidth) if ahead else None, bandwidth.unit_price, read_at, stale,
    )  # fmt: skip


def _cost(used: int, included: int, bandwidth: BandwidthTerms) -> Cents:
    quantity, allowance = Decimal(used) / rules.GB, Decimal(included) / rules.GB
    return usage_rules.overage(quantity, allowance, bandwidth.unit_price, whole_units=bandwidth.each_gb_begun).net


def _forecast(
    server: Server, month: rules.Month, used: int, read_at: datetime | None, now: datetime
) -> rules.Forecast | None:
    if read_at is None or server.ready_at is None or server.state not in rules.ON_THE_HOST:
        return None
    since = max(read_at - rules.PACE_OVER, server.ready_at)
    sums = TrafficHour.objects.filter(
        server_id=server.pk, hour__gt=since - timedelta(hours=1), hour__lte=read_at
    ).aggregate(rx=Sum("rx_bytes"), tx=Sum("tx_bytes"))
    recent = (sums["rx"] or 0) + (sums["tx"] or 0)
    return rules.forecast(used, recent, observed=read_at - since, left=month.ends_at - now)


def hours(server: Server, *, since: datetime, until: datetime) -> list[tuple[datetime, int, int]]:
    """UTC hours from `since` in which the present holder's bytes were counted, oldest first: (hour, in, out)."""
    mine = TrafficHour.objects.filter(server_id=server.pk, account_id=server.account_id)
    found: dict[datetime, tuple[int, int]] = {}
    rows = mine.filter(hour__gte=since, hour__lt=until).order_by("hour")
    for at, rx, tx in rows.values_list("hour", "rx_bytes", "tx_bytes"):
        hour = at.replace(minute=0, second=0, microsecond=0)  # of two holders each has a row, a second apart
        before = found.get(hour, (0, 0))
        found[hour] = (before[0] + rx, before[1] + tx)
    return [(hour, rx, tx) for hour, (rx, tx) in found.items()]


@dataclass(frozen=True, slots=True)
class Curve:
    """Points of a chart, oldest first: the instant each begins at, bytes in and out; None where nothing was read."""

    starts: Sequence[datetime]
    rx: Sequence[int | None]
    tx: Sequence[int | None]


def curve(server: Server, *, since: datetime, until: datetime, step: timedelta) -> Curve:
    """Bytes by slots of `step` (whole hours) from `since`; hours that nobody measured are gaps, never zero."""
    slots: dict[int, list[int]] = {}
    for hour, rx, tx in hours(server, since=since, until=until):
        slot = slots.setdefault((hour - since) // step, [0, 0])
        slot[0] += rx
        slot[1] += tx
    count = -(-(until - since) // step)
    starts = [since + step * index for index in range(count)]
    return Curve(
        starts, [slots[i][0] if i in slots else None for i in range(count)],
        [slots[i][1] if i in slots else None for i in range(count)],
    )  # fmt: skip


@dataclass(slots=True)
class Detail:
    """Everything the page of one server shows."""

    server: Server
    holdings: list[AddressHolding]
    actions: list[ServerAction]
    restrictions: list[Restriction]
    keys: list[SshKey]
    traffic: Traffic
    creation: ServerAction | None = None
    busy_with: ServerAction | None = None

    @property
    def first_ip(self) -> str:
        return next((str(holding.address.ip) for holding in self.holdings if holding.is_first), "")


def detail(server: Server, *, now: datetime, log: int = 12, whole: bool = False) -> Detail:
    """The page of one server; a fixed number of queries. `whole`: staff reads what was done for earlier holders too."""
    held = server.holdings.attached().select_related("address").order_by("-is_first", "pk")
    mine = server.actions.all() if whole else server.actions.filter(account=server.account_id)
    acted = list(mine.select_related("operation")[:log])
    waiting = [action for action in acted if action.state == ServerAction.State.WAITING]
    creation = next((action for action in acted if action.verb == rules.Verb.CREATE), None)
    if creation is None and server.ready_at is None:
        creation = server.actions.filter(verb=rules.Verb.CREATE).first()
    return Detail(
        server=server, holdings=list(held), actions=acted, restrictions=enforcement.restrictions_on(server),
        keys=list(SshKey.objects.filter(on_servers__server=server, on_servers__wanted=True)
                  .annotate(installed_at=F("on_servers__installed_at"))),
        traffic=traffic(server, now=now), creation=creation,
        busy_with=waiting[0] if waiting else None,
    )  # fmt: skip
