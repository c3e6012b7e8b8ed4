"""Usage events: told once, counted once, corrected by further events, never changed (OPR-1)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from django.db import IntegrityError, transaction
from django.db.models import Sum
from django.utils.translation import gettext as _

from invoicing.consuming import holders, packs, usage_rules
from invoicing.consuming.usage_models import MILLION
from invoicing.consuming.usage_rules import ZERO
from invoicing.models import ChangeState, PackageMeter, Subscription, UsageEvent, UsageSource
from invoicing.subscribing.period_rules import period_of
from panel import terms
from panel.core.calendars import paris_date, start_of_paris_day
from panel.core.errors import RuleViolation

RULE = "OPR-1"
MOST_UNITS = Decimal(10**12)  # in one event
AHEAD = timedelta(minutes=5)  # what the clocks of two machines may differ
MOST = 1000  # events in one delivery


@dataclass(frozen=True, slots=True)
class Told:
    """One event as a source tells it: either a quantity of a meter, or the key of the event that it takes back."""

    key: str
    subscription: str
    meter: str = ""
    quantity: Decimal = ZERO
    at: datetime | None = None
    corrects: str = ""


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a delivery."""

    accepted: int
    repeated: int


class Conflict(RuleViolation):
    """A key that was told before, with another content: nothing of the delivery is kept."""


def wrong(event: Told, sentence: str) -> RuleViolation:
    told = f"{event.key}: {sentence}"
    return RuleViolation(told, rule=RULE, field="events")


@transaction.atomic
def record(source: str, told: Sequence[Told], *, now: datetime) -> Taken:
    """Keep a delivery, whole or not at all; what was kept before is not kept twice, whatever the order.

    Conflict when a key comes with another content; RuleViolation for an unknown subscription, meter or corrected event,
    a negative quantity, an instant outside the subscription's life or ahead of `now`.
    """
    if len(told) > MOST:
        raise RuleViolation(_("A delivery has at most %(most)s events.") % {"most": MOST}, rule=RULE, field="events")
    held = _lock(told)
    turns = holders.turns_of(held.values())
    known = _known(source, told)
    found: dict[str, UsageEvent] = {}
    for event in sorted(told, key=lambda one: bool(one.corrects)):  # an event and its correction may come together
        made = _event(source, event, held, known | found, now=now)
        if made.corrects is None:
            made.account_id = holders.at(turns[made.subscription_id], made.at)
        before = known.get(event.key) or found.get(event.key)
        if before is None:
            found[event.key] = made
        elif _content(before) != _content(made):
            raise Conflict(f"{event.key}: {_('this key was told before, with another content.')}", rule=RULE)
    _keep(found, now=now)
    return Taken(len(found), len(told) - len(found))


def _lock(told: Sequence[Told]) -> dict[str, Subscription]:
    """The subscriptions, locked in one order: a run that rates a month sees all of a delivery or nothing."""
    wanted = {event.subscription for event in told}
    rows = Subscription.objects.select_for_update(of=("self",)).filter(reference__in=wanted).order_by("pk")
    return {row.reference: row for row in rows.select_related("package")}


def _known(source: str, told: Sequence[Told]) -> dict[str, UsageEvent]:
    keys = {event.key for event in told} | {event.corrects for event in told if event.corrects}
    rows = UsageEvent.objects.filter(source=source, key__in=keys).select_related("subscription", "corrects")
    return {row.key: row for row in rows}


def _content(row: UsageEvent) -> tuple[object, ...]:
    return row.subscription.reference, row.meter, row.quantity, row.at, row.corrects.key if row.corrects else ""


def _event(
    source: str, event: Told, held: dict[str, Subscription], there: dict[str, UsageEvent], *, now: datetime
) -> UsageEvent:
    """The row of one event, not saved."""
    subscription = held.get(event.subscription)
    if subscription is None or not event.key:
        raise wrong(event, _("there is no such subscription."))
    row = UsageEvent(
        source=source, key=event.key, account_id=subscription.account_id, subscription=subscription, received_at=now
    )
    if event.corrects:
        original = there.get(event.corrects)
        if original is None or original.corrects is not None or original.subscription_id != subscription.pk:
            raise wrong(event, _("the event it corrects is not known; send it again after that one."))
        row.meter, row.at, row.corrects, row.account_id = original.meter, original.at, original, original.account_id
        row.quantity, row.millionths = -original.quantity, -original.millionths
        return row
    if event.at is None:
        raise wrong(event, _("an event has an instant and a quantity that is not negative."))
    _check(event)
    if event.at > now + AHEAD or event.at < subscription.started_at or _ended_before(subscription, event.at):
        raise wrong(event, _("its instant lies outside the life of the subscription, or in the future."))
    plan = plan_at(subscription, event.meter, paris_date(event.at))
    if plan is None:
        raise wrong(event, _("the package has no such meter."))
    counter = usage_rules.COUNTERS[plan.counter]
    table = terms.version(subscription.terms_version).table
    if counter.rule and counter.rule not in table:
        raise wrong(event, _("the terms do not say how a message is counted."))
    numbers = table[counter.rule] if counter.rule else {}
    row.meter, row.at, row.quantity = event.meter, event.at, event.quantity
    row.millionths = int(counter.count(event.quantity, numbers) * MILLION)
    return row


