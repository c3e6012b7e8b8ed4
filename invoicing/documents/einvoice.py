"""The e-invoice of a document: EN 16931 as CII and as UBL, and the PDF that carries the CII (Factur-X; INV-4).

The library's own schematron check is never used: it asks a server, and passes silently where none answers. What may be
issued is decided before (`document_rules`); the tests hold every kind of document against the official rules.
"""

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

from invoicing.documents import CREDIT_NOTE, DocumentLine, DocumentVat, InvoiceDocument, Party, signs, texts
from invoicing.taxing import tax_rules
from panel.core.errors import ProviderError
from panel.core.money import euros

INVOICE_CODE, DOWN_PAYMENT_CODE, CREDIT_NOTE_CODE = "380", "386", "381"  # UNTDID 1001
SIREN, FRENCH_ADDRESS, BY_MAIL = "0002", "0225", "EM"  # ISO 6523 and EAS
CARD, DEBIT = "48", "59"  # UNTDID 4461: bank card, SEPA direct debit
_UNITS = {"GB": ("E34", "AD", 10**9), "": ("C62", "", 1)}
"""UN/ECE rec. 20 by our unit: its code, the code of the unit it is made of, and how many of those it is."""
_TYPED = {"HUR": ("h", "hour", "hours", "heure", "heures"), "DAY": ("d", "day", "days", "j", "jour", "jours"),
          "MON": ("month", "months", "mois")}  # fmt: skip
_UNITS |= {word: (code, "", 1) for code, words in _TYPED.items() for word in words}
_DECIMALS = 4  # BR-FR-DEC-02, BR-FR-DEC-03: quantities and prices have at most this many
_EXEMPTIONS = {tax_rules.REVERSE_CHARGE: "VATEX-EU-AE", tax_rules.NOT_SUBJECT: "VATEX-EU-O"}


def cii(document: InvoiceDocument) -> bytes:
    """The document as UN/CEFACT CII; a permanent ProviderError when it does not fit the schema."""
    import facturx  # heavy: only workers load it

    said = terms(document)
    return _made(lambda: facturx.generate_cii_xml(said, "en16931", check_xsd=True, check_schematron=False))


def ubl(document: InvoiceDocument) -> bytes:
    """The document as OASIS UBL 2.1, from the same terms. Its schema is read anew at each check and takes longer than
    all the rest: the tests check it, for every kind of document."""
    import facturx

    said = terms(document)
    return _made(lambda: facturx.generate_ubl_xml(said, "en16931", check_xsd=False, check_schematron=False))


def embed(pdf: bytes, xml: bytes, document: InvoiceDocument) -> bytes:
    """The PDF with the CII inside: Factur-X, PDF/A-3. The bytes differ from one call to the next (they hold the
    instant): whoever keeps them keeps the first."""
    import facturx

    language = texts.language_of(document.language)
    labels = texts.labels(language)
    title = f"{labels[document.title_key]} {document.number}"
    known = {
        "author": document.seller.name, "title": title, "keywords": "Factur-X, EN 16931",
        "subject": f"{title}, {document.seller.name}, {texts.day(language, date.fromisoformat(document.issued_on))}",
    }  # fmt: skip
    return _made(
        lambda: facturx.generate_from_binary(
            pdf, xml, flavor="factur-x", level="en16931", check_xsd=False, check_schematron=False, pdf_metadata=known,
            lang="fr-FR" if language == "fr" else "en-GB", afrelationship="data",
        )
    )  # fmt: skip


def _made(make: Callable[[], Any]) -> bytes:
    try:
        made = make()
    except Exception as refused:
        raise ProviderError(f"e-invoice: {refused}", permanent=True) from refused
    if not isinstance(made, bytes):
        raise ProviderError("the e-invoice is no bytes", permanent=True)
    return made


def terms(document: InvoiceDocument) -> dict[str, Any]:
    """The document by the business terms of EN 16931."""
    due = document.total_cents - document.paid_cents
    untaxed = any(group.code == tax_rules.NOT_SUBJECT for group in document.vat)
    periods = [(line.start, line.end) for line in document.lines if line.start]
    served_until = max((end for _start, end in periods), default=document.issued_on)
    said: dict[str, Any] = {
        "BT-1": document.number, "BT-2": _day(document.issued_on), "BT-3": type_code(document), "BT-5": "EUR",
        "BT-8": "invoice" if document.vat_on_debits else "payment", "BT-9": _day(document.paid_on or document.due_on),
        "BT-20": " ".join(document.settlement), "BT-23": document.process,
        "BG-1": [{"BT-21": note.code, "BT-22": note.text} for note in document.notes],
        "BG-3": [{"BT-25": one.number, "BT-26": _day(one.issued_on)} for one in document.preceding],
        "BG-4": _party(document.seller, home=True, untaxed=untaxed),
        "BG-7": _party(document.customer, home=document.channel == "B2B", untaxed=untaxed),
        "BG-23": [_vat(group) for group in document.vat],
        "BG-25": [_line(place, line) for place, line in enumerate(document.lines, start=1)],
        "BT-106": _amount(document.net_cents), "BT-109": _amount(document.net_cents),
        "BT-110": _amount(document.vat_cents), "BT-112": _amount(document.total_cents),
        "BT-115": _amount(due),
    }  # fmt: skip
    if document.reason:
        said["BG-1"].append({"BT-22": document.reason})
    said["BT-72"] = min(_day(document.issued_on), _day(served_until))
    if periods:
        said |= {"BT-73": _day(min(periods)[0]), "BT-74": _day(served_until)}
    if document.paid_cents:
        said["BT-113"] = _amount(document.paid_cents)
    said |= _means(document)
    for term, value in (("BT-13", document.order_number), ("BT-14", document.reference)):
        if value:
            said[term] = value
    return dict(signs.each(said, signs.visible))


