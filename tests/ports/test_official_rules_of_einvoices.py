"""The official rules find what is wrong with an e-invoice; where they let it pass, our own do not."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from invoicing.documents import Collection, InvoiceDocument, einvoice
from invoicing.issuing import document_rules
from panel.core.errors import ProviderError
from tests.support import einvoices, papers

WRITERS: dict[str, Callable[[InvoiceDocument], bytes]] = {"cii": einvoice.cii, "ubl": einvoice.ubl}
LINE, (GROUP,) = papers.SERVER, papers.DOCUMENT.vat


def altered(xml: bytes, old: str, new: str) -> bytes:
    assert old.encode() in xml, f"nothing to alter: {old}"
    return xml.replace(old.encode(), new.encode(), 1)


@pytest.mark.parametrize("syntax", WRITERS)
def test_a_sound_document_breaks_no_rule(syntax: str) -> None:
    assert einvoices.broken(WRITERS[syntax](papers.DOCUMENT), syntax) == []
    assert document_rules.faults(papers.DOCUMENT) == []


DEBIT = Collection("sepa", "0189", mandate="MDT-7KQ2M9", creditor="FR72ZZZ123456")
CARD = Collection("card", "4242", brand="visa")
COLLECTED = {
    "debit": (DEBIT, ["59", "MDT-7KQ2M9", "FR72ZZZ123456", "XXXX0189"]),
    "the provider's debit": (replace(DEBIT, mandate="", creditor=""), ["59", "XXXX0189"]),
    "card": (CARD, ["48", "4242"]),
}


@pytest.mark.parametrize("syntax", WRITERS)
@pytest.mark.parametrize("name", COLLECTED)
def test_how_it_is_collected_is_said_and_breaks_no_rule(name: str, syntax: str) -> None:
    """INV-5: BT-81, the mandate (BT-89), its creditor (BT-90) and the last digits of what is debited (BT-91, BT-87)."""
    collection, values = COLLECTED[name]
    document = replace(papers.DOCUMENT, collection=collection)
    xml = WRITERS[syntax](document)
    assert einvoices.broken(xml, syntax) == []
    assert document_rules.faults(document) == []
    for value in values:
        assert f">{value}<" in xml.decode()


OFFICIAL: dict[str, tuple[InvoiceDocument, str]] = {
    "sum of lines": (replace(papers.DOCUMENT, lines=(replace(LINE, net_cents=1191), papers.TRAFFIC)), "BR-CO-10"),
    "amount due": (replace(papers.DOCUMENT, total_cents=3379), "BR-CO-15"),
    "no legal notices": (replace(papers.DOCUMENT, notes=papers.NOTES[3:]), "BR-FR-05"),
    "process": (replace(papers.DOCUMENT, process="S0"), "BR-FR-08"),
    "signs of the number": (replace(papers.DOCUMENT, number="F2026\u00e9000042"), "BR-FR-02"),
    "length of the number": (replace(papers.DOCUMENT, number="F" * 36), "BR-FR-01"),
    "no SIREN": (replace(papers.DOCUMENT, customer=replace(papers.CUSTOMER, legal_id="")), "BR-FR-11"),
    "kind of sale": (replace(papers.DOCUMENT, notes=(*papers.NOTES[:3], papers.Note("BAR", "X"))), "BR-FR-20"),
    "paid, and yet due": (replace(papers.DOCUMENT, process="S2"), "BR-FR-CO-09"),
    "credit note of nothing": (replace(papers.DOCUMENT, kind="credit_note"), "BR-FR-CO-05"),
    "VAT rate": (replace(papers.DOCUMENT, vat=(replace(GROUP, rate="19"),),
                         lines=tuple(replace(line, vat_rate="19") for line in papers.DOCUMENT.lines)), "BR-FR-16"),
    "a whole card number": (replace(papers.DOCUMENT, collection=replace(CARD, last4="4242424242424242")), "BR-51"),
    "VAT number where no VAT is": (
        replace(papers.DOCUMENT, vat=(replace(GROUP, code="O", vat_cents=0),), vat_cents=0, total_cents=2815), "BR-O-"
    ),
}  # fmt: skip


@pytest.mark.parametrize("syntax", WRITERS)
@pytest.mark.parametrize("name", OFFICIAL)
def test_a_mutant_is_caught_by_the_official_rules(name: str, syntax: str) -> None:
    document, rule = OFFICIAL[name]
    found = einvoices.broken(WRITERS[syntax](document), syntax)
    assert any(one.startswith(rule) for one in found), found


OWN: dict[str, tuple[InvoiceDocument, str]] = {
    "fifty cents of VAT": (
        replace(papers.DOCUMENT, vat=(replace(GROUP, vat_cents=613),), vat_cents=613, total_cents=3428),
        "not its rate of its base",
    ),
    "a cent of a line": (
        papers.with_lines(replace(LINE, net_cents=1191), papers.TRAFFIC), "line 1 does not multiply"
    ),
    "no due date": (replace(papers.DOCUMENT, due_on=""), "due date"),
    "due before it was issued": (replace(papers.DOCUMENT, due_on="2026-03-01"), "due date"),
    "a group that no line has": (replace(papers.DOCUMENT, vat=(replace(GROUP, rate="10"),)), "groups"),
    "a debit without its mandate": (replace(papers.DOCUMENT, collection=replace(DEBIT, mandate="")), "its mandate"),
    "a whole account number": (
        replace(papers.DOCUMENT, collection=replace(DEBIT, last4="FR7630006000011234567890189")), "last digits"
    ),
    "more paid than asked": (replace(papers.DOCUMENT, paid_cents=3379), "more is paid"),
}  # fmt: skip


@pytest.mark.parametrize("name", OWN)
def test_a_mutant_that_they_let_pass_is_caught_by_ours(name: str) -> None:
    document, sentence = OWN[name]
    assert any(sentence in fault for fault in document_rules.faults(document))


@pytest.mark.parametrize("name", ["fifty cents of VAT", "a cent of a line"])
def test_our_own_rules_are_needed(name: str) -> None:
    """The day the official rules find these too, ours may go."""
    assert einvoices.broken(einvoice.cii(OWN[name][0]), "cii") == []


def test_the_schema_is_kept() -> None:
    with pytest.raises(ProviderError, match="Schema"):
        einvoice.cii(replace(papers.DOCUMENT, lines=()))
    xml = altered(einvoice.ubl(papers.DOCUMENT), "<cbc:ID>F2026-000042</cbc:ID>", "<cbc:Id>F2026-000042</cbc:Id>")
    assert any(one.startswith("schema") for one in einvoices.broken(xml, "ubl"))


@pytest.mark.parametrize("name", ["#panic()", "<b>&amp;</b>", "Zoë 你好 😀", "\u202etxt", "x" * 160])
def test_a_name_is_only_a_name(name: str) -> None:
    document = replace(papers.DOCUMENT, customer=replace(papers.CUSTOMER, name=name), reason=name)
    for syntax, write in WRITERS.items():
        assert einvoices.broken(write(document), syntax) == []


@pytest.mark.parametrize(("typed", "code"), [("h", "HUR"), ("Jours", "DAY"), ("mois", "MON"), ("widget", "C62")])
def test_a_unit_that_was_typed_has_its_code(typed: str, code: str) -> None:
    document = papers.with_lines(replace(papers.SERVER, unit=typed, unit_code=typed))
    assert f'unitCode="{code}">1<' in einvoice.cii(document).decode()


def test_signs_that_no_xml_can_hold_are_left_out() -> None:
    document = replace(papers.DOCUMENT, customer=replace(papers.CUSTOMER, name="Tab\x07 \ud800\x00 Ltd"))
    assert "<ram:Name>Tab  Ltd</ram:Name>" in einvoice.cii(document).decode()
