"""The law of requests (TIC-1, TIC-3). Pure."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class State(StrEnum):
    """Who must act next is the state."""

    OPEN = "open"
    WAITING_STAFF = "waiting_staff"
    WAITING_CUSTOMER = "waiting_customer"
    CLOSED = "closed"


class Author(StrEnum):
    CUSTOMER = "customer"
    STAFF = "staff"
    PANEL = "panel"


class Via(StrEnum):
    WEB = "web"
    MAIL = "mail"
    API = "api"
    PANEL = "panel"


TRANSITIONS: Mapping[str, frozenset[str]] = {
    State.OPEN: frozenset({State.WAITING_STAFF, State.WAITING_CUSTOMER, State.CLOSED}),
    State.WAITING_STAFF: frozenset({State.WAITING_CUSTOMER, State.CLOSED}),
    State.WAITING_CUSTOMER: frozenset({State.WAITING_STAFF, State.CLOSED}),
    State.CLOSED: frozenset({State.WAITING_STAFF, State.WAITING_CUSTOMER}),
}
MAX_FILES = 10
MAX_FILE_BYTES = 10 * 1024 * 1024
MAX_BODY = 100_000


def state_after(state: str, author: str, *, internal: bool, automatic: bool) -> str:
    """Who must act after a message: notes and what machines wrote change nothing; the customer reopens by writing."""
    if internal or automatic or author == Author.PANEL:
        return state
    return State.WAITING_STAFF if author == Author.CUSTOMER else State.WAITING_CUSTOMER
