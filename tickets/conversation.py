"""Requests as use cases: open, answer, note, close. One thread whatever the way it came (TIC-1, TIC-3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import models, transaction
from django.urls import reverse
from django.utils.translation import gettext as _

from panel.accounts import terms_in_force
from panel.accounts.models import Account, User
from panel.core import events, files, live, mail, references
from panel.core.actors import Actor
from panel.core.errors import RuleViolation
from panel.core.models import Event, subject_of
from panel.core.states import move
from tickets import kinds, return_address, rules
from tickets.models import Attachment, Message, Ticket


@dataclass(frozen=True)
class File:
    """A file on its way in."""

    name: str
    content_type: str
    content: bytes


@transaction.atomic
def open_ticket(
    account: Account,
    *,
    department: str,
    title: str,
    body: str,
    actor: Actor,
    via: str,
    now: datetime,
    kind: str = kinds.PLAIN,
    related: models.Model | None = None,
    attachments: Sequence[File] = (),
    message_id: str = "",
) -> Ticket:
    """TIC-1: a request with a number and a time stamp; the first message is `body`. RuleViolation for empty words."""
    kinds.get(kind)
    ticket = Ticket.objects.create(
        number=references.new("REQ"), account=account, department=department, kind=kind,
        title=_words(title, "title")[:200],
        opened_by_id=actor.user_id if not actor.is_staff else None, opened_at=now, changed_at=now,
        waiting_since=now if not actor.is_staff and actor.kind == "person" else None,
        terms_version=terms_in_force.at(account, now).name, **subject_of(related),
    )  # fmt: skip
    events.record(
        "tickets.ticket.opened", now=now, actor=actor, subject=ticket, account_id=account.pk, rule="TIC-1",
        data={"number": ticket.number, "department": department, "kind": kind},
    )  # fmt: skip
    _write(ticket, body, actor=actor, via=via, now=now, attachments=attachments, message_id=message_id)
    return ticket


@transaction.atomic
def reply(
    ticket: Ticket,
    body: str,
    *,
    actor: Actor,
    via: str,
    now: datetime,
    attachments: Sequence[File] = (),
    message_id: str = "",
    author_name: str = "",
    automatic: bool = False,
    internal: bool = False,
) -> Message:
    """TIC-3: add to the thread, once per Message-ID. `now` is when it arrived. A closed request opens again.

    The ticket's kind hears of it in the same transaction (ABU-9 stops a case's clock there).
    """
    ticket = Ticket.objects.select_for_update().get(pk=ticket.pk)
    known = Message.objects.filter(ticket=ticket, message_id=message_id).first() if message_id else None
    if known is not None:
        return known
    message = _write(
        ticket, body, actor=actor, via=via, now=now, attachments=attachments, message_id=message_id,
        author_name=author_name, automatic=automatic, internal=internal,
    )  # fmt: skip
    follow(message, actor=actor, now=now)
    return message


def follow(message: Message, *, actor: Actor, now: datetime) -> None:
    """What a message of a locked request means for its state, its waiting and its kind."""
    ticket = message.ticket
    after = rules.state_after(ticket.state, message.author_kind, internal=message.internal, automatic=message.automatic)
    if after != ticket.state:
        move(ticket, after, rules.TRANSITIONS)
    ticket.changed_at = now
    if after == rules.State.WAITING_STAFF:
        ticket.waiting_since = ticket.waiting_since or now
    elif message.author_kind == rules.Author.STAFF and not message.internal:
        ticket.waiting_since, ticket.first_answered_at = None, ticket.first_answered_at or now
    ticket.closed_at = None if after != rules.State.CLOSED else ticket.closed_at
    ticket.save(update_fields=["changed_at", "waiting_since", "first_answered_at", "closed_at"])
    if message.author_kind == rules.Author.STAFF and not message.internal:
        _tell_customer(ticket, message, now)
    kinds.get(ticket.kind).replied(ticket, message, actor=actor, now=now)


@transaction.atomic
def close(ticket: Ticket, *, actor: Actor, now: datetime) -> Ticket:
    """Done; a further message opens it again. Closing twice changes nothing."""
    ticket = Ticket.objects.select_for_update().get(pk=ticket.pk)
    if ticket.state == rules.State.CLOSED:
        return ticket
    move(ticket, rules.State.CLOSED, rules.TRANSITIONS)
    ticket.closed_at, ticket.waiting_since = now, None
    ticket.save(update_fields=["closed_at", "waiting_since"])
    events.record("tickets.ticket.closed", now=now, actor=actor, subject=ticket, account_id=ticket.account_id)
    _live(ticket, "tickets.ticket.closed")
    return ticket


@transaction.atomic
def assign(ticket: Ticket, *, user_id: int | None, actor: Actor, now: datetime) -> None:
    """Who of staff takes care of it."""
    Ticket.objects.filter(pk=ticket.pk).update(assigned_to_id=user_id)
    events.record(
        "tickets.ticket.assigned", now=now, actor=actor, subject=ticket, account_id=ticket.account_id,
        data={"to": user_id},
    )  # fmt: skip


def _write(
    ticket: Ticket, body: str, *, actor: Actor, via: str, now: datetime, attachments: Sequence[File], message_id: str,
    author_name: str = "", automatic: bool = False, internal: bool = False,
) -> Message:  # fmt: skip
    author_kind = rules.Author.STAFF if actor.is_staff else rules.Author.CUSTOMER
    if actor.kind in {"clock", "system"}:  # a mail from an address that is no user's is the customer's word too
        author_kind = rules.Author.CUSTOMER if via == rules.Via.MAIL else rules.Author.PANEL
    if len(attachments) > rules.MAX_FILES or any(len(file.content) > rules.MAX_FILE_BYTES for file in attachments):
        raise RuleViolation(
            _("At most %(count)d files of %(size)d MB each can be attached.")
            % {"count": rules.MAX_FILES, "size": rules.MAX_FILE_BYTES // 1024**2},
            field="attachments",
        )
    message = Message(
        ticket=ticket, account_id=ticket.account_id, author_kind=author_kind, author_id=actor.user_id,
        author_name=author_name[:200], body=_words(body, "body")[: rules.MAX_BODY], at=now, via=via, internal=internal,
        automatic=automatic, message_id=message_id[:250],
    )  # fmt: skip
    message.save(force_insert=True)
    for file in attachments:
        blob = files.store(file.content, name=file.name or "file", content_type=file.content_type, now=now)
        Attachment.objects.create(
            message=message, account_id=ticket.account_id, blob=blob, name=blob.name, size=blob.size
        )
    direction = "received" if author_kind == rules.Author.CUSTOMER else "sent"
    events.record(
        f"tickets.message.{'noted' if internal else direction}", now=now, actor=actor, subject=ticket,
        account_id=ticket.account_id, data={"message": message.pk, "via": via, "automatic": automatic},
    )  # fmt: skip
    _live(ticket, "tickets.message.new")
    return message


def _words(text: str, field: str) -> str:
    text = text.replace("\0", "").strip()
    if not text:
        raise RuleViolation(_("Please write something."), field=field)
    return text


def _tell_customer(ticket: Ticket, message: Message, now: datetime) -> None:
    for user in participants(ticket):
        tell(ticket, message, user, path=page_of(ticket), in_thread=True, now=now)


def tell(ticket: Ticket, message: Message, user: User, *, path: str, in_thread: bool, now: datetime) -> None:
    """Mail staff's answer to a person, who reads on at `path`. `in_thread`: what they answer lands in the request."""
    mail.send(
        "ticket_reply", to=user.email, lang=user.language, now=now, account_id=ticket.account_id, subject=ticket,
        key=f"{ticket.number}:{message.pk}:{user.pk}", reply_to=return_address.of(ticket) if in_thread else "",
        context={"ticket": ticket, "message": message, "user": user, "path": path, "in_thread": in_thread},
    )  # fmt: skip