def _check(event: Told) -> None:
    if not event.quantity.is_finite() or not 0 <= event.quantity <= MOST_UNITS:
        raise wrong(event, _("an event has an instant and a quantity that is not negative."))
    if event.quantity != event.quantity.quantize(Decimal(1) / MILLION):
        raise wrong(event, _("a quantity has at most six decimals."))


def _ended_before(subscription: Subscription, instant: datetime) -> bool:
    return subscription.ended_at is not None and instant > subscription.ended_at


def _keep(found: dict[str, UsageEvent], *, now: datetime) -> None:
    taken_back = [row.corrects.key for row in found.values() if row.corrects]
    twice = UsageEvent.objects.filter(corrects__in=[r.corrects for r in found.values() if r.corrects and r.corrects.pk])
    if len(set(taken_back)) < len(taken_back) or twice.exists():
        raise RuleViolation(_("An event can be taken back once."), rule=RULE, field="events")
    plain = [row for row in found.values() if row.corrects is None]
    corrections = [row for row in found.values() if row.corrects is not None]
    try:
        with transaction.atomic():
            UsageEvent.objects.bulk_create(plain)
            for row in corrections:
                row.corrects = row.corrects  # the id of one that came in the same delivery is known now
            UsageEvent.objects.bulk_create(corrections)
    except IntegrityError as error:  # told at the same instant of another subscription
        raise Conflict(_("A key was told twice, with different contents."), rule=RULE, field="events") from error
    packs.draw([*plain, *corrections], now=now)
    ended = {row.subscription_id for row in found.values() if row.subscription.ended_at is not None}
    Subscription.objects.filter(pk__in=ended, next_due_on=None).update(next_due_on=paris_date(now) + timedelta(days=1))
    UsageSource.objects.filter(code__in={row.source for row in found.values()}).update(heard_at=now)


# --- what is known of it ---------------------------------------------------------------------------------------------


def plan_at(subscription: Subscription, meter: str, day: date) -> PackageMeter | None:
    """What the meter costs in the contractual period of `day`: as it was when that period began (LEG-1, LEG-3)."""
    return plans_at(subscription, day).get(meter)


def plans_at(subscription: Subscription, day: date) -> dict[str, PackageMeter]:
    """Every meter of a subscription in the contractual period of `day`, by the package it had until that period's end:
    what becomes smaller at a renewal was paid for before, and what grew had its new allowance at once (SUB-12)."""
    period = period_of(subscription.anchor_on, subscription.interval, max(day, subscription.anchor_on))
    since = max(start_of_paris_day(period.start), subscription.started_at)
    package = _package_until(subscription, day, period.end)
    rows = PackageMeter.objects.filter(package__code=package, valid_from__lte=since).order_by("valid_from")
    return {row.meter: row for row in rows}


def _package_until(subscription: Subscription, day: date, end: date) -> str:
    """The code of the package a subscription had until `end`, or until the end of the invoiced period `day` is in."""
    invoiced = subscription.periods.filter(start__lte=day, end__gt=day).values_list("end", flat=True).first()
    later = subscription.changes.filter(state=ChangeState.DONE, effective_on__gte=invoiced or end)
    before = later.order_by("effective_on", "pk").values_list("before", flat=True).first()
    return str(before["package"]) if before else subscription.package.code


def units(subscription: Subscription, meter: str, since: datetime, until: datetime) -> Decimal:
    """The units of what was used from `since` to `until` (excluded), all that is known now."""
    rows = UsageEvent.objects.filter(subscription=subscription, meter=meter, at__gte=since, at__lt=until)
    return Decimal(rows.aggregate(sum=Sum("millionths"))["sum"] or 0) / MILLION


def names(subscription: Subscription, language: str) -> dict[str, str]:
    """What the meters of a subscription are called."""
    found = {usage_rules.TRAFFIC: _("Traffic")}
    packages = {subscription.package_id, *subscription.changes.values_list("package", flat=True)}
    rows = PackageMeter.objects.filter(package__in=packages).order_by("valid_from")
    return found | {row.meter: row.named(language) for row in rows}
