"""Issuing: a document gets its number, its place in the chain and its entry in the books (INV-1, INV-2, INV-11).

Locks are taken in one order everywhere: what the document is about, then the account, then the series, last.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import models, transaction
from django.utils.translation import gettext as _

from invoicing import rules
from invoicing.accounting import ledger
from invoicing.accounting.ledger import Leg
from invoicing.debiting import announcing
from invoicing.documents import InvoiceDocument, Preceding
from invoicing.issuing import deducting, drafting, means, numbering, parties, printing
from invoicing.issuing.drafting import Content, Paid
from invoicing.journal import tell
from invoicing.models import Entry, Invoice, InvoiceKind, InvoiceLine, InvoiceState, NumberSeries, Order, Subscription
from invoicing.paying import settlement
from invoicing.rules import Line
from invoicing.subscribing.period_rules import Period
from invoicing.taxing import transmitting
from invoicing.taxing.tax_rules import Totals, VatTreatment
from panel import terms
from panel.accounts.models import Account
from panel.core import bulk
from panel.core.actors import Actor
from panel.core.calendars import paris_date, working_days_after
from panel.core.errors import RuleViolation
from panel.core.money import Cents, euros


@dataclass(frozen=True, slots=True)
class Billed:
    """A line to be invoiced, with the subscription it bills, or the line of a down payment that it takes off."""

    line: Line
    subscription: Subscription | None = None
    deducts: InvoiceLine | None = None


@transaction.atomic
def issue(
    account: Account,
    lines: Sequence[Billed],
    *,
    once: str,
    terms_version: str,
    treatment: VatTreatment,
    now: datetime,
    actor: Actor,
    order: Order | None = None,
    reference: str = "",
    paid: Paid | None = None,
    collected: bool = False,
    down_payment: bool = False,
    off: Sequence[Invoice] = (),
    kind: str = InvoiceKind.INVOICE,
) -> Invoice:
    """Issue an invoice, once per `once` (a repeat returns the one that exists). `now` is UTC; the document carries its
    Paris day, never before the last one of its series. Funds pay it at once (INV-6), before `paid` counts; not a
    late-payment statement (`kind`), which can be contested first (INV-9).

    `off` are paid down payments to take off, as far as each VAT rate reaches.

    `paid` is a payment whose entry the caller books and settles in the same transaction.
    """
    held = settlement.lock_account(account.pk)
    if (before := Invoice.objects.filter(once=once).first()) is not None:
        return before
    lines = [*lines, *_deductions(off, lines, held)]
    wanted = tuple(billed.line for billed in lines)
    totals = rules.total_of(wanted)
    if totals.net < 0 or not wanted:
        raise ValueError("an invoice has lines and asks for something; giving back is a credit note")
    from_funds = 0 if paid or kind == InvoiceKind.STATEMENT else min(ledger.funds(held), totals.total)
    known = (paid,) if paid else ()
    if from_funds:
        known = (Paid(from_funds, settlement.FUNDS, "", paris_date(now)),)
    content = Content(
        kind=kind, account=held, lines=wanted, totals=totals, treatment=treatment,
        terms=terms.version(terms_version), reference=reference or (order.reference if order else ""), paid=known,
        collection=means.of(held) if collected else None, down_payment=down_payment,
        preceding=tuple(Preceding(one.number, one.issued_on.isoformat()) for one in off),
        order_number=_order_number(lines, order),
    )  # fmt: skip
    invoice = _write(content, lines, once=once, now=now, order=order)
    _book(invoice, totals, treatment, wanted)
    if from_funds:
        settlement.use_funds(invoice, from_funds, now=invoice.issued_at)
    _told(invoice, "issued", now=now, actor=actor)
    return invoice


def _order_number(lines: Sequence[Billed], order: Order | None) -> str | None:
    """The buyer's order number (BT-13): that of the order, or of the service that is invoiced; None: the account's."""
    if order is not None:
        return order.order_number or None
    given = {billed.subscription.order_number if billed.subscription else "" for billed in lines}
    return given.pop() or None if len(given) == 1 else None


def _deductions(down_payments: Sequence[Invoice], lines: Sequence[Billed], held: Account) -> list[Billed]:
    """Read anew under the account's lock: two final invoices never take the same down payment off."""
    fresh = list(Invoice.objects.filter(pk__in=[one.pk for one in down_payments], account=held).order_by("pk"))
    if len(fresh) != len(down_payments):
        raise ValueError("a down payment of another account")
    made = deducting.lines_off(fresh, [billed.line for billed in lines], held.language)
    return [Billed(line, deducts=row) for line, row in made]


