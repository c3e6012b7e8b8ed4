"""The ladder of an infringement case, instant by instant (ABU-2..ABU-6, ABU-9, ABU-11, ABU-12)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from types import SimpleNamespace
from typing import Any, cast
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abuse import rules
from abuse.rules import CaseFacts, Hold, Kind, Rung, Stop, Taken
from panel.accounts import brake_rules

HOUR, SECOND, DAY = timedelta(hours=1), timedelta(seconds=1), timedelta(days=1)
T0 = datetime(2026, 6, 1, 9, 30, tzinfo=UTC)
TERMS = cast(
    rules.Terms,
    SimpleNamespace(
        copyright=SimpleNamespace(
            response=48 * HOUR, address_fee=9000, suspend_after=72 * HOUR, terminate_after_days=7, termination_fee=28000
        ),
        general=SimpleNamespace(response_days=7),
        answer=SimpleNamespace(minimum_left=24 * HOUR),
        brake=SimpleNamespace(limit=10, window=HOUR, gap=HOUR, notice=24 * HOUR),
    ),
)


def after(hours: float) -> datetime:
    return T0 + timedelta(hours=hours)


def case(**facts: Any) -> CaseFacts:
    return CaseFacts(**{"kind": Kind.COPYRIGHT, "opened_at": T0 - HOUR, "t0": T0, **facts})


def step(facts: CaseFacts, now: datetime) -> Rung | None:
    found = rules.next_step(facts, TERMS, now)
    return found.rung if found else None


DEACTIVATED = Taken(Rung.DEACTIVATE, after(48) + SECOND, after(48) + SECOND)
SUSPENDED = Taken(Rung.SUSPEND, after(72) + SECOND, after(72) + 60 * SECOND)


# the marks


def test_exactly_at_48_hours_it_is_not_missed_and_a_second_later_it_is() -> None:
    assert step(case(), after(48)) is None
    assert step(case(), after(48) + SECOND) == Rung.DEACTIVATE


def test_the_steps_name_their_rule_and_their_fee() -> None:
    first = rules.next_step(case(), TERMS, after(60))
    assert first == rules.DeactivateAddress(fee=9000, due=after(48))
    last = rules.next_step(case(taken=(DEACTIVATED, SUSPENDED)), TERMS, after(1000))
    assert isinstance(last, rules.TerminateSubscription)
    assert last.fee == 28000


def test_without_t0_nothing_ever_comes_due() -> None:
    assert rules.due_at(case(t0=None), TERMS) is None
    assert step(case(t0=None), after(10_000)) is None


def test_at_most_one_step_at_a_time_however_late_somebody_looks() -> None:
    assert step(case(), after(10_000)) == Rung.DEACTIVATE


def test_suspension_waits_for_the_effect_of_the_deactivation() -> None:
    pending = case(taken=(Taken(Rung.DEACTIVATE, after(49)),))
    assert step(pending, after(500)) is None
    late = case(taken=(Taken(Rung.DEACTIVATE, after(49), after(100)),))
    assert rules.due_at(late, TERMS) == after(100)
    assert step(case(taken=(DEACTIVATED,)), after(72)) is None
    assert step(case(taken=(DEACTIVATED,)), after(72) + SECOND) == Rung.SUSPEND


def test_termination_runs_from_the_effect_of_the_suspension() -> None:
    suspended = case(taken=(DEACTIVATED, SUSPENDED))
    assert rules.due_at(suspended, TERMS) == cast(datetime, SUSPENDED.effective_at) + 7 * DAY
    assert rules.due_at(case(taken=(DEACTIVATED, replace(SUSPENDED, effective_at=None))), TERMS) is None


@pytest.mark.parametrize(
    ("t0", "end"),
    [
        ("2026-10-24T12:00:00+02:00", "2026-10-26T11:00:00+01:00"),
        ("2026-03-28T12:00:00+01:00", "2026-03-30T13:00:00+02:00"),
    ],
)
def test_48_hours_are_elapsed_hours_over_a_change_of_the_clocks(t0: str, end: str) -> None:
    """Edge case 7."""
    assert rules.due_at(case(t0=datetime.fromisoformat(t0)), TERMS) == datetime.fromisoformat(end)


def test_seven_days_end_at_the_same_wall_clock_time_in_paris() -> None:
    """ABU-5 over the end of summer time: 169 hours."""
    effect = datetime(2026, 10, 20, 12, 0, tzinfo=ZoneInfo("Europe/Paris")).astimezone(UTC)
    facts = case(t0=effect - 72 * HOUR, taken=(DEACTIVATED, Taken(Rung.SUSPEND, effect, effect)))
    due = rules.due_at(facts, TERMS)
    assert due == datetime(2026, 10, 27, 12, 0, tzinfo=ZoneInfo("Europe/Paris")).astimezone(UTC)
    assert due - effect == timedelta(hours=169)


# answers and pauses


def test_edge_1_answered_a_second_before_the_end() -> None:
    answered = case(stops=(Stop(after(48) - SECOND),))
    assert step(answered, after(48) + 5 * SECOND) is None
    assert rules.due_at(answered, TERMS) is None


def test_edge_2_an_answer_at_the_instant_is_in_time() -> None:
    assert step(case(stops=(Stop(after(48)),)), after(5000)) is None


def test_an_answer_after_the_instant_does_not_undo_the_missed_step_whenever_somebody_looks() -> None:
    late = case(stops=(Stop(after(48) + SECOND),))
    assert step(late, after(48) + SECOND) == Rung.DEACTIVATE
    assert step(late, after(500)) == Rung.DEACTIVATE


def test_an_answer_after_a_missed_deadline_stops_the_later_steps() -> None:
    late = case(taken=(DEACTIVATED,), stops=(Stop(after(50)),))
    assert step(late, after(5000)) is None


def test_edge_5_a_pause_by_staff_leaves_exactly_what_was_left() -> None:
    assert rules.due_at(case(stops=(Stop(after(40), after(50)),)), TERMS) == after(58)
    assert rules.due_at(case(stops=(Stop(after(40), after(50)), Stop(after(45), after(52)))), TERMS) == after(60)
    assert rules.due_at(case(stops=(Stop(after(40), after(50)), Stop(after(44), after(46)))), TERMS) == after(58)


def test_edge_5_pausing_after_a_step_does_not_undo_it_and_moves_the_next() -> None:
    paused = case(taken=(DEACTIVATED,), stops=(Stop(after(50), after(60)),))
    assert rules.due_at(paused, TERMS) == after(82)


def refused(facts: CaseFacts, since: datetime, at: datetime) -> CaseFacts:
    """The case after an answer that came at `since` was refused at `at`."""
    running = replace(facts, stops=(*facts.stops, Stop(since, at)))
    added = rules.grace(running, TERMS, at)
    return replace(facts, stops=(*facts.stops, Stop(since, at, added)))


def test_edge_6_a_refusal_after_the_deadline_gives_at_least_24_hours() -> None:
    facts = refused(case(), after(47), after(60))
    assert rules.due_at(facts, TERMS) == after(84)
    assert step(facts, after(60)) is None
    assert step(facts, after(84)) is None
    assert step(facts, after(84) + SECOND) == Rung.DEACTIVATE


def test_a_refusal_with_more_left_leaves_what_was_left() -> None:
    assert rules.due_at(refused(case(), after(10), after(20)), TERMS) == after(58)


def test_the_grace_is_granted_once() -> None:
    once = refused(case(), after(47), after(50))
    assert rules.due_at(once, TERMS) == after(74)
    twice = refused(once, after(73), after(80))
    assert rules.due_at(twice, TERMS) == after(81)


def test_a_refusal_that_needed_no_grace_does_not_use_it_up() -> None:
    first = refused(case(), after(10), after(20))
    assert rules.due_at(refused(first, after(57), after(60)), TERMS) == after(84)


def test_the_grace_moves_the_whole_clock() -> None:
    facts = refused(case(), after(47), after(60))
    taken = replace(facts, taken=(Taken(Rung.DEACTIVATE, after(84) + SECOND, after(84) + SECOND),))
    assert rules.due_at(taken, TERMS) == after(108)


def test_a_refusal_while_the_block_is_under_way_still_leaves_24_hours() -> None:
    stuck = case(taken=(Taken(Rung.DEACTIVATE, after(48) + SECOND),))
    answer = refused(stuck, after(60), after(90))
    done = replace(answer, taken=(Taken(Rung.DEACTIVATE, after(48) + SECOND, after(91)),))
    due = rules.due_at(done, TERMS)
    assert due is not None
    assert due - after(90) >= 24 * HOUR


def test_a_pause_that_began_before_a_late_effect_leaves_what_was_left_until_it() -> None:
    facts = case(taken=(Taken(Rung.DEACTIVATE, after(49), after(100)),), stops=(Stop(after(80), after(200)),))
    assert rules.due_at(facts, TERMS) == after(220)


def test_edge_26_contesting_during_the_suspension_stops_the_seven_days() -> None:
    effect = cast(datetime, SUSPENDED.effective_at)
    contested = case(taken=(DEACTIVATED, SUSPENDED), stops=(Stop(effect + 3 * DAY),))
    assert step(contested, effect + 100 * DAY) is None
    resumed = case(taken=(DEACTIVATED, SUSPENDED), stops=(Stop(effect + 3 * DAY, effect + 5 * DAY),))
    assert rules.due_at(resumed, TERMS) == effect + 9 * DAY


def test_edge_27_resolved_on_day_six_nothing_comes_on_day_seven() -> None:
    resolved = case(taken=(DEACTIVATED, SUSPENDED), closed=True)
    assert step(resolved, after(5000)) is None


def test_edge_27_a_suspension_applied_again_starts_its_seven_days_again() -> None:
    again = after(400)
    facts = case(taken=(DEACTIVATED, Taken(Rung.SUSPEND, again, again)))
    assert rules.due_at(facts, TERMS) == again + 7 * DAY


def test_edge_18_a_further_report_changes_no_deadline() -> None:
    """Reports are no fact of the clock: there is no way in which one could move it."""
    assert not {"reports", "report", "last_report_at"} & set(CaseFacts.__dataclass_fields__)


def test_edge_3_a_step_overtaken_by_an_answer_in_time_is_named() -> None:
    facts = case(taken=(DEACTIVATED,))
    assert rules.overtaken(facts, TERMS, after(47.9)) == [Rung.DEACTIVATE]
    assert rules.overtaken(facts, TERMS, after(48)) == [Rung.DEACTIVATE]
    assert rules.overtaken(facts, TERMS, after(48) + SECOND) == []
    assert rules.overtaken(facts, TERMS, after(60)) == []
    assert rules.overtaken(case(taken=(DEACTIVATED, SUSPENDED)), TERMS, after(60)) == [Rung.SUSPEND]


@pytest.mark.parametrize(
    ("automatic", "from_customer", "internal", "answer"),
    [(False, True, False, True), (True, True, False, False), (False, False, False, False), (False, True, True, False)],
)
def test_edge_4_only_a_human_word_of_the_customer_answers(
    automatic: bool, from_customer: bool, internal: bool, answer: bool
) -> None:
    assert rules.is_answer(automatic=automatic, from_customer=from_customer, internal=internal) is answer


# the brake


@pytest.mark.parametrize(("decided", "reason"), [(0, ""), (1, ""), (10, ""), (11, "many"), (500, "many")])
def test_edge_21_more_than_ten_wait(decided: int, reason: str) -> None:
    assert brake_rules.brake(decided_in_window=decided, fell_due_in_gap=False, terms=TERMS.brake) == reason


def test_edge_21_what_fell_due_in_a_gap_waits() -> None:
    assert brake_rules.brake(decided_in_window=1, fell_due_in_gap=True, terms=TERMS.brake) == "gap"


def test_edge_21_held_is_not_due_and_released_leaves_a_day() -> None:
    held = case(holds=(Hold(Rung.DEACTIVATE),))
    assert step(held, after(500)) is None
    released = case(holds=(Hold(Rung.DEACTIVATE, after(60)),))
    assert rules.due_at(released, TERMS) == after(84)
    assert rules.due_at(case(holds=(Hold(Rung.DEACTIVATE, after(1)),)), TERMS) == after(48)


def test_an_answer_in_the_day_after_a_release_is_in_time() -> None:
    facts = case(holds=(Hold(Rung.DEACTIVATE, after(60)),), stops=(Stop(after(84)),))
    assert step(facts, after(500)) is None
    facts = case(holds=(Hold(Rung.DEACTIVATE, after(60)),), stops=(Stop(after(84) + SECOND),))
    assert step(facts, after(500)) == Rung.DEACTIVATE


# other kinds


@pytest.mark.parametrize("kind", [Kind.GENERAL, Kind.SPAM, Kind.BLOCKLIST])
def test_other_infringements_end_before_a_person_after_seven_days(kind: Kind) -> None:
    facts = case(kind=kind, t0=None)
    assert rules.due_at(facts, TERMS) == facts.opened_at + 7 * DAY
    assert step(facts, facts.opened_at + 7 * DAY) is None
    suggestion = rules.next_step(facts, TERMS, facts.opened_at + 7 * DAY + SECOND)
    assert isinstance(suggestion, rules.SuggestSuspension)
    assert step(replace(facts, taken=(Taken(Rung.ELIGIBLE, after(200)),)), after(9000)) is None


# the page


def test_the_ladder_says_before_when_each_step_comes() -> None:
    lines = rules.ladder(case(), TERMS)
    assert [(line.rule, line.state, line.at, line.exact, line.fee) for line in lines] == [
        ("ABU-3", "next", after(48), True, 9000),
        ("ABU-4", "later", after(72), False, 0),
        ("ABU-5", "later", after(72) + 7 * DAY, False, 28000),
    ]


@pytest.mark.parametrize(
    ("facts", "states"),
    [
        (case(t0=None), ["later", "later", "later"]),
        (case(stops=(Stop(after(3)),)), ["stopped", "stopped", "stopped"]),
        (case(holds=(Hold(Rung.DEACTIVATE),)), ["held", "later", "later"]),
        (case(taken=(Taken(Rung.DEACTIVATE, after(49)),)), ["pending", "later", "later"]),
        (case(taken=(DEACTIVATED, SUSPENDED)), ["done", "done", "next"]),
        (case(taken=(DEACTIVATED,), closed=True), ["done", "off", "off"]),
        (case(taken=(replace(DEACTIVATED, undone_at=after(90)),), closed=True), ["undone", "off", "off"]),
    ],
)
def test_the_ladder_says_after_what_each_step_did(facts: CaseFacts, states: list[str]) -> None:
    assert [line.state for line in rules.ladder(facts, TERMS)] == states


# properties

hours = st.floats(min_value=0, max_value=300, allow_nan=False).map(lambda h: T0 + timedelta(seconds=round(h * 3600)))


@st.composite
def stops(draw: st.DrawFn) -> tuple[Stop, ...]:
    return tuple(Stop(*sorted(draw(st.tuples(hours, hours)))) for _ in range(draw(st.integers(0, 5))))


@given(stops(), hours)
def test_the_verdict_never_goes_back(closed_stops: tuple[Stop, ...], now: datetime) -> None:
    """Once a step is due it stays due: looking late asks for the same."""
    facts = case(stops=closed_stops)
    if step(facts, now):
        assert step(facts, now + 1000 * DAY) == step(facts, now)


@given(stops())
def test_the_clock_is_never_shorter_than_its_period_and_never_longer_than_all_pauses(
    all_stops: tuple[Stop, ...],
) -> None:
    due = rules.due_at(case(stops=all_stops), TERMS)
    assert due is not None
    length = sum((cast(datetime, stop.until) - stop.since for stop in all_stops), timedelta(0))
    assert after(48) <= due <= after(48) + length


@given(stops(), hours)
def test_before_any_mark_was_missed_the_running_time_is_exactly_the_period(
    all_stops: tuple[Stop, ...], now: datetime
) -> None:
    """Counted second by second, not by the rule's own arithmetic."""
    due = rules.due_at(case(stops=all_stops), TERMS)
    assert due is not None
    edges = sorted({T0, due, *(s.since for s in all_stops), *(cast(datetime, s.until) for s in all_stops)})
    running = timedelta(0)
    for start, end in pairwise(edges):
        stands = any(s.since <= start and end <= cast(datetime, s.until) for s in all_stops)
        if end <= due and not stands:
            running += end - start
    assert running == 48 * HOUR


@given(stops(), hours, hours)
def test_a_refusal_in_time_always_leaves_at_least_24_hours_the_first_time(
    before: tuple[Stop, ...], since: datetime, at: datetime
) -> None:
    since, at = sorted((since, at))
    facts = case(stops=before)
    due = rules.due_at(facts, TERMS)
    if due is None or since > due:
        return
    left = rules.due_at(refused(facts, since, at), TERMS)
    assert left is not None
    assert left >= due
    assert left - at >= 24 * HOUR


@given(st.permutations([Stop(after(1), after(5)), Stop(after(3), after(9)), Stop(after(20), after(30))]))
def test_the_order_in_which_pauses_are_written_does_not_matter(some: list[Stop]) -> None:
    assert rules.due_at(case(stops=tuple(some)), TERMS) == after(48 + 8 + 10)


def test_every_state_can_be_left_only_as_the_table_says() -> None:
    assert set(rules.TRANSITIONS) == set(rules.State) - {rules.State.REVERSED}
    assert all(target in set(rules.State) for targets in rules.TRANSITIONS.values() for target in targets)
