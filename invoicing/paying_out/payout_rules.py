"""The pure law of payouts: their states, and which of them a credit of the bank is (INV-11)."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

MOVING, PAID, FAILED = "moving", "paid", "failed"
CHARGE, REFUND, DISPUTE, RETURNED, FEE, OTHER = "charge", "refund", "dispute", "payout", "fee", "other"

PAYOUT_TRANSITIONS = {
    MOVING: frozenset({PAID}),  # one that failed left the balance before: it is booked, then booked back
    PAID: frozenset({FAILED}),
    FAILED: frozenset[str](),
}
EARLY, LATE = timedelta(days=3), timedelta(days=10)
"""How far from the day the provider expects a bank's booking may lie, that names the provider but not the payout."""


@dataclass(frozen=True, slots=True)
class Expected:
    """A payout that the bank has not shown yet."""

    key: int
    ref: str
    trace: str
    cents: int
    arrives_on: date


def named_in(one: Expected, text: str) -> bool:
    """Whether a bank's text carries the payout's own name, or the bank's reference of it."""
    words = text.casefold()
    return any(name.casefold() in words for name in (one.ref, one.trace) if name)


def whose(text: str, cents: int, booked_on: date, provider: str, waiting: Iterable[Expected]) -> list[int]:
    """The payouts that a credit may be, by key: the one it names, else those of its amount and time, where it names the
    provider at all. `text` is everything the bank says of it, the payer among it."""
    same = [one for one in waiting if one.cents == cents]
    named = [one.key for one in same if named_in(one, text)]
    if named or not mentions(text, provider):
        return named
    return [one.key for one in same if one.arrives_on - EARLY <= booked_on <= one.arrives_on + LATE]


def mentions(text: str, provider: str) -> bool:
    """Whether a bank's text names the provider."""
    return provider.casefold() in text.casefold()
