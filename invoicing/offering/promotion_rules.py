"""Promotional codes: who may use one, and what it takes off. Pure. (SUB-2)

A code takes a percentage or an amount off a period's price, never more than there is; it is used once an order, alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from panel.core.money import Cents, euros, round_cents, split

ALWAYS = 0
WHOLE = Decimal(100)


@dataclass(frozen=True, slots=True)
class Promise:
    """What a code takes off the first `periods` invoices (ALWAYS: each one): `percent`, else `cents` without VAT.

    `interval` and `packages` are where it holds (empty: everywhere); `on_setup`: what is paid once counts too.
    """

    code: str
    percent: Decimal | None
    cents: Cents
    periods: int = 1
    interval: str = ""
    packages: tuple[str, ...] = ()
    on_setup: bool = False

    def as_dict(self) -> dict[str, Any]:
        """As the order that used it keeps it: no later edit of the code changes a promise."""
        percent = None if self.percent is None else str(self.percent)
        return asdict(self) | {"percent": percent, "packages": list(self.packages)}


def promise(kept: Mapping[str, Any]) -> Promise:
    """What `as_dict` kept."""
    percent = None if kept["percent"] is None else Decimal(kept["percent"])
    return Promise(**{**kept, "percent": percent, "packages": tuple(kept["packages"])})


def holds(asked: Promise, package: str, interval: str, number: int) -> bool:
    """Whether the promise covers the `number`-th invoiced period (0: the first) of a subscription to `package`."""
    return (
        (asked.periods == ALWAYS or number < asked.periods)
        and (not asked.interval or asked.interval == interval)
        and (not asked.packages or package in asked.packages)
    )


def taken_off(asked: Promise, nets: Sequence[Cents]) -> list[Cents]:
    """How many cents come off each of `nets` (the amounts it applies to, by VAT rate): reckoned on their sum, rounded
    once, divided by largest remainder; never more than there is, so that no total falls below nothing."""
    base = sum(nets)
    if base <= 0:
        return [0] * len(nets)
    off = asked.cents if asked.percent is None else round_cents(euros(base) * asked.percent / WHOLE)
    return split(min(off, base), nets)


@dataclass(frozen=True, slots=True)
class Asked:
    """What is known when a code is typed. `ends` is the first instant without it; limits of None are none; `net` is
    what the order comes to before the code, in cents without VAT."""

    now: datetime
    starts: datetime
    ends: datetime | None
    switched_off: bool
    uses: int
    most_uses: int | None
    own_uses: int
    most_own_uses: int | None
    new_only: bool
    is_new: bool
    minimum: Cents
    net: Cents
    covers: bool


def refusal(asked: Asked) -> str | None:
    """Why the code cannot be used, as a code of its own, or None. A use counts until its order is cancelled."""
    if asked.switched_off or asked.now < asked.starts or (asked.ends is not None and asked.now >= asked.ends):
        return "not_now"
    if not asked.covers:
        return "not_here"
    if asked.most_uses is not None and asked.uses >= asked.most_uses:
        return "used_up"
    if asked.most_own_uses is not None and asked.own_uses >= asked.most_own_uses:
        return "used_by_you"
    if asked.new_only and not asked.is_new:
        return "new_only"
    return "minimum" if asked.net < asked.minimum else None
