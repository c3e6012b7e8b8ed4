"""The printed document: every kind in both languages, archivable, the same again, whatever a customer is called."""

import io
from dataclasses import replace

import pikepdf
import pytest

from invoicing.documents import DocumentLine, DocumentVat, InvoiceDocument, Party
from invoicing.documents.pdf import PdfRenderer

LINE = DocumentLine("VPS M - web-1", "From 2 Mar 2026 to 1 Apr 2026", "SUB-5", "1", "", "11.90", "20\u00a0%", 1190)
DOCUMENT = InvoiceDocument(
    kind="invoice",
    language="en",
    number="F2026-000042",
    issued_on="2026-03-02",
    due_on="2026-03-02",
    reference="ORD-7KQ2M9X4",
    brand="SAY Digital I/O",
    seller=Party("SAY Digital I/O SAS", ("12 rue de l\u2019Exemple", "75002 Paris"), ("SIREN 732829320",), "b@x.test"),
    customer=Party("Ateliers Duràn & Fils", ("34 avenue de la République", "33000 Bordeaux"), ("VAT FR96552100554",)),
    business=True,
    lines=(LINE,),
    vat=(DocumentVat("20\u00a0%", 1190, 238),),
    net_cents=1190,
    vat_cents=238,
    total_cents=1428,
    paid_cents=0,
    settlement=("Payable on receipt.",),
    mentions=("Category of operation: supply of services.",),
    terms_version="say_digital/2026-01",
)


def opened(document: InvoiceDocument) -> pikepdf.Pdf:
    return pikepdf.open(io.BytesIO(PdfRenderer().render(document)))


@pytest.mark.parametrize("language", ["en", "fr"])
@pytest.mark.parametrize("kind", ["invoice", "credit_note", "pro_forma"])
def test_every_kind_in_both_languages(kind: str, language: str) -> None:
    number = "" if kind == "pro_forma" else DOCUMENT.number
    pdf = opened(replace(DOCUMENT, kind=kind, language=language, number=number))
    assert len(pdf.pages) == 1
    title = str(pdf.open_metadata()["dc:title"])
    english = {"invoice": "Invoice", "credit_note": "Credit note", "pro_forma": "Pro forma"}
    french = {"invoice": "Facture", "credit_note": "Avoir", "pro_forma": "Pro forma"}
    assert title == " ".join(filter(None, ((french if language == "fr" else english)[kind], number)))


def test_it_is_made_for_the_archive() -> None:
    """PDF/A-3: marked so, every font inside, nothing that runs."""
    pdf = opened(DOCUMENT)
    with pdf.open_metadata() as known:
        assert (known["pdfaid:part"], known["pdfaid:conformance"]) == ("3", "B")
    fonts = [font for page in pdf.pages for font in page.resources.Font.values()]
    assert fonts
    for font in fonts:
        described = font.DescendantFonts[0].FontDescriptor if "/DescendantFonts" in font else font.FontDescriptor
        assert {"/FontFile", "/FontFile2", "/FontFile3"} & set(described.keys())
    assert "/OpenAction" not in pdf.Root


def test_the_same_document_gives_the_same_bytes() -> None:
    assert PdfRenderer().render(DOCUMENT) == PdfRenderer().render(InvoiceDocument.from_dict(DOCUMENT.as_dict()))


def test_many_and_long_lines_flow_over_pages() -> None:
    long = replace(LINE, description="A server with a name that goes on and on " * 8, detail="x" * 300)
    assert len(opened(replace(DOCUMENT, lines=(long, LINE) * 30)).pages) > 2


NAMES = [
    "#panic()", "*_$x$_*", "</script>\"'\\", "Zoë \u4f60\u597d \U0001f600", "\u202etxt\a", "\ud800\x00", "مرحبا", ""
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_only_a_name(name: str) -> None:
    customer = replace(DOCUMENT.customer, name=name)
    assert PdfRenderer().render(replace(DOCUMENT, customer=customer, reason=name)).startswith(b"%PDF-")
