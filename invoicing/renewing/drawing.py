"""What one due day of a subscription comes to: drawn up from what was found, and how everything stands after it.

Nothing here reads or writes: who bills one subscription (`billing`) and who bills many (`in_bulk`) find the same things
each in their way, and have the same made of them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeAlias

from django.db.models import F, Q

from invoicing import rules
from invoicing.compensating.service_credits import Taken
from invoicing.consuming import usage_rules
from invoicing.consuming.metering import Metered
from invoicing.documents import texts
from invoicing.models import Consumption, Invoice, Subscription, SubscriptionOption, SubscriptionPeriod
from invoicing.offering import promotions
from invoicing.offering.promotion_rules import Promise
from invoicing.paying import payment_rules
from invoicing.rules import Line, Wanted
from invoicing.subscribing.kinds import UsageLine
from invoicing.subscribing.period_rules import MONTH, Period, ended_months, following, period_of
from invoicing.taxing import tax_rules
from invoicing.taxing.tax_rules import Totals, VatTreatment
from panel.core import bulk
from panel.core.calendars import paris_date, start_of_paris_day
from panel.core.money import Cents
from panel.terms import Terms

DAY = timedelta(days=1)
WAIT_FOR_USAGE = timedelta(hours=12)  # a last reading that is still missing then goes on the invoice after

METER_NAMES = {usage_rules.TRAFFIC: ("Traffic beyond the included volume", "Trafic au-delà du volume inclus")}

Counts: TypeAlias = Sequence[tuple[Period, UsageLine]]
Parts: TypeAlias = Mapping[tuple[str, date], Sequence[Consumption]]
"""What earlier holders of a service used of a month, by meter and the month's first day, oldest first."""


@dataclass(frozen=True, slots=True)
class Found:
    """What the drawing up of `day` reads, of one subscription or of many at once. `counts` None: a reading is missing;
    `service`, `options` (in order) and `promotion` (which promise, to the how manyth period) are those of the period
    that begins, where one does."""

    day: date
    before: Terms
    ahead: Terms
    treatment: VatTreatment
    counts: Counts | None
    metered: Metered = field(default_factory=Metered)
    parts: Parts = field(default_factory=dict)
    service: str = ""
    options: Sequence[SubscriptionOption] = ()
    promotion: tuple[Promise, int] | None = None


@dataclass(frozen=True, slots=True)
class Drawn:
    """What one due day of a subscription comes to: the same for the preview, the dry run and the issue."""

    day: date
    lines: list[Line]
    counted: list[Consumption]
    renewed: Period | None
    waits: bool
    version: Terms
    treatment: VatTreatment
    taken: Sequence[Taken] = ()
    held_back: Cents = 0
    """What would have been an invoice too small to collect, VAT included: it comes with the next one."""

    @property
    def totals(self) -> Totals:
        return rules.total_of(self.lines)


def drawn(row: Subscription, found: Found) -> Drawn:
    """What was found, drawn up: no reading any more."""
    treatment, language = found.treatment, texts.language_of(row.account.language)
    used = tax_rules.of_item(treatment, row.package.vat)  # what a service consumes is taxed as the service is
    counted, lines = rated(row, found.counts or (), found.before, used, language, parts=found.parts)
    lines, counted, renewed = [*lines, *found.metered.lines], [*counted, *found.metered.rows], None
    if renews(row, found.day):
        renewed = following(row.next_anchor, row.interval, Period(row.period_start, row.period_end))
        lines = [*_period_lines(row, renewed, found, language), *lines]
    elif not any(line.net for line in lines):
        lines = []  # what packs paid for (OPR-9) is said where there is something to pay, and on the page of usage
    version = found.ahead if renewed else found.before
    return Drawn(found.day, lines, counted, renewed, found.counts is None, version, treatment)


