"""What the bank's files tell (INV-11): each is kept once, a credit that names an invoice, or direct debits of ours, is
booked on them, one that names none waits for a person; debits that were refused or came back are taken up. A file that
is uploaded again, or overlaps another, changes nothing."""

import hashlib
from datetime import datetime

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from invoicing.banking import bank_models, bank_rules, camt, iso20022
from invoicing.banking.camt import Credit
from invoicing.debiting import outcomes, pain002
from invoicing.models import BankFile, BankReceipt, Invoice, InvoiceKind
from invoicing.paying import settlement
from invoicing.selling_by_hand import manual_sales
from panel.accounts.models import Account
from panel.core import files
from panel.core.actors import Actor
from panel.core.errors import RuleViolation
from panel.core.states import move

WAITING, MATCHED, SET_ASIDE = BankReceipt.State.WAITING, BankReceipt.State.MATCHED, BankReceipt.State.SET_ASIDE


@transaction.atomic
def take_in(raw: bytes, *, name: str, actor: Actor, now: datetime) -> tuple[BankFile, bool]:
    """Keep a statement, or a status report on our debits, and carry out what it says; whether it was new. RuleViolation
    with what is wrong with it: then nothing of it is kept."""
    digest = hashlib.sha256(raw).hexdigest()
    known = BankFile.objects.filter(sha256=digest).first()
    if known is not None:
        return known, False
    try:
        told = pain002.read(raw) if pain002.is_report(raw) else camt.read(raw, iban=str(settings.CLAUSE_SELLER["iban"]))
    except iso20022.RefusedFile as refusal:
        raise RuleViolation(str(refusal), rule="INV-11", field="file") from None
    found = told.statuses if isinstance(told, pain002.Report) else (*told.credits, *told.returned)
    blob = files.store(raw, name=name, content_type="application/xml", now=now)
    row = BankFile(
        sha256=digest, blob=blob, name=name[:200], format=told.format, receipts_found=len(found), uploaded_at=now,
        uploaded_by_id=actor.user_id or 0,
    )  # fmt: skip
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError:  # uploaded at the same time
        return BankFile.objects.get(sha256=digest), False
    if isinstance(told, pain002.Report):
        row.receipts_new = outcomes.report(told, because=f"{name[:40]} {digest[:12]}", actor=actor, now=now)
    else:
        row.receipts_new = sum(_take(credit, row, actor=actor, now=now) for credit in told.credits)
        row.receipts_new += sum(outcomes.given_back(one, actor=actor, now=now) for one in told.returned)
    row.save(update_fields=["receipts_new"])
    return row, True


def _take(credit: Credit, file: BankFile, *, actor: Actor, now: datetime) -> bool:
    """One transfer, once however many files tell of it; whether it was new."""
    receipt = BankReceipt(
        file=file, bank_ref=credit.bank_ref, booked_on=credit.booked_on, cents=credit.cents, payer=credit.payer,
        text=credit.text,
    )  # fmt: skip
    try:
        with transaction.atomic():
            receipt.save(force_insert=True)
    except IntegrityError:
        return False
    why = outcomes.credited(receipt, credit, actor=actor, now=now)
    if why is not None:
        if why:
            _waits(receipt, why)
        return True
    named = bank_rules.numbers(credit.text)
    invoices = list(Invoice.objects.filter(number__in=named, kind=InvoiceKind.INVOICE))
    if len(invoices) == 1 and len(named) == 1 and invoices[0].due_cents:
        try:
            with transaction.atomic():
                _book(receipt, invoices[0].account, invoices[0], actor=actor, now=now)
        except RuleViolation:
            _waits(receipt, bank_models.REFUSED)
    else:
        _waits(receipt, _why(named, invoices))
    return True


def _why(named: list[str], invoices: list[Invoice]) -> str:
    if not named:
        return bank_models.NAMELESS
    if not invoices:
        return bank_models.UNKNOWN
    return bank_models.SEVERAL if len(named) > 1 else bank_models.SETTLED


def _waits(receipt: BankReceipt, why: str) -> None:
    receipt.why = why
    receipt.save(update_fields=["why"])


def _book(receipt: BankReceipt, account: Account, invoice: Invoice | None, *, actor: Actor, now: datetime) -> None:
    receipt.payment = manual_sales.record_payment(
        account, receipt.cents, means="transfer", reference=receipt.bank_ref, received_on=receipt.booked_on,
        invoice=invoice, now=now, actor=actor,
    )  # fmt: skip
    receipt.account, receipt.ended_at, receipt.why = account, now, ""
    receipt.save(update_fields=["payment", "account", "ended_at", "why"])
    move(receipt, MATCHED, bank_rules.RECEIPT_TRANSITIONS)


def waiting() -> QuerySet[BankReceipt]:
    """Money that has come and is nobody's yet, oldest first: who paid it is reminded, and suspended, all the same."""
    return BankReceipt.objects.filter(state=WAITING).order_by("booked_on", "pk")


@transaction.atomic
def match(receipt: BankReceipt, wanted: str, *, actor: Actor, now: datetime) -> BankReceipt:
    """A person says whose it is: an invoice's number, or a customer's reference (then it goes to their funds)."""
    held = _held(receipt)
    invoice = Invoice.objects.filter(number=wanted.strip().upper(), kind=InvoiceKind.INVOICE).first()
    account = invoice.account if invoice else Account.objects.filter(reference=wanted.strip().upper()).first()
    if account is None:
        sentence = _("There is neither an invoice nor a customer of this name.")
        raise RuleViolation(sentence, rule="INV-11", field="wanted")
    settlement.lock_account(account.pk)
    _book(held, account, invoice, actor=actor, now=now)
    return held


@transaction.atomic
def set_aside(receipt: BankReceipt, reason: str, *, now: datetime) -> BankReceipt:
    """It is nobody's payment (interest of the bank, a transfer of our own); the reason is kept."""
    held = _held(receipt)
    if not reason.strip():
        raise RuleViolation(_("Please give the reason."), rule="INV-11", field="reason")
    move(held, SET_ASIDE, bank_rules.RECEIPT_TRANSITIONS)
    held.why, held.ended_at = reason.strip()[:300], now
    held.save(update_fields=["why", "ended_at"])
    return held


def _held(receipt: BankReceipt) -> BankReceipt:
    held = BankReceipt.objects.select_for_update(of=("self",)).get(pk=receipt.pk)
    if held.state == MATCHED:
        raise RuleViolation(_("This transfer is matched already."), rule="INV-11")
    return held
