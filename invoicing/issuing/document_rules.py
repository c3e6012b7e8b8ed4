"""What must hold before a document is issued: every figure follows from those under it, to the cent. Pure.

The official rules of e-invoices let a cent, or fifty, pass (their VAT check tolerates 1.00); these do not.
"""

from collections.abc import Iterable
from decimal import Decimal

from invoicing.documents import CREDIT_NOTE, DocumentLine, InvoiceDocument
from panel.core.money import Cents, round_cents, vat_of

PREFIXES = {"invoice": "F", "credit_note": "A", "statement": "L", "statement_credit": "LA"}
"""The series of numbers. A late-payment statement is no invoice: it and what takes it back have series of their own
(INV-8)."""
PAYABLE = ("invoice", "statement")
"""The kinds of document that ask for money."""

TOLD = ("PMD", "PMT", "AAB", "BAR")
ONE_CENT = 1
SHOWN = 4  # digits of a card or account (BR-51)


def faults(document: InvoiceDocument) -> list[str]:
    """What is wrong with a document, each in a sentence; empty when it may be issued (INV-2, INV-10)."""
    found = [f"line {place} does not multiply" for place, line in enumerate(document.lines, 1) if not _multiplies(line)]
    nets: dict[tuple[str, Decimal], Cents] = {}
    for line in document.lines:
        key = (line.vat_code, Decimal(line.vat_rate))
        nets[key] = nets.get(key, 0) + line.net_cents
    if {(group.code, Decimal(group.rate)): group.net_cents for group in document.vat} != nets:
        found.append("the VAT groups are not those of the lines")
    # Credit notes of one invoice mirror it together: each of them takes what the running sum leaves it.
    slack = ONE_CENT if document.kind == CREDIT_NOTE else 0
    found += [
        f"the VAT of {group.label} is not its rate of its base"
        for group in document.vat
        if abs(vat_of(group.net_cents, Decimal(group.rate)) - group.vat_cents) > slack
    ]
    if document.net_cents != sum(line.net_cents for line in document.lines):
        found.append("the lines do not add up")
    if document.vat_cents != sum(group.vat_cents for group in document.vat):
        found.append("the VAT does not add up")
    if document.total_cents != document.net_cents + document.vat_cents:
        found.append("net and VAT are not the total")
    if not 0 <= document.paid_cents <= document.total_cents:
        found.append("more is paid than asked")
    return found + list(_missing(document))


def _multiplies(line: DocumentLine) -> bool:
    return round_cents(Decimal(line.quantity) * Decimal(line.unit_price)) == line.net_cents


def _missing(document: InvoiceDocument) -> Iterable[str]:
    """The mentions that an e-invoice cannot be without."""
    if not document.process:
        return
    if not document.due_on or document.due_on < document.issued_on:
        yield "it has no due date, or one before its issue"
    if tuple(note.code for note in document.notes) != TOLD or not all(note.text for note in document.notes):
        yield "a legal notice is missing"
    how = document.collection
    if how is not None and how.creditor and not how.mandate:
        yield "a debit does not name its mandate"
    if how is not None and len(how.last4) != SHOWN:
        yield "it says another part of an account than its last digits"
    if document.kind == CREDIT_NOTE and not document.preceding:
        yield "it does not name the invoice it corrects"
    if document.channel == "B2B" and not document.customer.legal_id:
        yield "the customer's SIREN is missing"