def _means(document: InvoiceDocument) -> dict[str, Any]:
    """BG-16: how it was paid, or will be collected; a debit names its mandate and creditor (BG-19). Of a card and of an
    account the last four digits alone."""
    if document.collection is None:
        return {"BT-81": CARD} if document.paid_by == "card" else {}
    how = document.collection
    if how.by == "card":
        return {"BT-81": CARD, "BT-87": how.last4, "BT-87-1": how.brand or "card"}
    said = {"BT-81": DEBIT, "BT-89": how.mandate, "BT-90": how.creditor, "BT-91": f"XXXX{how.last4}"}
    return {term: value for term, value in said.items() if value}


def type_code(document: InvoiceDocument) -> str:
    """What kind of document it is, by UNTDID 1001."""
    if document.kind == CREDIT_NOTE:
        return CREDIT_NOTE_CODE
    return DOWN_PAYMENT_CODE if document.down_payment else INVOICE_CODE


def _day(iso: str) -> date:
    return date.fromisoformat(iso)


def _amount(cents: int) -> str:
    return f"{euros(cents):.2f}"


def _party(party: Party, *, home: bool, untaxed: bool) -> dict[str, Any]:
    """A party of the domestic flow is reached by its SIREN, any other by mail. BR-O-02: where no VAT is, no VAT numbers
    are."""
    said: dict[str, Any] = {"name": party.name, "country_code": party.country}
    said |= {"einvoicing_addr": party.legal_id if home else party.contact,
             "einvoicing_addr_schemeid": FRENCH_ADDRESS if home else BY_MAIL}  # fmt: skip
    if party.legal_id:
        said |= {"legal_identifier": party.legal_id, "legal_identifier_schemeid": SIREN}
    if party.vat_number and not untaxed:
        said["vat_identifier"] = party.vat_number
    for key, value in (("addr_l1", party.street), ("postcode", party.postcode), ("city", party.city)):
        if value:
            said[key] = value
    if party.attention or party.contact:
        said["contacts"] = [{"name": party.attention or party.name, "email": party.contact}]
    return said


def _vat(group: DocumentVat) -> dict[str, Any]:
    said: dict[str, Any] = {
        "BT-116": _amount(group.net_cents),
        "BT-117": _amount(group.vat_cents),
        "BT-118": group.code,
    }
    if group.code != tax_rules.NOT_SUBJECT:
        said["BT-119"] = _percent(group.rate)
    if group.exemption:
        said["BT-120"] = group.exemption
        if code := group.exemption_code or _EXEMPTIONS.get(group.code, ""):
            said["BT-121"] = code
    return said


def _percent(rate: str) -> str:
    return f"{Decimal(rate):.2f}"


def _line(place: int, line: DocumentLine) -> dict[str, Any]:
    """A line of the e-invoice; quantity times price over base is its net amount, as on paper."""
    quantity, unit, price, base = measured(line)
    said: dict[str, Any] = {
        "BT-126": str(place), "BT-129": _plain(quantity), "BT-130": unit, "BT-131": _amount(line.net_cents),
        "BT-146": _plain(price, at_least=2), "BT-151": line.vat_code, "BT-153": line.description,
    }  # fmt: skip
    if base != 1:
        said["BT-149"] = _plain(base)
    if line.vat_code != tax_rules.NOT_SUBJECT:
        said["BT-152"] = _percent(line.vat_rate)
    if line.start:
        said |= {"BT-134": _day(line.start), "BT-135": _day(line.end)}
    if detail := " \u00b7 ".join(filter(None, (line.rule, line.detail))):
        said["BT-154"] = detail
    if line.code:
        said["BT-155"] = line.code
    return said


def measured(line: DocumentLine) -> tuple[Decimal, str, Decimal, Decimal]:
    """Quantity, unit code, price and the quantity it is the price of. Exact: a quantity finer than the format allows is
    counted in the smaller unit (bytes for GB), a finer price given for a larger quantity. What is taken off has a
    negative quantity, never a negative price (BR-27)."""
    quantity, price, base = Decimal(line.quantity), Decimal(line.unit_price), Decimal(1)
    code, smaller, times = _UNITS.get(line.unit_code, _UNITS.get(line.unit_code.casefold(), _UNITS[""]))
    if price < 0:
        quantity, price = -quantity, -price
    if _finer(quantity):
        if smaller and not _finer(quantity * times):
            quantity, code, base = quantity * times, smaller, Decimal(times)
        else:  # no unit says it exactly: the whole of it, once; its measure stands in the description
            return Decimal(1 if line.net_cents >= 0 else -1), _UNITS[""][0], abs(euros(line.net_cents)), Decimal(1)
    while _finer(price):
        price, base = price * 10, base * 10
    return quantity, code, price, base


def _finer(value: Decimal) -> bool:
    return value != round(value, _DECIMALS)


def _plain(value: Decimal, *, at_least: int = 0) -> str:
    text = f"{value.normalize():f}" if value else "0"
    whole, _, fraction = text.partition(".")
    fraction = fraction.ljust(at_least, "0")
    return f"{whole}.{fraction}" if fraction else whole
