"""OPR-3: the charge for a rejected payment, where the terms of its invoice carry it: once for each rejection, on an
invoice of its own, never for a failure of ours or of somebody on the way (invariant 22)."""

from datetime import datetime

from django.db import transaction

from invoicing.issuing import charging
from invoicing.models import Charge, Dispute, DisputeState, Payment, PaymentState
from invoicing.paying import payment_rules, rejections
from panel import terms
from panel.core import events
from panel.core.models import Event

RULE = "OPR-3"
NOBODYS = payment_rules.NOT_THE_CUSTOMERS | {"MD07"}
"""Reasons that cost nothing: those that are not the customer's, and the holder's death."""


@events.subscriber("invoicing.payment.failed", "rejection_fees.refused")
def refused(event: Event, *, now: datetime) -> None:
    """An invoice was collected, and its means refused."""
    payment = _payment(event)
    if payment.key.startswith(rejections.AUTOMATIC) and payment.state == PaymentState.FAILED:
        charge(payment, payment.decline_code, now=now)


@events.subscriber("invoicing.dispute.lost", "rejection_fees.returned")
def returned(event: Event, *, now: datetime) -> None:
    """A direct debit was given back by the payer's bank."""
    payment = _payment(event)
    lost = Dispute.objects.filter(payment=payment, state=DisputeState.LOST).order_by("pk").first()
    if lost is not None and payment.method is not None and payment.method.kind == "sepa":
        charge(payment, lost.reason, now=now)


def of(payment: Payment) -> Charge | None:
    """The charge that a payment's rejection led to, if any."""
    return charging.find(f"{RULE}:{payment.reference}")


def _payment(event: Event) -> Payment:
    return Payment.objects.select_related("account", "invoice", "method").get(reference=event.data["payment"])


@transaction.atomic
def charge(payment: Payment, code: str, *, now: datetime) -> Charge | None:
    """The charge of a rejection, if the terms have one. The charge's own invoice brings no further one: a means that is
    empty must not make a debt grow by itself."""
    invoice = payment.invoice
    if invoice is None or code in NOBODYS or invoice.lines.filter(rule=RULE).exists():
        return None
    fee = terms.version(invoice.terms_version).debit.rejection_fee
    if not fee:
        return None
    return charging.charge(
        payment.account, fee, description_key="payment_rejected", because=payment, rule=RULE,
        once=f"{RULE}:{payment.reference}", terms_version=invoice.terms_version, now=now,
    )  # fmt: skip
