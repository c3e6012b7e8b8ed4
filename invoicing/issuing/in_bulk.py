"""Many documents in one transaction: numbered, frozen and chained one after the other, written by the set (INV-1).

What each says, books and tells comes from the functions that issue a single one (`invoices`): only the writing differs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from invoicing.accounting import ledger
from invoicing.issuing import invoices, numbering, printing
from invoicing.issuing.drafting import Content
from invoicing.issuing.invoices import Billed
from invoicing.journal import tell_all, told
from invoicing.models import Invoice, InvoiceKind
from invoicing.taxing import transmitting
from panel.core import bulk, operations
from panel.core.actors import Actor
from panel.core.calendars import paris_date


@dataclass(frozen=True, slots=True)
class Sale:
    """An invoice to be issued. `once` is new, `evidence` what its VAT rests on (INV-10)."""

    content: Content
    billed: Sequence[Billed]
    once: str
    evidence: dict[str, Any]


def draft(sales: Sequence[Sale], *, now: datetime) -> list[Invoice]:
    """The invoices of these sales as they stand before they have a number, for accounts that the caller has locked and
    that have no funds to pay with: with ids to refer to, and what hangs on them written. `issue` follows in the same
    transaction."""
    today = paris_date(now)
    drafts = [
        invoices.drafted(sale.content, issued_on=today, once=sale.once, now=now, evidence=sale.evidence)
        for sale in sales
    ]
    bulk.number(drafts)
    pairs = zip(drafts, sales, strict=True)
    bulk.insert([line for invoice, sale in pairs for line in invoices.lines_of(invoice, sale.billed)])
    transmitting.begin_all(drafts, now=now)
    return drafts


def issue(drafts: Sequence[Invoice], sales: Sequence[Sale], *, now: datetime, actor: Actor) -> None:
    """Issue what was drafted. IntegrityError, and nothing is issued, where one `once` is not new. The series is locked
    from here until the transaction ends: everything that needs no number is done before, so that others wait little."""
    if not drafts:
        return
    series, issued_at = numbering.lock(InvoiceKind.INVOICE, now=now)
    for invoice, sale in zip(drafts, sales, strict=True):
        invoices.place(invoice, sale.content, series, issued_at=issued_at)
        invoice.unlisted_id = 0  # the lines came first, and explain it all
    bulk.insert(drafts)
    numbering.advance(series)
    _book(drafts, sales)
    data = [(invoice, invoices.said_of(invoice)) for invoice in drafts]
    tell_all([told("invoice.issued", one, now=now, actor=actor, rule="INV-1", data=said) for one, said in data])
    operations.enqueue_all([printing.owed(invoice, now=now) for invoice in drafts])


def _book(issued: Sequence[Invoice], sales: Sequence[Sale]) -> None:
    facts = []
    for invoice, sale in zip(issued, sales, strict=True):
        what = sale.content
        entry = ledger.entry_of(invoice.kind, invoice.number, now=invoice.issued_at, account_id=invoice.account_id)
        facts.append((entry, invoices.legs_of(invoice, what.totals, what.treatment, what.lines)))
    ledger.post_all(facts)
