"""Money goes back to where it came from by a person's decision, beyond the terms' amount by two persons' (INV-11); what
went back of the same payments before counts with it, so that it cannot be sent in parts by one.

Until the other agrees it stays in the customer's funds; spent from there by then, nothing is sent, and a person is
told.
"""

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from invoicing.funding import funds
from invoicing.journal import tell
from invoicing.models import Invoice, Payment, PaymentState, Refund, Returning
from invoicing.paying import refunds, settlement
from invoicing.selling_by_hand import giving_up, unmet
from panel.accounts import approvals
from panel.accounts.models import Account, Approval
from panel.core import events
from panel.core.actors import SYSTEM, Actor
from panel.core.errors import RuleViolation
from panel.core.models import Event
from panel.core.money import Cents, format_eur

APPROVAL = "invoicing.send_back"

Part = tuple[Payment, Cents]


def send(
    parts: Sequence[Part], account: Account, *, reason: str, key: str, actor: Actor, now: datetime,
    credit_note: Invoice | None = None,
) -> Approval | None:  # fmt: skip
    """Send parts of payments back, once per `key`; the caller has locked the payments. An approval when another person
    must agree first, else None."""
    cents = sum(part for _payment, part in parts)
    gone = sum(payment.refunded_cents for payment, _part in parts)
    if not cents or gone + cents <= giving_up.threshold(account, now):
        for payment, part in parts:
            refunds.give_back(
                payment, part, reason=reason, key=_key(key, payment), credit_note=credit_note, actor=actor, now=now
            )
        return None
    return _asked(parts, account, cents, reason=reason, key=key, actor=actor, now=now, credit_note=credit_note)


@transaction.atomic
def give_top_up_back(
    payment: Payment, cents: Cents, *, reason: str, key: str, actor: Actor, now: datetime
) -> Approval | None:
    """Deposits are non-refundable (INV-6); staff may give one back all the same, with a reason, as far as the funds
    still hold it. As `send`."""
    if payment.top_up_id is None or payment.state != PaymentState.SUCCEEDED:
        raise RuleViolation(_("Only a top-up that arrived can be given back here."), rule="INV-6")
    if not reason.strip():
        raise RuleViolation(_("Please give the reason."), rule="INV-6", field="reason")
    held = Payment.objects.select_for_update().get(pk=payment.pk)
    account = settlement.lock_account(held.account_id)
    if Refund.objects.filter(key=_key(key, held)).exists():
        return None
    if not 0 < cents <= held.refundable_cents:
        sentence = _("A refund cannot exceed what was paid and not yet refunded.")
        raise RuleViolation(sentence, rule="INV-11", field="amount")
    if cents > funds.balance(account):
        raise RuleViolation(_("The funds do not hold that much."), rule="INV-6", field="amount")
    return send([(held, cents)], account, reason=reason, key=key, actor=actor, now=now)


def _key(key: str, payment: Payment) -> str:
    return f"{key}:{payment.pk}"


def _asked(
    parts: Sequence[Part], account: Account, cents: Cents, *, reason: str, key: str, actor: Actor, now: datetime,
    credit_note: Invoice | None,
) -> Approval:  # fmt: skip
    first = parts[0][0]
    if before := Returning.objects.filter(key=_key(key, first)).select_related("approval").first():
        return before.approval
    open_ones = Returning.objects.filter(payment__in=[payment for payment, _part in parts])
    if open_ones.filter(approval__state=Approval.State.OPEN).exists():
        raise RuleViolation(_("This has been asked for already; another person must agree."), rule="INV-11")
    approval = approvals.ask(
        APPROVAL, key=f"send-back:{key}", rule="INV-11", needed=giving_up.TWO, now=now, actor=actor, account=account,
        subject=first, summary=_("Give back %(amount)s, %(number)s: %(reason)s") % {
            "amount": format_eur(cents), "number": credit_note or first, "reason": reason.strip()[:300]},
    )  # fmt: skip
    for payment, part in parts:
        Returning.objects.create(
            approval=approval, account=account, payment=payment, credit_note=credit_note, cents=part,
            reason=reason.strip()[:200], key=_key(key, payment),
        )  # fmt: skip
    tell("refund.asked", first, now=now, actor=actor, rule="INV-11",
         data={"payment": first.reference, "amount_cents": cents})  # fmt: skip
    return approvals.vote(approval.pk, agrees=True, actor=actor, now=now)


@events.subscriber("accounts.approval.granted", "invoicing.send_back_granted")
def granted(event: Event, *, now: datetime) -> None:
    """The other person agreed: each part goes back, as far as the funds and the payment still hold it."""
    if event.data["kind"] == APPROVAL:
        for row in Returning.objects.filter(approval=event.data["approval"]).order_by("payment_id"):
            _carry_out(row, now=now)


@transaction.atomic
def _carry_out(row: Returning, *, now: datetime) -> None:
    payment = Payment.objects.select_for_update().get(pk=row.payment_id)
    if Refund.objects.filter(key=row.key).exists():
        return
    try:
        refunds.give_back(
            payment, row.cents, reason=row.reason, key=row.key, credit_note=row.credit_note, actor=SYSTEM, now=now
        )
    except RuleViolation:  # spent, or given back otherwise, before the other agreed
        unmet.arose(row.approval, payment, row.cents, now=now)
    else:
        unmet.carried_out(payment, now=now)
