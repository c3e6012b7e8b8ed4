"""Staff's own entries: an invoice drawn up by hand, and money that came by bank or post (INV-2, INV-11)."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import CharField, OuterRef, QuerySet, Subquery
from django.db.models.functions import Cast
from django.utils.translation import gettext as _

from invoicing import rules
from invoicing.accounting import ledger
from invoicing.documents import PRO_FORMA, InvoiceDocument
from invoicing.issuing import drafting, invoices, parties
from invoicing.issuing.drafting import Content
from invoicing.issuing.invoices import Billed
from invoicing.journal import tell
from invoicing.models import DraftInvoice, DraftLine, Entry, Invoice, ManualPayment
from invoicing.paying import collecting, settlement
from invoicing.quoting import quote_rules
from invoicing.quoting.quote_rules import Offered
from invoicing.quoting.quotes import WRONG
from invoicing.rules import Line
from invoicing.taxing.tax_rules import VatTreatment
from panel.accounts import terms_in_force
from panel.accounts.models import Account
from panel.core.actors import Actor
from panel.core.calendars import paris_date
from panel.core.errors import RuleViolation
from panel.core.money import Cents


# --- invoices by hand ------------------------------------------------------------------------------------------------
@transaction.atomic
def draw_up(account: Account, *, reference: str, now: datetime, actor: Actor) -> DraftInvoice:
    """An empty draft; `reference` is the buyer's order number or what the sale is about."""
    return DraftInvoice.objects.create(
        account=account, reference=reference.strip()[:60], created_at=now, created_by_id=actor.user_id
    )


def _open(draft: DraftInvoice) -> DraftInvoice:
    held = DraftInvoice.objects.select_for_update(of=("self",)).select_related("account").get(pk=draft.pk)
    if held.invoice_id or held.discarded_at:
        raise RuleViolation(_("This draft is no more: it was issued or thrown away."), rule="INV-2")
    return held


@transaction.atomic
def add_line(
    draft: DraftInvoice, description: str, *, quantity: Decimal, unit_price: Decimal, unit: str = ""
) -> DraftLine:
    """One more line; RuleViolation with the field that is wrong."""
    held = _open(draft)
    if not description.strip():
        raise RuleViolation(_("Please describe the line."), rule="INV-2", field="description")
    wrong = quote_rules.wrong_with(Offered("", description, quantity, unit_price))
    if wrong:
        raise RuleViolation(str(WRONG[wrong]), rule="INV-2", field="quantity" if wrong == "quantity" else "unit_price")
    return DraftLine.objects.create(
        draft=held, account_id=held.account_id, description=description.strip()[:300], quantity=quantity,
        unit=unit[:12], unit_price=unit_price,
    )  # fmt: skip


@transaction.atomic
def remove_line(draft: DraftInvoice, line_id: int) -> None:
    """Take a line out."""
    DraftLine.objects.filter(draft=_open(draft), pk=line_id).delete()


@transaction.atomic
def discard(draft: DraftInvoice, *, now: datetime) -> None:
    """Throw it away; nothing was numbered or booked."""
    held = _open(draft)
    held.discarded_at = now
    held.save(update_fields=["discarded_at"])


def lines(draft: DraftInvoice, treatment: VatTreatment) -> list[Line]:
    """The lines as they would be invoiced now: the same for the preview and the invoice."""
    return [
        quote_rules.line(
            Offered("manual", row.description, row.quantity, row.unit_price, unit=row.unit), treatment, rule=""
        )
        for row in draft.lines.all()
    ]


def treatment(draft: DraftInvoice, *, now: datetime) -> VatTreatment:
    """The VAT the sale carries now (INV-10)."""
    in_force = terms_in_force.at(draft.account, now)
    made = parties.taxed(
        draft.account, in_force, lambda taxed: lines(draft, taxed), lambda drawn: rules.total_of(drawn).net, now=now
    )
    return made[0]


def preview(draft: DraftInvoice, *, now: datetime) -> InvoiceDocument:
    """What the invoice will say, marked as no invoice."""
    taxed = treatment(draft, now=now)
    listed = lines(draft, taxed)
    content = Content(
        kind=PRO_FORMA, account=draft.account, lines=listed, totals=rules.total_of(listed), treatment=taxed,
        terms=terms_in_force.at(draft.account, now), reference=draft.reference,
    )  # fmt: skip
    return drafting.document(content, number="", issued_on=paris_date(now), due_on=paris_date(now))


