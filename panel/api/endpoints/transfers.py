"""Services that go over to another account: offered, withdrawn, taken over or declined (SUB-2, SUB-4)."""

from datetime import date, datetime
from typing import Any

from django.http import Http404, HttpRequest
from django.utils.translation import get_language
from ninja import Router, Schema
from pydantic import Field

from invoicing import actions, selectors
from invoicing.models import ServiceTransfer, TransferState
from invoicing.transferring import handing_over, transfers
from panel.accounts import selectors as people
from panel.accounts import terms_in_force
from panel.accounts.middleware import client_ip
from panel.api import auth, idempotency, paging
from panel.core import clock
from panel.core.actors import Actor

router = Router(tags=["transfers"])


class TransferOut(Schema):
    reference: str
    subscription: str
    gives: bool = Field(description="You offer it; false: it is offered to you.")
    to: str = Field(description="The account it is offered to, as it was typed; nobody tells whether it exists.")
    reason: str
    state: str = Field(description="offered, accepted, declined, withdrawn or expired")
    offered_at: datetime
    expires_at: datetime = Field(description="It can be accepted until this instant.")
    ended_at: datetime | None
    invoice: str | None = Field(description="Your last invoice for it, where you gave it and something was used.")


class NewPriceOut(Schema):
    code: str
    cents: int = Field(description="Of one now, excluding VAT.")
    then_cents: int
    first_on: date = Field(description="The renewal from which on it costs that.")


class LeftOut(Schema):
    meter: str
    left: str = Field(description="Of the included volume of the running month; beyond it you pay.")
    unit: str


class OfferOut(TransferOut):
    """The offer as its receiver is asked. All amounts exclude VAT."""

    service: str
    interval: str
    period_cents: int
    then_cents: int = Field(description="Once all `new_prices` hold.")
    new_prices: list[NewPriceOut]
    renewal_on: date = Field(description="Your first invoice; until then the period is paid for.")
    committed_until: date | None
    included: list[LeftOut]
    refusal: str = Field(description="Why it cannot be accepted now; empty when it can.")
    accept: list[str] = Field(description="The documents to accept with it.")


class OfferIn(Schema):
    to: str = Field(max_length=20, description="The reference of the receiving account, such as ACC-7KQ2M9.")
    reason: str = Field(max_length=300, description="The receiving account reads it.")


class TakeOverIn(Schema):
    accepted: list[str] = Field([], description="The documents you accept; the offer names them.")


def _rows(asking: Actor) -> Any:
    rows = ServiceTransfer.objects.visible_to(asking)
    return rows.select_related("account", "receiver", "subscription__package", "subscription__account", "invoice")


def _fields(row: ServiceTransfer, asking: Actor) -> dict[str, Any]:
    gives = row.account_id == asking.account_id
    names = ("reference", "reason", "state", "offered_at", "expires_at", "ended_at")
    return {name: getattr(row, name) for name in names} | {
        "subscription": row.subscription.reference, "gives": gives, "to": row.addressed_to,
        "invoice": row.invoice.number if gives and row.invoice else None,
    }  # fmt: skip


def _out(row: ServiceTransfer, asking: Actor) -> TransferOut:
    return TransferOut(**_fields(row, asking))


def _full(row: ServiceTransfer, asking: Actor) -> TransferOut | OfferOut:
    """What waits for the answer of who asks, in full; anything else as it stands in the list."""
    if row.account_id == asking.account_id or row.state != TransferState.OFFERED:
        return _out(row, asking)
    account, now = people.account(asking), clock.now()
    found = handing_over.terms_for(row, account, asking, now=now, language=get_language() or "en")
    return OfferOut(
        **_fields(row, asking), service=found.service, interval=found.row.interval, period_cents=found.period_cents,
        then_cents=found.then_cents, renewal_on=found.row.period_end, committed_until=found.row.committed_until,
        new_prices=[
            NewPriceOut(code=new.code, cents=new.cents, then_cents=new.then, first_on=new.first_on)
            for new in found.prices
        ],
        included=[LeftOut(meter=one.meter, left=f"{one.left.normalize():f}", unit=one.unit) for one in found.used],
        refusal=found.refusal, accept=list(terms_in_force.at(account, now).order_documents),
    )  # fmt: skip


