"""The pure law of funds (INV-6): which credits a debit spends, and how much may be added at once."""

from collections.abc import Sequence

from panel.core.money import Cents


def first_in_first_out(left: Sequence[Cents], wanted: Cents) -> list[Cents] | None:
    """What a debit of `wanted` takes from each credit, the oldest first; None when all of them hold less."""
    parts = []
    for cents in left:
        part = min(cents, wanted)
        parts.append(part)
        wanted -= part
    return parts if wanted == 0 else None


def top_up_refused(cents: Cents, smallest: Cents, largest: Cents) -> str:
    """Why an amount cannot be added: "too_little", "too_much", or "" when it can."""
    if cents < smallest:
        return "too_little"
    return "too_much" if cents > largest else ""
