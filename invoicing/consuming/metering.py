"""Months of usage events, rated: what ended is rated once, what came late is settled by its difference (OPR-1). What a
prepaid pack paid for stands on the invoice at 0.00 (OPR-9). A month in which the service went to another account is
rated for each for their part (SUB-2)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal

from django.db.models import Max

from invoicing import rules
from invoicing.consuming import holders, packs, usage, usage_rules
from invoicing.consuming.holders import Part, Turn
from invoicing.consuming.usage_rules import Rating
from invoicing.models import Consumption, PackageMeter, Subscription, UsageEvent
from invoicing.rules import Line, Wanted
from invoicing.subscribing.period_rules import MONTH, Period, ended_months, period_of
from invoicing.taxing.tax_rules import VatTreatment
from panel.core.calendars import paris_date, start_of_paris_day
from panel.core.money import Cents
from panel.terms import Terms

PREPAID = ("%(name)s: drawn from your prepaid packs", "%(name)s : pris sur vos packs prépayés")
LATE = ("%(name)s: late usage of a month invoiced before", "%(name)s : consommation tardive d’un mois déjà facturé")
SETTLES = "settles"  # in the evidence of a row that settles what came late
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Metered:
    """What the meters of a subscription come to: rows to keep, lines to invoice; a row below zero is given back."""

    rows: list[Consumption] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Rated:
    """What is rated for whom: `known` is what was rated before, of every holder, by meter and month."""

    row: Subscription
    holder: int
    turns: Sequence[Turn]
    known: dict[tuple[str, date], list[Consumption]]
    version: Terms
    treatment: VatTreatment
    language: str
    now: datetime | None
    found: Metered = field(default_factory=Metered)

    def is_over(self, meter: str, start: date) -> bool:
        """Rated to the month's end, not only for who handed the service over within it."""
        return any(not one.until_transfer for one in self.known.get((meter, start), ()))

    def own(self, meter: str) -> list[Consumption]:
        """What was rated of the meter for this holder."""
        rows = [one for (name, _start), some in self.known.items() if name == meter for one in some]
        return [one for one in rows if one.account_id == self.holder]


def rate(
    row: Subscription, months: Iterable[Period], version: Terms, treatment: VatTreatment, language: str, *,
    holder: int | None = None, now: datetime | None = None,
) -> Metered:  # fmt: skip
    """The `months` that ended and are not rated yet, and what came late for those that are, as far as it is the account
    `holder`'s to pay: by default of who has the service. `now`: it is just being handed over, and the last of `months`
    is the running one, which ends there for who gives it."""
    ended, turns = list(months), holders.turns_of([row])[row.pk]
    made = _Rated(row, holder or row.account_id, turns, _before(row), version, treatment, language, now)
    meters = {meter for meter, _start in made.known} | {
        meter for month in ended for meter in usage.plans_at(row, month.start)
    }
    for meter in sorted(meters):
        new = [month for month in ended if not made.is_over(meter, month.start)]
        for contractual in _touched(made, meter, new):
            plan = usage.plan_at(row, meter, contractual.start)
            if plan is not None:
                _period(made, plan, contractual, new)
    return made.found


def left(row: Subscription, month: Period) -> list[tuple[PackageMeter, Decimal]]:
    """What is left of the allowance of each meter in the running `month`, for whoever has the service."""
    found = []
    for plan in usage.plans_at(row, month.start).values():
        contractual = period_of(row.anchor_on, row.interval, month.start)
        spans = ended_months(row.anchor_on, contractual.start, month.end)
        alone = [Turn(row.account_id, None)]
        whole, _parts = _months(row, plan, [holders.parts(alone, span) for span in spans])[-1]
        found.append((plan, max(Decimal(0), whole.allowance - (whole.quantity - whole.prepaid))))
    return found


def _before(row: Subscription) -> dict[tuple[str, date], list[Consumption]]:
    """What was rated before, of usage events, by meter and month."""
    found: dict[tuple[str, date], list[Consumption]] = {}
    for one in Consumption.objects.filter(subscription=row).exclude(meter__in=usage_rules.METERS).order_by("number"):
        found.setdefault((one.meter, one.start), []).append(one)
    return found


def _touched(made: _Rated, meter: str, new: list[Period]) -> list[Period]:
    """The contractual periods in which something is to be rated, or something came late."""
    row, starts = made.row, {month.start for month in new}
    own = made.own(meter)
    if own:
        late = UsageEvent.objects.filter(subscription=row, meter=meter, pk__gt=max(one.counted_to for one in own))
        late = late.filter(at__gte=start_of_paris_day(row.anchor_on))  # what a free trial used is free
        came = {period_of(row.anchor_on, MONTH, paris_date(at)).start for at in late.values_list("at", flat=True)}
        starts |= came & {one.start for one in own}
    periods = {period_of(row.anchor_on, row.interval, start) for start in starts}
    return sorted(periods, key=lambda period: period.start)


def _months(
    row: Subscription, plan: PackageMeter, cut: Sequence[Sequence[Part]]
) -> list[tuple[Rating, list[Rating]]]:  # fmt: skip
    """The months of one contractual period, each cut into its parts: the whole and each part rated."""
    used = [[usage.units(row, plan.meter, part.since, part.until) for part in parts] for parts in cut]
    paid = [[packs.paid_for(row, plan.meter, part.since, part.until) for part in parts] for parts in cut]
    steps = usage_rules.tiers(plan.tiers)
    wholes = usage_rules.months(
        [sum(each, Decimal(0)) for each in used], plan.allowance, steps, carries=plan.carries,
        prepaid=[sum(each, Decimal(0)) for each in paid],
    )  # fmt: skip
    months = zip(wholes, used, paid, strict=True)
    return [(whole, usage_rules.shared(whole, some, gone, steps)) for whole, some, gone in months]


