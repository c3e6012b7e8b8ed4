"""Periods, prorations, numbers and states, for any day (SUB-5, SUB-12, SRV-4, INV-2)."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from invoicing import rules
from invoicing.subscribing import period_rules
from invoicing.subscribing.period_rules import Period

DAYS = st.dates(date(2024, 1, 1), date(2032, 12, 31))
INTERVALS = st.sampled_from(["month", "year"])


def test_the_31st_comes_back_after_february() -> None:
    starts = [period_rules.period_number(date(2026, 1, 31), "month", n).start for n in range(5)]
    assert starts == [date(2026, 1, 31), date(2026, 2, 28), date(2026, 3, 31), date(2026, 4, 30), date(2026, 5, 31)]


def test_a_leap_day_comes_back_every_four_years() -> None:
    starts = [period_rules.period_number(date(2024, 2, 29), "year", n).start for n in range(5)]
    assert starts == [date(2024, 2, 29), date(2025, 2, 28), date(2026, 2, 28), date(2027, 2, 28), date(2028, 2, 29)]


@given(DAYS, INTERVALS)
def test_periods_tile_time(anchor: date, interval: str) -> None:
    period = period_rules.period_number(anchor, interval, 0)
    assert period.start == anchor
    for number in range(1, 30):
        after = period_rules.following(anchor, interval, period)
        assert after.start == period.end
        assert after == period_rules.period_number(anchor, interval, number)
        period = after


@given(DAYS, INTERVALS, st.integers(0, 1500))
def test_every_day_is_in_exactly_one_period(anchor: date, interval: str, later: int) -> None:
    day = anchor + timedelta(days=later)
    assert day in period_rules.period_of(anchor, interval, day)


def test_no_period_before_the_anchor() -> None:
    with pytest.raises(ValueError, match="before the anchor"):
        period_rules.period_of(date(2026, 5, 5), "month", date(2026, 5, 4))


@given(DAYS, st.integers(0, 900))
def test_ended_traffic_months_are_all_of_them_once(anchor: date, later: int) -> None:
    today = anchor + timedelta(days=later)
    months = list(period_rules.ended_months(anchor, anchor, today))
    edges = [anchor] + [month.end for month in months]
    assert [month.start for month in months] == edges[:-1]
    assert all(month.end <= today for month in months)
    assert period_rules.period_of(anchor, "month", edges[-1]).end > today


@given(DAYS, INTERVALS, st.integers(-10_000_000, 10_000_000), st.data())
def test_the_parts_of_any_cut_add_up_to_the_price(anchor: date, interval: str, price: int, data: st.DataObject) -> None:
    whole = period_rules.period_number(anchor, interval, 0)
    cuts = sorted(data.draw(st.lists(st.integers(0, whole.days), max_size=6)))
    edges = [whole.start, *(whole.start + timedelta(days=cut) for cut in cuts), whole.end]
    parts = [period_rules.part(price, whole, a, b) for a, b in pairwise(edges)]
    assert sum(parts) == price
    assert all(
        period_rules.part(-price, whole, a, b) == -part for (a, b), part in zip(pairwise(edges), parts, strict=True)
    )


def test_an_upgrade_and_back_on_the_same_day_costs_nothing() -> None:
    whole = Period(date(2026, 1, 31), date(2026, 2, 28))
    assert period_rules.part(1999, whole, date(2026, 2, 3), date(2026, 2, 3)) == 0


def test_a_part_outside_its_period_is_refused() -> None:
    with pytest.raises(ValueError, match="not inside"):
        period_rules.part(100, Period(date(2026, 1, 1), date(2026, 2, 1)), date(2026, 1, 1), date(2026, 2, 2))


INSTANTS = st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC))


@given(st.lists(INSTANTS, min_size=2, max_size=10))
def test_a_series_never_goes_back_in_time(clock: list[datetime]) -> None:
    last: datetime | None = None
    for now in clock:
        issued = rules.issue_instant(now, last)
        assert issued >= now
        assert last is None or issued >= last
        last = issued


def test_numbers_have_the_shape_the_law_allows() -> None:
    assert rules.number("F", 2026, 1) == "F2026-000001"
    assert len(rules.number("F", 9999, 10**9)) <= 35


@given(st.dictionaries(st.text(max_size=5), st.integers(), min_size=1, max_size=4))
def test_the_chain_notices_any_change(content: dict[str, int]) -> None:
    sealed = rules.document_hash(rules.GENESIS, content)
    name = next(iter(content))
    assert rules.document_hash(rules.GENESIS, dict(reversed(content.items()))) == sealed
    assert rules.document_hash(rules.GENESIS, {**content, name: content[name] + 1}) != sealed
    assert rules.document_hash(sealed, content) != sealed


CENTS = st.integers(0, 100_000)


@given(CENTS, CENTS, CENTS, st.booleans())
def test_an_invoice_is_open_exactly_while_something_is_due(total: int, paid: int, credited: int, overdue: bool) -> None:
    state = rules.invoice_state(total, paid, min(credited, total), overdue=overdue)
    due = total - paid - min(credited, total)
    assert (state in ("open", "overdue")) == (due > 0)
    if state in ("open", "overdue"):
        assert (state == "overdue") == overdue


@given(CENTS, CENTS, st.booleans())
def test_what_was_given_up_is_not_paid(total: int, given_up: int, overdue: bool) -> None:
    """INV-11: whatever else came, while a part of it never did."""
    state = rules.invoice_state(total, total, 0, overdue=overdue, given_up=given_up)
    assert state == ("written_off" if given_up else "paid")


def test_an_invoice_is_late_only_after_its_day() -> None:
    """INV-14: an act on the due date is in time."""
    assert not rules.is_overdue(date(2026, 11, 22), date(2026, 11, 22))
    assert rules.is_overdue(date(2026, 11, 22), date(2026, 11, 23))


def test_states_only_move_along_the_table() -> None:
    for table in (rules.ORDER_TRANSITIONS, rules.SUBSCRIPTION_TRANSITIONS, rules.INVOICE_TRANSITIONS):
        assert all(target in table for targets in table.values() for target in targets)
    assert rules.ORDER_TRANSITIONS["cancelled"] == frozenset()
    assert rules.SUBSCRIPTION_TRANSITIONS["terminated"] == frozenset()


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        ({}, None),
        ({"mail_confirmed": False}, "mail_unconfirmed"),
        ({"restricted": True}, "restricted"),
        ({"account_open": False}, "account_closed"),
        ({"overdue_invoices": 1}, "unpaid_invoice"),
        ({"taken_back": True}, "taken_back"),
        ({"deliverable": False}, "unavailable"),
    ],
)
def test_why_an_order_is_refused(facts: dict[str, object], code: str | None) -> None:
    """ACC-2, SUB-4."""
    usual: dict[str, object] = {
        "mail_confirmed": True, "account_open": True, "restricted": False, "overdue_invoices": 0, "taken_back": False,
        "deliverable": True,
    }  # fmt: skip
    assert rules.refusal_to_order(**{**usual, **facts}) == code  # type: ignore[arg-type]
