"""When a document can be contested, and what a decision comes to (TIC-6, INV-9, OPR-10)."""

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from invoicing.contesting import contest_rules
from invoicing.contesting.contest_rules import Facts, Kind, State, WhyNot
from panel.core.calendars import is_working_day, paris_date
from panel.terms.numbers import ContestTerms

INSTANTS = st.datetimes(datetime(2026, 1, 1), datetime(2028, 1, 1), timezones=st.just(UTC))
LAWS = st.builds(ContestTerms, st.integers(1, 20), st.integers(1, 20), st.none() | st.integers(1, 60))
KINDS = st.sampled_from(Kind)
MOMENT = timedelta(microseconds=1)


@settings(deadline=None)  # the first holiday of a year takes a moment
@given(KINDS, INSTANTS, LAWS, INSTANTS)
def test_exactly_until_the_last_instant(kind: Kind, issued_at: datetime, law: ContestTerms, later: datetime) -> None:
    facts = Facts(kind, issued_at, left=1)
    last = contest_rules.until(facts, law)
    if last is None:
        assert (kind, law.accepted_days) == (Kind.DISPUTE, None)
        assert contest_rules.why_not(facts, law, max(issued_at, later)) is None
        return
    assert last > issued_at
    assert contest_rules.why_not(facts, law, last) is None
    late = WhyNot.TOO_LATE if kind is Kind.WAIVER else WhyNot.ACCEPTED
    assert contest_rules.why_not(facts, law, last + MOMENT) is late


@settings(deadline=None)
@given(KINDS, INSTANTS, LAWS, st.frozensets(st.sampled_from(State)))
def test_one_at_a_time_and_decided_once(kind: Kind, at: datetime, law: ContestTerms, states: frozenset[State]) -> None:
    found = contest_rules.why_not(Facts(kind, at, left=1, states=frozenset(map(str, states))), law, at)
    assert (found is None) is (states <= {State.WITHDRAWN})


@given(st.lists(st.lists(st.sampled_from([-30, 0, 0, 40]), min_size=3, max_size=3), max_size=4))
def test_each_line_is_contested_once(before: list[list[int]]) -> None:
    """However it is asked, one line after another: no more times than there are lines."""
    amounts = [-30, 0, 40]
    found = contest_rules.fresh(amounts, before)
    assert found == [
        0 if any(row[place] for row in before) else cents for place, cents in enumerate(amounts)
    ]  # fmt: skip
    asked, times = list(before), 0
    while any(found):
        first = next(place for place, cents in enumerate(found) if cents)
        asked.append([cents if place == first else 0 for place, cents in enumerate(found)])
        found, times = contest_rules.fresh(amounts, asked), times + 1
    assert times <= 2


def test_what_was_taken_back_stops_the_clock_no_more() -> None:
    law, at = ContestTerms(5, 5, None), datetime(2026, 3, 2, tzinfo=UTC)
    facts = Facts(Kind.DISPUTE, at, left=1, states=frozenset({State.WITHDRAWN}), fresh=False)
    assert contest_rules.why_not(facts, law, at) is WhyNot.TAKEN_BACK


def test_a_credit_note_or_what_is_credited_is_not_contested() -> None:
    law, at = ContestTerms(5, 5, None), datetime(2026, 3, 2, tzinfo=UTC)
    assert contest_rules.why_not(Facts(None, at, left=1), law, at) is WhyNot.CREDIT_NOTE
    assert contest_rules.why_not(Facts(Kind.DISPUTE, at, left=0), law, at) is WhyNot.NOTHING_LEFT


@settings(deadline=None)
@given(INSTANTS, LAWS)
def test_the_decision_is_due_at_the_end_of_a_working_day(asked_at: datetime, law: ContestTerms) -> None:
    day, last = paris_date(asked_at), paris_date(contest_rules.decide_by(asked_at, law) - MOMENT)
    between = [day + timedelta(days=count) for count in range(1, (last - day).days + 1)]
    assert is_working_day(last)
    assert sum(map(is_working_day, between)) == law.decide_working_days


@given(st.lists(st.tuples(st.integers(-50, 50), st.integers(0, 100)), min_size=1, max_size=5))
def test_what_a_decision_comes_to(lines: list[tuple[int, int]]) -> None:
    wanted = [cents for cents, _percent in lines]
    granted = [cents * percent // 100 for cents, percent in lines]
    found = contest_rules.outcome(wanted, granted)
    assert (found is State.REFUSED) is not any(granted)
    assert contest_rules.outcome(wanted, [0] * len(wanted)) is State.REFUSED
    if any(wanted):
        assert contest_rules.outcome(wanted, wanted) is State.ACCEPTED
