"""The pure law of interruptions: when work may begin, what it excuses, how a place is said to be (SUB-10, SUB-15)."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum

from servers.sla_rules import Span

SENDING = timedelta(hours=1)  # the mails of a large place are all out within it
LONGEST = timedelta(days=3)  # a slip of the pen in a date must not excuse a month


class Kind(StrEnum):
    """Planned work is announced; an emergency cannot wait for that; an incident is trouble that nobody chose."""

    PLANNED = "planned"
    EMERGENCY = "emergency"
    INCIDENT = "incident"


class State(StrEnum):
    ANNOUNCED = "announced"
    UNDER_WAY = "under_way"
    OVER = "over"
    CANCELLED = "cancelled"


TRANSITIONS: Mapping[str, frozenset[str]] = {
    State.ANNOUNCED: frozenset({State.UNDER_WAY, State.CANCELLED}),
    State.UNDER_WAY: frozenset({State.OVER}),
    State.OVER: frozenset(),
    State.CANCELLED: frozenset(),
}
OPEN = frozenset({State.ANNOUNCED, State.UNDER_WAY})


class Said(StrEnum):
    """What a line of an interruption's log tells."""

    ANNOUNCED = "announced"
    BEGUN = "begun"
    NOTE = "note"
    EXTENDED = "extended"
    OVER = "over"
    CANCELLED = "cancelled"


class WhyNot(StrEnum):
    """Why work cannot be announced so."""

    NOT_IN_TIME = "not_in_time"
    PAST = "past"
    AHEAD = "ahead"
    BACKWARDS = "backwards"
    TOO_LONG = "too_long"


def earliest(now: datetime, notice: timedelta) -> datetime:
    """SUB-10: when planned work that is announced now can begin, its mails being out `notice` before."""
    return now + notice + SENDING


def why_not(kind: Kind, since: datetime, until: datetime | None, *, now: datetime, notice: timedelta) -> WhyNot | None:
    """What stands in the way of announcing it; an incident may have begun before, and has no end yet."""
    if kind is Kind.PLANNED and since < earliest(now, notice):
        return WhyNot.NOT_IN_TIME
    if kind is Kind.EMERGENCY and since < now - SENDING:
        return WhyNot.PAST
    if kind is Kind.INCIDENT and since > now:
        return WhyNot.AHEAD
    if until is None:
        return None
    if until <= max(since, now):
        return WhyNot.BACKWARDS
    return WhyNot.TOO_LONG if until - since > LONGEST else None


def excused(kind: Kind, announced: Span, *, told_at: datetime | None, over_at: datetime | None, notice: timedelta) -> (
    Span | None
):  # fmt: skip
    """SUB-15: the stretch that does not count against the promise to one customer: planned work of which the mail had
    left `notice` before it began, as long as it was announced for and not beyond its real end."""
    if kind is not Kind.PLANNED or told_at is None or told_at > announced.since - notice:
        return None
    until = announced.until if over_at is None else min(announced.until, over_at)
    return Span(announced.since, until) if announced.since < until else None


class Condition(StrEnum):
    """How a place is, as everybody may read it; the worst first."""

    DOWN = "down"
    PARTLY_DOWN = "partly_down"
    MAINTENANCE = "maintenance"
    DEGRADED = "degraded"
    UP = "up"


SOME, MOST = 5, 50  # percent of a place's running servers: below, it is one customer's trouble and no news


def condition(*, running: int, down: int, answers: bool, working: Kind | None) -> Condition:
    """What is said of a place with so many servers that should run and are down, whose provider `answers`, and on
    which this kind of interruption is under way."""
    percent = down * 100 // running if running else 0
    if percent >= MOST:
        return Condition.MAINTENANCE if working is Kind.PLANNED else Condition.DOWN
    if working is Kind.INCIDENT or (percent >= SOME and working is not Kind.PLANNED):
        return Condition.PARTLY_DOWN
    if working is not None:
        return Condition.MAINTENANCE
    return Condition.UP if answers else Condition.DEGRADED
