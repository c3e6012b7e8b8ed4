"""The pure law of late payment (INV-8): interest by half-year, exact, rounded once.

Days are Paris days. The first day that bears interest is the day after the due date, the last one the value date of the
payment, so that an invoice paid n days after its due date bears n days. A year has 365 days, leap years too. The rate
of each day is the legal rate of its half-year times the factor of the terms; the principal of a day is what was owed,
VAT included, before the payments of that day. What a credit note took back was never owed.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction

from panel.core.money import Cents, round_cents

ONE_DAY = timedelta(days=1)
DAYS_OF_A_YEAR = 365
SECOND_HALF = 7  # its first month


@dataclass(frozen=True, slots=True, order=True)
class HalfYear:
    """1 January to 30 June, or 1 July to 31 December."""

    year: int
    half: int

    @property
    def end(self) -> date:
        """The day after its last."""
        return date(self.year, SECOND_HALF, 1) if self.half == 1 else date(self.year + 1, 1, 1)

    def __str__(self) -> str:
        return f"{self.year}-{self.half}"


def half_year(day: date) -> HalfYear:
    """The half-year of a day."""
    return HalfYear(day.year, 1 if day.month < SECOND_HALF else 2)


class MissingRate(LookupError):
    """No legal rate is on file for a half-year: interest is held, never reckoned with an old rate."""

    def __init__(self, half: HalfYear) -> None:
        super().__init__(f"no legal interest rate for {half}")
        self.half = half


@dataclass(frozen=True, slots=True)
class Paid:
    """Cents that arrived with a value date."""

    on: date
    cents: Cents


@dataclass(frozen=True, slots=True)
class Stretch:
    """Days that bear the same rate on the same principal; `first` and `last` are both counted, `rate` is percent a
    year, the factor in it."""

    first: date
    last: date
    principal: Cents
    rate: Decimal

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1


def stretches(
    owed: Cents, due_on: date, until: date, paid: Sequence[Paid], rates: Mapping[HalfYear, Decimal], times: Decimal
) -> list[Stretch]:
    """The days after `due_on` up to and with `until` that bear interest on `owed`, less what was `paid` before each; a
    payment that went back is one of less than nothing. MissingRate where one of them has no rate; none is left out."""
    found: list[Stretch] = []
    first = due_on + ONE_DAY
    while first <= until:
        principal, half = owed - sum(one.cents for one in paid if one.on < first), half_year(first)
        changes = [one.on for one in paid if first <= one.on < until]
        last = min([until, half.end - ONE_DAY, *changes])
        if principal > 0:
            if half not in rates:
                raise MissingRate(half)
            found.append(Stretch(first, last, principal, rates[half] * times))
        first = last + ONE_DAY
    return found


def settled_on(owed: Cents, paid: Sequence[Paid]) -> date | None:
    """The day from which on `owed` was paid for good; None: it is not."""
    since = None
    for day in sorted({one.on for one in paid}):
        if sum(one.cents for one in paid if one.on <= day) < owed:
            since = None
        else:
            since = since or day
    return since


def interest(found: Iterable[Stretch]) -> Cents:
    """Cents of interest, rounded once over all stretches."""
    exact = sum((Fraction(one.principal) * Fraction(one.rate) * one.days for one in found), Fraction(0))
    cents = exact / (100 * DAYS_OF_A_YEAR)
    return round_cents(Decimal(cents.numerator) / Decimal(cents.denominator) / 100)
