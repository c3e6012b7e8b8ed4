"""Cents: rounded once, half up, the same for a credit; parts that add up."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from panel.core import money


@pytest.mark.parametrize(
    ("euros", "cents"), [("0.005", 1), ("-0.005", -1), ("1.004999", 100), ("2.675", 268), ("-2.675", -268)]
)
def test_half_up_on_the_absolute_value(euros: str, cents: int) -> None:
    assert money.round_cents(Decimal(euros)) == cents


def test_floats_are_refused() -> None:
    with pytest.raises(TypeError):
        money.round_cents(0.1)  # type: ignore[arg-type]


@given(st.decimals(min_value=-(10**9), max_value=10**9, places=6))
def test_a_credit_mirrors_its_invoice(euros: Decimal) -> None:
    assert money.round_cents(-euros) == -money.round_cents(euros)


@given(st.integers(-(10**9), 10**9), st.lists(st.integers(0, 10**6), min_size=1, max_size=40).filter(any))
def test_parts_add_up(total: int, weights: list[int]) -> None:
    parts = money.split(total, weights)
    assert sum(parts) == total
    exact = [Decimal(total) * weight / sum(weights) for weight in weights]
    assert all(abs(part - share) < 1 for part, share in zip(parts, exact, strict=True))


def test_amounts_are_written_in_the_readers_way() -> None:
    assert money.format_eur(123450) == "EUR\u00a01,234.50"
    assert money.format_eur(-123450, "fr") == "\u22121\u202f234,50\u00a0EUR"
