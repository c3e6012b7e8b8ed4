"""What consumption costs, for any amount (SRV-5, OPR-1, OPR-2, OPR-8)."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from invoicing.consuming import usage_rules
from invoicing.consuming.usage_forms import COUNTERS
from panel.core.money import round_cents

BYTES = st.integers(0, 10**14)
GB = Decimal(10**9)
PRICE = Decimal("1.30")
TIERS = usage_rules.tiers(
    [{"up_to": "10", "unit_price": "0.5"}, {"up_to": "30", "unit_price": "0.333"}, {"up_to": None, "unit_price": "0.1"}]
)
UNITS = st.decimals(0, 10**6, places=3)
OPR_2 = {"single": 160, "part": 153}


@given(BYTES, BYTES)
def test_nothing_is_charged_under_the_allowance_and_each_byte_beyond_it_once(used: int, included: int) -> None:
    """Invariant 18: the greater of 0 and used - included, at 1.30 a GB, rounded once."""
    rated = usage_rules.overage(used / GB, included / GB, PRICE)
    assert rated.net == round_cents(Decimal(max(0, used - included)) * PRICE / GB)
    assert (rated.billable == 0) == (used <= included)


@given(UNITS)
def test_tiers_share_the_units_out(units: Decimal) -> None:
    parts = usage_rules.graduated(TIERS, units)
    assert sum((part.quantity for part in parts), Decimal(0)) == units
    assert all(part.net == round_cents(part.quantity * part.unit_price) for part in parts)
    more = usage_rules.graduated(TIERS, units + 1)
    assert sum(part.net for part in more) >= sum(part.net for part in parts)


def test_tiers_by_hand() -> None:
    """10 at 0.50, 20 at 0.333, 5 at 0.10."""
    assert [part.net for part in usage_rules.graduated(TIERS, Decimal(35))] == [500, 666, 50]
    assert [part.net for part in usage_rules.graduated(TIERS, Decimal(10))] == [500]
    assert usage_rules.graduated(TIERS, Decimal(0)) == ()


@given(st.lists(UNITS, min_size=1, max_size=12), UNITS)
def test_what_is_carried_is_free_once(quantities: list[Decimal], allowance: Decimal) -> None:
    """OPR-8: over the year nothing more is free than was included, and nothing less where usage could take it."""
    found = usage_rules.months(quantities, allowance, TIERS, carries=True)
    free = sum((rating.quantity - rating.billable for rating in found), Decimal(0))
    assert free <= allowance * len(quantities)
    running = Decimal(0)
    for rating in found:
        assert rating.carried == running
        running = max(Decimal(0), running + allowance - rating.quantity)
    plain = usage_rules.months(quantities, allowance, TIERS)
    assert sum(rating.net for rating in found) <= sum(rating.net for rating in plain)


@pytest.mark.parametrize(
    ("characters", "units"), [(0, 1), (1, 1), (160, 1), (161, 2), (306, 2), (307, 3), (459, 3), (460, 4)]
)
def test_a_long_message_counts_its_parts(characters: int, units: int) -> None:
    """OPR-2, as the operator of the first seed has it."""
    assert usage_rules.COUNTERS["sms"].count(Decimal(characters), OPR_2) == units


def test_every_counter_can_be_chosen() -> None:
    assert {code for code, _label in COUNTERS} == set(usage_rules.COUNTERS)


@pytest.mark.parametrize(
    "raw",
    [
        [], [{"up_to": "10", "unit_price": "1"}], [{"up_to": None, "unit_price": "1"}] * 2,
        [{"up_to": "9", "unit_price": "1"}, {"up_to": "9", "unit_price": "1"}, {"up_to": None, "unit_price": "1"}],
        [{"up_to": None, "unit_price": "-1"}], [{"up_to": None, "unit_price": "NaN"}], [{"up_to": None}],
        [{"up_to": "x", "unit_price": "1"}],
    ],
)  # fmt: skip
def test_tiers_that_are_none_are_refused(raw: list[dict[str, str]]) -> None:
    with pytest.raises(ValueError, match=r"tier|limit|price"):
        usage_rules.tiers(raw)
