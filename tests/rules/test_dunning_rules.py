"""How late an invoice is and what comes next, for any days and any stretches in which its clock stood (INV-14, TIC-6,
SRV-6)."""

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from invoicing.chasing import dunning_rules as law
from invoicing.chasing.dunning_rules import Patience, Stop, Unpaid

DUE = date(2026, 4, 2)
LAW = Patience(remind_after=(1, 7, 12), overage_days=15, unpaid_days=30)
LATER = st.integers(0, 200)
STOPS = st.lists(
    st.tuples(st.integers(-20, 150), st.integers(0, 40)).map(
        lambda pair: Stop(DUE + timedelta(days=pair[0]), DUE + timedelta(days=sum(pair)))
    ),
    max_size=4,
)
AFTER = st.lists(st.integers(1, 60), min_size=1, max_size=5, unique=True).map(sorted)


def on(late: int) -> date:
    return DUE + timedelta(days=late)


def test_nothing_is_late_on_its_due_date() -> None:
    assert [law.days_late(DUE, on(day)) for day in (-3, 0, 1, 2)] == [0, 0, 1, 2]


@given(LATER, STOPS)
def test_a_day_counts_unless_the_clock_stood_on_it(day: int, stops: list[Stop]) -> None:
    counted = sum(
        1 for late in range(1, day + 1)
        if not any(stop.since <= on(late) < (stop.until or date.max) for stop in stops)
    )  # fmt: skip
    assert law.days_late(DUE, on(day), stops) == counted


@given(st.integers(1, 60), STOPS)
def test_the_day_of_a_stage_is_the_first_on_which_it_is_reached(late: int, stops: list[Stop]) -> None:
    day = law.day_when(DUE, late, stops)
    assert day is not None
    assert law.days_late(DUE, day, stops) == late
    assert law.days_late(DUE, day - timedelta(days=1), stops) < late


def test_while_the_clock_stands_no_day_is_known() -> None:
    assert law.day_when(DUE, 7, [Stop(DUE)]) is None
    (step,) = law.steps(Unpaid(DUE, stops=(Stop(DUE),)), LAW, today=on(30))
    assert (step.kind, step.on) == (law.WAITS, None)


@given(AFTER, st.lists(st.integers(0, 8), min_size=1, max_size=60))
def test_however_the_clock_jumps_no_stage_is_sent_twice_and_the_last_one_is(after: list[int], jumps: list[int]) -> None:
    sent, late = [0], 0
    for jump in jumps:
        late += jump
        stage = law.stage_due(late, after, sent[-1])
        if stage is not None:
            sent.append(stage)
    assert sent == sorted(set(sent))
    assert sent[-1] == law.reached(late, after)


def test_the_last_reminder_is_worded_as_such() -> None:
    assert [law.tone(stage, (1, 7, 12)) for stage in (1, 2, 3)] == ["first", "again", "last"]
    assert law.tone(1, (5,)) == "last"


def test_suspension_stands_in_its_place_among_what_comes() -> None:
    unpaid = Unpaid(DUE, sent=2, overage=True, told=on(10))
    found = law.steps(unpaid, LAW, today=on(8))
    assert [(step.kind, step.rule, step.on) for step in found] == [
        ("suspension", "INV-7", on(10)), ("reminder", "INV-14", on(12)), ("suspension", "SRV-6", on(16)),
    ]  # fmt: skip


def test_each_debt_leads_to_a_suspension_by_one_rule_and_no_fee_before_its_last_reminder() -> None:
    special = [Unpaid(DUE, overage=True), Unpaid(DUE, told=on(10)), Unpaid(DUE, chased=False)]
    assert [law.fee_on(unpaid, LAW) for unpaid in special] == [None, None, None]
    assert law.fee_on(Unpaid(DUE), LAW) == on(31)
    assert law.fee_on(Unpaid(DUE), Patience((1, 40), 15, 30)) == on(40)
    found = law.steps(Unpaid(DUE, sent=3), LAW, today=on(13))
    assert [(step.kind, step.rule, step.on) for step in found] == [("suspension", "SUB-8", on(31))]