@transaction.atomic
def credit(
    invoice: Invoice,
    amounts: Sequence[Cents] | None,
    *,
    reason: str,
    now: datetime,
    actor: Actor,
    once: str = "",
) -> Invoice:
    """A credit note over `amounts` (net cents per line of the invoice; None: all that is left), once per `once`.

    RuleViolation when it gives nothing, or more than is left of a line. INV-2: the only way to correct an invoice.
    """
    account = settlement.lock_account(invoice.account_id)
    once = once or f"credit:{invoice.number}:{invoice.credit_notes.count() + 1}"
    if (before := Invoice.objects.filter(once=once).first()) is not None:
        return before
    if not reason.strip():
        raise RuleViolation(_("Please give the reason of the credit note."), rule="INV-2", field="reason")
    original = Invoice.objects.select_for_update().get(pk=invoice.pk)
    if original.kind == InvoiceKind.CREDIT_NOTE:
        raise RuleViolation(_("Only an invoice can be credited."), rule="INV-2")
    rows = list(original.lines.all())
    left = creditable(rows)
    wanted = [line.net - line.credited for line in left] if amounts is None else list(amounts)
    if not any(wanted):
        raise RuleViolation(_("Nothing of this invoice is left to credit."), rule="INV-2")
    try:
        totals = rules.credit(left, wanted)
    except rules.TooMuch:
        raise RuleViolation(_("A credit note cannot give back more than the invoice asked."), rule="INV-2") from None
    pairs = [(row, _credited_line(row, cents)) for row, cents in zip(rows, wanted, strict=True) if cents]
    content = Content(
        kind=InvoiceKind.CREDIT_NOTE, account=account, lines=[line for _row, line in pairs], totals=totals,
        treatment=_treatment_of(original), terms=terms.version(original.terms_version),
        reference=str(original.document["reference"]), credits=original.number, reason=reason,
        language=str(original.document["language"]),
        preceding=(Preceding(original.number, original.issued_on.isoformat()),), channel=original.channel,
        buyer=InvoiceDocument.from_dict(original.document).customer if original.channel else None,
        order_number=str(original.document.get("order_number", "")),
    )  # fmt: skip
    billed = [Billed(line, row.subscription) for row, line in pairs]
    note = _write(content, billed, once=once, now=now, original=original, credited=[row for row, _line in pairs])
    entry = _book(note, totals, content.treatment, content.lines)
    settlement.by_credit_note(original, note, entry=entry, now=now, actor=actor)
    _told(note, "credit_noted", now=now, actor=actor, data={"credits": original.number})
    return note


def creditable(rows: Sequence[InvoiceLine]) -> list[rules.Creditable]:
    """What is left of each line of an invoice after its credit notes, and after the invoices that deducted it."""
    given = dict(
        InvoiceLine.objects.filter(credits__in=rows).values("credits").annotate(sum=models.Sum("net_cents"))
        .values_list("credits", "sum")
    )  # fmt: skip
    off = deducting.deducted(rows) if any(row.code == deducting.DOWN_PAYMENT for row in rows) else {}
    return [
        rules.Creditable(row.net_cents, given.get(row.pk, 0) + off.get(row.pk, 0), row.vat_code, row.vat_rate)
        for row in rows
    ]


def _credited_line(row: InvoiceLine, cents: Cents) -> Line:
    whole = cents == row.net_cents
    return Line(
        code=row.code, description=row.description, quantity=row.quantity if whole else rules.ONE,
        unit_price=row.unit_price if whole else euros(cents), net=cents, unit=row.unit if whole else "",
        rule=row.rule, vat_code=row.vat_code, vat_rate=row.vat_rate, vat_reason=row.vat_reason,
        period=Period(row.period_start, row.period_end) if row.period_start and row.period_end else None,
        evidence={"credits_line": row.pk},
    )  # fmt: skip


def _treatment_of(invoice: Invoice) -> VatTreatment:
    kept, first = invoice.vat_evidence, invoice.lines.all()[0]
    code, rate = str(kept.get("code", first.vat_code)), Decimal(kept.get("rate", first.vat_rate))
    return VatTreatment(code, rate, str(kept["taxed_in"]), str(kept["reason"]))


