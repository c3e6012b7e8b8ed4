"""Mail that names a request in its subject but proves nothing (TIC-3): kept for staff, who says whose it is.

Anybody can write a From and copy a number. Such a mail is no answer (it stops no clock, ABU-9) and the customer does
not see it, until staff has vouched for it; then it counts as of the instant at which it arrived.
"""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from panel.core import events
from panel.core.actors import SYSTEM, Actor
from panel.core.errors import RuleViolation
from tickets import conversation
from tickets.models import Message, Ticket
from tickets.rules import State


def keep(message: Message, *, now: datetime) -> None:
    """A mail that was filed as a note: staff must look at it. A repeat changes nothing."""
    asked = Message.objects.filter(pk=message.pk, internal=True, doubt="").update(doubt=Message.Doubt.ASKED)
    if asked:
        Ticket.objects.filter(pk=message.ticket_id, waiting_since=None).update(waiting_since=now)
        _tell("doubted", message, actor=SYSTEM, now=now)


@transaction.atomic
def vouch(message_id: int, *, actor: Actor, now: datetime) -> Message:
    """Staff: it is the customer's. From now on they see it, and it is the answer that it was when it came."""
    message = _asked(message_id)
    message.doubt, message.internal = Message.Doubt.VOUCHED, False
    message.save(update_fields=["doubt", "internal"])
    _tell("vouched", message, actor=actor, now=now)
    conversation.follow(message, actor=actor, now=now)
    return message


@transaction.atomic
def deny(message_id: int, *, actor: Actor, now: datetime) -> Message:
    """Staff: it is somebody else's. It stays as a note that nobody but staff sees."""
    message = _asked(message_id)
    message.doubt = Message.Doubt.DENIED
    message.save(update_fields=["doubt"])
    ticket = message.ticket
    others = ticket.messages.filter(doubt=Message.Doubt.ASKED).exists()
    if not others and ticket.state not in {State.OPEN, State.WAITING_STAFF}:
        Ticket.objects.filter(pk=ticket.pk).update(waiting_since=None)
    _tell("denied", message, actor=actor, now=now)
    return message


def _asked(message_id: int) -> Message:
    """The message, its request locked."""
    ticket_id = Message.objects.values_list("ticket_id", flat=True).get(pk=message_id)
    Ticket.objects.select_for_update().get(pk=ticket_id)
    message = Message.objects.select_related("ticket").get(pk=message_id)
    if message.doubt != Message.Doubt.ASKED:
        raise RuleViolation(_("This has been decided already."), rule="TIC-3")
    return message


def _tell(what: str, message: Message, *, actor: Actor, now: datetime) -> None:
    events.record(
        f"tickets.message.{what}", now=now, actor=actor, subject=message.ticket, account_id=message.account_id,
        rule="TIC-3", data={"message": message.pk},
    )  # fmt: skip
