"""Documents to print, without a database: a French business, billed for a server and its traffic."""

from dataclasses import replace

from invoicing.documents import DocumentLine, DocumentVat, InvoiceDocument, Note, Party

SELLER = Party(
    "SAY Digital I/O SAS", ("12 rue de l\u2019Exemple", "75002 Paris", "France"),
    ("SAS au capital de 10 000 EUR", "RCS Paris 732 829 320", "SIREN 732 829 320", "VAT FR44732829320"),
    "billing@seller.test", "732829320", "FR44732829320", "12 rue de l\u2019Exemple", "75002", "Paris", "FR",
)  # fmt: skip
CUSTOMER = Party(
    "Ateliers Duràn & Fils", ("Attn Accounts payable", "34 avenue de la République", "33000 Bordeaux", "France"),
    ("SIREN 552 100 554", "VAT FR96552100554"), "billing@customer.test", "552100554", "FR96552100554",
    "34 avenue de la République", "33000", "Bordeaux", "FR", "Accounts payable",
)  # fmt: skip
SERVER = DocumentLine(
    "VPS M - web-1", "From 2 Mar 2026 to 1 Apr 2026", "SUB-5", "1", "", "11.90", "20\u00a0%", 1190, "vps-m", "", "S",
    "20", "2026-03-02", "2026-04-01",
)  # fmt: skip
TRAFFIC = DocumentLine(
    "Traffic beyond the allowance", "From 2 Feb 2026 to 1 Mar 2026 \u00b7 1,012.5 GB used, 1,000 GB included", "SRV-5",
    "12.5", "GB", "1.30", "20\u00a0%", 1625, "usage:traffic", "GB", "S", "20", "2026-02-02", "2026-03-01",
)  # fmt: skip
NOTES = (
    Note("PMD", "Late payment: interest at 3 times the legal rate."), Note("PMT", "Recovery costs of EUR 40.00."),
    Note("AAB", "No discount for early payment."), Note("BAR", "B2B"),
)  # fmt: skip
DOCUMENT = InvoiceDocument(
    kind="invoice", language="en", number="F2026-000042", issued_on="2026-03-02", due_on="2026-03-02",
    reference="ORD-7KQ2M9X4", brand="SAY Digital I/O", seller=SELLER, customer=CUSTOMER, business=True,
    lines=(SERVER, TRAFFIC), vat=(DocumentVat("20\u00a0%", 2815, 563, "S", "20"),), net_cents=2815, vat_cents=563,
    total_cents=3378, paid_cents=0, settlement=("Payable on receipt from your account, by card.",),
    mentions=("Category of operation: supply of services.", *(note.text for note in NOTES[:3])),
    terms_version="say_digital/2026-01", process="S1", channel="B2B", order_number="PO-2026-17", notes=NOTES,
)  # fmt: skip


def with_lines(*lines: DocumentLine, **more: object) -> InvoiceDocument:
    """The document over other lines of one rate, its totals following."""
    net = sum(line.net_cents for line in lines)
    vat = (net * 20 + 50) // 100
    group = (DocumentVat("20\u00a0%", net, vat, "S", "20"),)
    return replace(DOCUMENT, lines=lines, vat=group, net_cents=net, vat_cents=vat, total_cents=net + vat, **more)  # type: ignore[arg-type]
