"""The law of infringements (ABU-1 to ABU-12). Pure: facts in, decision out.

A case of copyright has one clock. It starts at T0 and comes to its marks one after the other: the address is
deactivated (ABU-3), the account suspended (ABU-4); a second clock, from the effect of the suspension, ends with the
subscription (ABU-5). An answer, a complaint or staff stops the clock (ABU-9). A mark is missed only after its instant,
and whoever stops the clock after a mark has not undone it: the verdict depends on these instants, never on when
somebody looked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from panel.core.calendars import is_missed, same_paris_time_later

if TYPE_CHECKING:
    from panel.terms.numbers import AnswerTerms, BrakeTerms, CopyrightTerms, GeneralTerms


class Kind(StrEnum):
    """What a case is about. Only copyright has a ladder that acts by itself; the others end before a person (ABU-6)."""

    COPYRIGHT = "copyright"
    BLOCKLIST = "blocklist"
    SPAM = "spam"
    GENERAL = "general"


class State(StrEnum):
    NOTIFYING = "notifying"
    RUNNING = "running"
    ANSWERED = "answered"
    PAUSED = "paused"
    RESOLVED = "resolved"
    TERMINATED = "terminated"
    REVERSED = "reversed"


OPEN = frozenset({State.NOTIFYING, State.RUNNING, State.ANSWERED, State.PAUSED})
TRANSITIONS: Mapping[str, frozenset[str]] = {
    State.NOTIFYING: frozenset({State.RUNNING, State.ANSWERED, State.PAUSED, State.RESOLVED, State.REVERSED}),
    State.RUNNING: frozenset(
        {State.NOTIFYING, State.ANSWERED, State.PAUSED, State.RESOLVED, State.TERMINATED, State.REVERSED}
    ),
    State.ANSWERED: frozenset({State.RUNNING, State.PAUSED, State.RESOLVED, State.TERMINATED, State.REVERSED}),
    State.PAUSED: frozenset({State.RUNNING, State.ANSWERED, State.RESOLVED, State.TERMINATED, State.REVERSED}),
    State.RESOLVED: frozenset({State.REVERSED}),
    State.TERMINATED: frozenset({State.RESOLVED, State.REVERSED}),
}


class Rung(StrEnum):
    """The steps of the ladders, in their order."""

    DEACTIVATE = "deactivate"
    SUSPEND = "suspend"
    TERMINATE = "terminate"
    ELIGIBLE = "eligible"


LADDERS: Mapping[str, tuple[Rung, ...]] = {
    Kind.COPYRIGHT: (Rung.DEACTIVATE, Rung.SUSPEND, Rung.TERMINATE),
    Kind.BLOCKLIST: (Rung.ELIGIBLE,),
    Kind.SPAM: (Rung.ELIGIBLE,),
    Kind.GENERAL: (Rung.ELIGIBLE,),
}
RULES: Mapping[Rung, str] = {
    Rung.DEACTIVATE: "ABU-3",
    Rung.SUSPEND: "ABU-4",
    Rung.TERMINATE: "ABU-5",
    Rung.ELIGIBLE: "ABU-6",
}


class Terms(Protocol):
    """The numbers that the case began under (`panel.terms`)."""

    @property
    def copyright(self) -> CopyrightTerms: ...
    @property
    def general(self) -> GeneralTerms: ...
    @property
    def answer(self) -> AnswerTerms: ...
    @property
    def brake(self) -> BrakeTerms: ...


@dataclass(frozen=True)
class Stop:
    """A stretch in which the clock stood: an answer under judgement, a complaint, staff. `until` None: it still stands.

    `grace` is what a refusal at its end gave beyond what was left (ABU-9).
    """

    since: datetime
    until: datetime | None = None
    grace: timedelta = timedelta(0)


@dataclass(frozen=True)
class Taken:
    """A step that was decided, when it took effect, and when it was undone."""

    rung: Rung
    decided_at: datetime
    effective_at: datetime | None = None
    undone_at: datetime | None = None


@dataclass(frozen=True)
class Hold:
    """A step the brake kept back (ABU-12), and when two persons released it."""

    rung: Rung
    released_at: datetime | None = None


@dataclass(frozen=True)
class CaseFacts:
    """All that the verdict depends on. `t0`: the notice is in the panel and accepted by the mail server (ABU-2)."""

    kind: str
    opened_at: datetime
    t0: datetime | None
    closed: bool = False
    stops: tuple[Stop, ...] = ()
    taken: tuple[Taken, ...] = ()
    holds: tuple[Hold, ...] = ()

    def step(self, rung: Rung) -> Taken | None:
        return next((taken for taken in self.taken if taken.rung == rung), None)

    @property
    def stopped(self) -> bool:
        return any(stop.until is None for stop in self.stops)


@dataclass(frozen=True)
class DeactivateAddress:
    """ABU-3: the address in question is deactivated; the fee (cents) is charged once that took effect."""

    fee: int
    due: datetime
    rung: Rung = Rung.DEACTIVATE


@dataclass(frozen=True)
class SuspendAccount:
    """ABU-4: the account is suspended."""

    due: datetime
    rung: Rung = Rung.SUSPEND


@dataclass(frozen=True)
class TerminateSubscription:
    """ABU-5: the subscription that carried the address ends, and the fee (cents) is charged."""

    fee: int
    due: datetime
    rung: Rung = Rung.TERMINATE


@dataclass(frozen=True)
class SuggestSuspension:
    """ABU-6: the server is eligible for suspension; a person confirms."""

    due: datetime
    rung: Rung = Rung.ELIGIBLE


Step = DeactivateAddress | SuspendAccount | TerminateSubscription | SuggestSuspension


def next_rung(case: CaseFacts) -> Rung | None:
    """The first step of the case's ladder that has not been decided."""
    return next((rung for rung in LADDERS[case.kind] if case.step(rung) is None), None)


