"""A payment that staff recorded, or matched with a transfer, is taken back (INV-11): a cheque that bounced, a sum typed
wrongly, another customer's transfer. Its exact mirror is booked; what it settled is owed again, what went to the funds
leaves them, and the bank's transfer waits to be matched anew.

A person says why; beyond the terms' amount two must agree. The reason stands in the approval.
"""

from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from invoicing.accounting import ledger
from invoicing.banking import bank_models, bank_rules
from invoicing.documents import texts
from invoicing.funding import funds
from invoicing.journal import tell
from invoicing.models import BankReceipt, Entry, Invoice, ManualPayment, Settlement
from invoicing.paying import settlement
from invoicing.selling_by_hand import giving_up, manual_sales, unmet
from panel.accounts import approvals
from panel.accounts.models import Account, Approval
from panel.core import events, mail
from panel.core.actors import SYSTEM, Actor
from panel.core.errors import RuleViolation
from panel.core.models import Event, subject_of
from panel.core.money import Cents, format_eur
from panel.core.states import move

APPROVAL = "invoicing.take_back"
FROM_FUNDS = "taken_back_funds"


@transaction.atomic
def ask(payment: ManualPayment, *, reason: str, actor: Actor, now: datetime) -> Approval:
    """Take a payment by hand back, at once or when another person agrees. RuleViolation without a reason, when it was
    taken back or asked for already, or when its money was spent from the funds meanwhile."""
    if not reason.strip():
        raise RuleViolation(_("Please say why this is taken back."), rule="INV-11", field="reason")
    account = _held(payment)
    if manual_sales.is_taken_back(payment):
        raise RuleViolation(_("This payment has been taken back already."), rule="INV-11")
    before = asked(payment)
    if before.filter(state=Approval.State.OPEN).exists():
        raise RuleViolation(_("This has been asked for already; another person must agree."), rule="INV-11")
    if missing := _missing(payment):
        raise RuleViolation(
            _("%(amount)s of its money were spent from the funds meanwhile. They must come back there first, by a "
              "payment or a credit note.") % {"amount": format_eur(missing)}, rule="INV-6",
        )  # fmt: skip
    approval = approvals.ask(
        APPROVAL, key=f"take-back:{payment.pk}:{before.count()}", rule="INV-11", needed=needed(payment, now), now=now,
        actor=actor, account=account, subject=payment,
        summary=_("Take back %(amount)s, %(number)s: %(reason)s") % {
            "amount": format_eur(payment.cents), "number": payment, "reason": reason.strip()[:300]},
    )  # fmt: skip
    tell("manual_payment.take_back_asked", payment, now=now, actor=actor, rule="INV-11", data=_named(payment))
    approval = approvals.vote(approval.pk, agrees=True, actor=actor, now=now)
    if approval.state == Approval.State.GRANTED:
        _carry_out(payment, actor=actor, now=now)
    return approval


def asked(payment: ManualPayment) -> QuerySet[Approval]:
    """How often taking it back was asked for, and what became of it."""
    return Approval.objects.filter(kind=APPROVAL, **subject_of(payment)).order_by("pk")


def entries(payment: ManualPayment) -> QuerySet[Entry]:
    """What the books say of a payment, in order."""
    key = str(payment.pk)
    rows = Entry.objects.filter(kind__in=("manual_payment", manual_sales.TAKEN_BACK, FROM_FUNDS), ref=key)
    with_it = Entry.objects.filter(kind__in=("to_funds", "no_loss"), ref=f"manual_payment:{key}")
    return (rows | with_it).prefetch_related("postings__ledger_account").order_by("pk")


def needed(payment: ManualPayment, now: datetime) -> int:
    """How many persons must agree."""
    return giving_up.TWO if payment.cents > giving_up.threshold(payment.account, now) else giving_up.ONE


