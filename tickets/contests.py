"""A contested invoice or late fee as a request: asked by web, API or mail, decided by staff, one thread (TIC-6, INV-9).

The money is `invoicing.contesting`'s; here are the thread, the mails, and who is told what.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from invoicing import actions as invoicing_actions
from invoicing.contesting import contesting
from invoicing.contesting.contest_rules import RULES, State
from invoicing.documents import texts
from invoicing.models import Contest, Invoice, InvoiceKind
from panel.core import mail
from panel.core.actors import Actor
from panel.core.errors import RuleViolation
from panel.core.models import MailMessage, subject_of
from panel.core.money import Cents
from tickets import conversation, kinds, return_address
from tickets.conversation import File
from tickets.kinds import Card
from tickets.letters import Letter
from tickets.models import Message, Ticket
from tickets.rules import Author

KIND = "contest"
NUMBER = re.compile(r"\b[A-Z]{1,4}20\d\d-\d{6}\b", re.IGNORECASE)  # an invoice's, as `invoicing.rules.number` makes it
MOST_NAMED = 5


class Contested:
    """A request about a contested document. (A `RequestKind`.)"""

    label = gettext_lazy("Disputed invoice")

    def replied(self, ticket: Ticket, message: Message, *, actor: Actor, now: datetime) -> None:
        """Words change nothing: what is asked for is decided, or withdrawn. Staff's also reach whoever asked with the
        permission to pay alone."""
        contest = of(ticket)
        if contest is None or message.author_kind != Author.STAFF or message.internal:
            return
        for user in conversation.author_with(ticket, str(invoicing_actions.CONTEST.permission)):
            conversation.tell(
                ticket, message, user, path=reverse("invoicing:invoice_detail", args=[contest.invoice.number]),
                in_thread=False, now=now,
            )  # fmt: skip

    def page(self, ticket: Ticket, *, staff: bool) -> str:
        return ""

    def card(self, ticket: Ticket, *, staff: bool) -> Card | None:
        contest = of(ticket)
        if contest is None:
            return None
        lines = list(contest.invoice.lines.all())
        granted = contest.granted or [None] * len(lines)
        return Card(
            "tickets/_contest.html",
            {"contest": contest, "invoice": contest.invoice, "staff": staff, "rule": RULES[contest.kind],
             "lines": [row for row in zip(lines, contest.wanted, granted, strict=True) if row[1] or row[2]]},
        )  # fmt: skip

    def settled(self, ticket: Ticket) -> bool:
        contest = of(ticket)
        return contest is None or contest.state != State.OPEN


kinds.register(KIND, Contested())


def of(ticket: Ticket) -> Contest | None:
    """What the request is about."""
    return Contest.objects.select_related("invoice", "credit_note").filter(reference=ticket.number).first()


# --- asked -----------------------------------------------------------------------------------------------------------


@transaction.atomic
def open_contest(
    invoice: Invoice, wanted: Sequence[Cents] | None, *, why: str, actor: Actor, via: str, now: datetime,
    attachments: Sequence[File] = (), message_id: str = "", title: str = "",
) -> Contest:  # fmt: skip
    """The customer contests a document: a request is opened and the document's clock stands (TIC-6, INV-9).

    `wanted`: net cents of each line, None for all that is left. RuleViolation, and nothing is kept, when it is too late
    or was done before.
    """
    ticket = conversation.open_ticket(
        invoice.account, department=Ticket.Department.BILLING, title=title or _title(invoice), body=why, actor=actor,
        via=via, now=now, kind=KIND, related=invoice, attachments=attachments, message_id=message_id,
    )  # fmt: skip
    contest = contesting.ask(invoice, wanted, reference=ticket.number, asked_at=now, actor=actor, now=now)
    _write("contest_received", ticket, contest, now=now)
    return contest


@transaction.atomic
def make_contest(ticket: Ticket, invoice: Invoice, *, actor: Actor, now: datetime) -> Contest:
    """Staff: this request contests all of `invoice`. Whether it came in time is judged by when the request arrived; the
    clock of the invoice stands from now on."""
    held = Ticket.objects.select_for_update().select_related("account").get(pk=ticket.pk)
    if held.kind != kinds.PLAIN or invoice.account_id != held.account_id:
        raise RuleViolation(_("This request cannot become a dispute of that invoice."), rule="TIC-6", field="number")
    contest = contesting.ask(invoice, None, reference=held.number, asked_at=held.opened_at, actor=actor, now=now)
    held.kind = KIND
    held.subject_type, held.subject_id = subject_of(invoice)["subject_type"], subject_of(invoice)["subject_id"]
    held.save(update_fields=["kind", "subject_type", "subject_id"])
    _write("contest_received", held, contest, now=now)
    return contest


def may_become(ticket: Ticket, actor: Actor) -> bool:
    """Whether `actor` of staff can make a contest of an ordinary request."""
    return ticket.kind == kinds.PLAIN and invoicing_actions.STAFF_CONTEST.permits(actor)


def _title(invoice: Invoice) -> str:
    with translation.override(invoice.account.language):
        if invoice.kind == InvoiceKind.STATEMENT:
            return _("Waiver of late fee %(number)s") % {"number": invoice.number}
        return _("Dispute of invoice %(number)s") % {"number": invoice.number}


def by_mail(
    letter: Letter, actor: Actor, *, body: str, files: Sequence[File], signed: bool, now: datetime
) -> Ticket | None:
    """A mail to billing@ that names one invoice of its sender's account contests all of it (TIC-3, TIC-6).

    It must be proven: it answers the mail that brought the invoice, or its domain signed it. None for any other mail,
    which is an ordinary request; staff can make a contest of it (`make_contest`).
    """
    if not invoicing_actions.CONTEST.permits(actor):
        return None
    answered = _answered(letter, actor)
    named = answered or (_named(f"{letter.subject}\n{letter.text}", actor) if signed else [])
    if len(named) != 1 or contesting.standing(named[0], at=now).why_not is not None:
        return None
    contest = open_contest(
        named[0], None, why=body, actor=actor, via="mail", now=now, attachments=files, message_id=letter.message_id,
        title=letter.subject,
    )  # fmt: skip
    return Ticket.objects.get(number=contest.reference)


def _answered(letter: Letter, actor: Actor) -> list[Invoice]:
    """The documents that the answered mails of ours brought."""
    sent = MailMessage.objects.filter(
        pk__in=mail.answered(letter.answers), subject_type=Invoice._meta.label_lower, account_id=actor.account_id
    )
    return list(_theirs(actor).filter(pk__in=sent.values("subject_id"))[:MOST_NAMED])


def _named(text: str, actor: Actor) -> list[Invoice]:
    numbers = {number.upper() for number in NUMBER.findall(text)[:MOST_NAMED]}
    return list(_theirs(actor).filter(number__in=numbers))


def _theirs(actor: Actor) -> QuerySet[Invoice]:
    return Invoice.objects.visible_to(actor).select_related("account")


# --- decided ---------------------------------------------------------------------------------------------------------


@transaction.atomic
def decide(
    contest: Contest, granted: Sequence[Cents], *, reason: str, refund: bool, actor: Actor, now: datetime
) -> Contest:
    """Staff's decision, its credit note, its words in the thread and its mail, all or nothing."""
    held = contesting.decide(contest, granted, reason=reason, refund=refund, actor=actor, now=now)
    ticket = Ticket.objects.select_related("account").get(number=held.reference)
    conversation.note_decision(ticket, reason, actor=actor, via="web", now=now)
    ticket = conversation.close(ticket, actor=actor, now=now)
    _write("contest_decided", ticket, held, now=now)
    return held


