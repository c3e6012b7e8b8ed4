"""The pure law of findings that a person decides on: what may be decided, and why not just now (SRV-1, SRV-2)."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from servers.rules import Finding, State


class Decision(StrEnum):
    """What can be done about a finding."""

    REMOVE = "remove"
    ADOPT = "adopt"
    REMAKE = "remake"
    TRUST = "trust"


OFFERED: dict[str, tuple[Decision, ...]] = {
    Finding.ORPHAN: (Decision.REMOVE,),
    Finding.DUPLICATE: (Decision.ADOPT, Decision.REMOVE),
    Finding.MISSING: (Decision.REMAKE,),
    Finding.HOST_KEY: (Decision.TRUST,),
}
"""By the kind of finding; every other kind is repaired by the panel itself, or at the place."""


class WhyNot(StrEnum):
    """Why it cannot be decided so now; `drift_wording` turns each into a sentence."""

    SETTLED = "settled"
    UNDER_WAY = "under_way"
    NOT_OFFERED = "not_offered"
    BUSY = "busy"
    ENDS = "ends"
    SUSPENDED = "suspended"
    IN_USE = "in_use"
    NO_KEY = "no_key"


@dataclass(frozen=True, slots=True)
class Found:
    """A finding as it stands. `state` and `busy` are its server's ("" without one); `lost`: its own machine is missing;
    `deciding`: a decision is being carried out; `key`: the host key that was shown."""

    kind: str
    open: bool = True
    deciding: bool = False
    state: str = ""
    busy: bool = False
    lost: bool = False
    key: str = ""


def offered(found: Found) -> Sequence[Decision]:
    """What can be decided about it at all."""
    return OFFERED.get(found.kind, ())


def why_not(found: Found, decision: Decision) -> WhyNot | None:
    """Why it cannot be decided so now; None where it can.

    A second machine is taken on only in place of a lost one. A lost one is made anew only while its server is wanted: a
    suspended one comes back first, or ends.
    """
    reasons = (
        (WhyNot.SETTLED, not found.open),
        (WhyNot.NOT_OFFERED, decision not in offered(found)),
        (WhyNot.UNDER_WAY, found.deciding),
        (WhyNot.BUSY, found.busy),
        (WhyNot.ENDS, decision is not Decision.REMOVE and found.state in {State.DESTROYING, State.DESTROYED}),
        (WhyNot.SUSPENDED, decision is Decision.REMAKE and found.state == State.SUSPENDED),
        (WhyNot.IN_USE, decision is Decision.ADOPT and not found.lost),
        (WhyNot.NO_KEY, decision is Decision.TRUST and not found.key),
    )
    return next((reason for reason, holds in reasons if holds), None)
