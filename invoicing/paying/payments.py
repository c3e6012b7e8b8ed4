"""Collecting money: asked for once, concluded once, whatever the provider says and how often (SUB-3, INV-5, INV-12).

The use cases write what should be true and an operation (`payment_calls`); its answer comes back to `conclude`.
Who locks several of these locks them in this order: payments, accounts, mandates, invoices; of each the oldest first.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from invoicing.debiting import announcing
from invoicing.funding import crediting
from invoicing.gateways import Method
from invoicing.journal import tell
from invoicing.models import Invoice, Mandate, Order, OrderState, Payment, PaymentMethod, PaymentState, TopUp
from invoicing.paying import means, payment_rules, refunds, rejections, settlement
from invoicing.reviewing import deciding, holding
from invoicing.subscribing import ordering, retaxing
from panel.accounts.models import Account
from panel.core import events, operations, references
from panel.core.actors import SYSTEM, Actor
from panel.core.errors import RuleViolation
from panel.core.models import Event, Operation
from panel.core.states import move

OPEN, CHARGE, LOOK = "payments.open", "payments.charge", "payments.look"
LIVE = payment_rules.LIVE
CURRENCY = "eur"  # all that is collected is in cents of it


@dataclass(frozen=True, slots=True)
class Finding:
    """What the provider said about a payment; `action_url` and `method` are not kept by the operation that asked.
    `card_country` (ISO 3166) is where the card was issued; `street_check` and `postcode_check` say whether the address
    typed with it is the billing address: "pass", "fail" or "" where nothing tells (SUB-4)."""

    state: str
    provider_ref: str = ""
    amount_cents: int | None = None
    decline_code: str = ""
    action_url: str = ""
    method: Mapping[str, Any] | None = None
    card_country: str = ""
    currency: str = CURRENCY
    street_check: str = ""
    postcode_check: str = ""

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def pay_order(order: Order, *, key: str, actor: Actor, now: datetime, return_url: str = "", keep: bool = False,
              method: PaymentMethod | None = None) -> Payment:  # fmt: skip
    """Pay an order with a kept `method`, or at the provider's page: `return_url` is the order's page, `keep` also keeps
    the card (SUB-2).

    While a payment of the order is under way, that one is returned. RuleViolation when there is nothing to pay, or its
    VAT is not the one that was shown.
    """
    retaxing.check(order, now=now)
    return _pay_order(order, key=key, actor=actor, now=now, return_url=return_url, keep=keep, method=method)


@transaction.atomic
def _pay_order(order: Order, *, key: str, actor: Actor, now: datetime, return_url: str, keep: bool,
               method: PaymentMethod | None) -> Payment:  # fmt: skip
    held = Order.objects.select_for_update(of=("self",)).select_related("account").get(pk=order.pk)
    if held.state != OrderState.AWAITING_PAYMENT:
        raise RuleViolation(_("This order cannot be paid any more."), rule="SUB-3")
    # Looked for without a lock, and before `take` could wait for its row: who concludes it locks it before the order.
    under_way = Payment.objects.filter(Q(key=key) | Q(state__in=LIVE), order=held).order_by("pk").last()
    return under_way or take(
        held.account, held.total_cents, purpose=held, key=key, actor=actor, now=now, method=method,
        return_url=return_url, keep=keep,
    )  # fmt: skip


@transaction.atomic
def pay_invoice(invoice: Invoice, *, key: str, actor: Actor, now: datetime, return_url: str = "", keep: bool = False,
                method: PaymentMethod | None = None) -> Payment:  # fmt: skip
    """Pay what is due of an invoice: with a kept method, or at the provider's page (INV-5). What is not collected by
    itself is not debited under a mandate of our own either (INV-8).

    While a payment of the invoice is under way, that one is returned. A person pays by `debiting.instead`, which
    withdraws a debit that is only announced.
    """
    by_file = method is not None and method.provider == payment_rules.OWN
    if by_file:  # before the invoice, as who ends a mandate does
        Mandate.objects.select_for_update(of=("self",)).filter(method=method).first()
    held = Invoice.objects.select_for_update(of=("self",), no_key=True).select_related("account")
    invoice = held.get(pk=invoice.pk)
    if not invoice.due_cents:
        raise RuleViolation(_("Nothing is due on this invoice."), rule="INV-5")
    if invoice.due_cents < payment_rules.SMALLEST_CENTS:
        raise RuleViolation(_("So little cannot be collected by card or direct debit."), rule="INV-5")
    if by_file and not invoice.collectable:
        raise RuleViolation(_("This is paid by card or transfer."), rule="INV-8", field="method")
    if by_file and not key.startswith(rejections.AUTOMATIC):
        key = f"{rejections.AUTOMATIC}{key}"  # announced today, debited in the customer's absence whoever asked for it
    # Looked for without a lock, as in `pay_order`: who concludes it locks it before the invoice.
    under_way = Payment.objects.filter(state__in=LIVE, invoice=invoice).exclude(key=key).first()
    return under_way or take(
        invoice.account, invoice.due_cents, purpose=invoice, key=key, actor=actor, now=now, method=method,
        return_url=return_url, keep=keep,
    )  # fmt: skip


@transaction.atomic
def take(
    account: Account,
    amount_cents: int,
    *,
    purpose: Order | Invoice | TopUp,
    key: str,
    actor: Actor,
    now: datetime,
    method: PaymentMethod | None = None,
    return_url: str = "",
    keep: bool = False,
) -> Payment:
    """Collect `amount_cents` (EUR) for an order, an invoice or a top-up of funds, once per `key`, one live payment at a
    time for each.

    With `method` it is charged in the customer's absence; without, they pay at the provider's page and come back to
    `return_url`. The payment that exists already is returned instead of a second one.
    """
    if method is not None and (method.account_id != account.pk or method.removed_at is not None):
        raise RuleViolation(_("This means of payment cannot be used."), rule="INV-5", field="method")
    if method is not None and method.kind == "sepa" and not isinstance(purpose, Invoice):
        sentence = _("A first payment, and funds, are paid by card: a direct debit can come back for weeks.")
        raise RuleViolation(sentence, rule="SUB-3", field="method")
    by_file = method is not None and method.provider == payment_rules.OWN
    about: dict[str, Any] = {_PURPOSES[type(purpose)]: purpose}
    payment = Payment(
        reference=references.new("PAY"), account=account, method=method, key=key, amount_cents=amount_cents,
        keep_method=keep, return_url=return_url, created_at=now,
        provider=payment_rules.OWN if by_file else settings.CLAUSE_GATEWAY["kind"], **about,
    )  # fmt: skip
    try:
        with transaction.atomic():
            payment.save(force_insert=True)
    except IntegrityError:
        before = Payment.objects.filter(key=key).first() or Payment.objects.filter(state__in=LIVE, **about).first()
        if before is None or before.account_id != account.pk:
            raise RuleViolation(_("This has been paid already."), rule="INV-5") from None
        return before
    if by_file:
        announcing.begin(payment, now=now)
        return payment
    operations.enqueue(
        CHARGE if method else OPEN, key=f"pay:{payment.reference}", now=now, account_id=account.pk, subject=payment,
        payload={"payment": payment.pk},
    )  # fmt: skip
    tell("payment.started", payment, now=now, actor=actor, data=_named(payment))
    return payment


_PURPOSES: dict[type, str] = {Order: "order", Invoice: "invoice", TopUp: "top_up"}


def look(payment: Payment, because: str, *, now: datetime) -> Operation:
    """Ask the provider how a payment stands, once for each `because`; inside the transaction of what made us ask."""
    return operations.enqueue(
        LOOK, key=f"look:{payment.reference}:{because}", now=now, account_id=payment.account_id, subject=payment,
        payload={"payment": payment.pk},
    )  # fmt: skip


@transaction.atomic
def came_back(payment: Payment, *, now: datetime) -> None:
    """The customer returned from the provider's page: do not wait for the webhook (at most one question in 5 s)."""
    if payment.state in LIVE and payment.provider != payment_rules.OWN:
        look(payment, f"back:{int(now.timestamp()) // 5}", now=now)


