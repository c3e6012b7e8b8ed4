"""When a running service can go over to another account, and until when an offer stands (SUB-4). Pure."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from panel.core.calendars import days_later, is_missed

TRANSFER_TRANSITIONS = {
    "offered": frozenset({"accepted", "declined", "withdrawn", "expired"}),
    "accepted": frozenset[str](),
    "declined": frozenset[str](),
    "withdrawn": frozenset[str](),
    "expired": frozenset[str](),
}


class Why(StrEnum):
    """What stands in the way of a transfer."""

    ENDED = "ended"
    RESTING = "resting"
    TRIAL = "trial"
    ENDING = "ending"
    CHANGING = "changing"
    RENEWING = "renewing"
    COUNTING = "counting"
    UNPAID = "unpaid"
    DISPUTED = "disputed"
    RESTRICTED = "restricted"


@dataclass(frozen=True, slots=True)
class Service:
    """What is known of a subscription. `unpaid` and `disputed` count the invoices that bill it."""

    state: str
    on_trial: bool = False
    ends: bool = False
    change_planned: bool = False
    renewal_due: bool = False
    month_open: bool = False
    """The meter was not read yet since a traffic month ended."""
    unpaid: int = 0
    disputed: int = 0
    restrictions: int = 0


def refusal(service: Service) -> Why | None:
    """The first thing that stands in the way; None: it can be handed over now."""
    found = {
        Why.ENDED: service.state == "terminated",
        Why.RESTRICTED: service.restrictions > 0,
        Why.RESTING: service.state == "suspended",
        Why.TRIAL: service.on_trial,
        Why.UNPAID: service.unpaid > 0,
        Why.DISPUTED: service.disputed > 0,
        Why.ENDING: service.ends,
        Why.CHANGING: service.change_planned,
        Why.RENEWING: service.renewal_due,
        Why.COUNTING: service.month_open,
    }
    return next((why for why, holds in found.items() if holds), None)


def stands_until(offered_at: datetime, days: int) -> datetime:
    """24:00 Paris of the last day on which an offer can be accepted, in UTC."""
    return days_later(offered_at, days)


def is_over(expires_at: datetime, now: datetime) -> bool:
    """An answer at the instant itself is in time."""
    return is_missed(now, expires_at)
