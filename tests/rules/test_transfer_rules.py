"""When a service can go over, and that its month is charged once whoever had it (SUB-4, SRV-5)."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from invoicing.consuming import usage_rules
from invoicing.transferring.transfer_rules import Service, Why, is_over, refusal, stands_until
from tests.support.world import paris

GB = Decimal(10**9)
PRICE = Decimal("1.30")
FINE = Service(state="active")


@pytest.mark.parametrize(
    ("known", "why"),
    [
        ({}, None), ({"state": "terminated"}, Why.ENDED), ({"state": "suspended"}, Why.RESTING),
        ({"on_trial": True}, Why.TRIAL), ({"ends": True}, Why.ENDING), ({"change_planned": True}, Why.CHANGING),
        ({"renewal_due": True}, Why.RENEWING), ({"month_open": True}, Why.COUNTING),
        ({"unpaid": 1}, Why.UNPAID), ({"disputed": 1}, Why.DISPUTED),
        ({"restrictions": 1}, Why.RESTRICTED), ({"state": "suspended", "restrictions": 1}, Why.RESTRICTED),
    ],
)  # fmt: skip
def test_each_thing_that_stands_in_the_way(known: dict[str, Any], why: Why | None) -> None:
    assert refusal(replace(FINE, **known)) is why


def test_an_offer_stands_until_the_end_of_its_last_day() -> None:
    until = stands_until(paris("2026-03-20 15:00"), 14)
    assert until == paris("2026-04-04 00:00"), "the change to summer time in between costs no hour"
    assert not is_over(until, until)
    assert is_over(until, until + timedelta(microseconds=1))


@given(st.lists(st.integers(0, 10**13), min_size=1, max_size=5), st.integers(0, 10**13), st.booleans())
def test_the_parts_of_a_month_add_up(used: list[int], included: int, whole: bool) -> None:
    """Whoever uses what when: together they are billed what one holder would have been, none for a byte under the
    included volume, and the cents differ by no more than the rounding of each part."""
    before, parts = Decimal(0), []
    for one in used:
        total = before + one / GB
        parts.append(usage_rules.overage(total, included / GB, PRICE, whole_units=whole, before=before))
        before = total
    alone = usage_rules.overage(before, included / GB, PRICE, whole_units=whole)
    assert sum(part.billable for part in parts) == alone.billable
    assert abs(sum(part.net for part in parts) - alone.net) <= len(parts)
    assert all(part.billable >= 0 for part in parts)
    if before <= included / GB:
        assert not any(part.net for part in parts)


@given(st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 3000)), min_size=1, max_size=5), st.integers(0, 2000))
def test_the_parts_of_a_metered_month_add_up(used: list[tuple[int, int]], included: int) -> None:
    """OPR-1: the parts of a month take its allowance and its tiers in turn, packs of each before either."""
    steps = usage_rules.tiers([{"up_to": "1000", "unit_price": "0.06"}, {"up_to": None, "unit_price": "0.045"}])
    quantities, paid = [Decimal(one) for one, _ in used], [Decimal(min(pair)) for pair in used]
    (whole,) = usage_rules.months([sum(quantities)], Decimal(included), steps, prepaid=[sum(paid)])  # type: ignore[list-item]
    parts = usage_rules.shared(whole, quantities, paid, steps)
    assert sum(part.billable for part in parts) == whole.billable
    for tier in steps:
        in_tier = [one.quantity for one in whole.parts if one.unit_price == tier.unit_price]
        cut = [one.quantity for part in parts for one in part.parts if one.unit_price == tier.unit_price]
        assert sum(cut) == sum(in_tier)
    assert abs(sum(part.net for part in parts) - whole.net) <= 2 * len(parts)
    assert parts[0].allowance == included
    assert usage_rules.shared(whole, [sum(quantities)], [sum(paid)], steps) == [whole]  # type: ignore[list-item]
