"""Which payout a credit of the bank is, and what the comparison says of payouts (INV-11)."""

from datetime import date, timedelta

import pytest

from invoicing.accounting.reconciling_rules import Difference, Facts, MovedFact, PaidOutFact, PayoutFact, differences
from invoicing.paying_out.payout_rules import EARLY, LATE, Expected, whose

DAY = date(2026, 3, 4)
ONE = Expected(1, "po_1", "TR1", 900, DAY)
TWO = Expected(2, "po_2", "", 900, DAY + timedelta(days=30))
OTHER = Expected(3, "po_3", "", 901, DAY)
ALL = (ONE, TWO, OTHER)


@pytest.mark.parametrize(
    ("text", "cents", "booked_on", "found"),
    [
        ("Stripe Technology Europe", 900, DAY, [1]),
        ("STRIPE", 900, DAY - EARLY, [1]),
        ("STRIPE", 900, DAY + LATE, [1]),
        ("STRIPE", 900, DAY - EARLY - timedelta(days=1), []),
        ("STRIPE", 900, DAY + LATE + timedelta(days=1), []),
        ("STRIPE", 902, DAY, []),
        ("Atelier Nord", 900, DAY, []),
        ("ref PO_2", 900, DAY, [2]),
        ("tr1", 900, DAY + timedelta(days=60), [1]),
        ("po_2 STRIPE", 901, DAY, [3]),
    ],
)
def test_by_its_name_or_by_provider_amount_and_time(text: str, cents: int, booked_on: date, found: list[int]) -> None:
    assert whose(text, cents, booked_on, "stripe", ALL) == found


def test_two_that_fit_are_both_told() -> None:
    assert whose("stripe", 900, DAY, "stripe", (ONE, Expected(4, "po_4", "", 900, DAY))) == [1, 4]


def test_what_agrees_is_no_difference() -> None:
    facts = Facts(
        payouts=[PayoutFact("po_1", 900, "paid", "paid")], paid_out=[PaidOutFact("po_1", 900, 900)],
        moved=[MovedFact("pi_1", 1000, frozenset({1000})), MovedFact("dp_unheard_and_won", 0, None),
               MovedFact("dp_won", -500, frozenset({-500, 0}))],
    )  # fmt: skip
    assert differences(facts) == []


def test_each_difference_has_a_name() -> None:
    facts = Facts(
        payouts=[PayoutFact("po_1", 900, "paid"), PayoutFact("po_2", 800, "failed", "paid")],
        paid_out=[PaidOutFact("po_3", 900, 899)],
        moved=[MovedFact("pi_1", 1000, None), MovedFact("re_1", -5, frozenset({-6, 0}))],
    )  # fmt: skip
    assert differences(facts) == [
        Difference("payout_not_booked", "po_1", 900, 0), Difference("payout_not_booked", "po_2", 800, 0),
        Difference("payout_differs", "po_3", 900, 899), Difference("payout_line_unknown", "pi_1", 0, 1000),
        Difference("payout_line_differs", "re_1", -6, -5),
    ]  # fmt: skip