def _period(made: _Rated, plan: PackageMeter, contractual: Period, new: list[Period]) -> None:
    """Rate one meter over a contractual period: its months in order: what one leaves may be free in the next."""
    row = made.row
    before = {
        start: rows for (meter, start), rows in made.known.items() if meter == plan.meter and start in contractual
    }
    fresh = {month.start: month for month in new if month.start in contractual}
    starts = sorted(before.keys() | fresh.keys())
    spans = [fresh.get(start) or Period(start, max(one.end for one in before[start])) for start in starts]
    cut = [holders.parts(made.turns, span, made.now) for span in spans]
    newest = UsageEvent.objects.filter(subscription=row, meter=plan.meter).aggregate(newest=Max("pk"))["newest"] or 0
    for span, parts, (_whole, rated) in zip(spans, cut, _months(row, plan, cut), strict=True):
        number = len(before.get(span.start, ()))
        for part, rating in zip(parts, rated, strict=True):
            earlier = [one for one in before.get(span.start, ()) if one.evidence.get("part", 0) == part.number]
            billed = sum(one.net_cents for one in earlier)
            same = earlier and earlier[-1].quantity == rating.quantity and billed == rating.net
            if same or part.account_id != made.holder or not (earlier or span.start in fresh):
                continue
            made.found.rows.append(_row(made, plan, span, part, rating, number=number, billed=billed, newest=newest))
            number += 1
            if earlier:
                made.found.rows[-1].evidence[SETTLES] = True
                made.found.lines.extend(_late(made, plan, _days(part), rating, rating.net - billed))
            else:
                made.found.lines.extend(_lines(made, plan, part, rating))


def _days(part: Part) -> Period:
    """The Paris days of a part; the day of a transfer is a day of both."""
    return Period(paris_date(part.since), paris_date(part.until - timedelta.resolution) + DAY)


def _row(
    made: _Rated, plan: PackageMeter, month: Period, part: Part, rating: Rating, *, number: int, billed: Cents,
    newest: int,
) -> Consumption:  # fmt: skip
    evidence = {"plan": plan.pk, "carried": str(rating.carried), "before": billed, "prepaid": _plain(rating.prepaid)}
    if part.number:
        evidence |= {"part": part.number}
    return Consumption(
        subscription=made.row, account_id=part.account_id, meter=plan.meter, start=month.start, end=_days(part).end,
        number=number, quantity=rating.quantity, allowance=rating.allowance, unit=plan.unit, counted_to=newest,
        terms_version=made.version.name, net_cents=rating.net - billed, evidence=evidence, until_transfer=part.ends,
    )  # fmt: skip


def _lines(made: _Rated, plan: PackageMeter, part: Part, rating: Rating) -> list[Line]:
    """What packs paid for, at 0.00; then one line for each tier that was reached, each rounded once."""
    one = len(rating.parts) == 1
    evidence = {
        "used" if one else "counted": _plain(rating.quantity),
        "allowance" if one else "free": _plain(rating.allowance), "subscription": made.row.reference,
        "terms": made.version.name, "plan": plan.pk, "meter": plan.meter,
    }  # fmt: skip
    if rating.prepaid:
        evidence |= {"prepaid": _plain(rating.prepaid)}
    return _prepaid_line(made, plan, part, rating) + [
        rules.metered(
            f"usage:{plan.meter}", plan.named(made.language), tier.quantity, plan.unit, tier.unit_price,
            made.treatment, rule=usage.RULE, period=_days(part), evidence=evidence,
        )
        for tier in rating.parts if tier.net
    ]  # fmt: skip


def _prepaid_line(made: _Rated, plan: PackageMeter, part: Part, rating: Rating) -> list[Line]:
    """OPR-9: says which packs paid for how much of the month; it costs nothing any more."""
    if not rating.prepaid:
        return []
    said = PREPAID[1 if made.language == "fr" else 0] % {"name": plan.named(made.language)}
    named = ", ".join(packs.named_for(made.row, plan.meter, part.since, part.until))
    evidence = {"packs": named, "counted": _plain(rating.quantity), "subscription": made.row.reference,
                "plan": plan.pk, "meter": plan.meter}  # fmt: skip
    return [
        rules.metered(
            f"usage:{plan.meter}", said, rating.prepaid, plan.unit, Decimal(0), made.treatment, rule=packs.RULE,
            period=_days(part), evidence=evidence,
        )
    ]  # fmt: skip


def _late(made: _Rated, plan: PackageMeter, span: Period, rating: Rating, difference: Cents) -> list[Line]:
    """What a month costs more than was billed for it; what it costs less is given back by a credit note."""
    if difference <= 0:
        return []
    said = LATE[1 if made.language == "fr" else 0] % {"name": plan.named(made.language)}
    line = rules.priced(Wanted(f"usage:{plan.meter}", said, difference, rule=usage.RULE, period=span), made.treatment)
    return [
        rules.because(
            line, subscription=made.row.reference, plan=plan.pk, meter=plan.meter, late=True,
            counted=_plain(rating.quantity), free=_plain(rating.allowance),
        )
    ]  # fmt: skip


def _plain(value: Decimal) -> str:
    """Without an exponent and without zeros at its end."""
    return f"{value.normalize():f}"
