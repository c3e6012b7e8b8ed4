"""What the worker asks of the payment provider for a payment: open a page, charge a kept method, look how it stands."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

from django.conf import settings
from django.utils.translation import gettext_lazy as _

from invoicing import gateways
from invoicing.gateways import Charge, ChargeWish, Checkout, CheckoutWish, Gateway, Method
from invoicing.models import Payment, PaymentState
from invoicing.paying import collecting, means, payment_rules, payments, rejections
from invoicing.paying.payment_rules import Standing
from invoicing.paying.payments import CURRENCY, Finding
from panel.core import operations
from panel.core.models import Operation


def _payment(op: Operation) -> Payment:
    return Payment.objects.select_related("account", "order", "invoice", "top_up", "method").get(
        pk=op.payload["payment"]
    )


def _description(payment: Payment) -> str:
    purpose = payment.order or payment.invoice or payment.top_up
    about = getattr(purpose, "number", "") or getattr(purpose, "reference", "")
    return f"{settings.CLAUSE_BRAND['name']} {about}"


@operations.register
class OpenPage(means.ProviderCall):
    """Opens the provider's page; the same key gives the same page, so a lost answer costs nothing."""

    kind = payments.OPEN
    label = _("Open the payment page")

    def perform(self, op: Operation, *, now: datetime) -> dict[str, Any]:
        payment = _payment(op)
        if payment.state != PaymentState.NEW:  # concluded meanwhile; staff tried again
            return {}
        language = payment.order.language if payment.order else payment.account.language
        wish = CheckoutWish(
            customer=means.customer_ref(payment.account), success_url=payment.return_url, cancel_url=payment.return_url,
            description=_description(payment), amount_cents=payment.amount_cents, currency=CURRENCY,
            keep=payment.keep_method, language=language, metadata={"payment": payment.reference},
        )  # fmt: skip
        page = gateways.get().start_checkout(wish, key=f"page:{payment.reference}")
        return {"checkout": page.ref, "url": page.url}

    def completed(self, op: Operation, result: dict[str, Any], *, now: datetime) -> None:
        if not result:
            return
        payment = Payment.objects.select_for_update().get(pk=op.payload["payment"])
        Payment.objects.filter(pk=payment.pk).update(checkout_ref=result["checkout"])
        payments.conclude(payment.pk, Finding(PaymentState.WAITING, action_url=result["url"]), now=now)
        if payment.given_up:
            payments.look(payment, "opened_after_giving_up", now=now)

    def gave_up(self, op: Operation, error: str, *, now: datetime) -> None:
        """Nobody was shown the page, so nobody can have paid there; who had withdrawn the order by then has done so."""
        payment = Payment.objects.select_for_update().get(pk=op.payload["payment"])
        if payment.state == PaymentState.NEW:
            state = PaymentState.CANCELLED if payment.given_up else PaymentState.FAILED
            payments.conclude(payment.pk, Finding(state, decline_code=payment_rules.OUT_OF_REACH), now=now)


@operations.register
class ChargeMethod(means.ProviderCall):
    """Charges a kept method under the payment's own key; before a second attempt it is looked for at the provider.

    Given up or discarded, the payment stays pending: the reconciler asks again whether it happened before anything is
    concluded.
    """

    kind = payments.CHARGE
    label = _("Collect a payment from a kept means")

    def perform(self, op: Operation, *, now: datetime) -> dict[str, Any]:
        payment = _payment(op)
        if payment.state not in payments.LIVE:  # concluded meanwhile; staff tried again
            return {}
        if _is_pointless(payment):
            return Finding(PaymentState.CANCELLED).as_dict()
        wish = ChargeWish(
            amount_cents=payment.amount_cents, currency=CURRENCY, customer=means.customer_ref(payment.account),
            method=payment.method.ref if payment.method else "", description=_description(payment),
            metadata={"payment": payment.reference},
        )  # fmt: skip
        return _finding(gateways.get().charge(wish, key=f"charge:{payment.reference}"), payment).as_dict()

    def happened(self, op: Operation) -> dict[str, Any] | None:
        payment = _payment(op)
        found = gateways.get().find(means.customer_ref(payment.account), {"payment": payment.reference})
        return _finding(found, payment).as_dict() if found and found.state != "open" else None

    def completed(self, op: Operation, result: dict[str, Any], *, now: datetime) -> None:
        if not result:
            return
        payment = payments.conclude(op.payload["payment"], Finding(**result), now=now)
        if payment.state == PaymentState.CANCELLED and payment.invoice and payment.invoice.contested_at is None:
            collecting.collect_now(payment.invoice, f"anew-{payment.reference}", now=now)  # what is still due of it


