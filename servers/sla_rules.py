"""The pure law of availability: how long a server was down in a month, and the credit that follows (SUB-15)."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from panel.core.money import Cents, round_cents
from panel.terms.numbers import AvailabilityTerms

HOUR = timedelta(hours=1)
NOTHING = timedelta(0)


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time, half-open, in UTC."""

    since: datetime
    until: datetime

    def within(self, other: "Span") -> "Span | None":
        """The part inside `other`; None when there is none."""
        since, until = max(self.since, other.since), min(self.until, other.until)
        return Span(since, until) if since < until else None


def down(outages: Iterable[Span], measured: Span, *, excused: Iterable[Span] = ()) -> timedelta:
    """How long it was down inside `measured`, besides what is excused (announced maintenance); overlaps count once."""
    shields = list(excused)
    return _covered([*outages, *shields], measured) - _covered(shields, measured)


def _covered(spans: Iterable[Span], measured: Span) -> timedelta:
    parts = sorted((part for one in spans if (part := one.within(measured))), key=lambda span: span.since)
    total, reached = NOTHING, measured.since
    for part in parts:
        total += max(NOTHING, part.until - max(part.since, reached))
        reached = max(reached, part.until)
    return total


@dataclass(frozen=True, slots=True)
class Credit:
    """What a month comes to: the downtime allowed, the hours begun beyond, percent of the price, cents without VAT."""

    allowed: timedelta
    hours: int
    percent: Decimal
    cents: Cents


def credit(measured: timedelta, was_down: timedelta, price: Cents, law: AvailabilityTerms) -> Credit:
    """SUB-15: so many percent of the month's `price` for each hour begun beyond the downtime that the promised
    availability of the `measured` time allows, at most the cap; rounded once."""
    share = (100 - Fraction(law.promised_percent)) / 100
    allowed = timedelta(microseconds=int((measured // timedelta(microseconds=1)) * share))
    hours = max(0, -((allowed - was_down) // HOUR))
    percent = min(law.credit_cap_percent, hours * law.credit_percent_per_hour)
    return Credit(allowed, hours, percent, round_cents(Decimal(price) * percent / 10_000))


def percent_available(measured: timedelta, was_down: timedelta) -> Decimal:
    """Availability in percent, rounded down to three decimals: never told better than it was."""
    if not measured:
        return Decimal(100)
    thousandths = (measured - was_down) * 100_000 // measured
    return Decimal(thousandths) / 1000
