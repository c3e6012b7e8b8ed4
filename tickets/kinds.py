"""The port for requests that mean something: a higher app registers what happens to a ticket of its kind.

Abuse registers "infringement"; contested invoices are of this room (`contests`); others will follow (a firewall
change, an authorisation code).
Requests of the plain kind "question" mean nothing more than their words.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from panel.core.actors import Actor
    from tickets.models import Message, Ticket

PLAIN = "question"


@dataclass(frozen=True)
class Card:
    """What a kind adds to the request's page beside the thread: a template, and what it is drawn with as `about`."""

    template: str
    about: Mapping[str, Any] = field(default_factory=dict)


class RequestKind(Protocol):
    """Every method runs in the transaction of what it follows, after the ticket's row was locked."""

    @property
    def label(self) -> str | Promise:
        """What a request of this kind is called."""
        ...

    def replied(self, ticket: Ticket, message: Message, *, actor: Actor, now: datetime) -> None:
        """A message was added to the thread; whose it is, and whether a machine wrote it, stands in the message."""
        ...

    def page(self, ticket: Ticket, *, staff: bool) -> str:
        """The address of the page that shows a ticket of this kind; "" for the request's own page."""
        ...

    def card(self, ticket: Ticket, *, staff: bool) -> Card | None:
        """What stands beside the thread on the request's own page."""
        ...

    def settled(self, ticket: Ticket) -> bool:
        """Whether nothing but words is open, so that the request may be closed by hand."""
        ...


class Question:
    """A plain request."""

    label = _("Question")

    def replied(self, ticket: Ticket, message: Message, *, actor: Actor, now: datetime) -> None:
        return None

    def page(self, ticket: Ticket, *, staff: bool) -> str:
        return ""

    def card(self, ticket: Ticket, *, staff: bool) -> Card | None:
        return None

    def settled(self, ticket: Ticket) -> bool:
        return True


_kinds: dict[str, RequestKind] = {PLAIN: Question()}


def register(name: str, kind: RequestKind) -> None:
    """Called in the higher app's AppConfig.ready()."""
    _kinds[name] = kind


def get(name: str) -> RequestKind:
    """The kind of that name; KeyError when nobody registered it."""
    return _kinds[name]