def _write(
    content: Content,
    lines: Sequence[Billed],
    *,
    once: str,
    now: datetime,
    order: Order | None = None,
    original: Invoice | None = None,
    credited: Sequence[InvoiceLine] = (),
) -> Invoice:
    """Number, freeze, chain and insert; from here on the series is locked until the transaction ends."""
    evidence = original.vat_evidence if original else parties.vat_evidence(content.account, content.treatment)
    series, issued_at = numbering.lock(_series_of(content.kind, original), now=now)
    debited_on = _debited_on(content, now=now)
    invoice = drafted(
        content, issued_on=paris_date(issued_at), once=once, now=now, evidence=evidence, debited_on=debited_on
    )
    place(invoice, content, series, issued_at=issued_at, debited_on=debited_on)
    invoice.account, invoice.order, invoice.credits = content.account, order, original
    invoice.document = invoice.document.values()
    invoice.unlisted_id = invoice.net_cents
    invoice.save(force_insert=True)
    InvoiceLine.objects.bulk_create(lines_of(invoice, lines, credited))
    numbering.advance(series)
    invoice.refresh_from_db(fields=["unlisted"])
    return invoice


def drafted(
    content: Content, *, issued_on: date, once: str, now: datetime, evidence: dict[str, Any],
    debited_on: date | None = None,
) -> Invoice:  # fmt: skip
    """A document in full but for its number and what follows from that (`place`), not written yet; no series need be
    locked for it. `debited_on`: the first day of its debit by a mandate of our own."""
    totals = content.totals
    invoice = bulk.new(
        Invoice, kind=content.kind, account_id=content.account.pk, down_payment=content.down_payment,
        net_cents=totals.net, vat_cents=totals.vat, total_cents=totals.total, terms_version=content.terms.name,
        reason=content.reason, once=once, vat_evidence=evidence, channel=content.sold_as,
        state=_first_state(content), paid_at=None if totals.total else now,
        collectable=content.kind != InvoiceKind.STATEMENT,
    )  # fmt: skip
    _date(invoice, content, issued_on, debited_on)
    return invoice


def _date(invoice: Invoice, content: Content, issued_on: date, debited_on: date | None) -> None:
    invoice.issued_on, invoice.due_on = issued_on, _due_on(content, issued_on, debited_on)
    document = drafting.document(content, number="", issued_on=issued_on, due_on=invoice.due_on)
    invoice.document = document.unfinished()


def place(
    invoice: Invoice, content: Content, series: NumberSeries, *, issued_at: datetime, debited_on: date | None = None
) -> None:
    """Make a draft the next document of a locked series: numbered, frozen and chained, not written yet. Where its day
    is another by now, that is written on it."""
    if invoice.issued_on != (day := paris_date(issued_at)):
        _date(invoice, content, day, debited_on)
    invoice.number = rules.number(series.prefix, series.year, series.last_number + 1)
    invoice.document = invoice.document.finished(invoice.number)
    invoice.series_id, invoice.issued_at, invoice.previous_hash = series.pk, issued_at, series.last_hash
    invoice.hash = rules.document_hash(series.last_hash, invoice.document)
    numbering.take(series, issued_at=issued_at, digest=invoice.hash)
    invoice.position = series.last_number


def _series_of(kind: str, original: Invoice | None) -> str:
    return "statement_credit" if original is not None and original.kind == InvoiceKind.STATEMENT else kind


def _due_on(content: Content, issued_on: date, debited_on: date | None) -> date:
    """INV-14; a late-payment statement is due when the time to contest it is over (INV-9), and what we debit by a
    mandate of our own not before the day that the payer is told of: nobody is late while we keep them waiting."""
    if content.kind == InvoiceKind.STATEMENT:
        return working_days_after(issued_on, content.terms.late_payment.contest_working_days)
    due_on = issued_on + timedelta(days=content.terms.invoicing.net_days)
    return max(due_on, debited_on) if debited_on else due_on


def _debited_on(content: Content, *, now: datetime) -> date | None:
    """The first day on which an invoice may be debited by a mandate of our own, where it will be."""
    if content.collection and content.kind == InvoiceKind.INVOICE and announcing.is_debited(content.account):
        return announcing.first_day(content.account, now=now)
    return None


