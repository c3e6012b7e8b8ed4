"""Months of usage events, rated: what ended is rated once, what came late is settled by its difference (OPR-1). What a
prepaid pack paid for stands on the invoice at 0.00 (OPR-9)."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from django.db.models import Max

from invoicing import rules
from invoicing.consuming import packs, usage, usage_rules
from invoicing.consuming.usage_rules import Rating
from invoicing.models import Consumption, PackageMeter, Subscription, UsageEvent
from invoicing.rules import Line, Wanted
from invoicing.subscribing.period_rules import MONTH, Period, period_of
from invoicing.taxing.tax_rules import VatTreatment
from panel.core.calendars import paris_date, start_of_paris_day
from panel.core.money import Cents
from panel.terms import Terms

PREPAID = ("%(name)s: drawn from your prepaid packs", "%(name)s : pris sur vos packs prépayés")
LATE = ("%(name)s: late usage of a month invoiced before", "%(name)s : consommation tardive d’un mois déjà facturé")


@dataclass(frozen=True, slots=True)
class Metered:
    """What the meters of a subscription come to: rows to keep, lines to invoice; a row below zero is given back."""

    rows: list[Consumption] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)


def rate(
    row: Subscription, months: Iterable[Period], version: Terms, treatment: VatTreatment, language: str
) -> Metered:
    """The `months` that ended and are not rated yet, and what came late for those that are."""
    found = Metered()
    ended = list(months)
    known = _rated(row)
    meters = {meter for meter, _start in known} | {
        meter for month in ended for meter in usage.plans_at(row, month.start)
    }
    for meter in sorted(meters):
        new = [month for month in ended if (meter, month.start) not in known]
        for contractual in _touched(row, meter, known, new):
            plan = usage.plan_at(row, meter, contractual.start)
            if plan is not None:
                _period(found, row, plan, contractual, known, new, version, treatment, language)
    return found


def _rated(row: Subscription) -> dict[tuple[str, date], list[Consumption]]:
    """What was rated before, of usage events, by meter and month."""
    found: dict[tuple[str, date], list[Consumption]] = {}
    for one in Consumption.objects.filter(subscription=row).exclude(meter__in=usage_rules.METERS).order_by("number"):
        found.setdefault((one.meter, one.start), []).append(one)
    return found


def _touched(
    row: Subscription, meter: str, known: dict[tuple[str, date], list[Consumption]], new: list[Period]
) -> list[Period]:
    """The contractual periods in which something is to be rated, or something came late."""
    starts = {month.start for month in new}
    counted = [one.counted_to for (name, _start), rows in known.items() if name == meter for one in rows]
    if counted:
        late = UsageEvent.objects.filter(subscription=row, meter=meter, pk__gt=max(counted))
        late = late.filter(at__gte=start_of_paris_day(row.anchor_on))  # what a free trial used is free
        came = {period_of(row.anchor_on, MONTH, paris_date(at)).start for at in late.values_list("at", flat=True)}
        starts |= {start for start in came if (meter, start) in known}
    periods = {period_of(row.anchor_on, row.interval, start) for start in starts}
    return sorted(periods, key=lambda period: period.start)


def _period(
    found: Metered, row: Subscription, plan: PackageMeter, contractual: Period,
    known: dict[tuple[str, date], list[Consumption]], new: list[Period], version: Terms, treatment: VatTreatment,
    language: str,
) -> None:  # fmt: skip
    """Rate one meter over a contractual period: its months in order: what one leaves may be free in the next."""
    before = {start: rows for (meter, start), rows in known.items() if meter == plan.meter and start in contractual}
    fresh = {month.start: month for month in new if month.start in contractual}
    starts = sorted(before.keys() | fresh.keys())
    spans = [fresh.get(start) or Period(start, before[start][0].end) for start in starts]
    quantities = [usage.units(row, plan.meter, span.start, span.end) for span in spans]
    prepaid = [packs.paid_for(row, plan.meter, span.start, span.end) for span in spans]
    steps = usage_rules.tiers(plan.tiers)
    newest = UsageEvent.objects.filter(subscription=row, meter=plan.meter).aggregate(newest=Max("pk"))["newest"] or 0
    rated = usage_rules.months(quantities, plan.allowance, steps, carries=plan.carries, prepaid=prepaid)
    for span, rating in zip(spans, rated, strict=True):
        earlier = before.get(span.start, [])
        billed = sum(one.net_cents for one in earlier)
        if earlier and earlier[-1].quantity == rating.quantity and billed == rating.net:
            continue
        found.rows.append(
            Consumption(
                subscription=row, account_id=row.account_id, meter=plan.meter, start=span.start, end=span.end,
                number=len(earlier), quantity=rating.quantity, allowance=rating.allowance, unit=plan.unit,
                counted_to=newest, terms_version=version.name, net_cents=rating.net - billed,
                evidence={"plan": plan.pk, "carried": str(rating.carried), "before": billed,
                          "prepaid": _plain(rating.prepaid)},
            )
        )  # fmt: skip
        if earlier:
            found.lines.extend(_late(row, plan, span, rating, rating.net - billed, treatment, language))
        else:
            found.lines.extend(_lines(row, plan, span, rating, version, treatment, language))


def _lines(
    row: Subscription, plan: PackageMeter, span: Period, rating: Rating, version: Terms, treatment: VatTreatment,
    language: str,
) -> list[Line]:  # fmt: skip
    """What packs paid for, at 0.00; then one line for each tier that was reached, each rounded once."""
    one = len(rating.parts) == 1
    evidence = {
        "used" if one else "counted": _plain(rating.quantity),
        "allowance" if one else "free": _plain(rating.allowance), "subscription": row.reference,
        "terms": version.name, "plan": plan.pk, "meter": plan.meter,
    }  # fmt: skip
    if rating.prepaid:
        evidence |= {"prepaid": _plain(rating.prepaid)}
    return _prepaid_line(row, plan, span, rating, treatment, language) + [
        rules.metered(
            f"usage:{plan.meter}", plan.named(language), part.quantity, plan.unit, part.unit_price, treatment,
            rule=usage.RULE, period=span, evidence=evidence,
        )
        for part in rating.parts if part.net
    ]  # fmt: skip


def _prepaid_line(
    row: Subscription, plan: PackageMeter, span: Period, rating: Rating, treatment: VatTreatment, language: str
) -> list[Line]:
    """OPR-9: says which packs paid for how much of the month; it costs nothing any more."""
    if not rating.prepaid:
        return []
    said = PREPAID[1 if language == "fr" else 0] % {"name": plan.named(language)}
    named = ", ".join(packs.named_for(row, plan.meter, span.start, span.end))
    evidence = {"packs": named, "counted": _plain(rating.quantity), "subscription": row.reference, "plan": plan.pk,
                "meter": plan.meter}  # fmt: skip
    return [
        rules.metered(
            f"usage:{plan.meter}", said, rating.prepaid, plan.unit, Decimal(0), treatment, rule=packs.RULE,
            period=span, evidence=evidence,
        )
    ]  # fmt: skip


def _late(
    row: Subscription, plan: PackageMeter, span: Period, rating: Rating, difference: Cents, treatment: VatTreatment,
    language: str,
) -> list[Line]:  # fmt: skip
    """What a month costs more than was billed for it; what it costs less is given back by a credit note."""
    if difference <= 0:
        return []
    said = LATE[1 if language == "fr" else 0] % {"name": plan.named(language)}
    line = rules.priced(Wanted(f"usage:{plan.meter}", said, difference, rule=usage.RULE, period=span), treatment)
    return [
        rules.because(
            line, subscription=row.reference, plan=plan.pk, meter=plan.meter, late=True,
            counted=_plain(rating.quantity), free=_plain(rating.allowance),
        )
    ]  # fmt: skip


def _plain(value: Decimal) -> str:
    """Without an exponent and without zeros at its end."""
    return f"{value.normalize():f}"
