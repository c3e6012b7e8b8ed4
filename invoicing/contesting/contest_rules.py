"""The pure law of contested documents: a disputed invoice (TIC-6, OPR-10), a late fee to be waived (INV-9)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from panel.core import calendars
from panel.core.money import Cents
from panel.terms.numbers import ContestTerms


class Kind(StrEnum):
    """What is asked for: an invoice is disputed, or a late-payment statement is asked to be cancelled or lowered."""

    DISPUTE = "dispute"
    WAIVER = "waiver"


RULES: Mapping[str, str] = {Kind.DISPUTE: "TIC-6", Kind.WAIVER: "INV-9"}


class State(StrEnum):
    OPEN = "open"
    ACCEPTED = "accepted"
    PARTLY = "partly"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


TRANSITIONS: Mapping[str, frozenset[str]] = {
    State.OPEN: frozenset({State.ACCEPTED, State.PARTLY, State.REFUSED, State.WITHDRAWN}),
    State.ACCEPTED: frozenset(),
    State.PARTLY: frozenset(),
    State.REFUSED: frozenset(),
    State.WITHDRAWN: frozenset(),
}
DECIDED = frozenset({State.ACCEPTED, State.PARTLY, State.REFUSED})


class WhyNot(StrEnum):
    """Why a document cannot be contested; `contesting.SENTENCES` says each in words."""

    CREDIT_NOTE = "credit_note"
    OPEN = "open"
    DECIDED = "decided"
    NOTHING_LEFT = "nothing_left"
    TAKEN_BACK = "taken_back"
    TOO_LATE = "too_late"
    ACCEPTED = "accepted"


@dataclass(frozen=True, slots=True)
class Facts:
    """All that contesting a document depends on. `states` are those of earlier contests; `left`: its total that no
    credit note gave back; `fresh`: whether a line is left that no earlier contest named."""

    kind: Kind | None
    issued_at: datetime
    left: Cents
    states: frozenset[str] = frozenset()
    fresh: bool = True


def until(facts: Facts, law: ContestTerms) -> datetime | None:
    """The last instant at which it can be contested, in UTC; None: the terms set no limit.

    A late fee within the working days of INV-9; an invoice within the days of OPR-10, then it is deemed accepted.
    """
    if facts.kind is Kind.WAIVER:
        day = calendars.paris_date(facts.issued_at)
        return calendars.end_of_paris_day(calendars.working_days_after(day, law.waiver_working_days))
    return None if law.accepted_days is None else calendars.days_later(facts.issued_at, law.accepted_days)


def why_not(facts: Facts, law: ContestTerms, at: datetime) -> WhyNot | None:
    """Why a document cannot be contested by an act at `at`; None when it can. Each is decided once, and each of its
    lines stops its clock once: what was taken back is asked about in an ordinary request."""
    if facts.kind is None:
        return WhyNot.CREDIT_NOTE
    if State.OPEN in facts.states:
        return WhyNot.OPEN
    if facts.states & DECIDED:
        return WhyNot.DECIDED
    if facts.left <= 0:
        return WhyNot.NOTHING_LEFT
    if not facts.fresh:
        return WhyNot.TAKEN_BACK
    last = until(facts, law)
    if last is not None and calendars.is_missed(at, last):
        return WhyNot.TOO_LATE if facts.kind is Kind.WAIVER else WhyNot.ACCEPTED
    return None


def fresh(amounts: Sequence[Cents], before: Iterable[Sequence[Cents]]) -> list[Cents]:
    """What can be contested of each line: its `amounts` where no contest `before` wanted anything of it, else 0."""
    named = [any(line) for line in zip(*before, strict=True)] or [False] * len(amounts)
    return [0 if spent else cents for cents, spent in zip(amounts, named, strict=True)]


def decide_by(asked_at: datetime, law: ContestTerms) -> datetime:
    """TIC-6: the instant by which staff owes a decision, 24:00 Paris of the last working day."""
    day = calendars.paris_date(asked_at)
    return calendars.end_of_paris_day(calendars.working_days_after(day, law.decide_working_days))


def outcome(wanted: Sequence[Cents], granted: Sequence[Cents]) -> State:
    """What a decision comes to: accepted when each line got at least what was wanted, refused when none got any."""
    if not any(granted):
        return State.REFUSED
    whole = all(abs(given) >= abs(asked) for asked, given in zip(wanted, granted, strict=True))
    return State.ACCEPTED if whole else State.PARTLY
