"""What a change costs, for any change (SUB-12, invariants of periods and parts); when an end takes effect (OPR-8)."""

from datetime import date, timedelta
from decimal import Decimal

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from invoicing.subscribing import change_rules, ending_rules
from invoicing.subscribing.change_rules import Composition, Held, Target
from invoicing.subscribing.period_rules import Period, following, period_number

ANCHORS = st.dates(date(2024, 1, 1), date(2030, 12, 31))
PRICES = st.integers(0, 1_000_000)
UNHURRIED = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
CODES = st.sampled_from(["a", "b", "c"])


@st.composite
def targets(draw: st.DrawFn, held: Composition) -> Target:
    units = {code: draw(PRICES) for code in "abc"}
    package = draw(st.sampled_from(["p", "q", "r"]))
    return Target(
        package=package, interval=held.interval, quantities=draw(st.dictionaries(CODES, st.integers(0, 4))),
        price=held.price if package == held.package else draw(PRICES), units=units, later_price=draw(PRICES),
        later_units=units,
    )  # fmt: skip


@UNHURRIED
@given(ANCHORS, st.sampled_from(["month", "year"]), PRICES, st.data())
def test_what_is_paid_in_steps_adds_up(anchor: date, interval: str, price: int, data: st.DataObject) -> None:
    """Invariants 12 and 14: every addition is billed from its own day, to the cent; a change there and back on one day
    is nothing; nothing that is billed at once is negative."""
    period = period_number(anchor, interval, 0)
    held = Composition("p", price, interval)
    day = period.start
    for _ in range(3):
        day += timedelta(days=data.draw(st.integers(0, (period.end - day).days - 1)))
        becomes = change_rules.at_once(held, data.draw(targets(held)))
        dues = change_rules.due(held, becomes, period, day)
        assert all(due.net >= 0 for due in dues)
        if day == period.start:
            assert sum(due.net for due in dues) == becomes.period_cents - held.period_cents
        back = change_rules.due(becomes, held, period, day) if becomes.options == held.options else ()
        assert not back or sum(due.net for due in dues) + sum(due.net for due in back) == 0
        whole = change_rules.due(held, becomes, period, period.start)
        before = [due.net * (day - period.start).days for due in whole]
        for due, full, gone in zip(dues, whole, before, strict=True):
            assert abs(due.net * period.days - (full.net * period.days - gone)) <= due.quantity * period.days
        held = becomes


@UNHURRIED
@given(st.data())
def test_nothing_is_lost_between_today_and_the_renewal(data: st.DataObject) -> None:
    """After the renewal the subscription is what was wished; today it is never less than it was."""
    options = tuple(
        Held(code, data.draw(st.integers(1, 4)), data.draw(PRICES)) for code in data.draw(st.lists(CODES, max_size=4))
    )
    held = Composition("p", data.draw(PRICES), "month", options)
    target = data.draw(targets(held))
    today = change_rules.at_once(held, target)
    later = change_rules.at_renewal(today, target)
    assert later.package == target.package
    assert later.quantities() == {code: count for code, count in target.quantities.items() if count}
    assert all(today.quantities()[code] >= count for code, count in held.quantities().items())
    assert today.price >= held.price
    assert change_rules.composition(today.as_dict()) == today


@UNHURRIED
@given(ANCHORS, st.sampled_from(["month", "year"]), st.lists(st.sampled_from(["month", "year"]), max_size=12))
def test_periods_tile_time_whatever_the_intervals(anchor: date, first: str, then: list[str]) -> None:
    """Invariant 13."""
    period, months = period_number(anchor, first, 0), 12 if first == "year" else 1
    for interval in then:
        after = following(anchor, interval, period)
        assert after.start == period.end
        assert after == period_or_year(anchor, months, interval)
        months += 12 if interval == "year" else 1
        period = after


def period_or_year(anchor: date, months: int, interval: str) -> Period:
    last = months + (12 if interval == "year" else 1)
    return Period(period_number(anchor, "month", months).start, period_number(anchor, "month", last).start)


@UNHURRIED
@given(ANCHORS, st.integers(0, 30), st.integers(0, 60), st.integers(0, 400))
def test_an_end_is_never_sooner_than_its_notice(anchor: date, later: int, notice: int, committed: int) -> None:
    """OPR-8: a renewal that is not prevented in time happens; the end is the first term that is."""
    current = period_number(anchor, "month", 0)
    today = min(anchor + timedelta(days=later), current.end - timedelta(days=1))
    until = anchor + timedelta(days=committed) if committed else None
    end = ending_rules.term(anchor, "month", current, today, notice_days=notice, committed_until=until)
    assert end >= max(current.end, today + timedelta(days=notice), until or today)
    number = 1
    while period_number(anchor, "month", number).start < end:
        sooner = period_number(anchor, "month", number).start
        assert sooner < max(today + timedelta(days=notice), until or today)
        number += 1
    assert period_number(anchor, "month", number).start == end


def test_thirty_days_before_the_term_is_in_time() -> None:
    current = Period(date(2026, 3, 2), date(2026, 4, 2))
    for today, end in ((date(2026, 3, 3), date(2026, 4, 2)), (date(2026, 3, 4), date(2026, 5, 2))):
        found = ending_rules.term(date(2026, 3, 2), "month", current, today, notice_days=30, committed_until=None)
        assert found == end


def test_the_code_fee_is_rounded_once() -> None:
    assert ending_rules.code_fee(1190, Decimal(25)) == 298
    assert ending_rules.code_fee(590, Decimal(25)) == 148
