"""Giving money back: reserved in the books with the decision, sent once, never more than came in (REFUND, INV-11)."""

from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from invoicing import gateways
from invoicing.accounting import ledger
from invoicing.funding import funds
from invoicing.gateways import RefundState
from invoicing.journal import tell
from invoicing.models import Invoice, Payment, PaymentState, Refund
from invoicing.paying import payment_rules, settlement
from panel.core import operations
from panel.core.actors import SYSTEM, Actor
from panel.core.errors import RuleViolation
from panel.core.models import Operation
from panel.core.states import move

REFUND, LOOK = "payments.refund", "payments.look_refund"


@transaction.atomic
def give_back(
    payment: Payment,
    amount_cents: int,
    *,
    reason: str,
    key: str,
    actor: Actor,
    now: datetime,
    credit_note: Invoice | None = None,
    unused: bool = False,
) -> Refund:
    """Give `amount_cents` of a payment back to where it came from, once per `key`.

    The money is taken out of the customer's funds (where a credit note put it), or, for a payment that settled nothing
    (`unused`), off their account. RuleViolation when the payment or the funds do not hold that much.
    """
    held = Payment.objects.select_for_update().get(pk=payment.pk)
    before = Refund.objects.filter(key=key).first()
    if before:
        return before
    if held.state != PaymentState.SUCCEEDED or not held.provider_ref:
        raise RuleViolation(_("Only a payment that arrived can be refunded."), rule="INV-11")
    if not 0 < amount_cents <= held.refundable_cents:
        sentence = _("A refund cannot exceed what was paid and not yet refunded.")
        raise RuleViolation(sentence, rule="INV-11", field="amount")
    account = settlement.lock_account(held.account_id)
    if not unused and funds.balance(account) < amount_cents:
        raise RuleViolation(_("A credit note must free this amount before it can be refunded."), rule="INV-2")
    try:
        with transaction.atomic():
            refund = Refund.objects.create(
                payment=held, account=account, credit_note=credit_note, key=key, amount_cents=amount_cents,
                reason=reason[:200], created_at=now,
            )  # fmt: skip
    except IntegrityError:
        return Refund.objects.get(key=key)
    held.refunded_cents += amount_cents
    held.save(update_fields=["refunded_cents"])
    if unused:
        legs = [ledger.debit(ledger.CUSTOMERS, amount_cents), ledger.credit(ledger.CLEARING, amount_cents)]
        ledger.post("refund", str(refund.pk), legs, now=now, account=account)
    else:
        funds.take_out(account, amount_cents, to=ledger.CLEARING, kind="refund", ref=str(refund.pk), now=now)
    operations.enqueue(
        REFUND, key=f"refund:{refund.pk}", now=now, account_id=account.pk, subject=refund, payload={"refund": refund.pk}
    )
    tell("refund.started", refund, now=now, actor=actor, data=_named(refund))
    return refund


@transaction.atomic
def conclude(refund_id: int, state: str, provider_ref: str, *, now: datetime) -> Refund:
    """Write down how a refund stands; one that comes back puts the money into the customer's funds (INV-6)."""
    payment_id = Refund.objects.values_list("payment_id", flat=True).get(pk=refund_id)
    payment = Payment.objects.select_for_update().get(pk=payment_id)
    refund = Refund.objects.select_related("account").get(pk=refund_id)
    if refund.state == state or refund.state == "failed":
        return refund
    move(refund, state, payment_rules.REFUND_TRANSITIONS)
    refund.provider_ref = provider_ref or refund.provider_ref
    refund.ended_at = None if state == "pending" else now
    refund.save(update_fields=["provider_ref", "ended_at"])
    if state == "failed":
        payment.refunded_cents -= refund.amount_cents
        payment.save(update_fields=["refunded_cents"])
        settlement.lock_account(refund.account_id)
        funds.put_in(
            refund.account, refund.amount_cents, source=ledger.CLEARING, kind="refund_returned", ref=str(refund.pk),
            now=now,
        )  # fmt: skip
    tell(f"refund.{state}", refund, now=now, actor=SYSTEM, data=_named(refund))
    return refund


def look(refund: Refund, because: str, *, now: datetime) -> None:
    """Ask the provider how a refund stands, once for each `because`."""
    operations.enqueue(
        LOOK, key=f"look-refund:{refund.pk}:{because}", now=now, account_id=refund.account_id, subject=refund,
        payload={"refund": refund.pk},
    )  # fmt: skip


def _named(refund: Refund) -> dict[str, Any]:
    return {"payment": refund.payment.reference, "amount_cents": refund.amount_cents}


def _kept(found: RefundState) -> dict[str, Any]:
    return {"state": found.state, "provider_ref": found.ref}


@operations.register
class SendRefund(operations.Handler):
    """Sends a refund under its own key; before a second attempt it is looked for at the provider."""

    kind = REFUND
    label = gettext_lazy("Refund a payment")

    def perform(self, op: Operation, *, now: datetime) -> dict[str, Any]:
        refund = Refund.objects.select_related("payment").get(pk=op.payload["refund"])
        if refund.state != "new":  # concluded meanwhile; staff tried again
            return {}
        made = gateways.get().refund(
            refund.payment.provider_ref or "", refund.amount_cents, metadata={"refund": refund.key},
            key=f"refund:{refund.key}",
        )  # fmt: skip
        return _kept(made)

    def happened(self, op: Operation) -> dict[str, Any] | None:
        refund = Refund.objects.select_related("payment").get(pk=op.payload["refund"])
        found = gateways.get().find_refund(refund.payment.provider_ref or "", {"refund": refund.key})
        return _kept(found) if found else None

    def completed(self, op: Operation, result: dict[str, Any], *, now: datetime) -> None:
        if result:
            conclude(op.payload["refund"], result["state"], result["provider_ref"], now=now)


def _never_sent(refund_id: int) -> bool:
    """Whether the provider refused for good to send it, or staff gave it up; held until the transaction ends, so that
    nobody tries it again meanwhile. What only ran out of attempts waits for staff."""
    sent = Operation.objects.select_for_update().filter(key=f"refund:{refund_id}").first()
    if sent is None or sent.state not in (Operation.State.FAILED, Operation.State.CANCELLED):
        return False
    return sent.state == Operation.State.CANCELLED or sent.failures < SendRefund.max_attempts


@operations.register
class LookAtRefund(SendRefund):
    """Asks the provider how a refund stands. One that is not there and will not be sent any more has failed."""

    kind = LOOK
    label = gettext_lazy("Ask how a refund stands")

    def perform(self, op: Operation, *, now: datetime) -> dict[str, Any]:
        return self.happened(op) or {}

    def completed(self, op: Operation, result: dict[str, Any], *, now: datetime) -> None:
        super().completed(op, result, now=now)
        if not result and _never_sent(op.payload["refund"]):
            conclude(op.payload["refund"], "failed", "", now=now)
