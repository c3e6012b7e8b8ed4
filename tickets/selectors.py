"""Reads for the pages of requests."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Count, F, Q, QuerySet

from panel.core.actors import Actor
from panel.core.prepared import Prepared, whoever
from tickets import mailbox, rules
from tickets.models import Message, Ticket

SHORT = 6
FILTERS: dict[str, Q] = {
    "": ~Q(state=rules.State.CLOSED),
    "yours": Q(state=rules.State.WAITING_CUSTOMER),
    "closed": Q(state=rules.State.CLOSED),
    "all": Q(),
}
QUEUES: dict[str, Q] = {
    "": Q(waiting_since__isnull=False),
    "customer": Q(state=rules.State.WAITING_CUSTOMER),
    "closed": Q(state=rules.State.CLOSED),
    "all": Q(),
}


@dataclass(frozen=True, slots=True)
class Latest:
    """A request in a short list."""

    number: str
    title: str
    state: str


def requests(actor: Actor, *, which: str = "", words: str = "") -> QuerySet[Ticket]:
    """A customer's requests, the latest first. `which`: a name of FILTERS."""
    return _search(Ticket.objects.visible_to(actor).filter(FILTERS.get(which, FILTERS[""])), words)


def queue(actor: Actor, *, which: str = "", department: str = "", words: str = "") -> QuerySet[Ticket]:
    """Staff's requests, whoever waits longest first. `which`: a name of QUEUES."""
    rows = (
        Ticket.objects.visible_to(actor).select_related("account", "assigned_to").filter(QUEUES.get(which, QUEUES[""]))
    )
    if department:
        rows = rows.filter(department=department)
    return _search(rows, words).order_by(F("waiting_since").asc(nulls_last=True), "-changed_at")


# how many of the account's requests wait for its reply, and how many of all wait for staff
WAITING_ON_CUSTOMER = Prepared(
    lambda: Ticket.objects.visible_to(whoever()).filter(FILTERS["yours"]).order_by().values_list("pk"), counted=True
)
WAITING_ON_STAFF = Prepared(lambda: Ticket.objects.filter(QUEUES[""]).order_by().values_list("pk"), counted=True)
# the account's open requests that moved last as `Latest`
LATEST = Prepared(
    lambda: Ticket.objects.visible_to(whoever()).filter(FILTERS[""]).values_list("number", "title", "state")[:SHORT]
)


def counts(actor: Actor) -> dict[str, int]:
    """How many requests wait on the customer, on staff, and are open at all."""
    rows = Ticket.objects.visible_to(actor)
    return rows.aggregate(
        yours=Count("pk", filter=FILTERS["yours"]), staff=Count("pk", filter=QUEUES[""]),
        open=Count("pk", filter=FILTERS[""]),
    )  # fmt: skip


@dataclass(frozen=True)
class Line:
    """A message as the thread shows it; `quoted` is what a mail carried below its own words."""

    message: Message
    text: str
    quoted: str


def thread(ticket: Ticket, *, staff: bool) -> list[Line]:
    """The messages, oldest first; internal notes for staff alone."""
    rows = ticket.messages.select_related("author").prefetch_related("attachments")
    if not staff:
        rows = rows.filter(internal=False)
    lines = []
    for message in rows:
        text, quoted = mailbox.shown(message.body) if message.via == rules.Via.MAIL else (message.body, "")
        lines.append(Line(message, text, quoted))
    return lines


def _search(rows: QuerySet[Ticket], words: str) -> QuerySet[Ticket]:
    words = words.strip()[:80]
    if not words:
        return rows
    return rows.filter(Q(title__icontains=words) | Q(number__icontains=words) | Q(account__name__icontains=words))
