"""What the pages of unpaid invoices read: how late each is and what comes next."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet, Sum

from invoicing.chasing import dunning_rules, terminating, unpaid
from invoicing.chasing.dunning_rules import Step
from invoicing.models import (
    Invoice,
    InvoiceLine,
    InvoiceState,
    RejectionNotice,
    Reminder,
    Subscription,
    Suspension,
    SuspensionState,
    Termination,
    TerminationState,
)
from invoicing.selectors import DUE
from panel.core.actors import Actor
from panel.core.calendars import paris_date
from panel.core.money import Cents

LATE = Q(state=InvoiceState.OVERDUE)
CONTESTED = Q(contested_at__isnull=False, state__in=[InvoiceState.OPEN, InvoiceState.OVERDUE])
STAGES = {
    "": LATE | CONTESTED,
    "due": LATE & Q(contested_at=None, told=False),
    "reminded": LATE & Q(contested_at=None, told=True),
    "contested": CONTESTED,
}


@dataclass(frozen=True, slots=True)
class Late:
    """An unpaid invoice, the days that count, and what is still to come."""

    invoice: Invoice
    days: int
    sent: int
    steps: list[Step]

    @property
    def next(self) -> Step | None:
        return self.steps[0] if self.steps else None


def _staged(actor: Actor) -> QuerySet[Invoice]:
    """Overdue and contested invoices, each with whether it was reminded of."""
    reminded = Reminder.objects.filter(invoice=OuterRef("pk"))
    return Invoice.objects.visible_to(actor).filter(STAGES[""]).alias(told=Exists(reminded))


def late(actor: Actor, *, stage: str = "") -> QuerySet[Invoice]:
    """Overdue and contested invoices, the latest first; `stage`: a key of STAGES."""
    wanted = _staged(actor).filter(STAGES.get(stage, STAGES[""])).values("pk")
    rows = unpaid.followed(Invoice.objects.filter(pk__in=wanted))
    return rows.order_by(F("contested_at").asc(nulls_first=True), "due_on", "pk")


@dataclass(frozen=True, slots=True)
class Total:
    """How many invoices stand at a stage, and what is still to be paid of them, VAT included."""

    count: int
    cents: Cents


def totals(actor: Actor) -> dict[str, Total]:
    """Of each stage; one query however many invoices there are."""
    asked: dict[str, Any] = {}
    for stage, which in STAGES.items():
        asked |= {f"{stage}_n": Count("pk", filter=which), f"{stage}_sum": Sum(DUE, filter=which)}
    found = _staged(actor).aggregate(**asked)
    return {stage: Total(found[f"{stage}_n"], found[f"{stage}_sum"] or 0) for stage in STAGES}


def described(rows: list[Invoice], *, now: datetime) -> list[Late]:
    """Invoices that came through `late`, with what is next."""
    found = []
    for invoice in rows:
        facts = unpaid.facts(invoice)
        days = dunning_rules.days_late(facts.due_on, paris_date(now), facts.stops)
        found.append(Late(invoice, days, facts.sent, unpaid.coming(invoice, now=now)))
    return found


def notice(actor: Actor) -> RejectionNotice | None:
    """The notice of rejected means that runs on the actor's account (INV-7)."""
    return RejectionNotice.objects.visible_to(actor).filter(ended_at=None).first()


def suspended(actor: Actor) -> Suspension | None:
    """The suspension for a debt that is in force on the actor's account."""
    rows = Suspension.objects.visible_to(actor).filter(state=SuspensionState.APPLIED)
    return rows.select_related("invoice", "restriction").first()


def suspensions(actor: Actor) -> tuple[QuerySet[Suspension], QuerySet[Suspension]]:
    """What waits for a decision or a release, the oldest first; and what was decided, the newest first."""
    rows = Suspension.objects.visible_to(actor).select_related("account", "invoice", "decided_by")
    waits = Q(state__in=[SuspensionState.PROPOSED, SuspensionState.HELD])
    return rows.filter(waits).order_by("due_on", "pk"), rows.exclude(waits)


@dataclass(frozen=True, slots=True)
class Endable:
    """A running service of an account that owes; `unpaid`: the unpaid invoice is of it."""

    subscription: Subscription
    unpaid: bool


@dataclass(frozen=True, slots=True)
class Proposal:
    """The end of services that a person decides upon, and which services there are."""

    row: Termination
    services: list[Endable]


def endings(actor: Actor) -> list[Proposal]:
    """SUB-8: every end of services to decide, the oldest first; two more queries however many there are."""
    waits = Termination.objects.visible_to(actor).filter(state=TerminationState.PROPOSED)
    rows = list(waits.select_related("account", "suspension__invoice").order_by("due_on", "pk"))
    billed = set(
        InvoiceLine.objects.filter(invoice__in=[row.suspension.invoice_id for row in rows]).values_list(
            "subscription", flat=True
        )
    )
    services: dict[int, list[Endable]] = {row.account_id: [] for row in rows}
    for one in terminating.running_of_any().filter(account__in=services).select_related("package").order_by("pk"):
        services[one.account_id].append(Endable(one, one.pk in billed))
    return [Proposal(row, services[row.account_id]) for row in rows]