def next_step(case: CaseFacts, terms: Terms, now: datetime) -> Step | None:
    """ABU-2..ABU-6: what the contract asks for at `now`, at most one step at a time; None before and at the instant."""
    due = due_at(case, terms)
    if due is None or not is_missed(now, due):
        return None
    match next_rung(case):
        case Rung.DEACTIVATE:
            return DeactivateAddress(terms.copyright.address_fee, due)
        case Rung.SUSPEND:
            return SuspendAccount(due)
        case Rung.TERMINATE:
            return TerminateSubscription(terms.copyright.termination_fee, due)
        case Rung.ELIGIBLE:
            return SuggestSuspension(due)
    return None


def due_at(case: CaseFacts, terms: Terms) -> datetime | None:
    """The instant after which the next step is due; None while nothing can come due (closed, stopped, held, no T0)."""
    rung = next_rung(case)
    if case.closed or rung is None:
        return None
    hold = next((hold for hold in case.holds if hold.rung == rung), None)
    if hold is not None and hold.released_at is None:
        return None
    floor = hold.released_at + terms.brake.notice if hold is not None and hold.released_at is not None else None
    if rung == Rung.ELIGIBLE:  # ABU-6: from the opening, by the clock on the wall in Paris
        end = same_paris_time_later(case.opened_at, terms.general.response_days)
        return _mark(case.opened_at, end, floor, case.stops)
    return _copyright_due(case, rung, case.t0, floor, terms) if case.t0 is not None else None


def _copyright_due(case: CaseFacts, rung: Rung, t0: datetime, floor: datetime | None, terms: Terms) -> datetime | None:
    """When `rung` is due; `floor` is an instant before which it cannot be taken for another reason."""
    law = terms.copyright
    if rung == Rung.DEACTIVATE:  # ABU-2: from T0
        return _mark(t0, t0 + law.response, floor, case.stops)
    before = case.step(Rung.DEACTIVATE if rung == Rung.SUSPEND else Rung.SUSPEND)
    if before is None or before.effective_at is None or before.undone_at is not None:
        return None
    if rung == Rung.SUSPEND:  # ABU-4: from T0, and never before ABU-3 took effect
        return _mark(t0, t0 + law.suspend_after, max(before.effective_at, floor or before.effective_at), case.stops)
    # ABU-5: from the effect of the suspension, the same wall-clock time in Paris
    end = same_paris_time_later(before.effective_at, law.terminate_after_days)
    return _mark(before.effective_at, end, floor, case.stops)