def together(row: Subscription, made: Drawn) -> Drawn:
    """`made`, or nothing yet: consumption that comes to less than any means of payment moves makes no invoice of its
    own. Its months stay to be rated and come with the next invoice; at the end they are invoiced however little."""
    back = any(one.net_cents < 0 for one in made.counted)  # what is given back is given back at once
    if made.renewed or row.ended_at is not None or back or not made.lines:
        return made
    asked = rules.total_of([line for line in made.lines if line.net > 0]).total
    if not 0 < asked < payment_rules.SMALLEST_CENTS:
        return made
    return replace(made, lines=[], counted=[], taken=(), waits=True, held_back=asked)


def renews(row: Subscription, day: date) -> bool:
    """Whether a contractual period begins on `day`."""
    return day >= row.period_end and (row.ended_at is None or start_of_paris_day(day) <= row.ended_at)


def still_waits(day: date, now: datetime) -> bool:
    """Whether it is too early to invoice `day` without a reading that is missing."""
    return now < start_of_paris_day(day) + WAIT_FOR_USAGE


def once(row: Subscription, day: date) -> str:
    """What keeps a due day from being invoiced twice."""
    return f"subscription:{row.reference}:{day}"


OPTIONS_IN_ORDER = ("option__position", "pk")  # as an invoice lists them


def runs_on(day: date | F) -> Q:
    """Which options of a subscription are renewed on `day` (or the day that stands in a column)."""
    return Q(until=None) | Q(until__gt=day)


def _period_lines(row: Subscription, period: Period, found: Found, language: str) -> list[Line]:
    """The price of the period that begins, in advance: package and options at their frozen prices."""
    wanted = [
        Wanted(row.package.code, found.service, row.price_cents, rule="SUB-5", period=period, vat=row.package.vat)
    ]
    wanted += [
        Wanted(held.option.code, held.option.named(language), held.price_cents, held.quantity, rule="SUB-5",
               period=period, vat=held.option.vat)
        for held in found.options
    ]  # fmt: skip
    lines = [rules.because(rules.priced(one, found.treatment), subscription=row.reference) for one in wanted]
    if found.promotion is None:
        return lines
    promise, number = found.promotion
    return [*lines, *promotions.lines_off(promise, lines, language=language, number=number)]


# --- consumption -----------------------------------------------------------------------------------------------------


def months(row: Subscription, day: date) -> list[Period]:
    """Traffic months to rate on `day` (SRV-4); a subscription that ended is rated up to its last day."""
    found = list(ended_months(row.anchor_on, row.usage_from, day))
    last = last_day(row)
    if last is not None and day >= last:
        begun = found[-1].end if found else row.usage_from
        if begun <= last:
            found.append(Period(begun, last + timedelta(days=1)))
    return found


def last_day(row: Subscription) -> date | None:
    """The Paris day on which the subscription ended."""
    return paris_date(row.ended_at) if row.ended_at is not None else None


def rated(
    row: Subscription, counts: Counts, version: Terms, treatment: VatTreatment, language: str, *, parts: Parts,
    until: date | None = None,
) -> tuple[list[Consumption], list[Line]]:  # fmt: skip
    """Each month's count, rated once (SRV-5), and the lines of what was over. `until`: the service is handed over and
    only the part of the month to that day (excluded) is rated."""
    rows, lines = [], []
    for month, usage in counts:
        earlier = parts.get((usage.meter, month.start), ())
        before = sum((one.quantity for one in earlier), Decimal(0))
        span = Period(earlier[-1].end - DAY if earlier else month.start, until or month.end)
        line = overage_line(row, span, usage, version, treatment, language, before=before)
        rows.append(
            bulk.new(
                Consumption, subscription_id=row.pk, account_id=row.account_id, meter=usage.meter, start=month.start,
                end=until or month.end, number=len(earlier), quantity=max(usage.quantity - before, Decimal(0)),
                allowance=max(usage.allowance - before, Decimal(0)), unit=usage.unit, terms_version=version.name,
                net_cents=line.net if line else 0, evidence=_before(usage, before), until_transfer=until is not None,
            )
        )  # fmt: skip
        if line:
            lines.append(line)
    return rows, lines