def _first_state(content: Content) -> str:
    if content.kind == InvoiceKind.CREDIT_NOTE:
        return InvoiceState.CREDITED
    return InvoiceState.OPEN if content.totals.total else InvoiceState.PAID


def lines_of(
    invoice: Invoice, lines: Sequence[Billed], credited: Sequence[InvoiceLine | None] = ()
) -> list[InvoiceLine]:
    """The lines of a document that has its id, not written yet; `credited`: what each gives back of."""
    return [
        bulk.new(
            InvoiceLine, invoice_id=invoice.pk, account_id=invoice.account_id, position=place, code=line.code,
            rule=line.rule, description=line.description,
            subscription_id=billed.subscription.pk if billed.subscription else None,
            period_start=line.period.start if line.period else None,
            period_end=line.period.end if line.period else None, quantity=line.quantity, unit=line.unit,
            unit_price=line.unit_price, net_cents=line.net, vat_code=line.vat_code, vat_rate=line.vat_rate,
            vat_reason=line.vat_reason, evidence=dict(line.evidence),
            credits_id=given.pk if credited and (given := credited[place]) else None,
            deducts_id=billed.deducts.pk if billed.deducts else None,
        )
        for place, (billed, line) in enumerate((billed, billed.line) for billed in lines)
    ]  # fmt: skip


def _book(document: Invoice, totals: Totals, treatment: VatTreatment, lines: Sequence[Line]) -> Entry | None:
    """The customer owes the total; sales and VAT are credited per rate group, at the instant that the document bears. A
    down payment is no sale yet: it waits until an invoice deducts it. A credit note is the exact mirror."""
    legs = legs_of(document, totals, treatment, lines)
    return ledger.post(document.kind, document.number, legs, now=document.issued_at, account=document.account)


def legs_of(document: Invoice, totals: Totals, treatment: VatTreatment, lines: Sequence[Line]) -> list[Leg]:
    """What a document moves in the books."""
    sign = -1 if document.kind == InvoiceKind.CREDIT_NOTE else 1
    of = document.credits or document
    income = ledger.LATE_PAYMENT if of.kind == InvoiceKind.STATEMENT else ledger.SALES
    legs = [ledger.debit(ledger.CUSTOMERS, sign * totals.total)]
    for group in totals.groups:
        rate = f"{group.rate.normalize():f}"  # 20, whether it was 20 or 20.00
        tax = f"{group.code}:{treatment.country}:{rate}"
        ahead = sum(
            line.net for line in lines
            if line.code == deducting.DOWN_PAYMENT and (line.vat_code, line.vat_rate) == (group.code, group.rate)
        )  # fmt: skip
        legs.append(ledger.credit(income, sign * (group.net - ahead), tax))
        legs.append(ledger.credit(ledger.DOWN_PAYMENTS, sign * ahead, tax))
        legs.append(ledger.credit(ledger.VAT, sign * group.vat, tax))
    return legs


def _told(document: Invoice, what: str, *, now: datetime, actor: Actor, data: dict[str, Any] | None = None) -> None:
    """The journal, and the PDF with its mail, after commit (INV-3)."""
    tell(f"invoice.{what}", document, now=now, actor=actor, rule="INV-1" if what == "issued" else "INV-2",
         data=said_of(document) | (data or {}))  # fmt: skip
    printing.enqueue(document, now=now)
    transmitting.begin(document, now=now)


def said_of(document: Invoice) -> dict[str, Any]:
    """What the journal says of a document."""
    return {"invoice": document.number, "total_cents": document.total_cents}


def verify() -> list[str]:
    """Walk every series: numbers 1..n, unbroken chain, unaltered content. Each break is a sentence; empty: none."""
    broken: list[str] = []
    for series in NumberSeries.objects.order_by("pk"):
        previous, issued, position = rules.GENESIS, None, 0
        for document in series.documents.order_by("position"):
            position += 1
            if document.position != position or document.number != rules.number(series.prefix, series.year, position):
                broken.append(f"{document.number} stands where {series.prefix}{series.year} number {position} should")
            if document.previous_hash != previous or document.hash != rules.document_hash(previous, document.document):
                broken.append(f"{document.number} was altered, or what stands before it")
            if issued is not None and document.issued_at < issued:
                broken.append(f"{document.number} goes back in time")
            previous, issued = document.hash, document.issued_at
        if position != series.last_number or (position and previous != series.last_hash):
            broken.append(f"{series} has {position} documents")
    return broken
