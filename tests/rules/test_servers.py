"""The pure law of servers: states, buttons, traffic months, sharing out by time, thresholds (SRV-4, SRV-5, SRV-8)."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from panel.core import calendars
from servers import rules
from servers.rules import Power, Standing, State, Verb, WhyNot

instants = st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1)).map(lambda value: value.replace(tzinfo=UTC))
days = st.dates(date(2020, 1, 1), date(2034, 12, 31))


def test_every_state_leads_somewhere_but_the_last_and_all_are_in_the_table() -> None:
    assert set(rules.TRANSITIONS) == set(State)
    assert [state for state, ways in rules.TRANSITIONS.items() if not ways] == [State.DESTROYED]
    assert all(ways <= set(State) for ways in rules.TRANSITIONS.values())


@pytest.mark.parametrize("state", [state for state in State if state not in (State.DESTROYED, State.DESTROYING)])
def test_whatever_lives_can_be_removed(state: State) -> None:
    assert State.DESTROYING in rules.TRANSITIONS[state]


standings = st.builds(
    Standing, state=st.sampled_from(State), busy=st.booleans(), able=st.booleans(), rescue=st.booleans(),
    protected=st.booleans(), keys=st.booleans(), ends=st.booleans(),
)  # fmt: skip


@given(at=standings, verb=st.sampled_from(sorted(rules.ONE_AT_A_TIME)))
def test_a_button_that_applies_leads_along_the_table(at: Standing, verb: str) -> None:
    if rules.why_not(Verb(verb), at) is None:
        assert at.able
        assert not at.busy
        target = rules.after(Verb(verb))
        assert target in (None, at.state) or target in rules.TRANSITIONS[at.state]


@given(at=standings)
def test_what_is_protected_or_suspended_is_neither_destroyed_nor_rebuilt(at: Standing) -> None:
    if at.protected or at.state == State.SUSPENDED:
        assert rules.why_not(Verb.DESTROY, at)
        assert rules.why_not(Verb.REBUILD, at)


@given(at=standings)
def test_of_two_opposites_one_applies_at_most(at: Standing) -> None:
    for pair in ((Verb.RESCUE, Verb.LEAVE_RESCUE), (Verb.PROTECT, Verb.UNPROTECT), (Verb.START, Verb.CUT)):
        assert [rules.why_not(verb, at) for verb in pair].count(None) <= 1


@pytest.mark.parametrize(
    ("verb", "at", "reason"),
    [
        (Verb.START, Standing(State.RUNNING), WhyNot.ALREADY_ON), (Verb.START, Standing(State.STOPPED), None),
        (Verb.STOP, Standing(State.STOPPED), WhyNot.ALREADY_OFF),
        (Verb.CUT, Standing(State.STOPPED), WhyNot.ALREADY_OFF), (Verb.CUT, Standing(State.RUNNING), None),
        (Verb.REBOOT, Standing(State.STOPPED), WhyNot.ALREADY_OFF),
        (Verb.STOP, Standing(State.RUNNING, busy=True), WhyNot.BUSY),
        (Verb.STOP, Standing(State.RUNNING, able=False), WhyNot.NOT_HERE),
        (Verb.START, Standing(State.SUSPENDED), WhyNot.SUSPENDED),
        (Verb.STOP, Standing(State.CREATING), WhyNot.NOT_READY), (Verb.KEYS, Standing(State.RUNNING, busy=True), None),
        (Verb.KEYS, Standing(State.DESTROYED), WhyNot.ENDED), (Verb.REBOOT, Standing(State.FAILED), WhyNot.FAILED),
        (Verb.KEYS, Standing(State.SUSPENDED), None), (Verb.RENAME, Standing(State.SUSPENDED), None),
        (Verb.RENAME, Standing(State.DESTROYED), WhyNot.ENDED), (Verb.PROTECT, Standing(State.CREATING), None),
        (Verb.PROTECT, Standing(State.RUNNING, ends=True), WhyNot.ENDS_ALREADY),
        (Verb.REBUILD, Standing(State.RUNNING, rescue=True), WhyNot.IN_RESCUE),
        (Verb.REBUILD, Standing(State.STOPPED, protected=True), WhyNot.PROTECTED),
        (Verb.RESCUE, Standing(State.RUNNING, keys=False), WhyNot.NO_KEY),
        (Verb.LEAVE_RESCUE, Standing(State.RUNNING), WhyNot.NOT_IN_RESCUE),
        (Verb.DESTROY, Standing(State.RUNNING, protected=True), WhyNot.PROTECTED),
        (Verb.DESTROY, Standing(State.DESTROYING), WhyNot.ENDED), (Verb.DESTROY, Standing(State.STOPPED), None),
    ],
)  # fmt: skip
def test_buttons_say_why_not(verb: Verb, at: Standing, reason: WhyNot | None) -> None:
    assert rules.why_not(verb, at) == reason


@pytest.mark.parametrize(("text", "name"), [
    (" Web-1 ", "web-1"), ("a", "a"), ("a" * 63, "a" * 63), ("a" * 64, None), ("-a", None), ("a-", None), ("", None),
    ("a b", None), ("a.b", None), ("é", None),
])  # fmt: skip
def test_a_name_is_a_host_name(text: str, name: str | None) -> None:
    assert rules.host_name(text) == name


@pytest.mark.parametrize(("text", "labels"), [
    ("Shop, production shop", ["production", "shop"]), ("", []), ("été v1.2", ["v1.2", "été"]), ("a/b", None),
    ("x" * 25, None), (" ".join("abcdefghi"), None), (" ".join("abcdefgh"), list("abcdefgh")),
])  # fmt: skip
def test_labels_are_a_few_short_words(text: str, labels: list[str] | None) -> None:
    assert rules.labels(text) == labels


@pytest.mark.parametrize(("text", "script"), [
    ("a\r\nb\rc", "a\nb\nc\n"), (" \n", ""), ("", ""), ("x" * 16_383, "x" * 16_383 + "\n"), ("x" * 16_384, None),
    ("é" * 8_192, None), ("a\0b", None),
])  # fmt: skip
def test_a_script_has_the_line_ends_and_the_size_that_every_place_takes(text: str, script: str | None) -> None:
    assert rules.first_boot(text) == script


@pytest.mark.parametrize(
    ("state", "power", "expected"),
    [(State.RUNNING, Power.OFF, State.STOPPED), (State.STOPPED, Power.ON, State.RUNNING),
     (State.SUSPENDED, Power.ON, None), (State.RUNNING, Power.GONE, None), (State.RUNNING, Power.UNKNOWN, None)],
)  # fmt: skip
def test_only_a_machine_switched_by_its_owner_is_adopted(state: State, power: Power, expected: State | None) -> None:
    assert rules.adopted(state, power) == expected


@given(anchor=days, instant=instants)
def test_the_month_holds_its_instant_and_starts_on_the_anchor_day(anchor: date, instant: datetime) -> None:
    month = rules.month_at(anchor, instant)
    if calendars.paris_date(instant) >= anchor:
        assert month.starts_at <= instant < month.ends_at
    assert month.starts_on.day in {anchor.day, *range(28, anchor.day)}
    assert timedelta(days=27) < month.ends_at - month.starts_at < timedelta(days=33)


@given(anchor=days, count=st.integers(0, 40))
def test_months_follow_each_other_without_gap(anchor: date, count: int) -> None:
    start = calendars.add_months(anchor, count)
    month = rules.month_at(anchor, calendars.start_of_paris_day(start))
    assert month.starts_on == start
    assert rules.month_at(anchor, month.ends_at).starts_on == month.ends_on
    assert rules.month_at(anchor, month.ends_at - timedelta(microseconds=1)) == month


def test_the_31st_comes_back_after_a_short_month() -> None:
    anchor, days = date(2026, 1, 31), (date(2026, 1, 31), date(2026, 3, 1), date(2026, 3, 31), date(2026, 5, 1))
    starts = [rules.month_at(anchor, calendars.start_of_paris_day(day)).starts_on for day in days]
    assert starts == [date(2026, 1, 31), date(2026, 2, 28), date(2026, 3, 31), date(2026, 4, 30)]


@given(amount=st.integers(0, 10**15), since=instants, length=st.timedeltas(timedelta(0), timedelta(days=40)))
def test_what_is_shared_out_by_hours_adds_up(amount: int, since: datetime, length: timedelta) -> None:
    until = since + length
    parts = rules.spread(amount, since, until, rules.hours_in(since, until))
    assert sum(part for _, part in parts) == amount
    assert all(part >= 0 for _, part in parts)
    assert [start for start, _ in parts][1:] == rules.hours_in(since, until) if length else len(parts) == 1


def test_an_even_flow_is_shared_evenly() -> None:
    since = datetime(2026, 3, 1, 10, 30, tzinfo=UTC)
    until = since + timedelta(hours=2)
    parts = rules.spread(1200, since, until, rules.hours_in(since, until))
    assert [part for _, part in parts] == [300, 600, 300]


@given(
    used=st.integers(0, 10**13),
    more=st.integers(0, 10**13),
    included=st.integers(1, 10**13),
    own=st.none() | st.integers(1, 300),
)
def test_a_threshold_is_crossed_once_however_the_bytes_arrive(
    used: int, more: int, included: int, own: int | None
) -> None:
    warn_at = (50, 75, 90, 100)
    before, after = rules.percent_used(used, included), rules.percent_used(used + more, included)
    first = rules.crossed(before, warn_at=warn_at, own=own, warned=0)
    warned = first[-1] if first else 0
    second = rules.crossed(after, warn_at=warn_at, own=own, warned=warned)
    assert not set(first) & set(second)
    assert first == sorted(first)
    assert [*first, *second] == rules.crossed(after, warn_at=warn_at, own=own, warned=0)


def test_the_forecast_goes_on_at_the_pace_seen_and_is_silent_at_first() -> None:
    day = timedelta(days=1)
    ahead = rules.forecast(70, 70, observed=7 * day, left=23 * day)
    assert ahead is not None
    assert (ahead.total, ahead.bytes_a_day) == (300, 10)
    assert rules.forecast(70, 70, observed=timedelta(hours=5), left=23 * day) is None
    over = rules.forecast(70, 70, observed=day, left=timedelta(days=-1))
    assert over is not None
    assert over.total == 70


@pytest.mark.parametrize(
    ("text", "yes"), [("ABU-4", True), ("SRV-12", True), ("unpaid", False), ("because ABU-4", False)]
)
def test_what_names_a_rule(text: str, yes: bool) -> None:
    assert rules.names_a_rule(text) is yes


def test_patience_grows_and_has_an_end() -> None:
    waits = [rules.patience(2, attempts) for attempts in (0, 9, 10, 30, 1000)]
    assert waits == [2, 2, 4, 16, 300]
