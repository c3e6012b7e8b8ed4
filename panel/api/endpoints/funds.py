"""Funds: what the account has in advance, and adding to it from a kept card."""

from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext as _
from ninja import Router, Schema
from pydantic import Field

from invoicing import actions
from invoicing.funding import funds, taken_back, topping_up
from invoicing.models import PaymentMethod, TopUp
from panel.accounts import selectors as people
from panel.api import auth, idempotency, paging
from panel.api.endpoints.orders import key_of
from panel.core import clock
from panel.core.errors import RuleViolation

router = Router(tags=["funds"])


class FundsOut(Schema):
    balance_cents: int = Field(description="Confirmed and not spent yet; it pays each invoice when it is issued.")
    owed_cents: int = Field(
        description="Spent before a bank took it back, and on no invoice: what is added next settles it first."
    )


class TopUpIn(Schema):
    amount_cents: int
    method: int = Field(description="The id of a kept card: GET /payment-methods.")


class TopUpOut(Schema):
    reference: str
    amount_cents: int
    state: str = Field(description="The state of its payment.")
    asked_at: datetime
    credited_at: datetime | None = Field(description="Nothing can be spent before.")


def _top_up(row: TopUp) -> TopUpOut:
    latest = max(row.payments.all(), key=lambda one: one.pk)
    return TopUpOut(
        reference=row.reference, amount_cents=row.amount_cents, state=latest.state,
        asked_at=row.asked_at, credited_at=row.credited_at,
    )  # fmt: skip


@router.get("", response=FundsOut, summary="Balance of the funds")
def get_funds(request: HttpRequest) -> FundsOut:
    account = people.account(auth.actor(request, actions.FUNDS))
    return FundsOut(balance_cents=funds.balance(account), owed_cents=taken_back.owed(account))


@router.get("/top-ups", response=paging.Pages[TopUpOut], summary="List top-ups")
def list_top_ups(request: HttpRequest, paged: paging.Paging) -> dict[str, Any]:
    """Everything that was added, or was to be."""
    rows = TopUp.objects.visible_to(auth.actor(request, actions.FUNDS)).filter(payments__isnull=False).distinct()
    return paging.page(rows.prefetch_related("payments"), paged, _top_up)


@router.post("/top-ups", response={202: TopUpOut}, summary="Add funds from a kept card")
@idempotency.once(actions.FUNDS)
def add_funds(request: HttpRequest, payload: TopUpIn) -> tuple[int, Schema]:
    """Accepted, and collected by the panel: it is no sale, and can be spent once it is credited."""
    asking = auth.actor(request, actions.FUNDS)
    method = PaymentMethod.objects.visible_to(asking).filter(removed_at=None, pk=payload.method).first()
    if method is None:
        raise RuleViolation(_("There is no such means of payment."), rule="INV-5", field="method")
    payment = topping_up.begin(
        people.account(asking), payload.amount_cents, key=key_of(request), actor=asking, now=clock.now(), method=method
    )
    return 202, _top_up(TopUp.objects.get(payments=payment))


@router.get("/top-ups/{reference}", response=TopUpOut, summary="Get a top-up")
def get_top_up(request: HttpRequest, reference: str) -> TopUpOut:
    return _top_up(TopUp.objects.visible_to(auth.actor(request, actions.FUNDS)).get(reference=reference))