@transaction.atomic
def withdraw(contest: Contest, *, actor: Actor, now: datetime) -> Contest:
    """The customer takes it back; the request is closed."""
    held = contesting.withdraw(contest, actor=actor, now=now)
    conversation.close(Ticket.objects.get(number=held.reference), actor=actor, now=now)
    return held


def _write(template: str, ticket: Ticket, contest: Contest, *, now: datetime) -> None:
    """Tell whoever takes part in the request: an answer to the mail lands in its thread. Who asked with the permission
    to pay alone follows it on the invoice's page."""
    invoice = Invoice.objects.get(pk=contest.invoice_id)
    here = reverse("invoicing:invoice_detail", args=[invoice.number])
    told = [(user, return_address.of(ticket), conversation.page_of(ticket))
            for user in conversation.participants(ticket)]  # fmt: skip
    told += [(user, "", here) for user in conversation.author_with(ticket, str(invoicing_actions.CONTEST.permission))]
    for user, answers, path in told:
        language = texts.language_of(user.language)
        mail.send(
            template, to=user.email, lang=language, now=now, account_id=ticket.account_id, subject=ticket,
            key=f"{template}:{ticket.number}:{user.pk}", reply_to=answers,
            context={
                "name": user.name, "number": ticket.number, "invoice": invoice.number, "kind": contest.kind,
                "state": contest.state, "reason": contest.reason, "path": path, "in_thread": bool(answers),
                "wanted": texts.money(language, contest.wanted_cents),
                "granted": texts.money(language, contest.granted_cents),
                "credit_note": contest.credit_note.number if contest.credit_note else "",
                "due": texts.money(language, invoice.due_cents), "owes": invoice.due_cents > 0,
                "due_on": texts.day(language, invoice.due_on),
                "decide_on": texts.day(language, contest.last_day),
            },
        )  # fmt: skip