@transaction.atomic
def issue(draft: DraftInvoice, *, now: datetime, actor: Actor) -> Invoice:
    """Number, book and send it, once; RuleViolation without lines."""
    held = DraftInvoice.objects.select_for_update(of=("self",)).select_related("account").get(pk=draft.pk)
    if held.invoice is not None:
        return held.invoice
    _open(held)
    taxed = treatment(held, now=now)
    listed = lines(held, taxed)
    if not listed:
        raise RuleViolation(_("An invoice has at least one line."), rule="INV-2")
    invoice = invoices.issue(
        held.account, [Billed(line) for line in listed], once=f"manual:{held.pk}",
        terms_version=terms_in_force.at(held.account, now).name, treatment=taxed, now=now, actor=actor,
        reference=held.reference, collected=collecting.has_means(held.account),
    )  # fmt: skip
    held.invoice = invoice
    held.save(update_fields=["invoice"])
    return invoice


# --- money by bank or post -------------------------------------------------------------------------------------------
@transaction.atomic
def record_payment(
    account: Account,
    cents: Cents,
    *,
    means: str,
    reference: str,
    received_on: date,
    invoice: Invoice | None,
    now: datetime,
    actor: Actor,
) -> ManualPayment:
    """Book money that came by transfer or cheque, once per (means, reference): on an invoice, or into the funds. What
    is beyond the amount due goes to the funds (INV-6); one that was taken back can be recorded anew. RuleViolation when
    the reference was recorded with other facts."""
    if cents <= 0:
        raise RuleViolation(_("The amount must be more than nothing."), rule="INV-11", field="amount")
    if not reference.strip():
        raise RuleViolation(_("Please give the reference of the bank or the number of the cheque."), field="reference")
    if received_on > paris_date(now):
        raise RuleViolation(_("This day is still to come."), rule="INV-11", field="received_on")
    if invoice is not None and invoice.account_id != account.pk:
        raise RuleViolation(_("This invoice is another customer's."), rule="INV-11", field="invoice")
    held = settlement.lock_account(account.pk)
    named: dict[str, Any] = {"means": means, "reference": reference.strip()[:80]}
    named["attempt"] = _attempt(named)
    try:
        with transaction.atomic():
            made = ManualPayment.objects.create(
                account=held, invoice=invoice, cents=cents, received_on=received_on, recorded_at=now,
                recorded_by_id=actor.user_id or 0, **named,
            )  # fmt: skip
    except IntegrityError:
        before = ManualPayment.objects.get(**named)
        if (before.account_id, before.cents, before.invoice_id) == (held.pk, cents, invoice.pk if invoice else None):
            return before
        raise RuleViolation(
            _("This reference has been recorded already, with other facts."), rule="INV-11", field="reference"
        ) from None
    entry = ledger.post(
        "manual_payment", str(made.pk), [ledger.debit(ledger.BANK, cents), ledger.credit(ledger.CUSTOMERS, cents)],
        now=now, account=held,
    )  # fmt: skip
    if invoice is not None and entry is not None:
        settlement.pay(invoice.pk, cents, means=means, entry=entry, now=now, actor=actor)
    else:
        settlement.to_funds(held, cents, ref=f"manual_payment:{made.pk}", now=now)
    data = {"amount_cents": cents, "means": means, "invoice": invoice.number if invoice else "", "payment": made.pk}
    tell("manual_payment.recorded", made, now=now, actor=actor, rule="INV-11", data=data)
    return made


TAKEN_BACK = "taken_back"
"""The kind of the entry that mirrors a payment which was taken back; it is called after its key."""


def with_taken_back(rows: QuerySet[ManualPayment]) -> QuerySet[ManualPayment]:
    """Payments with the Paris day on which staff took each back (`taken_back_on`), if it did."""
    mirror = Entry.objects.filter(kind=TAKEN_BACK, ref=Cast(OuterRef("pk"), CharField()))
    return rows.annotate(taken_back_on=Subquery(mirror.values("booked_on")[:1]))


def is_taken_back(payment: ManualPayment) -> bool:
    """Whether staff took it back."""
    return Entry.objects.filter(kind=TAKEN_BACK, ref=str(payment.pk)).exists()


def _attempt(named: dict[str, Any]) -> int:
    """The place of a payment among those of its name: what was taken back leaves it free."""
    last = ManualPayment.objects.filter(**named).order_by("-attempt").first()
    return 0 if last is None else last.attempt + is_taken_back(last)
