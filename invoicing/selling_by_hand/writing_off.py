"""Claims that are given up (INV-11): through 416 doubtful into 6714 losses; a large one only when two persons agree.

The whole amount is booked as a loss: recovering its VAT needs the duplicate the law asks for, and is the accountant's.
"""

from datetime import datetime
from decimal import Decimal

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from invoicing.accounting import ledger
from invoicing.journal import tell
from invoicing.models import Invoice, WriteOff
from invoicing.paying import payment_rules, settlement
from panel import terms
from panel.accounts import approvals
from panel.core import events
from panel.core.actors import SYSTEM, Actor
from panel.core.errors import RuleViolation
from panel.core.models import Event
from panel.core.money import Cents, format_eur, round_cents

APPROVAL = "invoicing.write_off"
PERSONS = 2


def threshold(invoice: Invoice) -> Cents:
    """The amount from which one person is not enough, by the terms of the invoice."""
    return round_cents(Decimal(terms.version(invoice.terms_version).table["INV-11"]["second_person_over"]))


@transaction.atomic
def write_off(invoice: Invoice, *, reason: str, now: datetime, actor: Actor) -> WriteOff:
    """Give up what is due of an invoice. Beyond the terms' amount it waits for another person's word.

    RuleViolation without a reason, when nothing is due, while a payment or debit of it is under way, or when it has
    been asked for already.
    """
    if not reason.strip():
        raise RuleViolation(_("Please say why this is written off."), rule="INV-11", field="reason")
    account = settlement.lock_account(invoice.account_id)
    held = Invoice.objects.select_for_update().get(pk=invoice.pk)
    if not held.due_cents:
        raise RuleViolation(_("Nothing is due on this invoice."), rule="INV-11")
    if _under_way(held):
        raise RuleViolation(
            _("A payment or direct debit of this invoice is under way: it may still be paid. Write it off when that "
              "has ended."), rule="INV-11",
        )  # fmt: skip
    large = held.due_cents > threshold(held)
    try:
        with transaction.atomic():
            row = WriteOff.objects.create(
                account=account, invoice=held, cents=held.due_cents, reason=reason.strip()[:300],
                state=WriteOff.State.ASKED, asked_at=now, asked_by_id=actor.user_id or 0,
            )  # fmt: skip
    except IntegrityError:
        raise RuleViolation(_("This has been asked for already; another person must agree."), rule="INV-11") from None
    tell("write_off.asked", row, now=now, actor=actor, rule="INV-11", data=_named(row))
    if not large:
        _carry_out(row, now=now, actor=actor)
        return row
    approval = approvals.ask(
        APPROVAL, key=f"write-off:{row.pk}", rule="INV-11", needed=PERSONS, now=now, actor=actor, account=account,
        subject=row, summary=_("Write off %(amount)s of %(number)s: %(reason)s") % {
            "amount": format_eur(row.cents), "number": held.number, "reason": row.reason},
    )  # fmt: skip
    row.approval = approval
    row.save(update_fields=["approval"])
    approvals.vote(approval.pk, agrees=True, actor=actor, now=now)
    return row


def _under_way(invoice: Invoice) -> bool:
    return invoice.payments.filter(state__in=payment_rules.LIVE).exists()


def _carry_out(row: WriteOff, *, now: datetime, actor: Actor) -> None:
    """Book what is still due of what was asked; the invoice is settled by it."""
    invoice = Invoice.objects.select_for_update().get(pk=row.invoice_id)
    cents = 0 if _under_way(invoice) else min(row.cents, invoice.due_cents)
    row.state, row.ended_at, row.cents = WriteOff.State.DONE, now, cents or row.cents
    if not cents:  # it was paid meanwhile, or is about to be
        row.state = WriteOff.State.REFUSED
    row.save(update_fields=["state", "ended_at", "cents"])
    if cents:
        doubt = [ledger.debit(ledger.DOUBTFUL, cents), ledger.credit(ledger.CUSTOMERS, cents)]
        loss = [ledger.debit(ledger.LOSSES, cents), ledger.credit(ledger.DOUBTFUL, cents)]
        doubtful = ledger.post("doubtful", f"write-off:{row.pk}", doubt, now=now, account=row.account)
        ledger.post("written_off", f"write-off:{row.pk}", loss, now=now, account=row.account)
        if doubtful is not None:
            settlement.pay(invoice.pk, cents, means=settlement.WRITTEN_OFF, entry=doubtful, now=now, actor=actor)
    tell(f"write_off.{row.state}", row, now=now, actor=actor, rule="INV-11", data=_named(row))


@events.subscriber("accounts.approval.granted", "invoicing.write_off_granted")
def granted(event: Event, *, now: datetime) -> None:
    """The second person agreed."""
    if event.data["kind"] == APPROVAL:
        row = WriteOff.objects.select_related("account", "invoice").get(approval_id=event.data["approval"])
        settlement.lock_account(row.account_id)
        row.refresh_from_db()
        if row.state == WriteOff.State.ASKED:
            _carry_out(row, now=now, actor=SYSTEM)


@events.subscriber("accounts.approval.refused", "invoicing.write_off_refused")
def refused(event: Event, *, now: datetime) -> None:
    """Another person said no: the invoice stays due."""
    if event.data["kind"] == APPROVAL:
        row = WriteOff.objects.select_related("invoice").get(approval_id=event.data["approval"])
        if row.state == WriteOff.State.ASKED:
            row.state, row.ended_at = WriteOff.State.REFUSED, now
            row.save(update_fields=["state", "ended_at"])
            tell("write_off.refused", row, now=now, actor=SYSTEM, rule="INV-11", data=_named(row))


def _named(row: WriteOff) -> dict[str, object]:
    return {"invoice": row.invoice.number, "amount_cents": row.cents}