def _held(payment: ManualPayment) -> Account:
    """Lock the transfer that a payment came by before its account, as who matches it does."""
    list(BankReceipt.objects.select_for_update(of=("self",)).filter(payment=payment))
    return settlement.lock_account(payment.account_id)


def _settled(payment: ManualPayment) -> tuple[Invoice | None, Cents]:
    """The invoice that a payment settled, locked, and how much of that is owed again without it. What a credit note
    has moved to the funds since is there, not on the invoice."""
    one = Settlement.objects.filter(entry__kind="manual_payment", entry__ref=str(payment.pk)).first()
    if one is None:
        return None, 0
    invoice = Invoice.objects.select_for_update(of=("self",)).get(pk=one.invoice_id)
    return invoice, max(0, min(one.cents, invoice.paid_cents - settlement.surplus(invoice)))


def _missing(payment: ManualPayment) -> Cents:
    """What the funds lack of what this payment put there."""
    _invoice, owed = _settled(payment)
    return max(0, payment.cents - owed - funds.balance(payment.account))


def _carry_out(payment: ManualPayment, *, actor: Actor, now: datetime) -> None:
    """Book the mirror, once; the caller holds the locks. Not when its money was spent since it was asked."""
    if manual_sales.is_taken_back(payment):
        return
    if _missing(payment):
        tell("manual_payment.not_taken_back", payment, now=now, actor=actor, rule="INV-6", data=_named(payment))
        unmet.arose(unmet.asked_about(payment, APPROVAL), payment, payment.cents, now=now)
        return
    account, (invoice, owed) = payment.account, _settled(payment)
    legs = [ledger.debit(ledger.CUSTOMERS, payment.cents), ledger.credit(ledger.BANK, payment.cents)]
    entry = ledger.post(manual_sales.TAKEN_BACK, str(payment.pk), legs, now=now, account=account)
    if invoice is not None and owed and entry is not None:
        settlement.reopen(invoice, owed, entry=entry, now=now, means=settlement.TAKEN_BACK)
    if rest := payment.cents - owed:
        funds.take_out(account, rest, to=ledger.CUSTOMERS, kind=FROM_FUNDS, ref=str(payment.pk), now=now)
    for receipt in BankReceipt.objects.filter(payment=payment):
        move(receipt, BankReceipt.State.WAITING, bank_rules.RECEIPT_TRANSITIONS)
        receipt.payment = receipt.account = receipt.ended_at = None
        receipt.why = bank_models.TAKEN_BACK
        receipt.save(update_fields=["payment", "account", "ended_at", "why"])
    unmet.carried_out(payment, now=now)
    _write(payment, invoice if owed else None, now=now)
    tell("manual_payment.taken_back", payment, now=now, actor=actor, rule="INV-11", data=_named(payment))


@events.subscriber("accounts.approval.granted", "invoicing.take_back_granted")
def granted(event: Event, *, now: datetime) -> None:
    """Everybody needed agreed."""
    if event.data["kind"] == APPROVAL:
        payment = ManualPayment.objects.select_related("account").get(pk=event.data["on_id"])
        _held(payment)
        _carry_out(payment, actor=SYSTEM, now=now)


def _named(payment: ManualPayment) -> dict[str, object]:
    number = payment.invoice.number if payment.invoice else ""
    return {"amount_cents": payment.cents, "invoice": number, "payment": payment.pk}


def _write(payment: ManualPayment, invoice: Invoice | None, *, now: datetime) -> None:
    """The customer is told; `invoice` is open again by it."""
    account, language = payment.account, texts.language_of(payment.account.language)
    mail.send(
        "payment_taken_back", to=account.billing_email, lang=language, now=now, account_id=account.pk, subject=payment,
        key=f"taken-back:{payment.pk}",
        context={"name": account.name, "amount": texts.money(language, payment.cents), "reference": payment.reference,
                 "day": texts.day(language, payment.received_on), "invoice": invoice.number if invoice else ""},
    )  # fmt: skip
