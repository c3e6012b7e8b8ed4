"""What settles an invoice: payments, funds and credit notes, each by an entry of the books (INV-6, INV-11)."""

from datetime import datetime

from django.db import transaction

from invoicing import rules
from invoicing.accounting import ledger
from invoicing.chasing import pausing, relieving
from invoicing.funding import funds, taken_back
from invoicing.issuing.document_models import GIVEN_UP
from invoicing.journal import tell
from invoicing.models import Entry, FundsCredit, Invoice, InvoiceKind, InvoiceState, Payment, Settlement
from invoicing.paying import payment_rules
from panel.accounts.models import Account
from panel.core.actors import SYSTEM, Actor
from panel.core.money import Cents
from panel.core.states import move

CARD, SEPA, FUNDS, CREDIT, REFUND, RETURNED = "card", "sepa", "funds", "credit_note", "refund", "returned"
WRITTEN_OFF, TO_FUNDS, TAKEN_BACK = GIVEN_UP, "to_funds", "taken_back"
NO_MONEY = (CREDIT, WRITTEN_OFF, TO_FUNDS)
"""What settles an invoice although nobody paid: no VAT falls due with it. What a credit note moved to the funds is told
by the note itself."""
ENDED = (InvoiceState.PAID, InvoiceState.CREDITED, InvoiceState.WRITTEN_OFF)
"""Nothing of such an invoice is claimed any more."""


def lock_account(account_id: int) -> Account:
    """Everything that moves an account's money takes this lock first: funds are never spent twice."""
    return Account.objects.select_for_update(no_key=True).get(pk=account_id)


def held_on(payment: Payment) -> str:
    """The account of the books that a payment's money stands on: a debit by our own files comes to the bank itself."""
    return ledger.BANK if payment.provider == payment_rules.OWN else ledger.CLEARING


def received(payment: Payment, *, now: datetime) -> Entry:
    """The entry of a payment that arrived: booked once, however often it is told (INV-11, INV-12)."""
    entry = ledger.post(
        "payment", payment.reference,
        [ledger.debit(held_on(payment), payment.amount_cents), ledger.credit(ledger.CUSTOMERS, payment.amount_cents)],
        now=now, account=payment.account,
    )  # fmt: skip
    if entry is None:
        raise ValueError(f"payment {payment.reference} is over nothing")
    return entry


@transaction.atomic
def pay(invoice_id: int, cents: Cents, *, means: str, entry: Entry, now: datetime, actor: Actor = SYSTEM) -> Invoice:
    """`cents` arrived for an invoice by `entry` (which credited the customer); the same entry settles once.

    What had been written off is no loss as far as it came in after all; what is beyond goes to the customer's funds.
    """
    account = lock_account(Invoice.objects.values_list("account_id", flat=True).get(pk=invoice_id))
    invoice = Invoice.objects.select_for_update().get(pk=invoice_id)
    if Settlement.objects.filter(entry=entry).exists():
        return invoice
    _no_loss(invoice, cents - invoice.due_cents, because=entry, now=now)
    applied = min(cents, invoice.due_cents)
    if applied:
        _settle(invoice, applied, means=means, entry=entry, now=now, actor=actor)
    if cents > applied:
        to_funds(account, cents - applied, ref=f"{entry.kind}:{entry.ref}", now=now)
    return invoice


def to_funds(account: Account, cents: Cents, *, ref: str, now: datetime) -> None:
    """Money of the customer that no invoice asks for waits in their funds, and pays the next one (INV-6)."""
    funds.put_in(account, cents, source=ledger.CUSTOMERS, kind="to_funds", ref=ref, now=now)


def use_funds(invoice: Invoice, cents: Cents, *, now: datetime, ref: str = "", actor: Actor = SYSTEM) -> None:
    """Funds pay an invoice when it is issued, before any other means (INV-6), or later (then `ref` names the time); the
    caller holds the account's lock."""
    entry = funds.take_out(
        invoice.account, cents, to=ledger.CUSTOMERS, kind="funds_used", ref=ref or invoice.number, now=now
    )
    if not Settlement.objects.filter(entry=entry).exists():
        _settle(invoice, cents, means=FUNDS, entry=entry, now=now, actor=actor)


def by_credit_note(invoice: Invoice, note: Invoice, *, entry: Entry | None, now: datetime, actor: Actor) -> None:
    """A credit note lowers what is due; what was paid beyond that goes to the customer's funds. Both are booked at the
    instant that the note bears."""
    if entry is not None:
        _no_loss(invoice, note.total_cents - invoice.due_cents, because=entry, now=note.issued_at)
    before = surplus(invoice)
    invoice.credited_cents += note.total_cents
    if entry is not None:
        Settlement.objects.create(
            invoice=invoice, account_id=invoice.account_id, entry=entry, means=CREDIT, cents=note.total_cents,
            at=note.issued_at,
        )  # fmt: skip
    beyond = surplus(invoice) - before
    _update_state(invoice, now=now, actor=actor)
    invoice.save(update_fields=["credited_cents"])
    if beyond:
        to_funds(invoice.account, beyond, ref=_beyond(note), now=note.issued_at)


def _beyond(note: Invoice) -> str:
    """How the entry is called that moved what a credit note left over to the funds."""
    return f"credit_note:{note.number}"


