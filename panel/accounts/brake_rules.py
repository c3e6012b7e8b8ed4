"""The pure law of the brake on restrictions, whoever decides them (ABU-12)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from panel.terms.numbers import BrakeTerms


def brake(*, decided_in_window: int, fell_due_in_gap: bool, terms: BrakeTerms) -> str:
    """ABU-12: why a restriction waits for release: too "many" within the window, or a "gap" of the clock; "" if not.

    `decided_in_window` counts those that were decided within the window and all those that would be decided now.
    """
    if fell_due_in_gap:
        return "gap"
    return "many" if decided_in_window > terms.limit else ""
