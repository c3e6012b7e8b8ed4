"""What the payment provider tells us: verified, kept once, acknowledged, and only then acted upon (INV-12).

An event says where to look, never what to believe: a look at the provider follows, so that neither the order of events,
nor their repetition, nor their age changes the result.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.utils.translation import gettext_lazy

from invoicing import gateways
from invoicing.gateways import GatewayEvent
from invoicing.journal import tell
from invoicing.models import Payment, PaymentState, Refund, WebhookEvent
from invoicing.paying import card_setup, disputes, payments, refunds, webhook_rows
from invoicing.paying_out import asking
from panel.core import actors, events, operations
from panel.core.errors import NotYet, ProviderError
from panel.core.models import Operation

WEBHOOK, LISTING = "webhook", "listing"
DISPUTED, UNKNOWN, STRANGE = "disputed", "unknown", "strange"
PATIENCE = timedelta(days=1)  # a dispute names its payment as the provider does, which we learn when it is concluded
SENTENCES = {
    DISPUTED: "the customer disputes this payment at their bank: answer at the provider before its deadline",
    UNKNOWN: "money arrived at the provider that no open payment here asked for: book it or give it back there",
    STRANGE: "a bank takes back a payment at the provider that no payment here is known as: find out whose it was",
}
TELLING = ("payment_intent.succeeded", "payment_intent.processing", "payment_intent.payment_failed",
           "payment_intent.canceled", "payment_intent.requires_action", "checkout.session.completed",
           "checkout.session.expired")  # fmt: skip


def receive(raw: bytes, headers: Mapping[str, str], *, now: datetime) -> None:
    """Verify a message and keep it; a repeat changes nothing. SignatureRefused when it is not the provider's."""
    keep([read(raw, headers, now=now)], via=WEBHOOK, now=now)


def read(raw: bytes, headers: Mapping[str, str], *, now: datetime) -> GatewayEvent:
    """A message, verified. SignatureRefused when it is not the provider's."""
    return gateways.get().parse_webhook(raw, headers, now=now)


def keep(told: Sequence[GatewayEvent], *, via: str, now: datetime) -> int:
    """Write events down, each once per (provider, event id), and that they must be acted upon; how many were new.

    All of them or, with an error, none. Their bodies can be erased (PRV-4).
    """
    return webhook_rows.write(told, provider=gateways.get().name, via=via, owed=Act.kind, now=now)


@operations.register
class Act(operations.Handler):
    """Looks where a message says, in the closing transaction."""

    kind = "payments.told"
    label = gettext_lazy("Act upon a message of the payment provider")
    kept = timedelta(days=30)

    def perform(self, op: Operation, *, now: datetime) -> dict[str, Any]:
        if op.payload["about"] == "dispute":
            _await_payment(op, now=now)
        return {}

    def completed(self, op: Operation, result: dict[str, Any], *, now: datetime) -> None:
        row = WebhookEvent.objects.get(pk=op.payload["message"])
        row.payment = _payment_of(op.payload, row.provider)
        row.save(update_fields=["payment"])
        _follow(op.payload, row, now=now)


def _await_payment(op: Operation, *, now: datetime) -> None:
    """NotYet while the payment of a dispute may still be concluded and so become known: ever more rarely, for a day."""
    row = WebhookEvent.objects.get(pk=op.payload["message"])
    age = now - row.received_at
    if age < PATIENCE and _payment_of(op.payload, row.provider) is None:
        raise NotYet(60 + min(int(age.total_seconds()) // 4, 3_600), "the disputed payment is not known yet")


def _payment_of(told: Mapping[str, Any], provider: str) -> Payment | None:
    mine = Payment.objects.filter(provider=provider)
    if reference := told["named"].get("payment"):
        return mine.filter(reference=reference).first()
    return mine.filter(provider_ref=told["payment"]).first() if told["payment"] else None


def _follow(told: Mapping[str, Any], row: WebhookEvent, *, now: datetime) -> None:
    actor, about, payment = actors.webhook(row.provider), told["about"], row.payment
    if about == "refund":
        refund = Refund.objects.filter(key=told["named"].get("refund", "")).first()
        if refund and refund.state != "failed":
            refunds.look(refund, row.event_id, now=now)
    elif about == "dispute" and payment:
        if row.kind == "charge.dispute.created":
            data = {"payment": payment.reference, "event": row.event_id}
            tell("payment.disputed", payment, now=now, actor=actor, data=data)
            _for_staff(row, DISPUTED, now=now)
        disputes.look(payment, row.event_id, now=now)
    elif about == "dispute":
        _for_staff(row, STRANGE, of=told["payment"], now=now)  # once a payment, however many messages tell of it
    elif about == "payout":
        asking.look(told["ref"], row.event_id, now=now)
    elif row.kind not in TELLING:
        return
    elif reference := told["named"].get("setup"):
        card_setup.told(reference, row.event_id, now=now)
    elif payment and payment.state in payments.LIVE:
        payments.look(payment, row.event_id, now=now)
    elif row.kind == "payment_intent.succeeded" and (payment is None or payment.state != PaymentState.SUCCEEDED):
        events.record("invoicing.payment.unknown", now=now, actor=actor, subject=row, rule="INV-12",
                      account_id=payment.account_id if payment else None,
                      data={"event": row.event_id, "provider_ref": told["payment"]})  # fmt: skip
        _for_staff(row, UNKNOWN, now=now)  # money that nobody here asked for, or that had been concluded otherwise


def _for_staff(row: WebhookEvent, why: str, *, of: str = "", now: datetime) -> None:
    operations.enqueue(
        Judge.kind, key=f"judge:{row.provider}:{of or row.event_id}", now=now, subject=row, payload={"why": why},
        account_id=row.payment.account_id if row.payment else None,
    )  # fmt: skip


@operations.register
class Judge(operations.Handler):
    """What only a person can judge stands in the staff's queue until somebody discards it with a reason."""

    kind = "payments.judge"
    label = gettext_lazy("Something about a payment needs a person")

    def perform(self, op: Operation, *, now: datetime) -> dict[str, Any]:
        raise ProviderError(SENTENCES[op.payload["why"]], permanent=True, code=op.payload["why"])
