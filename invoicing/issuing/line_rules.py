"""An amount, reckoned again from what was kept with it. Pure. (invariant: every cent charged can be traced)"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from panel.core.money import Cents, euros, round_cents


@dataclass(frozen=True, slots=True)
class Stated:
    """What a line says: a quantity at a price in EUR, its net cents, and the evidence kept with it."""

    quantity: Decimal
    unit_price: Decimal
    net: Cents
    evidence: Mapping[str, Any]


def holds(line: Stated) -> bool:
    """Whether the quantity follows from the evidence, and the amount from quantity and price, rounded once. A credited
    part of a line is stated as an amount: its evidence is the line it gives back."""
    if "used" in line.evidence and "credits_line" not in line.evidence:
        free = Decimal(str(line.evidence["allowance"])) + Decimal(str(line.evidence.get("prepaid", 0)))
        beyond = max(Decimal(0), Decimal(str(line.evidence["used"])) - free)
        whole = -(-beyond // 1)  # each unit begun, where the terms say so
        if line.quantity not in (beyond, whole):
            return False
    if "days_of_period" in line.evidence and _share(line.evidence) != line.unit_price:
        return False
    return round_cents(line.quantity * line.unit_price) == line.net


def _share(evidence: Mapping[str, Any]) -> Decimal:
    """EUR for the last `days` of a period: what a price, beyond the one it takes the place of, leaves after the days
    before them (SUB-12)."""
    more = evidence["period_price"] - evidence["instead_of"]
    gone = Decimal(evidence["days_of_period"] - evidence["days"]) / evidence["days_of_period"]
    return euros(more - round_cents(euros(more) * gone))
