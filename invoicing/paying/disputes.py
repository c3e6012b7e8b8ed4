"""Money the payer's bank takes back: a disputed card, a direct debit that returns after weeks (INV-11).

What had been collected is owed again and its invoice is open again, and a prepaid pack it paid for goes; what had been
refunded already is a loss, never a second refund. A dispute that is won puts the money back. The provider is asked;
told twice, it happens once.
"""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Q, Sum
from django.utils import translation
from django.utils.translation import gettext_lazy as _

from invoicing import gateways
from invoicing.accounting import ledger
from invoicing.chasing import pausing
from invoicing.consuming import pack_withdrawal, packs
from invoicing.documents import texts
from invoicing.funding import funds, taken_back
from invoicing.journal import tell
from invoicing.models import Dispute, DisputeState, Invoice, OrderState, Payment, PaymentState
from invoicing.paying import payment_rules, rejections, settlement
from panel.accounts.models import Account
from panel.core import mail, operations
from panel.core.actors import SYSTEM
from panel.core.errors import NotYet
from panel.core.models import Operation
from panel.core.money import Cents
from panel.core.states import move

LOOK = "payments.look_disputes"
ENTRIES = ("dispute", "dispute_funds", "dispute_won", "to_funds")


def look(payment: Payment, because: str, *, now: datetime) -> None:
    """Ask the provider for the disputes of a payment, once for each `because`."""
    operations.enqueue(
        LOOK, key=f"disputes:{payment.reference}:{because}", now=now, account_id=payment.account_id, subject=payment,
        payload={"payment": payment.pk},
    )  # fmt: skip


@transaction.atomic
def conclude(payment_id: int, found: list[Mapping[str, Any]], *, now: datetime) -> None:
    """Write down how the disputes of a payment stand, and what follows from each, once."""
    rows = Payment.objects.select_for_update(of=("self",)).select_related("account", "invoice", "order", "method")
    payment = rows.get(pk=payment_id)
    if payment.state != PaymentState.SUCCEEDED:
        return  # nothing of it stands in the books
    bought = packs.paid_by(payment)  # before the account, as everywhere
    account = settlement.lock_account(payment.account_id)
    for said in found:
        known = Dispute.objects.filter(provider_ref=said["ref"]).first()
        if known is None and said["state"] == DisputeState.WON:
            continue  # over before we heard of it: nothing moved
        dispute = known or _opened(payment, account, said, now=now)
        if dispute.state != said["state"] and said["state"] in payment_rules.DISPUTE_TRANSITIONS[dispute.state]:
            _ended(dispute, payment, account, str(said["state"]), now=now)
            if dispute.state == DisputeState.LOST:
                pack_withdrawal.withdraw(bought, dispute, now=now)


def _opened(payment: Payment, account: Account, said: Mapping[str, Any], *, now: datetime) -> Dispute:
    """The bank took the money: off the clearing account, onto the customer's as far as it had been collected."""
    cents: Cents = said["amount_cents"]
    returned, lost = payment_rules.taken_back(
        payment.amount_cents, payment.refunded_cents, payment.disputed_cents, cents
    )
    dispute = Dispute.objects.create(
        payment=payment, account=account, provider_ref=said["ref"], reason=str(said["reason"])[:60], amount_cents=cents,
        returned_cents=returned, loss_cents=lost, opened_at=datetime.fromisoformat(said["at"]),
        respond_by=datetime.fromisoformat(said["respond_by"]) if said["respond_by"] else None,
    )  # fmt: skip
    payment.disputed_cents += returned
    payment.save(update_fields=["disputed_cents"])
    legs = [ledger.debit(ledger.CUSTOMERS, returned), ledger.debit(ledger.LOSSES, lost),
            ledger.credit(settlement.held_on(payment), cents)]  # fmt: skip
    entry = ledger.post("dispute", dispute.provider_ref, legs, now=now, account=account)
    invoice = _invoice(payment)
    owed = min(returned, invoice.paid_cents - settlement.surplus(invoice)) if invoice is not None else 0
    if invoice is not None and owed and entry is not None:
        settlement.reopen(invoice, owed, entry=entry, now=now)
        if said["state"] == DisputeState.OPEN:
            pausing.stop(invoice, pausing.BANK, now=now)
    used = taken_back.used(payment)  # else it still lies on the customer's account, and is taken off there
    from_funds = min(returned - owed, funds.balance(account)) if used else 0
    if from_funds:
        kind = taken_back.FROM_FUNDS
        funds.take_out(account, from_funds, to=ledger.CUSTOMERS, kind=kind, ref=dispute.provider_ref, now=now)
    tell("dispute.opened", dispute, now=now, actor=SYSTEM, rule="INV-11",
         data={"payment": payment.reference, "amount_cents": cents})  # fmt: skip
    if invoice is not None and owed:
        _write(account, invoice, payment, owed, reason=dispute.reason, now=now)
    elif left := taken_back.outstanding().filter(pk=dispute.pk).values_list("left", flat=True).first():
        _write_of_funds(account, payment, dispute, left, now=now)
    return dispute


