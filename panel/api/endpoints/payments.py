"""Payments, and the statement of account: what was asked, what was paid, what is left."""

from datetime import date, datetime
from typing import Any

from django.http import HttpRequest
from ninja import Router, Schema
from pydantic import Field

from invoicing import actions, selectors
from invoicing.accounting import statements
from invoicing.models import ManualPayment, PaidBack, Payment
from invoicing.selling_by_hand import manual_sales
from panel.accounts import selectors as people
from panel.api import auth, paging
from panel.core import clock

router = Router(tags=["payments"])


class PaidOut(Schema):
    reference: str
    state: str
    amount_cents: int
    refunded_cents: int
    disputed_cents: int = Field(description="Taken back by the bank.")
    order: str | None
    invoice: str | None
    top_up: str | None
    created_at: datetime
    ended_at: datetime | None


class ReceivedOut(Schema):
    reference: str
    means: str = Field(description="transfer or cheque")
    amount_cents: int
    received_on: date
    invoice: str | None = Field(description="What it paid; none: your funds.")
    taken_back_on: date | None = Field(description="It counts no longer since this day.")


class PaidBackOut(Schema):
    reference: str
    amount_cents: int
    paid_on: date
    iban_last4: str


class MovementOut(Schema):
    on: date
    kind: str
    reference: str
    debit_cents: int = Field(description="Asked of you.")
    credit_cents: int = Field(description="Paid by you, or given back to you.")
    balance_cents: int = Field(description="Owed after it; negative: held for you.")


class StatementOut(Schema):
    start: date
    end: date
    opening_cents: int
    movements: list[MovementOut]
    debit_cents: int
    credit_cents: int
    closing_cents: int


def _paid(row: Payment) -> PaidOut:
    return PaidOut(
        reference=row.reference, state=row.state, amount_cents=row.amount_cents, refunded_cents=row.refunded_cents,
        disputed_cents=row.disputed_cents, order=row.order.reference if row.order else None,
        invoice=row.invoice.number if row.invoice else None, top_up=row.top_up.reference if row.top_up else None,
        created_at=row.created_at, ended_at=row.ended_at,
    )  # fmt: skip


@router.get("/payments", response=paging.Pages[PaidOut], summary="List payments")
def list_payments(request: HttpRequest, paged: paging.Paging) -> dict[str, Any]:
    """Every attempt to pay, the refused ones too."""
    return paging.page(selectors.payments(auth.actor(request, actions.INVOICES)), paged, _paid)


@router.get("/payments/{reference}", response=PaidOut, summary="Get a payment")
def get_payment(request: HttpRequest, reference: str) -> PaidOut:
    return _paid(selectors.payments(auth.actor(request, actions.INVOICES)).get(reference=reference))


@router.get("/received", response=paging.Pages[ReceivedOut], summary="List transfers and cheques received")
def list_received(request: HttpRequest, paged: paging.Paging) -> dict[str, Any]:
    """What came outside the payment provider, with what was taken back of it since."""
    rows = manual_sales.with_taken_back(ManualPayment.objects.visible_to(auth.actor(request, actions.INVOICES)))

    def out(row: Any) -> ReceivedOut:
        return ReceivedOut(
            reference=row.reference, means=row.means, amount_cents=row.cents, received_on=row.received_on,
            invoice=row.invoice.number if row.invoice else None, taken_back_on=row.taken_back_on,
        )  # fmt: skip

    return paging.page(rows.select_related("invoice"), paged, out)


@router.get("/paid-back", response=paging.Pages[PaidBackOut], summary="List transfers back to you")
def list_paid_back(request: HttpRequest, paged: paging.Paging) -> dict[str, Any]:
    """What was sent back to your bank account out of your funds."""
    rows = PaidBack.objects.visible_to(auth.actor(request, actions.INVOICES))
    return paging.page(rows, paged, lambda row: PaidBackOut(
        reference=row.reference, amount_cents=row.cents, paid_on=row.paid_on, iban_last4=row.iban_last4
    ))  # fmt: skip


@router.get("/statement", response=StatementOut, summary="Statement of account")
def get_statement(request: HttpRequest, start: date | None = None, end: date | None = None) -> StatementOut:
    """From `start` to `end`, both days included (Paris); this year so far where they are left out."""
    asking = auth.actor(request, actions.INVOICES)
    given = {"from": start.isoformat() if start else "", "to": end.isoformat() if end else ""}
    first, last = statements.span(given, now=clock.now())
    found = statements.of(people.account(asking), first, last)
    moved = [
        MovementOut(
            on=row.movement.on, kind=row.movement.kind, reference=row.movement.ref, debit_cents=row.debit,
            credit_cents=row.credit, balance_cents=row.balance,
        )
        for row in found.rows
    ]  # fmt: skip
    return StatementOut(
        start=first, end=last, opening_cents=found.opening, movements=moved, debit_cents=found.debit,
        credit_cents=found.credit, closing_cents=found.closing,
    )  # fmt: skip
