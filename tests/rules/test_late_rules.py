"""Late interest, for any invoice, payments and half-years (INV-8, invariant 21); with examples reckoned by hand."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from invoicing.chasing import late_rules as law
from invoicing.chasing.late_rules import HalfYear, MissingRate, Paid

RATES = {HalfYear(year, half): Decimal(rate) for year, half, rate in (
    (2024, 1, "5.07"), (2024, 2, "4.92"), (2025, 1, "3.71"), (2025, 2, "2.76"), (2026, 1, "2.62"),
)}  # fmt: skip
THREE = Decimal(3)
DUES = st.dates(date(2024, 1, 1), date(2025, 5, 31))  # and 395 days on, all with a rate
OWED = st.integers(1, 5_000_000)
DAYS = st.integers(0, 335)  # and up to 60 more
PAID = st.lists(st.tuples(st.integers(-5, 200), st.integers(1, 2_000_000)), max_size=4)


def cents(owed: int, due: date, until: date, paid: tuple[Paid, ...] = ()) -> int:
    return law.interest(law.stretches(owed, due, until, paid, RATES, THREE))


def payments(due: date, found: list[tuple[int, int]]) -> tuple[Paid, ...]:
    return tuple(Paid(due + timedelta(days=late), amount) for late, amount in found)


def test_forty_five_days_on_a_thousand_euros() -> None:
    # 1,000.00 x 3 x 2.62 % x 45 / 365 = 9.6904...
    assert cents(100_000, date(2026, 1, 31), date(2026, 3, 17)) == 969


def test_over_three_half_years_each_at_its_rate() -> None:
    # due 15 June 2025: 15 days at 11.13 %, 184 at 8.28 %, 31 at 7.86 %, on 2,500.00:
    # 11.434931... + 104.350684... + 16.689041... = 132.474657...
    assert cents(250_000, date(2025, 6, 15), date(2026, 1, 31)) == 13_247


def test_a_part_paid_lowers_the_principal_from_the_day_after() -> None:
    # 1,000.00 for 10 days at 11.13 % = 3.049315...; 400.00 for 20 days more = 2.439452...; together 5.488767...
    assert cents(100_000, date(2025, 1, 1), date(2025, 1, 31), (Paid(date(2025, 1, 11), 60_000),)) == 549


def test_a_leap_year_is_reckoned_by_365_days() -> None:
    # 100.00 x 15.21 % x 60 / 365 = 2.500273...
    assert cents(10_000, date(2024, 1, 31), date(2024, 3, 31)) == 250


def test_a_half_year_without_rate_holds_all_of_it() -> None:
    with pytest.raises(MissingRate) as held:
        cents(10_000, date(2026, 6, 1), date(2026, 7, 1))
    assert str(held.value.half) == "2026-2"
    assert cents(10_000, date(2026, 6, 1), date(2026, 6, 30)) > 0


def test_the_half_years_meet_on_the_first_of_july_and_january() -> None:
    assert law.half_year(date(2025, 6, 30)) == HalfYear(2025, 1)
    assert law.half_year(date(2025, 7, 1)) == HalfYear(2025, 2)
    assert (HalfYear(2025, 1).end, HalfYear(2025, 2).end) == (date(2025, 7, 1), date(2026, 1, 1))


@given(OWED, DUES, st.integers(-30, 0))
def test_nothing_on_or_before_the_due_date(owed: int, due: date, late: int) -> None:
    assert cents(owed, due, due + timedelta(days=late)) == 0


@settings(max_examples=60)
@given(OWED, DUES, DAYS, st.integers(0, 60), PAID)
def test_it_never_falls_as_time_goes_by(
    owed: int, due: date, days: int, more: int, found: list[tuple[int, int]]
) -> None:
    known = payments(due, found)
    assert cents(owed, due, due + timedelta(days=days), known) <= cents(
        owed, due, due + timedelta(days=days + more), known
    )


@settings(max_examples=60)
@given(OWED, DUES, DAYS, st.integers(1, 60))
def test_it_stops_on_the_value_date_of_the_payment(owed: int, due: date, days: int, more: int) -> None:
    paid = (Paid(due + timedelta(days=days), owed),)
    at_payment = cents(owed, due, due + timedelta(days=days))
    assert cents(owed, due, due + timedelta(days=days + more), paid) == at_payment


@settings(max_examples=60)
@given(OWED, DUES, DAYS, PAID)
def test_the_stretches_tile_the_days_and_keep_to_their_half_year(
    owed: int, due: date, days: int, found: list[tuple[int, int]]
) -> None:
    until = due + timedelta(days=days)
    made = law.stretches(owed, due, until, payments(due, found), RATES, THREE)
    day = due
    for one in made:
        assert one.first == day + timedelta(days=1)
        assert law.half_year(one.first) == law.half_year(one.last)
        assert one.rate == RATES[law.half_year(one.first)] * 3
        day = one.last
    if not found:
        assert day == until


def test_what_went_back_bears_interest_again_from_the_next_day() -> None:
    """1 000.00 due on 31 May 2026, there from 3 June to 15 July: 3 days at 7.86 %, then 5 days at the next rate."""
    due, back = date(2026, 5, 31), date(2026, 7, 15)
    rates = {HalfYear(2026, 1): Decimal("2.62"), HalfYear(2026, 2): Decimal("2.50")}
    paid = (Paid(date(2026, 6, 3), 100_000), Paid(back, -100_000))
    found = law.stretches(100_000, due, date(2026, 7, 20), paid, rates, Decimal(3))
    assert [(one.first, one.last, one.rate) for one in found] == [
        (date(2026, 6, 1), date(2026, 6, 3), Decimal("7.86")), (date(2026, 7, 16), date(2026, 7, 20), Decimal("7.5")),
    ]  # fmt: skip
    assert law.interest(found) == 167  # 1 000 x (0.0786 x 3 + 0.075 x 5) / 365 = 1.6734


@given(st.integers(1, 100), st.lists(st.tuples(st.integers(0, 40), st.integers(-60, 100)), max_size=8))
def test_paid_for_good_from_the_day_on_which_enough_stays(owed: int, moves: list[tuple[int, int]]) -> None:
    """What came and went again does not count; what is beyond the sum changes nothing."""
    start = date(2026, 1, 31)
    paid = [Paid(start + timedelta(days=day), cents) for day, cents in sorted(moves)]

    def sum_on(day: int) -> int:
        return sum(cents for on, cents in moves if on <= day)

    days = sorted({day for day, _cents in moves})
    good = [day for day in days if all(sum_on(later) >= owed for later in days if later >= day)]
    assert law.settled_on(owed, paid) == (start + timedelta(days=good[0]) if good else None)