def _ended(dispute: Dispute, payment: Payment, account: Account, state: str, *, now: datetime) -> None:
    owed: Cents = taken_back.with_left().values_list("left", flat=True).get(pk=dispute.pk)
    move(dispute, state, payment_rules.DISPUTE_TRANSITIONS)
    Dispute.objects.filter(pk=dispute.pk).update(ended_at=now)
    invoice = _invoice(payment)
    if invoice is not None and not Dispute.objects.filter(of_invoice(invoice), state=DisputeState.OPEN).exists():
        pausing.go_on(invoice, pausing.BANK, now=now)
    if state == DisputeState.WON:
        payment.disputed_cents -= dispute.returned_cents
        payment.save(update_fields=["disputed_cents"])
        given_up = taken_back.given_up_of(dispute.provider_ref).aggregate(sum=Sum("cents"))["sum"] or 0
        legs = [ledger.debit(settlement.held_on(payment), dispute.amount_cents),
                ledger.credit(ledger.LOSSES, dispute.loss_cents + given_up),
                ledger.credit(ledger.CUSTOMERS, dispute.returned_cents - given_up)]  # fmt: skip
        entry = ledger.post("dispute_won", dispute.provider_ref, legs, now=now, account=account)
        back = dispute.returned_cents - owed - given_up  # what nobody had made good is simply owed no more
        if invoice is not None and entry is not None and back:
            settlement.pay(invoice.pk, back, means=settlement.means_of(payment), entry=entry, now=now)
            settlement.was_paid_all_along(invoice)
        elif invoice is None and back:
            settlement.to_funds(account, back, ref=dispute.provider_ref, now=now)
        elif not taken_back.used(payment) and payment.order is not None and payment.order.state != OrderState.HELD:
            settlement.to_funds(account, dispute.returned_cents, ref=f"payment:{payment.reference}", now=now)
    tell(f"dispute.{state}", dispute, now=now, actor=SYSTEM, rule="INV-11",
         data={"payment": payment.reference, "amount_cents": dispute.amount_cents})  # fmt: skip


def _invoice(payment: Payment) -> Invoice | None:
    """The invoice a payment settled, locked."""
    rows = Invoice.objects.select_for_update(of=("self",))
    if payment.invoice_id:
        return rows.get(pk=payment.invoice_id)
    return rows.filter(order=payment.order_id, kind="invoice").order_by("pk").first() if payment.order_id else None


def of_invoice(invoice: Invoice) -> Q:
    """Disputes of the payments that an invoice was paid by."""
    by_order = Q(payment__order=invoice.order_id) if invoice.order_id else Q()
    return Q(payment__invoice=invoice) | by_order


def _write(account: Account, invoice: Invoice, payment: Payment, cents: Cents, *, reason: str, now: datetime) -> None:
    language = texts.language_of(account.language)
    with translation.override(language):
        why = rejections.reason(reason) if reason in rejections.REASONS else ""
    mail.send(
        "payment_returned", to=account.billing_email, lang=language, now=now, account_id=account.pk, subject=invoice,
        key=f"returned:{payment.reference}:{payment.disputed_cents}",
        context={"name": account.name, "invoice": invoice.number, "amount": texts.money(language, cents),
                 "reason": why},
    )  # fmt: skip


def _write_of_funds(account: Account, payment: Payment, dispute: Dispute, cents: Cents, *, now: datetime) -> None:
    """`cents` of a top-up were spent before the bank took it back."""
    language = texts.language_of(account.language)
    mail.send(
        "funds_taken_back", to=account.billing_email, lang=language, now=now, account_id=account.pk, subject=payment,
        key=f"funds-taken-back:{dispute.provider_ref}",
        context={"name": account.name, "payment": payment.reference,
                 "amount": texts.money(language, dispute.amount_cents), "owed": texts.money(language, cents)},
    )  # fmt: skip


@operations.register
class LookAtDisputes(operations.Handler):
    """Asks the provider what the payer's bank took back of a payment."""

    kind = LOOK
    label = _("Ask for the disputes of a payment")

    def perform(self, op: Operation, *, now: datetime) -> dict[str, Any]:
        payment = Payment.objects.get(pk=op.payload["payment"])
        if payment.state in payment_rules.LIVE:
            raise NotYet(60, "the payment itself has not been concluded yet")  # messages come in any order (INV-12)
        if not payment.provider_ref:
            return {"disputes": []}
        found = [asdict(one) for one in gateways.get().disputes(payment.provider_ref)]
        for one in found:
            one["at"] = one["at"].isoformat()
            one["respond_by"] = one["respond_by"].isoformat() if one["respond_by"] else ""
        return {"disputes": found}

    def completed(self, op: Operation, result: dict[str, Any], *, now: datetime) -> None:
        if result["disputes"]:
            conclude(op.payload["payment"], result["disputes"], now=now)
