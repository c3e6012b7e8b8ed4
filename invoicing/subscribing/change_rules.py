"""What a change of a running subscription does at once, what waits for the renewal, and what it costs. Pure. (SUB-12)

What adds to the service happens at once and is paid for the days that are left, the day of change among them. What
takes from it, and another interval, happens when the next period begins: the running one is paid and not refunded.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from invoicing.subscribing.period_rules import Period, part
from panel.core.money import Cents


@dataclass(frozen=True, slots=True)
class Held:
    """So many of an option at the price of one for a period; the same option may be held at several prices."""

    code: str
    quantity: int
    unit_cents: Cents


@dataclass(frozen=True, slots=True)
class Composition:
    """What a subscription consists of: its package at its price, the interval, its options."""

    package: str
    price: Cents
    interval: str
    options: tuple[Held, ...] = ()

    @property
    def period_cents(self) -> Cents:
        """Net cents of one period."""
        return self.price + sum(held.unit_cents * held.quantity for held in self.options)

    def quantities(self) -> dict[str, int]:
        """How many of each option."""
        found: dict[str, int] = {}
        for held in self.options:
            found[held.code] = found.get(held.code, 0) + held.quantity
        return found

    def as_dict(self) -> dict[str, Any]:
        """As a row keeps it."""
        options = [[held.code, held.quantity, held.unit_cents] for held in self.options]
        return {"package": self.package, "price": self.price, "interval": self.interval, "options": options}


def composition(kept: Mapping[str, Any]) -> Composition:
    """What `as_dict` kept."""
    options = tuple(Held(code, quantity, cents) for code, quantity, cents in kept["options"])
    return Composition(kept["package"], kept["price"], kept["interval"], options)


@dataclass(frozen=True, slots=True)
class Target:
    """What is wished. `price` and `units` are today's for the running interval, `later_price` and `later_units` those
    for the wished `interval`."""

    package: str
    interval: str
    quantities: Mapping[str, int]
    price: Cents
    units: Mapping[str, Cents]
    later_price: Cents
    later_units: Mapping[str, Cents]


def at_once(held: Composition, target: Target) -> Composition:
    """What the subscription becomes today: a package that does not cost less, and options that are added."""
    package, price = held.package, held.price
    if target.package != package and target.price >= price:
        package, price = target.package, target.price
    there = held.quantities()
    added = tuple(
        Held(code, quantity - there.get(code, 0), target.units[code])
        for code, quantity in target.quantities.items()
        if quantity > there.get(code, 0)
    )
    return Composition(package, price, held.interval, held.options + added)


def at_renewal(today: Composition, target: Target) -> Composition:
    """What it becomes when the next period begins; the same as `today` when nothing is left to do then."""
    if target.interval != today.interval:
        options = tuple(
            Held(code, quantity, target.later_units[code]) for code, quantity in target.quantities.items() if quantity
        )
        return Composition(target.package, target.later_price, target.interval, options)
    price = today.price if target.package == today.package else target.price
    return Composition(target.package, price, today.interval, _reduced(today.options, target.quantities))


def _reduced(options: Iterable[Held], wanted: Mapping[str, int]) -> tuple[Held, ...]:
    """As many of each as wanted; what came last goes first."""
    left, kept = dict(wanted), []
    for held in options:
        quantity = min(held.quantity, left.get(held.code, 0))
        if quantity:
            kept.append(replace(held, quantity=quantity))
            left[held.code] -= quantity
    return tuple(kept)


@dataclass(frozen=True, slots=True)
class Due:
    """What the rest of the running period costs more for one thing that was added or exchanged."""

    code: str
    quantity: int
    unit_cents: Cents
    """For one, from the day of change to the end of the period."""
    price_cents: Cents
    """For one, for the whole period."""
    instead_of: str = ""
    """The package it takes the place of, and what that cost for the whole period."""
    instead_of_cents: Cents = 0

    @property
    def net(self) -> Cents:
        return self.unit_cents * self.quantity


def due(held: Composition, becomes: Composition, period: Period, today: date) -> tuple[Due, ...]:
    """What is to be paid for `today` and the days after it until the period ends (SUB-12)."""
    found = []
    if becomes.package != held.package:
        more = part(becomes.price - held.price, period, today, period.end)
        found.append(Due(becomes.package, 1, more, becomes.price, held.package, held.price))
    for option in becomes.options[len(held.options) :]:
        unit = part(option.unit_cents, period, today, period.end)
        found.append(Due(option.code, option.quantity, unit, option.unit_cents))
    return tuple(found)