def surplus(invoice: Invoice) -> Cents:
    """What was paid beyond that which the credit notes left to pay: it went to the customer's funds."""
    return max(0, invoice.paid_cents + invoice.credited_cents - invoice.total_cents)


def reopen(invoice: Invoice, cents: Cents, *, entry: Entry, now: datetime, means: str = RETURNED) -> None:
    """A payment that had settled an invoice was taken back, by the bank or by staff: `cents` of it are owed again,
    and due (the caller holds the account's lock). What a credit note had moved to the funds pays the invoice no
    longer."""
    notes = [_beyond(note) for note in invoice.credit_notes.all()]
    moved = FundsCredit.objects.filter(entry__kind="to_funds", entry__ref__in=notes, entry__settlement=None)
    for one in moved.select_related("entry"):
        if left := min(one.cents, surplus(invoice)):
            _unsettle(invoice, left, means=TO_FUNDS, entry=one.entry, now=now)
    _unsettle(invoice, cents, means=means, entry=entry, now=now)
    if invoice.paid_at is not None:
        pausing.was_paid(invoice, invoice.paid_at, now=now)
        invoice.paid_at = None
        invoice.save(update_fields=["paid_at"])
    _update_state(invoice, now=now, actor=SYSTEM)


def was_paid_all_along(invoice: Invoice) -> None:
    """A dispute is won: an invoice that is paid by it counts as paid when its money first came, not on the day of the
    decision."""
    held = Invoice.objects.get(pk=invoice.pk)
    came = held.settlements.filter(cents__gt=0).exclude(means__in=NO_MONEY).exclude(entry__kind="dispute_won")
    first = came.order_by("-at").values_list("at", flat=True).first()
    if held.paid_at is not None and first is not None and first < held.paid_at:
        Invoice.objects.filter(pk=held.pk).update(paid_at=first)


def takes(invoice: Invoice) -> Cents:
    """What money can still settle of an invoice: what is due, and what was given up."""
    return invoice.due_cents + invoice.given_up_cents


def _no_loss(invoice: Invoice, cents: Cents, *, because: Entry, now: datetime) -> None:
    """Up to `cents` of what was written off are due again, in the moment in which `because` settles them."""
    back = min(cents, invoice.given_up_cents) if cents > 0 else 0
    if back:
        legs = [ledger.debit(ledger.CUSTOMERS, back), ledger.credit(ledger.LOSSES, back)]
        ref = f"{because.kind}:{because.ref}"
        entry = ledger.post("no_loss", ref, legs, now=now, account=invoice.account)
        if entry is not None:
            _unsettle(invoice, back, means=WRITTEN_OFF, entry=entry, now=now)
        tell("invoice.recovered", invoice, now=now, actor=SYSTEM, rule="INV-11",
             data={"invoice": invoice.number, "amount_cents": back})  # fmt: skip


def _unsettle(invoice: Invoice, cents: Cents, *, means: str, entry: Entry, now: datetime) -> None:
    Settlement.objects.create(
        invoice=invoice, account_id=invoice.account_id, entry=entry, means=means, cents=-cents, at=now
    )
    invoice.paid_cents -= cents
    invoice.save(update_fields=["paid_cents"])


def means_of(payment: Payment) -> str:
    """How a payment is called on an invoice."""
    return SEPA if payment.method is not None and payment.method.kind == "sepa" else CARD


def _settle(invoice: Invoice, cents: Cents, *, means: str, entry: Entry, now: datetime, actor: Actor) -> None:
    Settlement.objects.create(
        invoice=invoice, account_id=invoice.account_id, entry=entry, means=means, cents=cents, at=now
    )
    invoice.paid_cents += cents
    invoice.save(update_fields=["paid_cents"])
    _update_state(invoice, now=now, actor=actor)
    if invoice.state != InvoiceState.PAID and means not in NO_MONEY:
        tell("invoice.part_paid", invoice, now=now, actor=actor,
             data={"invoice": invoice.number, "amount_cents": cents})  # fmt: skip


def _update_state(invoice: Invoice, *, now: datetime, actor: Actor) -> None:
    """The state follows from the amounts."""
    if invoice.kind == InvoiceKind.CREDIT_NOTE:
        return
    state = rules.invoice_state(
        invoice.total_cents, invoice.paid_cents, invoice.credited_cents, overdue=invoice.overdue_at is not None,
        given_up=invoice.given_up_cents,
    )  # fmt: skip
    if state == invoice.state:
        return
    move(invoice, state, rules.INVOICE_TRANSITIONS)
    if state == InvoiceState.PAID:
        invoice.paid_at = now
        invoice.save(update_fields=["paid_at"])
    tell(f"invoice.{state}", invoice, now=now, actor=actor, data={"invoice": invoice.number})
    if state in ENDED:
        relieving.relieve(invoice.account, now=now, actor=actor)


def owed(account: Account) -> Cents:
    """What the customer owes on issued invoices, and of funds that a bank took back."""
    rows = Invoice.objects.filter(account=account, state__in=[InvoiceState.OPEN, InvoiceState.OVERDUE])
    return sum(invoice.due_cents for invoice in rows) + taken_back.owed(account)
