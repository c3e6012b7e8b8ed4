"""Funds that were spent before a bank took them back are given up (INV-6, INV-11): a loss, decided by a person with a
reason, beyond the terms' amount by two. The reason stands in the approval; what is booked is what is still owed when
the last of them agrees.
"""

from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from invoicing.accounting import ledger
from invoicing.funding import taken_back
from invoicing.journal import tell
from invoicing.models import Dispute, DisputeState, Payment
from invoicing.paying import settlement
from panel.accounts import approvals, terms_in_force
from panel.accounts.models import Account, Approval
from panel.core import events
from panel.core.actors import SYSTEM, Actor
from panel.core.errors import RuleViolation
from panel.core.models import Event, subject_of
from panel.core.money import Cents, format_eur, round_cents

APPROVAL = "invoicing.write_off_funds"
ONE, TWO = 1, 2


def threshold(account: Account, now: datetime) -> Cents:
    """The amount from which one person is not enough, by the terms in force."""
    return round_cents(Decimal(terms_in_force.at(account, now).table["INV-11"]["second_person_over"]))


def owed_of(payment: Payment) -> Any | None:
    """The lost dispute of a payment of which something is owed (`left`, in cents)."""
    return taken_back.outstanding().filter(payment=payment, state=DisputeState.LOST).first()


@transaction.atomic
def ask(payment: Payment, *, reason: str, actor: Actor, now: datetime) -> Approval:
    """Give up what a bank took back of a payment and the customer had spent. RuleViolation without a reason, when
    nothing is owed of it or the banks have not decided, or when it has been asked for already."""
    if not reason.strip():
        raise RuleViolation(_("Please say why this is written off."), rule="INV-11", field="reason")
    account = settlement.lock_account(payment.account_id)
    dispute = owed_of(payment)
    if dispute is None:
        raise RuleViolation(_("Nothing is owed of this payment, or the banks have not decided."), rule="INV-11")
    asked = Approval.objects.filter(kind=APPROVAL, **subject_of(dispute))
    if asked.filter(state=Approval.State.OPEN).exists():
        raise RuleViolation(_("This has been asked for already; another person must agree."), rule="INV-11")
    needed = TWO if dispute.left > threshold(account, now) else ONE
    approval = approvals.ask(
        APPROVAL, key=f"write-off-funds:{dispute.pk}:{asked.count()}", rule="INV-11", needed=needed, now=now,
        actor=actor, account=account, subject=dispute,
        summary=_("Write off %(amount)s of %(number)s: %(reason)s") % {
            "amount": format_eur(dispute.left), "number": payment.reference, "reason": reason.strip()[:300]},
    )  # fmt: skip
    return approvals.vote(approval.pk, agrees=True, actor=actor, now=now)


@events.subscriber("accounts.approval.granted", "invoicing.write_off_funds_granted")
def granted(event: Event, *, now: datetime) -> None:
    """Everybody needed agreed: what is still owed is a loss."""
    if event.data["kind"] != APPROVAL:
        return
    known = Dispute.objects.select_related("payment").get(pk=event.data["on_id"])
    account = settlement.lock_account(known.account_id)
    row = owed_of(known.payment)
    if row is None or row.pk != known.pk:  # settled meanwhile
        return
    legs = [ledger.debit(ledger.LOSSES, row.left), ledger.credit(ledger.CUSTOMERS, row.left)]
    ledger.post(taken_back.WRITTEN_OFF, row.provider_ref, legs, now=now, account=account)
    tell("dispute.written_off", known, now=now, actor=SYSTEM, rule="INV-11",
         data={"payment": known.payment.reference, "amount_cents": row.left})  # fmt: skip