@transaction.atomic
def cancel_order(order: Order, *, actor: Actor, now: datetime) -> Order:
    """The customer withdraws an unpaid order, or one that is being checked (what was paid for it goes back).

    Where a page for it is open, that is closed first: what was paid in the meantime counts, and the order is then paid
    instead (SUB-3).
    """
    if order.state == OrderState.HELD:
        return deciding.withdraw(order, actor=actor, now=now)
    if order.state != OrderState.AWAITING_PAYMENT:
        raise RuleViolation(_("This order cannot be cancelled any more."), rule="SUB-3")
    live = Payment.objects.select_for_update().filter(order=order, state__in=LIVE).first()
    if live is None:
        return ordering.cancel(order, ordering.WITHDRAWN, actor=actor, now=now)
    Payment.objects.filter(pk=live.pk).update(given_up=True)
    tell("payment.given_up", live, now=now, actor=actor, data=_named(live))
    look(live, "given_up", now=now)
    return order


@transaction.atomic
def conclude(payment_id: int, finding: Finding, *, now: datetime) -> Payment:
    """Write down how a payment stands, and what follows from it, once (INV-12)."""
    rows = Payment.objects.select_for_update(of=("self",)).select_related(
        "account", "order", "invoice", "top_up", "method"
    )
    payment = rows.get(pk=payment_id)
    told: dict[str, Any] = {
        "action_url": finding.action_url, "provider_ref": finding.provider_ref, "card_country": finding.card_country,
        "street_check": finding.street_check, "postcode_check": finding.postcode_check,
    }  # fmt: skip
    known = {name: value for name, value in told.items() if value}
    if finding.state == payment.state or payment.state == PaymentState.SUCCEEDED:
        if payment.state in LIVE:
            Payment.objects.filter(pk=payment.pk).update(**known)
        return payment
    brought = finding.amount_cents, finding.currency
    if finding.state == PaymentState.SUCCEEDED and brought != (payment.amount_cents, CURRENCY):
        raise ValueError(f"{payment.reference} brought {brought} instead of {payment.amount_cents} cents")
    move(payment, finding.state, payment_rules.PAYMENT_TRANSITIONS)
    if payment.state not in LIVE:
        known |= {"ended_at": now, "decline_code": finding.decline_code, "action_url": ""}
    Payment.objects.filter(pk=payment.pk).update(**known)
    payment.refresh_from_db()
    tell(f"payment.{payment.state}", payment, now=now, actor=SYSTEM, data=_named(payment))
    if payment.state == PaymentState.SUCCEEDED:
        _settle(payment, finding, now=now)
    elif payment.state == PaymentState.FAILED:
        _refused(payment, now=now)
    elif payment.state == PaymentState.CANCELLED and payment.order and payment.given_up:
        ordering.cancel(payment.order, ordering.WITHDRAWN, actor=SYSTEM, now=now)
    return payment


