"""The pure law of unpaid invoices: how late one is, which reminder is due, what comes next (INV-14, SRV-6, INV-7,
SUB-8).

Days are Paris days. The clock of an invoice stands while it is contested: a day on which it stood does not count
towards a reminder or a suspension (TIC-6). Each debt leads to a suspension by one rule: the special ones come before
SUB-8, which is of every fee left unpaid. Late interest is reckoned apart (`late_rules`), from the due date.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

ONE_DAY = timedelta(days=1)
FIRST, AGAIN, LAST = "first", "again", "last"
REMINDER, SUSPENSION, WAITS = "reminder", "suspension", "waits"


@dataclass(frozen=True, slots=True)
class Stop:
    """Days on which the clock stood: from `since` on, without `until` (None: it still stands)."""

    since: date
    until: date | None = None


def days_late(due_on: date, today: date, stops: Iterable[Stop] = ()) -> int:
    """Days after the due date that count, up to and with `today`: 0 on the due date and before."""
    stood = set[date]()
    first, end = due_on + ONE_DAY, today + ONE_DAY
    for stop in stops:
        day, until = max(first, stop.since), min(end, stop.until or end)
        while day < until:
            stood.add(day)
            day += ONE_DAY
    return max(0, (today - due_on).days - len(stood))


def day_when(due_on: date, late: int, stops: Sequence[Stop] = ()) -> date | None:
    """The first day on which an invoice is `late` days late; None while the clock stands."""
    if any(stop.until is None for stop in stops):
        return None
    day = due_on + timedelta(days=late)
    while (missing := late - days_late(due_on, day, stops)) > 0:
        day += timedelta(days=missing)
    return day


def last_day(end: date) -> date:
    """The last day of a time that ends where `end` begins."""
    return end - ONE_DAY


def reached(late: int, after: Sequence[int]) -> int:
    """How many of the stages that come `after` so many days have been reached."""
    return sum(1 for days in after if days <= late)


def stage_due(late: int, after: Sequence[int], sent: int) -> int | None:
    """The reminder to send now, or None. After a gap of the clock only the last one that fell due is sent: nobody gets
    three letters at once."""
    stage = reached(late, after)
    return stage if stage > sent else None


def tone(stage: int, after: Sequence[int]) -> str:
    """How a reminder is worded: the first kindly, the last with what follows."""
    if stage >= len(after):
        return LAST
    return FIRST if stage <= 1 else AGAIN


@dataclass(frozen=True, slots=True)
class Unpaid:
    """All that the next step of an unpaid invoice depends on. `overage`: it bills consumption (SRV-6); `told`: the
    first day on which its rejected means may lead to suspension (INV-7); `chased`: it is reminded of."""

    due_on: date
    stops: tuple[Stop, ...] = ()
    sent: int = 0
    overage: bool = False
    told: date | None = None
    chased: bool = True


@dataclass(frozen=True, slots=True)
class Patience:
    """What the terms allow: the days after which each reminder is sent, and the days after its due date for which
    overage (SRV-6) and any other fee (SUB-8) may stay unpaid before a suspension."""

    remind_after: Sequence[int]
    overage_days: int
    unpaid_days: int


def overage_on(unpaid: Unpaid, law: Patience) -> date | None:
    """SRV-6: the first day on which unpaid overage is ground for a suspension; None: it is not, or the clock stands."""
    return day_when(unpaid.due_on, law.overage_days + 1, unpaid.stops) if unpaid.overage else None


def fee_on(unpaid: Unpaid, law: Patience) -> date | None:
    """SUB-8: the first day on which a fee left unpaid is ground for a suspension, never before the day of the last
    reminder; None where a rule of its own says when (SRV-6, INV-7), while the clock stands, and for what nobody is
    reminded of."""
    if unpaid.overage or unpaid.told is not None or not unpaid.chased:
        return None
    return day_when(unpaid.due_on, max([law.unpaid_days + 1, *law.remind_after]), unpaid.stops)


@dataclass(frozen=True, slots=True)
class Step:
    """What happens next to an unpaid invoice, by which rule, and on which day; None: the clock stands."""

    kind: str
    rule: str
    on: date | None
    stage: int = 0


def steps(unpaid: Unpaid, law: Patience, *, today: date) -> list[Step]:
    """What is still to come, in order: the reminders not sent yet, then suspension where a rule leads to it."""
    if any(stop.until is None for stop in unpaid.stops):
        return [Step(WAITS, "TIC-6", None)]
    now_at = reached(days_late(unpaid.due_on, today, unpaid.stops), law.remind_after)
    found = [
        Step(REMINDER, "INV-14", day_when(unpaid.due_on, days, unpaid.stops), stage)
        for stage, days in enumerate(law.remind_after, start=1)
        if stage > unpaid.sent and stage >= now_at
    ]
    leads = {"SRV-6": overage_on(unpaid, law), "INV-7": unpaid.told, "SUB-8": fee_on(unpaid, law)}
    found += [Step(SUSPENSION, rule, on) for rule, on in leads.items() if on is not None]
    return sorted(found, key=lambda step: (step.on or date.max, step.kind))
