"""What is for sale, orders, and paying them with a kept card."""

import hashlib
from datetime import date, datetime
from typing import Any, Literal

from django.http import HttpRequest
from django.utils.translation import gettext as _
from ninja import Router, Schema
from pydantic import Field

from invoicing import actions, selectors
from invoicing.consuming import packs
from invoicing.models import ONCE, Debit, Order, Payment, PaymentMethod
from invoicing.offering import catalogue, pricing
from invoicing.paying import payments
from invoicing.subscribing import ordering
from panel.accounts import selectors as people
from panel.accounts.middleware import client_ip
from panel.api import auth, idempotency, paging
from panel.core import clock, references
from panel.core.actors import Actor
from panel.core.errors import RuleViolation

router = Router(tags=["orders"])
Interval = Literal["month", "year"]
Sold = Literal["month", "year", "once"]


class PackageOut(Schema):
    code: str
    name: str
    summary: str
    spec: dict[str, Any]
    prices_cents: dict[str, int] = Field(
        description="Per interval, excluding VAT; without an interval it is not sold by. A prepaid pack has `once`."
    )
    options: list[str]


class Wish(Schema):
    package: str
    interval: Sold = Field("month", description="`once` for a prepaid pack, which has no options and no trial.")
    options: dict[str, int] = Field({}, description="Quantity of each option by its code.")
    promotion: str = Field("", max_length=60, description="A promotional code.")
    trial: bool = Field(default=False, description="The free trial of the package, once for an account.")


class OrderIn(Wish):
    settings: dict[str, Any] = Field(
        {},
        description="What the service asks for: for a server name, place, image and keys (ids of SSH keys), or copy "
        "(the reference of a snapshot or backup to begin as).",
    )
    accepted: list[str] = Field([], description="The documents you accept with this order; the preview names them.")
    order_number: str = Field(
        "", max_length=60, description="Your own, for the invoices of this order; empty: that of the account."
    )


class LineOut(Schema):
    description: str
    quantity: str
    unit_price: str
    net_cents: int


class PriceOut(Schema):
    interval: str
    lines: list[LineOut]
    net_cents: int
    vat_cents: int
    total_cents: int
    vat_rate: str
    vat_reason: str
    accept: list[str] = Field(description="The documents to accept with the order.")


class PaymentOut(Schema):
    reference: str
    state: str
    amount_cents: int
    action_url: str = Field(description="Where the customer must go, when the bank asks for it.")
    withdrawn_debit_on: date | None = Field(None, description="The announced debit of this day gave way to it.")


class ReviewOut(Schema):
    """A person looks at the order before it goes on: nothing is provided or invoiced meanwhile."""

    state: str = Field(description="waiting, accepted, refused or withdrawn")
    answer_by: datetime = Field(description="Until when you were promised an answer.")
    reason: str = Field(description="Why it was refused; empty else.")
    words: str


class OrderOut(Schema):
    reference: str
    state: str
    package: str
    interval: str
    net_cents: int
    vat_cents: int
    total_cents: int
    placed_at: datetime
    expires_at: datetime
    paid_at: datetime | None
    cancelled_at: datetime | None
    cancel_reason: str
    order_number: str
    payment: PaymentOut | None
    review: ReviewOut | None


class MethodOut(Schema):
    id: int
    kind: str
    brand: str
    last4: str
    is_default: bool


class PayIn(Schema):
    method: int = Field(description="The id of a kept card: GET /payment-methods.")


def payment_out(payment: Payment, *, withdrawn: Debit | None = None) -> PaymentOut:
    return PaymentOut(
        reference=payment.reference, state=payment.state, amount_cents=payment.amount_cents,
        action_url=payment.action_url, withdrawn_debit_on=withdrawn.debit_on if withdrawn else None,
    )  # fmt: skip


def kept_method(asking: Actor, number: int) -> PaymentMethod:
    """The means of payment of the account under this id; RuleViolation when there is none."""
    method = PaymentMethod.objects.visible_to(asking).filter(removed_at=None, pk=number).first()
    if method is None:
        raise RuleViolation(_("There is no such means of payment."), rule="INV-5", field="method")
    return method


def _order(order: Order) -> OrderOut:
    found = sorted(order.payments.all(), key=lambda one: one.pk)
    latest = found[-1] if found else None
    payment = payment_out(latest) if latest else None
    names = ("reference", "state", "interval", "net_cents", "vat_cents", "total_cents", "placed_at", "expires_at",
             "paid_at", "cancelled_at", "cancel_reason", "order_number")  # fmt: skip
    return OrderOut(
        **{name: getattr(order, name) for name in names}, package=order.package.code, payment=payment,
        review=_review(order),
    )  # fmt: skip


def _review(order: Order) -> ReviewOut | None:
    found = sorted(order.reviews.all(), key=lambda one: one.pk)
    if not found:
        return None
    row = found[-1]
    return ReviewOut(state=row.state, answer_by=row.due_at, reason=row.why, words=row.words if row.why else "")


def _orders(asking: Any) -> Any:
    rows = Order.objects.visible_to(asking).select_related("package", "account")
    return rows.prefetch_related("payments", "reviews")


def key_of(request: HttpRequest) -> str:
    """The use case's own key: that of the request, whatever its length, else a new one."""
    given = request.headers.get("Idempotency-Key", "").strip() or references.new("API")
    return f"api:{hashlib.sha256(given.encode()).hexdigest()[:40]}"