def _settle(payment: Payment, finding: Finding, *, now: datetime) -> None:
    """The money is there: books, then the order comes to life or the invoice is paid."""
    if payment.order:
        made = ordering.paid(payment.order, payment, now=now)
        if made is None and not holding.waits_with(payment.order, payment):  # ended, or paid already: it goes back
            refunds.give_back(
                payment, payment.amount_cents, reason=_("The order had ended or was paid already."),
                key=f"late:{payment.reference}", unused=True, actor=SYSTEM, now=now,
            )  # fmt: skip
    elif payment.invoice:
        entry = settlement.received(payment, now=now)
        settlement.pay(payment.invoice.pk, payment.amount_cents, means=settlement.means_of(payment), entry=entry,
                       now=now)  # fmt: skip
    elif payment.top_up:
        crediting.credited(payment.top_up, payment, now=now)
    if payment.keep_method and finding.method:
        means.keep(payment.account, Method(**finding.method), now=now)


def _refused(payment: Payment, *, now: datetime) -> None:
    """SUB-3: a refused payment cancels the order; an invoice stays due, and the customer is told (INV-5, INV-7).
    Trouble of the provider's refuses nothing."""
    rejections.refused(payment, now=now)
    if payment.order and payment.decline_code != payment_rules.OUT_OF_REACH:
        ordering.cancel(payment.order, ordering.REFUSED, actor=SYSTEM, now=now)


def _named(payment: Payment) -> dict[str, Any]:
    return {
        "payment": payment.reference, "amount_cents": payment.amount_cents, "decline_code": payment.decline_code,
        "order": payment.order.reference if payment.order else "",
        "invoice": payment.invoice.number if payment.invoice else "",
        "top_up": payment.top_up.reference if payment.top_up else "",
    }  # fmt: skip


@events.subscriber("invoicing.invoice.issued", "payments.collect")
def collect(event: Event, *, now: datetime) -> None:
    """INV-5: an issued invoice is collected at once from the account's default means, if it has one.

    Not while it is contested (INV-1), nor what funds or an order's payment have settled already.
    """
    invoice = Invoice.objects.select_related("account").get(number=event.data["invoice"])
    method = PaymentMethod.objects.filter(account=invoice.account_id, is_default=True, removed_at=None).first()
    enough = invoice.due_cents >= payment_rules.SMALLEST_CENTS
    if method and invoice.collectable and invoice.contested_at is None and enough:
        pay_invoice(invoice, method=method, key=f"{rejections.AUTOMATIC}{invoice.number}", actor=SYSTEM, now=now)
