"""PDF by typst: a wheel that needs nothing from the system; the fonts are those it carries.

Never compile in a process that forks afterwards: a forked child hangs in its first compilation. Operations run in
threads or in workers that load this after their fork.
"""

import json
import unicodedata
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import typst

from invoicing.documents import INVOICE, STATEMENT, InvoiceDocument, signs, texts
from panel.core.errors import ProviderError

_TEMPLATE = Path(__file__).parent / "invoice.typ"


class PdfRenderer:
    """A4, PDF/A-3b: the same document gives the same bytes."""

    content_type = "application/pdf"

    def render(self, document: InvoiceDocument) -> bytes:
        """The bytes of the PDF; a permanent ProviderError when the template cannot be set.

        An archivable PDF needs a font for every sign. A name in a script that our fonts lack is set with the fonts of
        the system if it has some, else with a question mark for each such sign: the document exists in any case.
        """
        return typeset(_TEMPLATE, _printed(document), document.issued_on)


def typeset(template: Path, said: Any, issued_on: str) -> bytes:
    """The PDF of a template of this folder, filled with `said`; how missing signs are met: see `PdfRenderer.render`."""
    words = signs.each(said, signs.visible)
    try:
        return _compiled(template, words, issued_on, own_fonts_only=True)
    except typst.TypstError as missing:
        if "could not be displayed" not in str(missing):
            raise ProviderError(f"typst: {missing}", permanent=True) from missing
    for attempt in (words, signs.each(words, _spellable)):
        try:
            return _compiled(template, attempt, issued_on, own_fonts_only=False)
        except typst.TypstError as error:
            last = error
    raise ProviderError(f"typst: {last}", permanent=True) from last


def _compiled(template: Path, words: Any, issued_on: str, *, own_fonts_only: bool) -> bytes:
    pdf = typst.compile(
        template.read_bytes(),
        ignore_system_fonts=own_fonts_only,
        sys_inputs={"document": json.dumps(signs.each(words, signs.breakable), ensure_ascii=False)},
        pdf_standards="a-3b",
        timestamp=_noon(issued_on),
    )
    if not isinstance(pdf, bytes):
        raise ProviderError("typst gave no single file", permanent=True)
    return pdf


_SPELLABLE = (range(0x20, 0x0590), range(0x1E00, 0x2000), range(0x2010, 0x2030), range(0x20AC, 0x20AD))
"""Latin, Greek, Cyrillic and their punctuation: what the fonts of the wheel have."""


def _spellable(text: str) -> str:
    return "".join(sign if any(ord(sign) in block for block in _SPELLABLE) else _plain(sign) for sign in text)


def _plain(sign: str) -> str:
    return " " if unicodedata.category(sign) == "Zs" else "\u2212" if sign == "\u2212" else "?"


def _noon(iso_day: str) -> int:
    """Noon UTC of the day of issue, in seconds: the PDF's own date does not tell when it was rendered."""
    return int(datetime.fromisoformat(f"{iso_day}T12:00:00").replace(tzinfo=UTC).timestamp())


def _printed(document: InvoiceDocument) -> dict[str, Any]:
    """What the template sets, every figure already in its final letters."""
    language = texts.language_of(document.language)
    labels = texts.labels(language)

    def money(cents: int) -> str:
        return texts.money(language, cents)

    due = document.total_cents - document.paid_cents
    heads = [(labels["issued"], texts.day(language, date.fromisoformat(document.issued_on)))]
    if document.kind in (INVOICE, STATEMENT):
        heads.append((labels["due"], texts.day(language, date.fromisoformat(document.due_on))))
    if document.reference:
        heads.append((labels["reference"], document.reference))
    if document.order_number:
        heads.append((labels["order_number"], document.order_number))
    if document.credits:
        heads.append((labels["credits"], document.credits))
    elif document.preceding:
        heads.append((labels["deducts"], ", ".join(one.number for one in document.preceding)))
    totals = [(labels["net_total"], money(document.net_cents)), (labels["vat_total"], money(document.vat_cents))]
    grand = (labels["credit_total" if document.kind == "credit_note" else "total"], money(document.total_cents))
    after = []
    if document.paid_cents:
        after = [(labels["paid"], money(-document.paid_cents)), (labels["to_pay"], money(due))]
    return {
        "language": language,
        "labels": labels,
        "kind": document.kind,
        "title": labels[document.title_key],
        "number": document.number,
        "brand": document.brand,
        "heads": heads,
        "reason": document.reason,
        "seller": _party(document.seller),
        "customer": _party(document.customer),
        "lines": [
            {
                "description": line.description,
                "detail": line.detail,
                "rule": line.rule,
                "quantity": texts.decimal(language, line.quantity) + (f"\u00a0{line.unit}" if line.unit else ""),
                "unit_price": texts.decimal(language, line.unit_price, at_least=2),
                "vat": line.vat,
                "net": texts.amount(language, line.net_cents),
            }
            for line in document.lines
        ],
        "vat": [
            {
                "label": group.label,
                "net": texts.amount(language, group.net_cents),
                "vat": texts.amount(language, group.vat_cents),
            }
            for group in document.vat
        ],
        "totals": totals,
        "grand": grand,
        "after": after,
        "settlement": list(document.settlement),
        "mentions": list(document.mentions),
        "terms": f"{labels['terms']} {document.terms_version}",
    }


def _party(party: Any) -> dict[str, Any]:
    return {
        "name": party.name,
        "address": list(party.address),
        "facts": list(party.facts),
        "contact": party.contact,
    }
