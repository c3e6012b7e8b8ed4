"""Availability, for any outages of any month (SUB-15)."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from panel.terms.numbers import AvailabilityTerms
from servers import rules, sla_rules
from servers.rules import Power, State
from servers.sla_rules import Span

MONTH = Span(datetime(2026, 4, 1, tzinfo=UTC), datetime(2026, 5, 1, tzinfo=UTC))
LAW = AvailabilityTerms(Decimal("99.9"), Decimal(5), Decimal(100))
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
HOURS = st.lists(st.tuples(st.integers(-50, 750), st.integers(0, 60)), max_size=5)
ANY = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # machines are busy


@ANY
@given(HOURS)
def test_each_hour_is_counted_once_whatever_overlaps(rows: list[tuple[int, int]]) -> None:
    spans = [Span(MONTH.since + at * HOUR, MONTH.since + (at + length) * HOUR) for at, length in rows]
    hours = {hour for at, length in rows for hour in range(max(0, at), min(30 * 24, at + length))}
    found = sla_rules.down(spans, MONTH)
    assert found == len(hours) * HOUR
    assert sla_rules.down([*spans, *spans], MONTH) == found


@ANY
@given(st.integers(0, 43_200), st.integers(0, 43_200), st.integers(1, 100_000))
def test_more_downtime_never_gives_less_and_never_more_than_the_price(one: int, other: int, price: int) -> None:
    less, more = sorted((one, other))
    measured = MONTH.until - MONTH.since
    small, large = (sla_rules.credit(measured, minutes * MINUTE, price, LAW) for minutes in (less, more))
    assert 0 <= small.cents <= large.cents <= price
    assert (small.cents == 0) or less * MINUTE > small.allowed


@ANY
@given(st.sampled_from(State), st.sampled_from(Power), st.sampled_from([None, True, False]))
def test_only_what_should_run_and_is_seen_by_nobody_is_down(state: State, power: Power, reachable: bool | None) -> None:
    if rules.is_down(state, power, reachable):
        assert (state, reachable) == (State.RUNNING, False)
        assert power not in (Power.ON, Power.OFF)


def test_availability_is_never_told_better_than_it_was() -> None:
    assert sla_rules.percent_available(timedelta(days=30), timedelta(seconds=1)) == Decimal("99.999")
    assert sla_rules.percent_available(timedelta(0), timedelta(0)) == 100
