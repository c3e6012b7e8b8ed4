"""Disputing an invoice, or asking for the waiver of a late fee (TIC-6, INV-9)."""

from datetime import datetime

from django.http import HttpRequest
from ninja import Router, Schema
from pydantic import Field

from invoicing import actions
from invoicing.contesting.contest_rules import State
from invoicing.models import Contest, Invoice
from panel.api import auth, idempotency
from panel.core import clock
from panel.core.errors import RuleViolation
from tickets import contests
from tickets.rules import MAX_BODY, Via

router = Router(tags=["invoices"])


class DisputeIn(Schema):
    why: str = Field(min_length=1, max_length=MAX_BODY)
    lines: list[int] | None = Field(
        None, description="Net cents of each line of the invoice, in order; without it, all that is left."
    )


class DisputeOut(Schema):
    request: str = Field(description="The number of the request in which it is talked about.")
    kind: str = Field(description="`dispute` of an invoice, or `waiver` of a late fee.")
    state: str
    wanted_cents: int
    granted_cents: int
    opened_at: datetime
    due_at: datetime = Field(description="By when staff owes a decision.")
    ended_at: datetime | None
    reason: str
    credit_note: str | None


class DisputesOut(Schema):
    items: list[DisputeOut]


def _out(row: Contest) -> DisputeOut:
    plain = ("kind", "state", "wanted_cents", "granted_cents", "opened_at", "due_at", "ended_at", "reason")
    note = row.credit_note.number if row.credit_note else None
    return DisputeOut(request=row.reference, credit_note=note, **{name: getattr(row, name) for name in plain})


@router.get("/{number}/disputes", response=DisputesOut, summary="What was disputed of an invoice")
def disputes_of_invoice(request: HttpRequest, number: str) -> DisputesOut:
    """Newest first; an invoice is decided on once, so they are few."""
    invoice = Invoice.objects.visible_to(auth.actor(request, actions.INVOICES)).get(number=number)
    rows = Contest.objects.filter(invoice=invoice).select_related("credit_note")
    return DisputesOut(items=[_out(row) for row in rows])


@router.post("/{number}/disputes", response={201: DisputeOut}, summary="Dispute an invoice, or ask for a waiver")
@idempotency.once(actions.CONTEST)
def dispute_invoice(request: HttpRequest, number: str, payload: DisputeIn) -> tuple[int, Schema]:
    """Until it is decided nothing is collected for the invoice, no late fee is added and nothing is suspended."""
    asking = auth.actor(request, actions.CONTEST)
    invoice = Invoice.objects.visible_to(asking).select_related("account").get(number=number)
    made = contests.open_contest(invoice, payload.lines, why=payload.why, actor=asking, via=Via.API, now=clock.now())
    return 201, _out(made)


@router.post("/{number}/disputes/withdraw", response={200: DisputeOut}, summary="Withdraw a dispute")
@idempotency.once(actions.CONTEST)
def withdraw_dispute_of_invoice(request: HttpRequest, number: str) -> tuple[int, Schema]:
    """The invoice counts from its due date again."""
    asking = auth.actor(request, actions.CONTEST)
    rows = Contest.objects.visible_to(asking).select_related("credit_note")
    row = rows.filter(invoice__number=number, state=State.OPEN).first()
    if row is None:
        raise RuleViolation("Nothing of this invoice is disputed just now.", rule="TIC-6")
    return 200, _out(contests.withdraw(row, actor=asking, now=clock.now()))