def _mark(start: datetime, end: datetime, floor: datetime | None, stops: Iterable[Stop]) -> datetime | None:
    """Where the clock that began at `start` comes to its mark; None while it stands.

    Each stop that began at or before the mark moves it by its length and its grace (ABU-9); overlapping ones count
    once. A later stop comes too late for this mark. Nothing is due before `floor`, and until then a stop is in time.
    """
    covered = start
    for stop in sorted(stops, key=lambda stop: stop.since):
        if stop.until is not None and stop.until <= start:
            continue
        if stop.since > end:
            if floor is None or stop.since > floor:
                break
            end = floor
        if stop.until is None:
            return None
        end += max(stop.until - max(stop.since, covered), timedelta(0)) + stop.grace
        covered = max(covered, stop.until)
    return end if floor is None else max(end, floor)


def grace(case: CaseFacts, terms: Terms, now: datetime) -> timedelta:
    """ABU-9: what must be added so that a refusal at `now` leaves at least the minimum; once per case.

    `case` is the case with its clock running again from `now`. The addition moves the whole clock, so that the steps
    keep their distance from each other. A step still waiting for its effect counts as if it had it. A refused answer
    that had come after the mark gives nothing back.
    """
    certain = tuple(replace(taken, effective_at=taken.effective_at or taken.decided_at) for taken in case.taken)
    due = due_at(replace(case, taken=certain), terms)
    if due is None or due < now or any(stop.grace for stop in case.stops):
        return timedelta(0)
    return max(terms.answer.minimum_left - (due - now), timedelta(0))


def overtaken(case: CaseFacts, terms: Terms, answered_at: datetime) -> list[Rung]:
    """Steps decided although an answer had arrived in time, read too late: they are undone (ABU-9)."""
    found: list[Rung] = []
    for number, taken in enumerate(case.taken):
        due = due_at(replace(case, closed=False, taken=case.taken[:number], holds=()), terms)
        if taken.undone_at is None and taken.decided_at >= answered_at and due is not None and answered_at <= due:
            found.append(taken.rung)
    return found


def may_start(*, trusted: bool, proven: bool, sure: bool, accepted: int, dismissed: int) -> bool:
    """ABU-1: only a trusted reporter's proven and certain report starts a clock by itself; not that of a reporter whose
    reports were dismissed more often than accepted."""
    return trusted and proven and sure and dismissed <= accepted


def is_answer(*, automatic: bool, from_customer: bool, internal: bool) -> bool:
    """ABU-9: any human answer of the customer's side stops the clock; a vacation reply or a bounce does not."""
    return from_customer and not automatic and not internal


@dataclass(frozen=True)
class LadderStep:
    """A line of the ladder on the case's page. `at` is when it comes or came; `exact` False: not before then."""

    rung: Rung
    rule: str
    state: str
    at: datetime | None
    exact: bool
    fee: int


def ladder(case: CaseFacts, terms: Terms) -> list[LadderStep]:
    """ABU-11: each step with its time before it comes, and what it did after.

    States: done, pending (decided, not yet in effect), undone, next, held, stopped, later, off.
    """
    fees = {Rung.DEACTIVATE: terms.copyright.address_fee, Rung.TERMINATE: terms.copyright.termination_fee}
    lines: list[LadderStep] = []
    following, due = next_rung(case), due_at(case, terms)
    moment = case.t0
    for rung in LADDERS[case.kind]:
        taken = case.step(rung)
        exact = taken is not None or (rung == following and due is not None)
        if taken is not None:
            state = "undone" if taken.undone_at else "done" if taken.effective_at else "pending"
            moment = taken.effective_at or taken.decided_at
        elif case.closed:
            state, moment = "off", None
        elif exact:
            state, moment = "next", due
        else:
            held = any(hold.rung == rung and hold.released_at is None for hold in case.holds)
            state = "held" if held else "stopped" if case.stopped else "later"
            moment = _not_before(case, rung, moment, terms) if state == "later" else None
        lines.append(LadderStep(rung, RULES[rung], state, moment, exact, fees.get(rung, 0)))
    return lines


def _not_before(case: CaseFacts, rung: Rung, after: datetime | None, terms: Terms) -> datetime | None:
    """The earliest instant at which a later step could come, if the one before takes effect at `after`."""
    if after is None or case.t0 is None:
        return None
    if rung == Rung.SUSPEND:
        return _mark(case.t0, case.t0 + terms.copyright.suspend_after, after, case.stops)
    return same_paris_time_later(after, terms.copyright.terminate_after_days)
