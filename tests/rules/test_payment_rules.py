"""What can be given back of a payment, and what a bank took back of it (INV-11); references of transfers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from invoicing.banking import bank_rules
from invoicing.issuing.document_rules import PAYABLE, PREFIXES
from invoicing.paying import payment_rules

MOVES = st.lists(st.tuples(st.sampled_from(["refund", "dispute", "won"]), st.integers(1, 900)), max_size=12)


@given(st.integers(1, 1_000), MOVES)
def test_refunds_and_disputes_never_exceed_what_came_in(amount: int, moves: list[tuple[str, int]]) -> None:
    """Invariant 10: whatever comes in whatever order; what a bank takes beyond that is a loss, to the cent."""
    refunded = disputed = 0
    open_disputes: list[int] = []
    for what, cents in moves:
        if what == "refund":
            refunded += min(cents, payment_rules.refundable(amount, refunded, disputed))
        elif what == "dispute":
            returned, lost = payment_rules.taken_back(amount, refunded, disputed, cents)
            assert returned + lost == cents
            assert lost == 0 or refunded + disputed + returned == amount
            disputed += returned
            open_disputes.append(returned)
        elif open_disputes:
            disputed -= open_disputes.pop()
        assert 0 <= refunded + disputed <= amount


@given(st.sampled_from(PAYABLE), st.integers(2020, 2099), st.integers(1, 999_999))
def test_a_structured_reference_leads_back_to_its_document(kind: str, year: int, count: int) -> None:
    number = f"{PREFIXES[kind]}{year}-{count:06d}"
    reference = bank_rules.structured(number)
    spaced = " ".join(reference[place : place + 4] for place in range(0, len(reference), 4))
    assert bank_rules.numbers(reference) == bank_rules.numbers(f"pay {spaced}") == [number]


@pytest.mark.parametrize(
    "text",
    ["", "RF00F2026000001", "F2026-0000019", "XF2026-000001", "F26-1", "A2026-000001", "LA2026-000001"],
)
def test_what_is_no_reference_names_nothing(text: str) -> None:
    assert bank_rules.numbers(text) == []


@pytest.mark.parametrize("digit", range(4, 15))
def test_a_mistyped_digit_names_nothing(digit: int) -> None:
    reference = bank_rules.structured("F2026-000123")
    wrong = reference[:digit] + ("1" if reference[digit] != "1" else "2") + reference[digit + 1 :]
    assert bank_rules.numbers(wrong) == []


@pytest.mark.parametrize(
    ("bank", "typed", "billed", "expected"),
    [
        ("", "", "75002", ""), ("pass", "", "75002", "pass"), ("fail", "", "75002", "fail"),
        ("fail", "75002", "", "fail"), ("", "7", "75002", "fail"),
        ("", "75002", "75002", "pass"), ("", "sw1a 1aa", "SW1A1AA", "pass"), ("", "10001", "10001-1234", "pass"),
        ("", "10115", "75002", "fail"), ("pass", "10115", "75002", "fail"), ("fail", "75002", "75002", "fail"),
    ],
)  # fmt: skip
def test_the_postcode_of_a_card_is_compared_with_the_bill(bank: str, typed: str, billed: str, expected: str) -> None:
    assert payment_rules.postcode_check(bank, typed, billed) == expected
