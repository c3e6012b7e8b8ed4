"""What a member of a customer group pays. Pure. (SUB-1, LEG-3)"""

from dataclasses import dataclass
from decimal import Decimal

from panel.core.money import Cents, euros, round_cents

WHOLE = Decimal(100)


@dataclass(frozen=True, slots=True)
class Grouped:
    """The group of an account and what comes off the listed prices for it, in percent."""

    pk: int
    percent: Decimal


def price(listed: Cents | None, own: Cents | None, percent: Decimal) -> Cents | None:
    """The group's `own` price where it has one, else the `listed` one less the group's `percent`, rounded once; None
    where there is neither. What is paid once for setting up is never less."""
    if own is not None or listed is None:
        return own
    return round_cents(euros(listed) * (WHOLE - percent) / WHOLE)