def _is_pointless(payment: Payment) -> bool:
    """Nobody asked for this charge, and its invoice was contested or settled, in part or whole, since it was decided
    (INV-1, INV-5)."""
    invoice = payment.invoice
    if invoice is None or not payment.key.startswith(rejections.AUTOMATIC):
        return False
    due = invoice.due_cents if invoice.collectable else 0
    return invoice.contested_at is not None or due != payment.amount_cents


@operations.register
class LookAtPayment(means.ProviderCall):
    """Asks the provider for the truth. A refusal counts only once its page is closed, so nobody can still pay there:
    the order in which messages arrive never decides (INV-12)."""

    kind = payments.LOOK
    label = _("Ask how a payment stands")

    def perform(self, op: Operation, *, now: datetime) -> dict[str, Any]:
        payment = _payment(op)
        gateway = gateways.get()
        if payment.state not in payments.LIVE:
            return {}
        if payment.checkout_ref is None:
            return self._without_page(gateway, payment)
        page = gateway.checkout(payment.checkout_ref)
        state = _verdict(page, payment)
        if state == "close":
            page = gateway.close_checkout(payment.checkout_ref)
            state = _verdict(page, payment)
        return _finding(page.charge, payment, page=page, state=state).as_dict()

    def _without_page(self, gateway: Gateway, payment: Payment) -> dict[str, Any]:
        if payment.provider_ref:
            return _finding(gateway.retrieve(payment.provider_ref), payment).as_dict()
        if payment.method is None:
            return {}  # its page is not open yet
        found = gateway.find(means.customer_ref(payment.account), {"payment": payment.reference})
        if found:
            return _finding(found, payment).as_dict()
        asked = Operation.objects.filter(key=f"pay:{payment.reference}").first()
        if asked and asked.state in (Operation.State.FAILED, Operation.State.CANCELLED):
            return Finding(PaymentState.FAILED, decline_code=payment_rules.OUT_OF_REACH).as_dict()
        return {}

    def completed(self, op: Operation, result: dict[str, Any], *, now: datetime) -> None:
        if result:
            payments.conclude(op.payload["payment"], Finding(**result), now=now)


def _verdict(page: Checkout, payment: Payment) -> str:
    return payment_rules.verdict(_standing(page.charge, page=page.state, given_up=payment.given_up))


def _standing(charge: Charge | None, *, page: str = "", given_up: bool = False) -> Standing:
    attempt = charge.state if charge and charge.state != "open" else ""
    return Standing(attempt, declined=bool(charge and charge.decline_code), page=page, given_up=given_up)


def _finding(charge: Charge | None, payment: Payment, *, page: Checkout | None = None, state: str = "") -> Finding:
    url = (charge.action_url if charge else "") or (page.url if page else "")
    if charge is None:
        return Finding(state or PaymentState.WAITING, action_url=url)
    method = page.method if page else None
    concluded = state or payment_rules.verdict(_standing(charge))
    return Finding(
        state=concluded, provider_ref=charge.ref, amount_cents=charge.amount_cents, decline_code=charge.decline_code,
        action_url=page.url if page and page.state == "open" else url, method=asdict(method) if method else None,
        currency=charge.currency,
        **_of_card(charge.method, payment) if charge.method and charge.method.kind == "card" else {},
    )  # fmt: skip


def _of_card(card: Method, payment: Payment) -> dict[str, str]:
    billed = payment.account.postcode
    return {"card_country": card.country, "street_check": card.street_check,
            "postcode_check": payment_rules.postcode_check(card.postcode_check, card.postcode, billed)}  # fmt: skip
