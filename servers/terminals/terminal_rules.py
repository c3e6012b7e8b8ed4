"""Who may have a terminal to a server, and for how long (SRV-8). Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class Ending(StrEnum):
    """How a terminal ended."""

    LEFT = "left"
    EXITED = "exited"
    IDLE = "idle"
    TOO_LONG = "too_long"
    WITHDRAWN = "withdrawn"
    SIGNED_OUT = "signed_out"
    HOST_KEY = "host_key"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    BROKEN = "broken"
    LOST = "lost"


FAILED = frozenset({Ending.HOST_KEY, Ending.REFUSED, Ending.UNREACHABLE})
"""Nobody was logged in."""


class WhyNot(StrEnum):
    """Why there is no terminal just now."""

    SIMULATED = "simulated"
    NOT_HERE = "not_here"
    NO_HOST_KEY = "no_host_key"
    NOT_RUNNING = "not_running"
    NO_PERMIT = "no_permit"
    INSTALLING = "installing"
    STAFF = "staff"


@dataclass(frozen=True, slots=True)
class Limits:
    """What one terminal, one person and one server may have (settings.CLAUSE_TERMINAL)."""

    idle: timedelta
    longest: timedelta
    per_person: int
    per_server: int
    history: int
    """Lines that have scrolled off."""
    staff_days: int
    """The longest that a customer lets staff in at a time."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What decides; `permitted` and `installed` are about the customer's permission."""

    simulated: bool
    able: bool
    host_key: bool
    running: bool
    permitted: bool
    installed: bool
    staff: bool
    staff_until: datetime | None


def why_no_terminal(standing: Standing, now: datetime) -> WhyNot | None:
    """None: it can be opened. Staff needs a permission of its own that still runs."""
    if (why := why_no_permit(standing)) is not None:
        return why
    if not standing.permitted:
        return WhyNot.NO_PERMIT
    if standing.staff and (standing.staff_until is None or standing.staff_until <= now):
        return WhyNot.STAFF
    if not standing.installed:
        return WhyNot.INSTALLING
    return None if standing.running else WhyNot.NOT_RUNNING


def why_no_permit(standing: Standing) -> WhyNot | None:
    """What stands in the way of any terminal to this server, whoever permits it."""
    if standing.simulated:
        return WhyNot.SIMULATED
    if not standing.able:
        return WhyNot.NOT_HERE
    return None if standing.host_key else WhyNot.NO_HOST_KEY


def over(opened_at: datetime, typed_at: datetime, now: datetime, limits: Limits) -> Ending | None:
    """Whether time ends it: nobody typed for long, or it lasted long enough."""
    if now - opened_at > limits.longest:
        return Ending.TOO_LONG
    return Ending.IDLE if now - typed_at > limits.idle else None


def left(opened_at: datetime, typed_at: datetime, now: datetime, limits: Limits) -> timedelta:
    """Until time ends it, if nobody types."""
    return min(limits.longest - (now - opened_at), limits.idle - (now - typed_at))