@router.get("/packages", response=list[PackageOut], summary="List packages")
def list_packages(request: HttpRequest) -> list[PackageOut]:
    """What can be ordered now, with today's prices: services, then prepaid packs (OPR-9), whose `spec` names the meter
    they pay for and how many units they hold."""
    asking, now = auth.actor(request, actions.CATALOGUE), clock.now()
    account = people.account(asking)
    services = [
        PackageOut(
            code=one.item.code, name=one.item.name, summary=one.item.summary, spec=one.spec,
            options=[extra.item.code for extra in extras], prices_cents=one.by_interval,
        )
        for _family, packages, extras in selectors.offers(now, account)
        for one in packages
    ]  # fmt: skip
    return services + [
        PackageOut(
            code=one.item.code, name=one.name, summary=one.summary, spec=one.item.spec, options=[],
            prices_cents={ONCE: one.cents or 0},
        )
        for one in selectors.pack_offers(now, account)
    ]  # fmt: skip


@router.post("/orders/preview", response=PriceOut, summary="Price of an order")
def preview_order(request: HttpRequest, payload: Wish) -> PriceOut:
    """The first period with its options and VAT, exactly as an order would cost now; nothing is kept."""
    asking = auth.actor(request, actions.ORDER)
    account, package = people.account(asking), catalogue.sold(payload.package, payload.interval)
    priced = pricing.price(
        account,
        package,
        payload.interval,
        payload.options,
        now=clock.now(),
        promotion=payload.promotion,
        trial=payload.trial,
    )
    if payload.interval == ONCE:
        packs.sold_under(priced.terms)
    quotation = priced.quotation
    lines = [
        LineOut(
            description=one.description, quantity=str(one.quantity), unit_price=str(one.unit_price), net_cents=one.net
        )
        for one in quotation.lines
    ]
    return PriceOut(
        interval=quotation.interval, lines=lines, net_cents=quotation.totals.net, vat_cents=quotation.totals.vat,
        total_cents=quotation.totals.total, vat_rate=str(quotation.treatment.rate),
        vat_reason=quotation.treatment.reason,
        accept=list(priced.terms.order_documents),
    )  # fmt: skip


@router.post("/orders", response={201: OrderOut}, summary="Place an order")
@idempotency.once(actions.ORDER)
def place_order(request: HttpRequest, payload: OrderIn) -> tuple[int, Schema]:
    """Nothing is provided and no invoice exists until it is paid; unpaid it ends by itself."""
    asking = auth.actor(request, actions.ORDER)
    order = ordering.place(
        people.account(asking), payload.package, payload.interval, {**payload.settings, "options": payload.options},
        accepted=payload.accepted, actor=asking, key=key_of(request), now=clock.now(), ip=client_ip(request),
        promotion=payload.promotion, trial=payload.trial, order_number=payload.order_number,
    )  # fmt: skip
    return 201, _order(_orders(asking).get(pk=order.pk))


@router.get("/orders", response=paging.Pages[OrderOut], summary="List orders")
def list_orders(request: HttpRequest, paged: paging.Paging) -> dict[str, Any]:
    return paging.page(_orders(auth.actor(request, actions.SEE_ORDER)), paged, _order)


@router.get("/orders/{reference}", response=OrderOut, summary="Get an order")
def get_order(request: HttpRequest, reference: str) -> OrderOut:
    return _order(_orders(auth.actor(request, actions.SEE_ORDER)).get(reference=reference))


@router.post(
    "/orders/{reference}/cancel", response={202: OrderOut}, summary="Cancel an order that is unpaid or being checked"
)
@idempotency.once(actions.CANCEL_ORDER)
def cancel_order(request: HttpRequest, reference: str) -> tuple[int, Schema]:
    """Nothing is charged; where a payment is under way it is stopped first, and counts if it was quicker. What was paid
    for an order that is being checked goes back."""
    asking = auth.actor(request, actions.CANCEL_ORDER)
    order = _orders(asking).get(reference=reference)
    auth.actor(request, actions.CANCEL_ORDER, order)
    payments.cancel_order(order, actor=asking, now=clock.now())
    return 202, _order(_orders(asking).get(pk=order.pk))


@router.get("/payment-methods", response=list[MethodOut], summary="List kept means of payment")
def list_methods(request: HttpRequest) -> list[MethodOut]:
    rows = PaymentMethod.objects.visible_to(auth.actor(request, actions.MEANS)).filter(removed_at=None)
    return [
        MethodOut(id=row.pk, kind=row.kind, brand=row.brand, last4=row.last4, is_default=row.is_default) for row in rows
    ]


@router.post("/orders/{reference}/pay", response={202: PaymentOut}, summary="Pay an order with a kept card")
@idempotency.once(actions.PAY_ORDER)
def pay_order(request: HttpRequest, reference: str, payload: PayIn) -> tuple[int, Schema]:
    """Accepted, and collected by the panel: look at the order to see the outcome."""
    asking = auth.actor(request, actions.PAY_ORDER)
    order = _orders(asking).get(reference=reference)
    auth.actor(request, actions.PAY_ORDER, order)
    method = kept_method(asking, payload.method)
    payment = payments.pay_order(
        order, method=method, key=f"{order.reference}:{key_of(request)}", actor=asking, now=clock.now()
    )
    return 202, payment_out(payment)