def participants(ticket: Ticket) -> list[User]:
    """Who is written to: whoever opened it if they still may, else all who may answer requests; never nobody."""
    may = _who_may(ticket, "tickets")
    return [user for user in may if user.pk == ticket.opened_by_id] or may


def author_with(ticket: Ticket, permission: str) -> list[User]:
    """Whoever opened it, if they (still) have this permission and take no part in the thread itself."""
    known = {user.pk for user in participants(ticket)}
    return [one for one in _who_may(ticket, permission) if one.pk == ticket.opened_by_id and one.pk not in known]


def _who_may(ticket: Ticket, permission: str) -> list[User]:
    members = ticket.account.memberships.select_related("user").order_by("-is_owner", "pk")
    return [one.user for one in members if permission in one.granted() and one.user.is_active]


def page_of(ticket: Ticket, *, staff: bool = False) -> str:
    """The path of the page that shows this ticket."""
    name = "tickets_staff:ticket_detail" if staff else "tickets:ticket_detail"
    return kinds.get(ticket.kind).page(ticket, staff=staff) or reverse(name, args=[ticket.number])


def _live(ticket: Ticket, event: str) -> None:
    live.publish([f"account:{ticket.account_id}", "staff"], event, {"id": ticket.pk, "number": ticket.number})


def history(ticket: Ticket) -> list[Event]:
    """The journal of this ticket, oldest first."""
    return list(Event.objects.filter(**subject_of(ticket)).order_by("pk"))


@transaction.atomic
def note_decision(ticket: Ticket, body: str, *, actor: Actor, via: str, now: datetime) -> Message:
    """A decision's words in the thread, for the customer to read; whoever decided sends a mail of its own."""
    ticket = Ticket.objects.select_for_update().get(pk=ticket.pk)
    message = _write(ticket, body, actor=actor, via=via, now=now, attachments=(), message_id="")
    if ticket.state in {rules.State.OPEN, rules.State.WAITING_STAFF}:
        move(ticket, rules.State.WAITING_CUSTOMER, rules.TRANSITIONS)
    ticket.changed_at, ticket.waiting_since, ticket.first_answered_at = now, None, ticket.first_answered_at or now
    ticket.save(update_fields=["changed_at", "waiting_since", "first_answered_at"])
    return message
