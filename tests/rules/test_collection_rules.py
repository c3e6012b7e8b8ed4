"""When a refused payment is tried again and told (INV-5, INV-7), and when funds are spent (INV-6)."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from invoicing.funding import funds_rules
from invoicing.paying import collection_rules

FAILED = datetime(2026, 3, 2, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("failures", "code", "days"),
    [(1, "insufficient_funds", 3), (2, "insufficient_funds", 5), (3, "insufficient_funds", None),
     (1, "generic_decline", 3), (1, "expired_card", None), (1, "authentication_required", None), (1, "MD01", None)],
)  # fmt: skip
def test_tried_again(failures: int, code: str, days: int | None) -> None:
    wanted = FAILED + timedelta(days=days) if days else None
    assert collection_rules.next_attempt(FAILED, failures, code, [3, 5]) == wanted


def test_what_got_lost_is_tried_at_once_and_then_ever_later() -> None:
    found = [collection_rules.after_trouble(FAILED, times, "out_of_reach") for times in range(1, 8)]
    assert found == [FAILED + timedelta(hours=hours) for hours in (0, 1, 3, 7, 15, 24, 24)]
    assert collection_rules.after_trouble(FAILED, 1, "TM01") == FAILED
    assert collection_rules.after_trouble(FAILED, 1, "BE05") is None  # our identifier is wrong: mend it first


def test_repeated() -> None:
    assert not collection_rules.is_repeated(1, "insufficient_funds", 2)
    assert collection_rules.is_repeated(2, "insufficient_funds", 2)
    assert collection_rules.is_repeated(1, "lost_card", 2)
    assert not collection_rules.is_repeated(9, "authentication_required", 2)


@pytest.mark.parametrize(
    ("today", "soon"),
    [(date(2026, 11, 30), False), (date(2026, 12, 2), True), (date(2026, 12, 31), True), (date(2027, 1, 1), False)],
)
def test_a_card_ends_with_its_month(today: date, soon: bool) -> None:
    assert collection_rules.expires_soon(2026, 12, today, 30) is soon


@given(st.lists(st.integers(min_value=1, max_value=500), max_size=8), st.integers(min_value=1, max_value=3000))
def test_first_in_first_out(left: list[int], wanted: int) -> None:
    parts = funds_rules.first_in_first_out(left, wanted)
    if parts is None:
        assert wanted > sum(left)
        return
    assert sum(parts) == wanted
    assert all(0 <= part <= cents for part, cents in zip(parts, left, strict=True))
    short = [index for index, (part, cents) in enumerate(zip(parts, left, strict=True)) if part < cents]
    assert not short or sum(parts[short[0] + 1 :]) == 0  # a younger credit only after every older one
