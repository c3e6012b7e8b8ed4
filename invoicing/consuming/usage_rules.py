"""What consumption costs beyond an allowance. Pure. (SRV-5, OPR-1, OPR-2, OPR-8, OPR-9)"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal, InvalidOperation
from itertools import pairwise
from typing import Any

from panel.core.money import Cents, round_cents

TRAFFIC = "traffic"
ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Meter:
    """A meter that terms put a price on: the rule that charges it and the unit it is counted in."""

    name: str
    rule: str
    unit: str


METERS = {TRAFFIC: Meter(TRAFFIC, "SRV-5", "GB")}


@dataclass(frozen=True, slots=True)
class Rated:
    """`billable` units beyond the allowance and their price in cents, rounded once."""

    billable: Decimal
    net: Cents


def overage(
    quantity: Decimal, allowance: Decimal, unit_price: Decimal, *, whole_units: bool = False, before: Decimal = ZERO
) -> Rated:
    """Units beyond the allowance at `unit_price` (EUR a unit), to the byte; `whole_units` is the terms' switch "each
    GB begun". Nothing is charged for a byte under the allowance. `before`: how much of `quantity` was rated for who had
    the service earlier in the month; the parts of a month add up to its whole."""

    def beyond(counted: Decimal) -> Decimal:
        over = max(ZERO, counted - allowance)
        return over.to_integral_value(rounding=ROUND_CEILING) if whole_units else over

    billable = beyond(max(quantity, before)) - beyond(before)
    return Rated(billable, round_cents(billable * unit_price))


# --- how a usage event is counted ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Counter:
    """How many units an event of some `quantity` is; `rule` names the numbers of the terms that `count` is given."""

    name: str
    rule: str
    count: Callable[[Decimal, Mapping[str, Any]], Decimal]


def as_sent(quantity: Decimal, numbers: Mapping[str, Any]) -> Decimal:
    """The units are what was sent."""
    return quantity


def long_messages(quantity: Decimal, numbers: Mapping[str, Any]) -> Decimal:
    """OPR-2: a text of `quantity` characters is one unit up to `single` of them, beyond that one for each `part`
    begun."""
    if quantity <= numbers["single"]:
        return Decimal(1)
    part = Decimal(numbers["part"])
    return (quantity / part).to_integral_value(rounding=ROUND_CEILING)


COUNTERS = {one.name: one for one in (Counter("sum", "", as_sent), Counter("sms", "OPR-2", long_messages))}


# --- tiers -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Tier:
    """The units beyond the allowance up to and including `up_to` (None: all that follow), at `unit_price` EUR each."""

    up_to: Decimal | None
    unit_price: Decimal


@dataclass(frozen=True, slots=True)
class Part:
    """What falls into one tier; `net` is rounded once."""

    quantity: Decimal
    unit_price: Decimal
    net: Cents


def tiers(raw: Sequence[Mapping[str, Any]]) -> tuple[Tier, ...]:
    """Tiers as a catalogue keeps them: [{"up_to": "1000", "unit_price": "0.06"}, {"up_to": null, ...}].

    ValueError, with a sentence, unless their limits rise and only the last is open.
    """
    try:
        found = tuple(
            Tier(None if one["up_to"] in (None, "") else Decimal(one["up_to"]), Decimal(one["unit_price"]))
            for one in raw
        )
    except (KeyError, TypeError, InvalidOperation) as error:
        raise ValueError("a tier has a limit and a unit price, both decimal numbers") from error
    if not found or found[-1].up_to is not None or any(one.up_to is None for one in found[:-1]):
        raise ValueError("the last tier, and only the last, has no limit")
    limits = [ZERO, *(one.up_to for one in found if one.up_to is not None)]
    if any(before >= after for before, after in pairwise(limits)):
        raise ValueError("the limits of tiers rise")
    if any(not one.unit_price.is_finite() or one.unit_price < 0 for one in found):
        raise ValueError("a unit price is not negative")
    return found


def graduated(steps: Sequence[Tier], units: Decimal, *, before: Decimal = ZERO) -> tuple[Part, ...]:
    """Each unit at the price of the tier it falls into; tiers of nothing are left out. `before`: how many of `units`
    were somebody else's, who had the service earlier in the month."""
    parts, below = [], before
    for tier in steps:
        above = units if tier.up_to is None else min(units, tier.up_to)
        if above > below:
            parts.append(Part(above - below, tier.unit_price, round_cents((above - below) * tier.unit_price)))
            below = above
    return tuple(parts)


@dataclass(frozen=True, slots=True)
class Rating:
    """One month: what was counted, what packs paid for of it (`prepaid`), what was free (`carried` of it brought over),
    and what the rest costs."""

    quantity: Decimal
    allowance: Decimal
    carried: Decimal
    billable: Decimal
    parts: tuple[Part, ...]
    prepaid: Decimal = ZERO

    @property
    def net(self) -> Cents:
        return sum(part.net for part in self.parts)


def months(
    quantities: Sequence[Decimal], allowance: Decimal, steps: Sequence[Tier], *, carries: bool = False,
    prepaid: Sequence[Decimal] = (),
) -> list[Rating]:  # fmt: skip
    """The months of one contractual period, in order. With `carries` what is left of the allowance is free in the month
    after (OPR-8), to the end of the contractual period. `prepaid`: what packs paid for, month by month (OPR-9); it
    takes nothing of the allowance."""
    found: list[Rating] = []
    carried = ZERO
    for quantity, paid in zip(quantities, prepaid or [ZERO] * len(quantities), strict=True):
        free, rest = allowance + carried, quantity - paid
        billable = max(ZERO, rest - free)
        found.append(Rating(quantity, free, carried, billable, graduated(steps, billable), paid))
        carried = max(ZERO, free - rest) if carries else ZERO
    return found


def shared(whole: Rating, used: Sequence[Decimal], paid: Sequence[Decimal], steps: Sequence[Tier]) -> list[Rating]:
    """One month of several holders, in order: what is free is used first by who has the service first, and so are the
    tiers. `used` and `paid` (by packs) are the parts of the month's quantity and prepaid units; the parts' billable
    units add up to the month's."""
    found: list[Rating] = []
    counted = ZERO  # against the allowance, by all before
    for quantity, prepaid in zip(used, paid, strict=True):
        before, counted = counted, counted + quantity - prepaid
        over, over_before = max(ZERO, counted - whole.allowance), max(ZERO, before - whole.allowance)
        free = max(ZERO, whole.allowance - before)
        carried = whole.carried if not found else ZERO
        found.append(
            Rating(quantity, free, carried, over - over_before, graduated(steps, over, before=over_before), prepaid)
        )
    return found
