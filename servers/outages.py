"""When a server was down, as the watch saw it; each calendar month is reckoned once it is over, announced maintenance
taken off (SUB-15, SUB-10)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from django.db import transaction
from django.db.models import Q

from invoicing.compensating import service_credits
from invoicing.documents import texts
from invoicing.models import Interval, ServiceTransfer, Subscription, TransferState
from invoicing.subscribing import composing
from panel import terms
from panel.accounts.models import Account
from panel.core import due
from panel.core.calendars import add_months, paris_date, start_of_paris_day
from panel.core.money import Cents, round_cents
from panel.terms.numbers import AvailabilityTerms
from servers import rules, sla_rules
from servers.maintaining import excuses
from servers.models import AvailabilityMonth, Outage, Server
from servers.rules import State
from servers.sla_rules import Credit, Span

MINUTE = timedelta(minutes=1)
MONTHS_IN = {Interval.MONTH: 1, Interval.YEAR: 12}


# --- seen ------------------------------------------------------------------------------------------------------------


def seen(server: Server, *, power: str, reachable: bool | None, now: datetime) -> None:
    """The watch saw something new of a server: an outage begins, or ends. In its transaction."""
    if rules.is_down(server.state, power, reachable):
        Outage.objects.get_or_create(
            server=server, until=None, defaults={"account_id": server.account_id, "since": now}
        )
    else:
        Outage.objects.filter(server=server, until=None).update(until=now)


def handed_over(server: Server, *, now: datetime) -> None:
    """The server has another account: what is down just now is down for both, one after the other (SUB-2)."""
    if Outage.objects.filter(server=server, until=None).update(until=now):
        Outage.objects.create(server=server, account_id=server.account_id, since=now)


def close_settled(*, now: datetime) -> None:
    """A server that shall not run any more (stopped, suspended, ended) is not down either; one whose lost machine is
    being made anew is, until it runs."""
    again = Q(server__state__in=(State.CREATING, State.FAILED), server__ready_at__isnull=False)
    Outage.objects.filter(until=None).exclude(Q(server__state=State.RUNNING) | again).update(until=now)


# --- reckoned --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Figure:
    """The availability of a server in a part of a calendar month. `excused`: how long it was down besides, in
    maintenance that had been announced in time."""

    month: date
    measured: timedelta
    down: timedelta
    excused: timedelta

    @property
    def percent(self) -> Decimal:
        return sla_rules.percent_available(self.measured, self.down)

    @property
    def down_minutes(self) -> int:
        """Minutes down, each one begun."""
        return -(-self.down // MINUTE)

    @property
    def excused_minutes(self) -> int:
        return self.excused // MINUTE


def figure(
    server: Server, month: date, *, now: datetime, known: Sequence[Outage] | None = None,
    excused: Sequence[Span] | None = None, held: datetime | None = None,
) -> Figure:  # fmt: skip
    """The availability in the calendar month that begins on `month` (Paris), as far as the server existed in it (or was
    `held` from that instant on) and up to `now`. `known` and `excused`: its outages and announced maintenance, where
    they were read before."""
    first, last = start_of_paris_day(month), start_of_paris_day(add_months(month, 1))
    since = max(first, held or server.ready_at or now)
    whole = Span(since, max(since, min(last, server.ended_at or now, now)))
    rows = known if known is not None else Outage.objects.filter(server=server, since__lt=last)
    spans = [Span(row.since, row.until or now) for row in rows]
    shields = excuses.of(server) if excused is None else excused
    down = sla_rules.down(spans, whole, excused=shields)
    return Figure(month, whole.until - whole.since, down, sla_rules.down(spans, whole) - down)


@dataclass(frozen=True, slots=True)
class Month:
    """A month on the server's page: its figure, and the credit in cents once it is reckoned (None: it still runs)."""

    figure: Figure
    credited: Cents | None


def recent(server: Server, *, now: datetime, count: int = 3) -> list[Month]:
    """The present calendar month and those before it in which the server ran and was its present holder's (SUB-2),
    newest first; four queries."""
    if server.ready_at is None:
        return []
    last, held = min(now, server.ended_at or now), _came(server) or server.ready_at
    newest, first = paris_date(last).replace(day=1), paris_date(held).replace(day=1)
    months = [month for back in range(count) if (month := add_months(newest, -back)) >= first]
    known = list(Outage.objects.filter(server=server, account=server.account_id, since__lt=now))
    rows = AvailabilityMonth.objects.filter(server=server, account=server.account_id, starts_on__in=months)
    credited, shields = dict(rows.values_list("starts_on", "credited_cents")), excuses.of(server)
    over = paris_date(now).replace(day=1)
    figures = [figure(server, month, now=now, known=known, excused=shields, held=held) for month in months]
    return [Month(one, credited.get(one.month, 0 if one.month < over else None)) for one in figures]


def _came(server: Server) -> datetime | None:
    """When its present account took the server over, where it came from another one."""
    taken = ServiceTransfer.objects.filter(
        subscription=server.subscription_id, receiver=server.account_id, state=TransferState.ACCEPTED
    )
    return taken.order_by("-ended_at").values_list("ended_at", flat=True).first()


