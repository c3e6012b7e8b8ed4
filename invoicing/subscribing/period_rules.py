"""Periods and parts of a price, by Paris calendar days. Pure. (SUB-5, SUB-12, SRV-4)"""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from panel.core.calendars import add_months
from panel.core.money import Cents, euros, round_cents
from panel.core.remembering import remembered

MONTH, YEAR = "month", "year"
MONTHS = {MONTH: 1, YEAR: 12}


@dataclass(frozen=True, slots=True)
class Period:
    """Days from `start` on, `end` excluded."""

    start: date
    end: date

    @property
    def days(self) -> int:
        return (self.end - self.start).days

    def __contains__(self, day: date) -> bool:
        return self.start <= day < self.end


def period_number(anchor: date, interval: str, number: int) -> Period:
    """The `number`-th period (0 = the first) of a subscription begun on `anchor`, always counted from the anchor: the
    31st is followed by the 28th of February and by the 31st of March (SUB-5)."""
    months = MONTHS[interval]
    return Period(add_months(anchor, number * months), add_months(anchor, (number + 1) * months))


@remembered
def period_of(anchor: date, interval: str, day: date) -> Period:
    """The period that contains `day`; ValueError before the anchor."""
    if day < anchor:
        raise ValueError(f"{day} is before the anchor {anchor}")
    whole = (day.year - anchor.year) * 12 + day.month - anchor.month
    number = whole // MONTHS[interval]
    period = period_number(anchor, interval, number)
    return period if day in period else period_number(anchor, interval, number - 1)


@remembered
def following(anchor: date, interval: str, period: Period) -> Period:
    """The period that starts where `period` ends, on the anchor's day of the month; `interval` may be another one than
    before. ValueError when `period` does not end on such a day."""
    months = (period.end.year - anchor.year) * 12 + period.end.month - anchor.month
    if add_months(anchor, months) != period.end:
        raise ValueError(f"{period.end} is no monthly day of the anchor {anchor}")
    return Period(period.end, add_months(anchor, months + MONTHS[interval]))


@remembered
def ended_months(anchor: date, since: date, today: date) -> tuple[Period, ...]:
    """Traffic months (SRV-4: from the anchor day, annual subscriptions too) that start at or after `since` and have
    ended by the start of `today`."""
    found, month = [], period_of(anchor, MONTH, since)
    while month.end <= today:
        found.append(month)
        month = following(anchor, MONTH, month)
    return tuple(found)


def part(price: Cents, whole: Period, start: date, end: date) -> Cents:
    """The part of a period's `price` that falls on the days from `start` to `end` (excluded), in cents.

    By difference of rounded running sums: the parts of any cut of the period add up to the price, to the cent, and the
    credit of a change mirrors its debit (SUB-12).
    """
    if not whole.start <= start <= end <= whole.end:
        raise ValueError(f"{start}..{end} is not inside {whole.start}..{whole.end}")
    return _running(price, whole, end) - _running(price, whole, start)


def _running(price: Cents, whole: Period, day: date) -> Cents:
    return round_cents(euros(price) * Decimal((day - whole.start).days) / Decimal(whole.days))
