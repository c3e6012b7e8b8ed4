"""Money is integer cents (EUR); unit prices and quantities are Decimal. One rounding: half up on the absolute value."""

from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import TypeAlias

Cents: TypeAlias = int

CENT = Decimal("0.01")


def round_cents(euros: Decimal) -> Cents:
    """Euros to whole cents, half up on the absolute value, so that a credit mirrors its invoice exactly."""
    if not isinstance(euros, Decimal):
        raise TypeError(f"money is Decimal, not {type(euros).__name__}")
    rounded = (abs(euros) * 100).quantize(Decimal(1), rounding=ROUND_HALF_UP)
    return int(rounded) if euros >= 0 else -int(rounded)


def euros(cents: Cents) -> Decimal:
    """Whole cents as euros with two decimals."""
    return Decimal(cents) / 100


def vat_of(net_cents: Cents, rate: Decimal) -> Cents:
    """VAT in cents on a group's net sum; `rate` in percent (INV-10)."""
    return round_cents(Decimal(net_cents) * rate / 10_000)


def split(total: Cents, weights: Sequence[int]) -> list[Cents]:
    """Divide `total` by `weights` (largest remainder); the parts always add up to it."""
    whole = sum(weights)
    if whole <= 0 or any(weight < 0 for weight in weights):
        raise ValueError("weights must be non-negative and not all zero")
    sign, amount = (1, total) if total >= 0 else (-1, -total)
    shares = [divmod(amount * weight, whole) for weight in weights]
    parts = [share for share, _ in shares]
    by_remainder = sorted(range(len(weights)), key=lambda index: (-shares[index][1], index))
    for index in by_remainder[: amount - sum(parts)]:
        parts[index] += 1
    return [sign * part for part in parts]


def format_eur(cents: Cents, language: str = "en") -> str:
    """`EUR 1,234.50` in English, `1 234,50 EUR` in French, with no-break spaces."""
    sign = "\u2212" if cents < 0 else ""
    whole, rest = divmod(abs(cents), 100)
    if language.startswith("fr"):
        grouped = f"{whole:,}".replace(",", "\u202f")
        return f"{sign}{grouped},{rest:02d}\u00a0EUR"
    return f"{sign}EUR\u00a0{whole:,}.{rest:02d}"