@due.sweep("servers.availability", every_seconds=3600)
def reckon(now: datetime, *, dry_run: bool = False) -> due.SweepReport:
    """SUB-15: reckon each calendar month that is over and in which a server was down, once, and grant its credit."""
    this_month = paris_date(now).replace(day=1)
    rows = Outage.objects.filter(judged=False, since__lt=start_of_paris_day(this_month)).order_by("pk")
    if dry_run:
        return due.SweepReport(would=[f"reckon the outage of server {row.server_id} since {row.since}" for row in rows])
    return due.each([row.pk for row in rows], lambda pk: _judge(pk, this_month, now=now))


@transaction.atomic
def _judge(pk: int, this_month: date, *, now: datetime) -> None:
    server = Server.objects.get(outages=pk)
    subscription = Subscription.objects.select_for_update().get(pk=server.subscription_id)  # one month at a time
    row = Outage.objects.select_for_update().get(pk=pk)
    month = paris_date(row.since).replace(day=1)
    while month < this_month and (row.until is None or start_of_paris_day(month) <= row.until):
        if not AvailabilityMonth.objects.filter(server=server, starts_on=month).exists():
            _reckon(server, subscription, month, now=now)
        month = add_months(month, 1)
    if row.until is not None and row.until <= start_of_paris_day(this_month):
        Outage.objects.filter(pk=pk).update(judged=True)


def _reckon(server: Server, subscription: Subscription, month: date, *, now: datetime) -> None:
    version = terms.version(subscription.terms_version)
    found, price = figure(server, month, now=now), month_price(subscription)
    owed = sla_rules.credit(found.measured, found.down, price, version.availability)
    parts = _parts(server, found, owed.cents, now=now)
    AvailabilityMonth.objects.create(
        server=server, account_id=server.account_id, starts_on=month, credited_cents=parts.get(server.account_id, 0),
        measured_seconds=found.measured // timedelta(seconds=1), down_seconds=found.down // timedelta(seconds=1),
        terms_version=version.name, reckoned_at=now,
    )  # fmt: skip
    for account in Account.objects.filter(pk__in=[pk for pk, cents in parts.items() if cents]).order_by("pk"):
        cents, once = parts[account.pk], f"SUB-15:{server.reference}:{month:%Y-%m}"
        shared = {"part_cents": cents, "of_credit_cents": owed.cents} if cents != owed.cents else {}
        service_credits.grant_credit(
            account, subscription, cents, _said(server, account, found, owed, version.availability),
            _evidence(server, found, owed, price) | {"terms": version.name} | shared, rule="SUB-15",
            once=once if account.pk == subscription.account_id else f"{once}:{account.reference}", now=now,
        )  # fmt: skip


def _parts(server: Server, found: Figure, cents: Cents, *, now: datetime) -> dict[int, Cents]:
    """The credit of a month, to each account by the time down while it had the server (SUB-2): the parts add up."""
    rows = Outage.objects.filter(server=server, since__lt=start_of_paris_day(add_months(found.month, 1)))
    waited = {
        pk: figure(server, found.month, now=now, known=[row for row in rows if row.account_id == pk]).down
        for pk in dict.fromkeys(row.account_id for row in rows.order_by("since", "pk"))
    }
    whole, done, parts = sum(waited.values(), timedelta()), timedelta(), dict[int, Cents]()
    for pk, down in waited.items():
        before, done = done, done + down
        if whole:
            parts[pk] = _running(cents, done, whole) - _running(cents, before, whole)
    return parts


def _running(cents: Cents, part: timedelta, whole: timedelta) -> Cents:
    return round_cents(Decimal(cents) / 100 * (part // timedelta(seconds=1)) / (whole // timedelta(seconds=1)))


def month_price(subscription: Subscription) -> Cents:
    """What a month of it costs, package and options together; a twelfth of a year's price."""
    whole = composing.held_by(subscription)
    return round_cents(Decimal(whole.period_cents) / 100 / MONTHS_IN[Interval(whole.interval)])


SAID = {
    "en": "{name}: {down} min down in {month} ({percent} % available, {promised} % promised): {hours} h begun beyond, "
          "{credit} % of {price}",
    "fr": "{name} : {down} min d’arrêt en {month} (disponible à {percent} %, promis {promised} %) : {hours} h entamées "
          "au-delà, {credit} % de {price}",
}  # fmt: skip


def _said(server: Server, account: Account, found: Figure, owed: Credit, law: AvailabilityTerms) -> str:
    language = texts.language_of(account.language)
    return SAID[language].format(
        name=server.name, down=found.down_minutes, month=f"{found.month:%m/%Y}", hours=owed.hours,
        percent=texts.decimal(language, found.percent), promised=texts.decimal(language, law.promised_percent),
        credit=texts.decimal(language, owed.percent),
        price=texts.money(language, month_price(server.subscription)),
    )  # fmt: skip


def _evidence(server: Server, found: Figure, owed: Credit, price: Cents) -> dict[str, object]:
    return {
        "server": server.reference, "month": f"{found.month:%Y-%m}", "minutes_measured": found.measured // MINUTE,
        "minutes_down": found.down_minutes, "minutes_of_maintenance": found.excused_minutes,
        "minutes_allowed": owed.allowed // MINUTE, "hours_begun": owed.hours,
        "percent": str(owed.percent.normalize()), "of_cents": price, "subscription": server.subscription.reference,
    }  # fmt: skip
