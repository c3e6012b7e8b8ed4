"""What two readings of a machine come to (SRV-12): within bounds whatever comes, and nothing made up."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servers.watching import vitals_rules
from servers.watching.vitals_rules import Rates, Reading

NOW = datetime(2026, 3, 2, 8, 30, tzinfo=UTC)
FIRST = Reading("one", 100.0, cpu_seconds=10.0, busy=1, rx_bytes=1000, tx_bytes=500)


def test_rates_are_what_was_added_over_the_hosts_own_seconds() -> None:
    then = replace(FIRST, clock=110.0, cpu_seconds=15.0, rx_bytes=3000, tx_bytes=500)
    found = vitals_rules.rates(FIRST, Rates(), then, vcpu=2)
    assert (found.cpu_percent, found.rx_rate, found.tx_rate, found.seconds) == (25.0, 200.0, 0.0, 10.0)


def test_a_new_start_and_a_first_reading_have_no_rates() -> None:
    for before in (None, replace(FIRST, epoch="another")):
        found = vitals_rules.rates(before, Rates(cpu_percent=50), FIRST, vcpu=1)
        assert (found.cpu_percent, found.rx_rate, found.load, found.seconds) == (None, None, 1.0, 0.0)


def test_readings_at_the_same_moment_leave_the_rates_as_they_were() -> None:
    known = Rates(cpu_percent=7.0, load=0.5, rx_rate=1.0, tx_rate=2.0, seconds=5.0)
    assert vitals_rules.rates(FIRST, known, replace(FIRST, clock=100.4), vcpu=1) is known


def test_what_is_not_told_is_not_reckoned() -> None:
    found = vitals_rules.rates(Reading("one", 1.0), Rates(), Reading("one", 9.0), vcpu=1)
    assert found == Rates(seconds=8.0)


@given(
    st.floats(0, 1e6), st.floats(0, 1e6), st.integers(0, 10**12), st.integers(0, 10**12), st.floats(-10, 1e5),
    st.integers(1, 64),
)  # fmt: skip
def test_rates_are_never_negative_and_never_more_than_all(
    cpu: float, later: float, rx: int, rx_later: int, seconds: float, vcpu: int
) -> None:
    before = replace(FIRST, cpu_seconds=cpu, rx_bytes=rx)
    after = replace(FIRST, clock=FIRST.clock + seconds, cpu_seconds=later, rx_bytes=rx_later)
    found = vitals_rules.rates(before, Rates(), after, vcpu=vcpu)
    assert found.cpu_percent is None or 0 <= found.cpu_percent <= 100
    assert found.rx_rate is None or found.rx_rate >= 0


@given(st.lists(st.tuples(st.floats(1, 600), st.integers(0, 50)), min_size=1, max_size=30))
def test_a_load_stays_between_what_it_was_made_of(looks: list[tuple[float, int]]) -> None:
    at, known, before = 0.0, Rates(), None
    for seconds, busy in looks:
        at += seconds
        reading = Reading("one", at, busy=busy)
        known, before = vitals_rules.rates(before, known, reading, vcpu=1), reading
    assert known.load is not None
    assert min(busy for _, busy in looks) - 1e-6 <= known.load <= max(busy for _, busy in looks) + 1e-6


@given(st.lists(st.tuples(st.integers(1, 7200), st.floats(0, 100)), max_size=60))
def test_a_day_of_hours_is_kept_and_no_more_each_a_mean_of_its_own(steps: list[tuple[int, float]]) -> None:
    now, hours = NOW, list[vitals_rules.Hour]()
    for seconds, percent in steps:
        now += timedelta(seconds=seconds)
        hours = vitals_rules.with_hour(hours, Rates(cpu_percent=percent, seconds=float(seconds)), now)
    assert len(hours) <= 24
    shown = vitals_rules.means(hours, now)
    assert len(shown) == 24
    assert all(mean is None or 0 <= mean <= 100.0001 for _, mean in shown)
    assert [start for start, _ in shown] == sorted(start for start, _ in shown)


def test_of_thirty_hours_the_last_day_is_kept() -> None:
    hours = list[vitals_rules.Hour]()
    for number in range(30):
        hours = vitals_rules.with_hour(hours, Rates(cpu_percent=1.0, seconds=9.0), NOW + timedelta(hours=number))
    assert len(hours) == 24
    assert hours[-1][0] == (NOW + timedelta(hours=29)).replace(minute=0).isoformat()


def test_the_mean_of_an_hour_weighs_each_reading_by_its_length() -> None:
    hours = vitals_rules.with_hour([], Rates(cpu_percent=10.0, seconds=30.0), NOW)
    hours = vitals_rules.with_hour(hours, Rates(cpu_percent=40.0, seconds=10.0), NOW)
    assert vitals_rules.means(hours, NOW)[-1] == (NOW.replace(minute=0), 17.5)


def test_who_is_silent_is_left_alone_for_longer_and_longer() -> None:
    pauses = [vitals_rules.pause(misses) for misses in range(40)]
    assert [one.seconds for one in pauses[:9]] == [0, 0, 0, 0, 30, 60, 120, 240, 300]
    assert pauses == sorted(pauses)
    assert pauses[-1] == timedelta(minutes=5)


@pytest.mark.parametrize(
    ("age", "failing", "watched", "stale"),
    [(5, False, True, False), (31, False, True, True), (31, False, False, False), (11, True, False, True),
     (9, True, True, False), (901, False, False, True), (900, False, False, False)],
)  # fmt: skip
def test_a_figure_is_stale_once_it_should_have_been_another(
    age: int, failing: bool, watched: bool, stale: bool
) -> None:
    assert vitals_rules.is_stale(NOW, failing, watched, NOW + timedelta(seconds=age)) is stale


def test_a_disk_is_full_when_there_is_no_room_to_work() -> None:
    assert [vitals_rules.is_full(used, 1000) for used in (0, 949, 950, 1000)] == [False, False, True, True]
    assert not vitals_rules.is_full(None, 1000)
    assert not vitals_rules.is_full(10, 0)