def _received(asking: Actor, reference: str) -> ServiceTransfer:
    """An offer to the account of who asks; nothing else can be answered."""
    row: ServiceTransfer = _rows(asking).get(reference=reference)
    if row.receiver_id is None or row.receiver_id != asking.account_id:
        raise Http404
    return row


@router.get("/transfers", response=paging.Pages[TransferOut], summary="List transfers")
def list_transfers(request: HttpRequest, paged: paging.Paging) -> dict[str, Any]:
    """What you offered, and what was offered to you."""
    asking = auth.actor(request, actions.TAKE_OVER)
    return paging.page(_rows(asking), paged, lambda row: _out(row, asking))


@router.get("/transfers/{reference}", response=OfferOut | TransferOut, summary="Get a transfer")
def get_transfer(request: HttpRequest, reference: str) -> TransferOut | OfferOut:
    """An offer that waits for your answer comes with its price, what is left of its allowance and what to accept."""
    asking = auth.actor(request, actions.TAKE_OVER)
    return _full(_rows(asking).get(reference=reference), asking)


@router.post(
    "/subscriptions/{reference}/transfer", response={201: TransferOut}, summary="Offer a service to another account"
)
@idempotency.once(actions.TRANSFER)
def offer_transfer(request: HttpRequest, reference: str, payload: OfferIn) -> tuple[int, Schema]:
    """Its owner is told if that account exists, which is never told to you. Nothing changes until it is accepted; what
    is used until then is invoiced to you."""
    asking = auth.actor(request, actions.TRANSFER)
    row = selectors.subscriptions(asking).get(reference=reference)
    made = transfers.offer(row, to=payload.to, reason=payload.reason, actor=asking, now=clock.now())
    return 201, _out(_rows(asking).get(pk=made.pk), asking)


@router.post("/transfers/{reference}/withdraw", response={200: TransferOut}, summary="Withdraw an offer")
@idempotency.once(actions.TRANSFER)
def withdraw_transfer(request: HttpRequest, reference: str) -> tuple[int, Schema]:
    asking = auth.actor(request, actions.TRANSFER)
    row = _rows(asking).get(reference=reference)
    if row.account_id != asking.account_id:
        raise Http404
    transfers.withdraw(row, actor=asking, now=clock.now())
    return 200, _out(_rows(asking).get(pk=row.pk), asking)


@router.post("/transfers/{reference}/accept", response={200: TransferOut}, summary="Take a service over")
@idempotency.once(actions.TAKE_OVER)
def accept_transfer(request: HttpRequest, reference: str, payload: TakeOverIn) -> tuple[int, Schema]:
    """The service is yours at once. The running period is paid for; what is used from now on, and the renewal, are
    yours."""
    asking = auth.actor(request, actions.TAKE_OVER)
    row = _received(asking, reference)
    handing_over.accept(
        row, people.account(asking), accepted=payload.accepted, actor=asking, ip=client_ip(request), now=clock.now()
    )
    return 200, _out(_rows(asking).get(pk=row.pk), asking)


@router.post("/transfers/{reference}/decline", response={200: TransferOut}, summary="Decline an offer")
@idempotency.once(actions.TAKE_OVER)
def decline_transfer(request: HttpRequest, reference: str) -> tuple[int, Schema]:
    """Nothing changes for you."""
    asking = auth.actor(request, actions.TAKE_OVER)
    row = _received(asking, reference)
    transfers.decline(row, actor=asking, now=clock.now())
    return 200, _out(_rows(asking).get(pk=row.pk), asking)
