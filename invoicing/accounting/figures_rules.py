"""The law of the reports: recurring revenue, churn, ageing, by whole calendar months. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal

from panel.core.calendars import add_months
from panel.core.money import Cents, euros, round_cents

TENTH = Decimal("0.1")
STEPS = (30, 60, 90)  # days late at which an open claim is older


def months(last: date, count: int) -> list[date]:
    """The first days of `count` months, the one of `last` being the newest."""
    newest = last.replace(day=1)
    return [add_months(newest, -back) for back in range(count - 1, -1, -1)]


@dataclass(frozen=True, slots=True)
class Billed:
    """A recurring line of an invoice: net cents less what was credited, for the days from `start` up to `end`."""

    start: date
    end: date
    net: Cents


def monthly(line: Billed) -> Cents:
    """What a line brings for one month of its period: an annual price is a twelfth a month."""
    whole = max(1, (line.end.year - line.start.year) * 12 + line.end.month - line.start.month)
    return round_cents(euros(line.net) / whole)


def recurring(lines: Iterable[Billed], day: date) -> Cents:
    """Monthly recurring revenue on `day`: the monthly part of every period that contains it."""
    return sum(monthly(line) for line in lines if line.start <= day < line.end)


@dataclass(frozen=True, slots=True)
class Life:
    """A subscription's first day, and the day it ended, if it has."""

    start: date
    end: date | None


@dataclass(frozen=True, slots=True)
class Churn:
    """Of the subscriptions that ran when a month began: how many ended in it; and how many began."""

    month: date
    running: int
    ended: int
    begun: int

    @property
    def percent(self) -> Decimal:
        """Ended of running, to a tenth; 0 where none ran."""
        if not self.running:
            return Decimal(0)
        return (Decimal(self.ended) * 100 / self.running).quantize(TENTH, rounding=ROUND_HALF_UP)


def churn(lives: Sequence[Life], month: date) -> Churn:
    """The month's churn."""
    following = add_months(month, 1)
    running = [one for one in lives if one.start < month and (one.end is None or one.end >= month)]
    return Churn(
        month, len(running), sum(one.end is not None and one.end < following for one in running),
        sum(month <= one.start < following for one in lives),
    )  # fmt: skip


def age(due_on: date, today: date) -> int:
    """0: not late; 1 to 4: late up to 30, 60, 90 days, and longer."""
    late = (today - due_on).days
    return 0 if late <= 0 else 1 + sum(late > step for step in STEPS)


def ageing(claims: Iterable[tuple[date, Cents]], today: date) -> list[Cents]:
    """Open claims by age, five sums."""
    sums = [0] * (len(STEPS) + 2)
    for due_on, cents in claims:
        sums[age(due_on, today)] += cents
    return sums
