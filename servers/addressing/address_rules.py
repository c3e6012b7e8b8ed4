"""The pure law of additional addresses: which may go where, and why not (SRV-3, ABU-3)."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from servers.rules import ON_THE_HOST

MOST_ON_ONE = 16  # addresses of one server, the first among them
USABLE = frozenset({"running", "stopped"})


class WhyNot(StrEnum):
    """Why an address cannot go there now; `address_wording` turns each into a sentence."""

    FIRST = "first"
    THERE = "there"
    MOVING = "moving"
    RESTRICTED = "restricted"
    ENDS = "ends"
    NOT_READY = "not_ready"
    OTHER_PLACE = "other_place"
    OTHER_ACCOUNT = "other_account"
    NOT_YOURS = "not_yours"
    NOT_HERE = "not_here"
    TARGET_RESTRICTED = "target_restricted"
    BUSY = "busy"
    FULL = "full"


@dataclass(frozen=True, slots=True)
class Machine:
    """What decides over a server that an address is on, was ordered with, or shall go to. `busy`: a change of its size
    or its addresses is under way; `restricted`: something in force touches it, or it must be off; `able`: its place can
    move addresses of this family; `many`: how many addresses it has, and how many are on their way to it."""

    pk: int
    account: int
    place: str
    state: str
    busy: bool = False
    restricted: bool = False
    able: bool = True
    many: int = 1


@dataclass(frozen=True, slots=True)
class Standing:
    """Where an address is (`on` None: on no server), who pays for it, and what forbids to touch it."""

    on: Machine | None
    ordered_with: Machine
    is_first: bool = False
    moving: bool = False
    restricted: bool = False


def why_not_touched(at: Standing) -> WhyNot | None:
    """Why an address can go nowhere now, whatever the aim; None where it can. What is restricted stays where it is, so
    that nobody escapes a restriction by moving (ABU-3)."""
    around = [machine for machine in (at.on, at.ordered_with) if machine is not None]
    reasons = (
        (WhyNot.FIRST, at.is_first),
        (WhyNot.MOVING, at.moving),
        (WhyNot.RESTRICTED, at.restricted),
        (WhyNot.ENDS, at.ordered_with.state not in ON_THE_HOST),
        (WhyNot.BUSY, any(machine.busy for machine in around)),
        (WhyNot.NOT_HERE, at.on is not None and not at.on.able),
        (WhyNot.TARGET_RESTRICTED, any(machine.restricted for machine in around)),
    )
    return next((reason for reason, holds in reasons if holds), None)


def why_not(at: Standing, to: Machine | None) -> WhyNot | None:
    """Why an address cannot go to `to` (None: to no server) now; None where it can (SRV-3)."""
    if (refused := why_not_touched(at)) is not None:
        return refused
    if to is None:
        return WhyNot.THERE if at.on is None else None
    reasons = (
        (WhyNot.THERE, at.on is not None and at.on.pk == to.pk),
        (WhyNot.OTHER_ACCOUNT, to.account != at.ordered_with.account),
        (WhyNot.OTHER_PLACE, to.place != at.ordered_with.place),
        (WhyNot.NOT_HERE, not to.able),
        (WhyNot.TARGET_RESTRICTED, to.restricted),
        (WhyNot.NOT_READY, to.state not in USABLE),
        (WhyNot.BUSY, to.busy),
        (WhyNot.FULL, to.many >= MOST_ON_ONE),
    )
    return next((reason for reason, holds in reasons if holds), None)


def targets(at: Standing, machines: Sequence[Machine]) -> list[int]:
    """The servers that it can go to."""
    return [machine.pk for machine in machines if why_not(at, machine) is None]
