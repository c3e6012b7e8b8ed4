"""Mail that comes in: an answer lands in its request's thread, a customer's new mail opens one (TIC-3).

Everything is kept, nothing twice (Message-ID). What belongs to nobody we know is refused to the mail server, which
tells its sender; automatic mail is filed, but answers nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import Q
from mailparser_reply import EmailReplyParser

from panel.accounts.models import Account, Membership, User, actor_of
from panel.core import mail
from panel.core.actors import SYSTEM, Actor
from panel.core.models import MailMessage
from tickets import contests, conversation, doubts, return_address, rules
from tickets.conversation import File
from tickets.letters import Letter
from tickets.models import Message, Ticket

DEPARTMENTS = {
    "billing": Ticket.Department.BILLING,
    "abuse": Ticket.Department.ABUSE,
    "response": Ticket.Department.SALES,
}
_NUMBER = re.compile(r"\bREQ-[0-9A-Z]{8}\b", re.IGNORECASE)


class NobodysMail(Exception):
    """The sender is no customer and the mail names no request."""


Signed = Callable[[Letter], bool]
"""Whether the domain of the sender's address signed the letter."""


def _nobody_checked(letter: Letter) -> bool:
    return False


@dataclass(frozen=True)
class Match:
    """The request a mail belongs to, and whether more than its subject says so."""

    ticket: Ticket
    proven: bool


def match(letter: Letter, recipients: Sequence[str], *, signed: Signed = _nobody_checked) -> Match | None:
    """The request a mail belongs to. Proven by the address we gave out, or because it answers a mail of ours; else the
    subject names it and one of its people is said to write, which counts if their domain signed it."""
    numbers = return_address.numbers_in(recipients)
    proven = Ticket.objects.filter(number__in=numbers).select_related("account").first() if numbers else None
    proven = proven or _answered(letter)
    if proven is not None:
        return Match(proven, proven=True)
    named = [number.upper() for number in _NUMBER.findall(letter.subject)[:5]]
    for ticket in Ticket.objects.filter(number__in=named).select_related("account"):
        if _member(ticket.account_id, letter.sender) is not None:
            return Match(ticket, proven=letter.senders == 1 and signed(letter))
    return None


def _answered(letter: Letter) -> Ticket | None:
    """The request that the answered mail of ours was about, itself or what it is about."""
    sent = MailMessage.objects.filter(pk__in=mail.answered(letter.answers), subject_id__isnull=False).order_by("-pk")
    for one in sent[:5]:
        if one.subject_type == Ticket._meta.label_lower:
            about = Q(pk=one.subject_id)
        else:
            about = Q(subject_type=one.subject_type, subject_id=one.subject_id, account_id=one.account_id)
        ticket = Ticket.objects.filter(about).select_related("account").order_by("-pk").first()
        if ticket is not None:
            return ticket
    return None


@transaction.atomic
def answer(found: Match, letter: Letter, *, now: datetime) -> Message:
    """File a mail in the thread; it arrived at `now`. What proves nothing is a note that staff must look at."""
    ticket = found.ticket
    member = _member(ticket.account_id, letter.sender) if found.proven else None
    actor: Actor = SYSTEM if member is None else actor_of(member.user, account_id=ticket.account_id)
    message = conversation.reply(
        ticket, body_of(letter), actor=actor, via=rules.Via.MAIL, now=now, attachments=files_of(letter),
        message_id=letter.message_id, author_name="" if member else _sender(letter), automatic=letter.automatic,
        internal=not found.proven,
    )  # fmt: skip
    if not found.proven:
        doubts.keep(message, now=now)
    return message


_checks: list[Signed] = [_nobody_checked]


def signatures_by(check: Signed) -> None:
    """Register who can say whether a letter is signed (it asks name servers)."""
    _checks[:] = [check]


def is_signed(letter: Letter) -> bool:
    """Whether its sender's domain signed the whole letter, by whoever registered to know."""
    return letter.senders == 1 and _checks[0](letter)


def receive(letter: Letter, recipients: Sequence[str], *, now: datetime, signed: Signed = is_signed) -> Ticket:
    """A mail to support@, billing@ or response@: an answer, or a customer's new request; about an invoice, a dispute of
    it where the sender is proven (TIC-6). NobodysMail for others. Asks name servers: never inside a transaction."""
    found = match(letter, recipients, signed=signed)
    if found is not None:
        answer(found, letter, now=now)
        return found.ticket
    user = User.objects.filter(email=letter.sender, is_active=True, confirmed_at__isnull=False).first()
    member = _first_membership(user) if user else None
    if user is None or member is None or letter.automatic or letter.senders != 1:
        raise NobodysMail(letter.sender or "no sender")
    known = (
        Message.objects.filter(account_id=member.account_id, message_id=letter.message_id)
        .exclude(message_id="")
        .first()
    )
    if known is not None:
        return known.ticket
    mailbox = next(
        (name for name in (r.partition("@")[0].partition("+")[0] for r in recipients) if name in DEPARTMENTS), ""
    )
    actor, body, attached = actor_of(user, account_id=member.account_id), body_of(letter), files_of(letter)
    if DEPARTMENTS.get(mailbox) == Ticket.Department.BILLING:
        disputed = contests.by_mail(letter, actor, body=body, files=attached, signed=signed(letter), now=now)
        if disputed is not None:
            return disputed
    return conversation.open_ticket(
        Account.objects.get(pk=member.account_id), department=DEPARTMENTS.get(mailbox, Ticket.Department.SUPPORT),
        title=letter.subject or "-", body=body, actor=actor, via=rules.Via.MAIL, now=now, attachments=attached,
        message_id=letter.message_id,
    )  # fmt: skip


def _sender(letter: Letter) -> str:
    return f"{letter.sender_name} <{letter.sender}>" if letter.sender_name else letter.sender


def body_of(letter: Letter) -> str:
    """The whole text; never empty, so that an answer exists whatever was written."""
    return letter.text.strip() or letter.subject or "-"


def shown(text: str) -> tuple[str, str]:
    """A mail's text in two parts: what was written, and what was quoted below it. Only for reading: all is kept."""
    try:
        new = EmailReplyParser(languages=["en", "fr", "de"]).parse_reply(text=text[:50_000]) or ""
    except (ValueError, TypeError, IndexError, AttributeError, RecursionError):
        new = ""
    new = new.strip()
    if not new or not text.startswith(new):
        return text, ""
    return new, text[len(new) :].strip()


def files_of(letter: Letter) -> list[File]:
    """The attachments that fit the limits; the others are named in the mail itself and kept with the original."""
    fitting = [part for part in letter.attachments if 0 < len(part.data) <= rules.MAX_FILE_BYTES]
    return [File(part.filename or "file", part.content_type, part.data) for part in fitting[: rules.MAX_FILES]]


def _member(account_id: int, address: str) -> Membership | None:
    """The member of the account whose address this is and who may answer requests."""
    rows = Membership.objects.filter(account_id=account_id, user__email=address, user__is_active=True)
    return next((row for row in rows.select_related("user") if "tickets" in row.granted()), None)


def _first_membership(user: User) -> Membership | None:
    rows = user.memberships.order_by("-is_owner", "pk")
    return next((row for row in rows if "tickets" in row.granted()), None)