def _before(usage: UsageLine, before: Decimal) -> dict[str, Any]:
    return {**usage.evidence, **({"before": str(before)} if before else {})}


def overage_line(
    row: Subscription, month: Period, usage: UsageLine, version: Terms, treatment: VatTreatment, language: str, *,
    before: Decimal = Decimal(0),
) -> Line | None:  # fmt: skip
    """SRV-5: the line for what is beyond the allowance, to the byte, rounded once; None when nothing is. The same
    function tells a forecast and the invoice. `before`: what earlier holders of the service used of the month."""
    meter = usage_rules.METERS[usage.meter]
    if usage.unit != meter.unit:
        raise ValueError(f"{usage.meter} is counted in {meter.unit}, not {usage.unit}")
    price: Decimal = version.bandwidth.unit_price
    whole = version.bandwidth.each_gb_begun
    over = usage_rules.overage(usage.quantity, usage.allowance, price, whole_units=whole, before=before)
    if over.net == 0:
        return None
    english, french = METER_NAMES[usage.meter]
    return rules.metered(
        f"usage:{usage.meter}", french if language == "fr" else english, over.billable, usage.unit, price, treatment,
        rule=meter.rule, period=month,
        evidence={**_before(usage, before), "used": str(usage.quantity - before),
                  "allowance": str(max(usage.allowance - before, Decimal(0))),
                  "subscription": row.reference, "terms": version.name},
    )  # fmt: skip


# --- how it stands afterwards ---------------------------------------------------------------------------------------


MOVED = ["anchor_on", "usage_from", "period_start", "period_end", "terms_version", "next_due_on"]


def advance(row: Subscription, drawn: Drawn, invoice: Invoice | None) -> SubscriptionPeriod | None:
    """Have the subscription (its fields MOVED), and what was counted, stand after the day that was invoiced; the period
    that is paid for by it. Nothing is written yet."""
    for consumption in drawn.counted:
        if consumption.net_cents > 0:
            consumption.invoice_id = invoice.pk if invoice else None
    if not drawn.waits:
        row.usage_from = max([row.usage_from, *(month.end for month in months(row, drawn.day))])
    paid = None
    if drawn.renewed and invoice:
        paid = bulk.new(
            SubscriptionPeriod, subscription_id=row.pk, account_id=row.account_id, start=drawn.renewed.start,
            end=drawn.renewed.end, terms_version=drawn.version.name, invoice_id=invoice.pk,
        )  # fmt: skip
        row.anchor_on = row.next_anchor  # a trial that is paid for is counted from its first paid day
        row.period_start, row.period_end = drawn.renewed.start, drawn.renewed.end
        row.terms_version = drawn.version.name
    row.next_due_on = _next_day(row, drawn.day)
    return paid


def _next_day(row: Subscription, day: date) -> date | None:
    """The day to look at it again after `day`: its next monthly day; for one that ended its last day, then never."""
    monthly, last = following(row.anchor_on, MONTH, period_of(row.anchor_on, MONTH, day)).start, last_day(row)
    if last is None:
        return monthly
    return min(monthly, last) if day < last else None


def days_due(row: Subscription, first: date, last: date) -> list[date]:
    """The days from `first` (on which it was due) to `last` on which a subscription could be invoiced."""
    days, day = [], first
    while day <= last:
        days.append(day)
        monthly = day >= row.anchor_on  # before it: a trial, which ends on it
        day = following(row.anchor_on, MONTH, period_of(row.anchor_on, MONTH, day)).start if monthly else row.anchor_on
    ended = [day for day in (last_day(row), row.ends_on) if day and first < day <= last]
    return sorted({*days, *ended})


def said_of(row: Subscription, renewed: Period) -> dict[str, str]:
    """What the journal says of a renewal."""
    return {"subscription": row.reference, "until": renewed.end.isoformat()}
