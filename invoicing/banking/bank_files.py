"""What the bank's files tell (INV-11): each is kept once, a credit that names an invoice or statement, or direct debits
of ours, is booked on them, one that is a payout of the payment provider is matched with it, one that names none waits
for a person; debits that were refused or came back are taken up, and a transfer that went back to a customer is marked
as seen. A file that is uploaded again, or overlaps another, changes nothing.

A file may tell of thousands: `CarryOut` takes its entries up one by one, each in a transaction of its own. So none
holds the rows of another while it waits, and two files that name the same in another order do not block each other.
"""

import hashlib
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Exists, F, OuterRef, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from invoicing.banking import bank_models, bank_rules, camt, iso20022
from invoicing.banking.camt import Credit
from invoicing.debiting import batches, outcomes, pain002
from invoicing.issuing.document_rules import PAYABLE
from invoicing.models import BankFile, BankReceipt, Invoice, Payout
from invoicing.paying import settlement
from invoicing.paying_out import arriving
from invoicing.selling_by_hand import manual_sales, paying_back
from panel.accounts.models import Account, actor_of
from panel.core import files, operations
from panel.core.actors import Actor
from panel.core.errors import RuleViolation
from panel.core.models import Operation
from panel.core.states import move

WAITING, MATCHED, SET_ASIDE = BankReceipt.State.WAITING, BankReceipt.State.MATCHED, BankReceipt.State.SET_ASIDE


@transaction.atomic
def take_in(raw: bytes, *, name: str, actor: Actor, now: datetime) -> tuple[BankFile, bool]:
    """Keep a statement, or a status report on our debits, and that what it says must be carried out; whether it was
    new. RuleViolation with what is wrong with it: then nothing of it is kept."""
    digest = hashlib.sha256(raw).hexdigest()
    known = BankFile.objects.filter(sha256=digest).first()
    if known is not None:
        return known, False
    try:
        told = _read(raw)
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
    operations.enqueue(CarryOut.kind, key=f"bank-file:{digest}", now=now, subject=row, payload={"file": row.pk})
    return row, True


def _read(raw: bytes) -> camt.Statement | pain002.Report:
    return pain002.read(raw) if pain002.is_report(raw) else camt.read(raw, iban=str(settings.CLAUSE_SELLER["iban"]))


@operations.register
class CarryOut(operations.Handler):
    """What is known by its name, or happened to its debit already, is no news: a repeat does the rest."""

    kind = "bank.file"
    label = gettext_lazy("Carry out what a file of the bank says")

    def perform(self, op: Operation, *, now: datetime) -> dict[str, Any]:
        file = BankFile.objects.select_related("blob", "uploaded_by").get(pk=op.payload["file"])
        told, actor = _read(files.read(file.blob)), actor_of(file.uploaded_by, account_id=None)
        deeds: list[Callable[[], bool]] = []
        if isinstance(told, pain002.Report):
            because, gone = f"{file.name[:40]} {file.sha256[:12]}", outcomes.discarded(told)
            about: dict[str, Any] = {"because": because, "of_discarded": gone, "actor": actor, "now": now}
            deeds += [partial(outcomes.refused, one, **about)
                      for one in outcomes.refusals(told, because=because, now=now)]  # fmt: skip
            told_of = len(deeds)  # a whole file of ours that is refused names none of its debits
            BankFile.objects.filter(pk=file.pk, receipts_found__lt=told_of).update(receipts_found=told_of)
        else:
            deeds += [partial(_take, one, file, actor=actor, now=now) for one in told.credits]
            deeds += [partial(outcomes.given_back, one, actor=actor, now=now) for one in told.returned]
            deeds += [partial(paying_back.seen, one, now=now) for one in told.outgoing]

        def one(number: int) -> None:
            if deeds[number]():
                BankFile.objects.filter(pk=file.pk).update(receipts_new=F("receipts_new") + 1)

        return batches.one_by_one(range(len(deeds)), one)


def latest() -> QuerySet[BankFile]:
    """The newest files; `under_way`: what they say is being carried out, `stuck`: some of it could not be."""
    of = Operation.objects.filter(
        kind=CarryOut.kind, subject_type=BankFile._meta.label_lower, subject_id=OuterRef("pk")
    )
    waits = Exists(of.filter(state__in=(Operation.State.DUE, Operation.State.RUNNING)))
    return BankFile.objects.annotate(under_way=waits, stuck=Exists(of.filter(state=Operation.State.FAILED)))[:5]


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
    if arriving.credited(receipt, actor=actor, now=now):
        return True
    named = bank_rules.numbers(credit.text)
    invoices = list(Invoice.objects.filter(number__in=named, kind__in=PAYABLE))
    if len(invoices) == 1 and len(named) == 1 and settlement.takes(invoices[0]):
        try:
            with transaction.atomic():
                _book(receipt, invoices[0].account, invoices[0], actor=actor, now=now)
        except RuleViolation:
            _waits(receipt, bank_models.REFUSED)
    else:
        _waits(receipt, bank_models.PAYOUT if not named and arriving.looks_like_one(receipt) else _why(named, invoices))
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
    """A person says whose it is: the number of an invoice or statement, or a customer's reference (then it goes to
    their funds)."""
    held = _held(receipt)
    invoice = Invoice.objects.filter(number=wanted.strip().upper(), kind__in=PAYABLE).first()
    account = invoice.account if invoice else Account.objects.filter(reference=wanted.strip().upper()).first()
    if account is None:
        sentence = _("There is neither an invoice nor a customer of this name.")
        raise RuleViolation(sentence, rule="INV-11", field="wanted")
    settlement.lock_account(account.pk)
    _book(held, account, invoice, actor=actor, now=now)
    return held


@transaction.atomic
def match_payout(receipt: BankReceipt, payout: Payout, *, actor: Actor, now: datetime) -> BankReceipt:
    """A person says that it is this payout of the payment provider."""
    held = _held(receipt)
    arriving.matched(held, payout, actor=actor, now=now)
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
