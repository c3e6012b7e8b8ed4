"""As a business I get invoices my tax office and my software can read: every kind of document keeps the official rules
(INV-4). As a consumer I am not told of penalties that I do not owe (INV-8)."""

import io
from collections.abc import Iterator
from decimal import Decimal

import facturx
import pikepdf
import pytest

from invoicing.compensating import service_credits
from invoicing.documents import InvoiceDocument
from invoicing.issuing import charging, document_rules, invoices
from invoicing.issuing.invoices import Billed
from invoicing.models import Invoice, PaymentMethod
from invoicing.paying import settlement
from invoicing.rules import Line
from invoicing.subscribing.period_rules import Period
from invoicing.taxing.tax_rules import VatTreatment
from panel import terms
from panel.core import files
from panel.core.actors import SYSTEM
from tests.support import debiting, einvoices, pdf
from tests.support.shop import Shop
from tests.support.world import Customer, World

pytestmark = [pytest.mark.django_db, pytest.mark.paper]
SIREN, PARIS_VAT = "552100554", "FR96552100554"


@pytest.fixture
def company(world: World, shop: Shop) -> Customer:
    """A French company with its SIREN, an order number of its own and a department that gets the invoices."""
    made = world.customer("Alice", siren=SIREN, vat_number=PARIS_VAT)
    made.account.buyer_reference, made.account.billing_contact = "PO-2026-17", "Accounts payable"
    made.account.save()
    return made


def abroad(world: World, country: str, **data: str) -> Customer:
    made = world.customer("Bob", country=country, city="Elsewhere", **data)
    if data.get("vat_number"):
        made.account.vat_valid_at = world.now
        made.account.save()
    return made


def fee(world: World, customer: Customer, once: str = "fee") -> Invoice:
    version = terms.current(world.now)
    return charging.charge(
        customer.account, version.copyright.address_fee, description_key="address_deactivated", because=customer.user,
        rule="ABU-3", once=once, terms_version=version.name, now=world.now,
    ).invoice  # fmt: skip


def issued(world: World, customer: Customer, *lines: Line, once: str = "issued") -> Invoice:
    treatment = VatTreatment("S", Decimal(20), "FR", "france")
    return invoices.issue(
        customer.account, [Billed(line) for line in lines], once=once, terms_version=terms.current(world.now).name,
        treatment=treatment, now=world.now, actor=SYSTEM,
    )  # fmt: skip


def line(net: int, rate: str = "20", **more: object) -> Line:
    wanted: dict[str, object] = {
        "code": "hour", "description": "Work", "quantity": Decimal(1), "unit_price": Decimal(net) / 100, "net": net,
        "vat_rate": Decimal(rate),
    }  # fmt: skip
    return Line(**wanted | more)  # type: ignore[arg-type]


def written(world: World, invoice: Invoice) -> dict[str, bytes]:
    """The files of a document as the worker kept them."""
    world.work()
    invoice.refresh_from_db()
    assert invoice.pdf is not None, world.failed_operations()
    assert invoice.cii is not None
    assert invoice.ubl is not None
    made = {"pdf": files.read(invoice.pdf), "cii": files.read(invoice.cii), "ubl": files.read(invoice.ubl)}
    assert facturx.get_xml_from_pdf(made["pdf"], check_xsd=False)[1] == made["cii"]
    return made


def sound(made: dict[str, bytes], *books: str) -> None:
    for syntax in ("cii", "ubl"):
        assert einvoices.broken(made[syntax], syntax, *books) == []


def said(made: dict[str, bytes]) -> str:
    return made["cii"].decode()


def test_a_french_business(world: World, company: Customer) -> None:
    made = written(world, fee(world, company))
    sound(made)
    for text in (
        "<ram:ID>S1</ram:ID>", '<ram:ID schemeID="0002">552100554</ram:ID>', "<ram:Content>B2B</ram:Content>",
        "<ram:IssuerAssignedID>PO-2026-17</ram:IssuerAssignedID>", "<ram:PersonName>Accounts payable</ram:PersonName>",
        "<ram:SubjectCode>PMD</ram:SubjectCode>", "<ram:SubjectCode>PMT</ram:SubjectCode>", "EUR\u00a040.00",
        "<ram:SubjectCode>AAB</ram:SubjectCode>", "<ram:DueDateTypeCode>72</ram:DueDateTypeCode>",
    ):  # fmt: skip
        assert text in said(made), text
    printed = pdf.text(made["pdf"])
    for text in ("PO-2026-17", "Attn Accounts payable", "552 100 554", "EUR 40.00", "interest at 3 times the legal"):
        assert text in printed, text


def test_a_credit_for_a_broken_promise_stands_on_the_next_invoice(world: World, shop: Shop, company: Customer) -> None:
    """SUB-15: a line that takes it off, of a whole amount and of nothing left to pay."""
    for cents in (89, 590):
        bought = shop.buy(company, name=f"web-{cents}")
        service_credits.grant_credit(
            company.account, bought, cents, "web-1: 180 min down in 03/2026", {"minutes_down": 180}, rule="SUB-15",
            once=f"SUB-15:{cents}", now=world.now,
        )  # fmt: skip
    world.advance(days=31, sweeps=("invoicing.renew",))
    for invoice in Invoice.objects.filter(lines__rule="SUB-15"):
        made = written(world, invoice)
        sound(made)
        assert "180 min down" in pdf.text(made["pdf"])


def test_already_paid(world: World, shop: Shop, company: Customer) -> None:
    """S2: paid as much as asked, nothing due, on the day of the payment."""
    shop.buy(company, addresses=2)
    made = written(world, Invoice.objects.get())
    sound(made)
    for text in ("<ram:ID>S2</ram:ID>", "<ram:DuePayableAmount>0.00<", "<ram:TypeCode>48</ram:TypeCode>"):
        assert text in said(made), text


def test_a_consumer_reads_of_no_penalties(world: World, shop: Shop) -> None:
    customer = world.customer("Carla", kind="consumer", company="")
    invoice = fee(world, customer)
    made = written(world, invoice)
    sound(made)
    assert "<ram:Content>B2C</ram:Content>" in said(made)
    assert "EUR\u00a040.00" not in said(made)
    printed = pdf.text(made["pdf"])
    assert "EUR 40.00" not in printed
    assert "legal interest" not in printed
    assert "supply of services" in printed


def test_a_business_in_another_member_state(world: World, shop: Shop) -> None:
    customer = abroad(world, "DE", vat_number="DE811907980")
    made = written(world, fee(world, customer))
    sound(made)
    for text in ("VATEX-EU-AE", "<ram:Content>B2BINT</ram:Content>", "DE811907980", "FR44732829320"):
        assert text in said(made), text
    assert "Autoliquidation" in pdf.text(made["pdf"])


def test_outside_the_union(world: World, shop: Shop) -> None:
    """BR-FR is for domestic flows; the European rules hold everywhere."""
    customer = abroad(world, "US")
    made = written(world, fee(world, customer))
    sound(made, "cen")
    assert "VATEX-EU-O" in said(made)


def test_a_consumer_in_another_member_state(world: World, shop: Shop) -> None:
    """The rate of their country, through the One Stop Shop: told by e-reporting, so the French list of rates is not
    asked."""
    made = written(world, fee(world, abroad(world, "DE", kind="consumer", company="")))
    sound(made, "cen")
    assert "<ram:Content>B2CINT</ram:Content>" in said(made)
    assert "<ram:RateApplicablePercent>19.00<" in said(made)


def test_a_credit_note_names_its_invoice(world: World, company: Customer) -> None:
    invoice = fee(world, company)
    staff = world.staff("billing")
    part = invoices.credit(invoice, [4501], reason="A gesture & more", now=world.now, actor=staff)
    rest = invoices.credit(invoice, None, reason="The rest", now=world.now, actor=staff)
    for note in (part, rest):
        made = written(world, note)
        sound(made)
        assert "<ram:TypeCode>381</ram:TypeCode>" in said(made)
        assert f"<ram:IssuerAssignedID>{invoice.number}</ram:IssuerAssignedID>" in said(made)
    assert "A gesture &amp; more" in said(written(world, part))


def test_two_rates_and_a_measure_to_the_byte(world: World, company: Customer) -> None:
    """Counted in bytes where gigabytes would need more decimals than the format has: 12,345,678,901 at 1.30 a 10^9."""
    month = Period(start=world.now.date(), end=world.now.date().replace(month=4))
    traffic = line(
        1605, code="usage:traffic", description="Traffic", quantity=Decimal("12.345678901"), unit="GB",
        unit_price=Decimal("1.30"), period=month,
    )  # fmt: skip
    fine = line(1230, "5.5", quantity=Decimal(100_000), unit_price=Decimal("0.000123"))
    made = written(world, issued(world, company, traffic, fine, line(-200, description="Discount")))
    sound(made)
    for text in (
        '<ram:BilledQuantity unitCode="AD">12345678901</ram:BilledQuantity>', ">1000000000</ram:BasisQuantity>",
        "<ram:RateApplicablePercent>5.50<", '<ram:BilledQuantity unitCode="C62">-1</ram:BilledQuantity>',
    ):  # fmt: skip
        assert text in said(made), text


def test_vat_on_debits_is_said_when_it_was_chosen(world: World, company: Customer, settings: object) -> None:
    settings.CLAUSE_SELLER = settings.CLAUSE_SELLER | {"vat_on_debits": True}  # type: ignore[attr-defined]
    made = written(world, fee(world, company))
    sound(made)
    assert "<ram:DueDateTypeCode>5</ram:DueDateTypeCode>" in said(made)
    assert "d’après les débits" in pdf.text(made["pdf"])


def test_the_kept_bytes_are_final(world: World, company: Customer) -> None:
    """Rendered once: a second worker that lost its answer finds them, and the database refuses others."""
    invoice = fee(world, company)
    first = written(world, invoice)
    other = files.store(b"other", name="x", content_type="application/pdf", now=world.now)
    for column in ("pdf", "cii", "ubl"):
        with pytest.raises(Exception, match="rendered once"), settlement.transaction.atomic():
            Invoice.objects.filter(pk=invoice.pk).update(**{column: other})
    assert written(world, invoice) == first


def test_inside_the_pdf(world: World, company: Customer) -> None:
    """PDF/A-3B with the CII as its data, the Factur-X block, every font inside, nothing that runs."""
    with pikepdf.open(io.BytesIO(written(world, fee(world, company))["pdf"])) as opened:
        known = opened.open_metadata()
        assert (known["pdfaid:part"], known["pdfaid:conformance"]) == ("3", "B")
        space = "{urn:factur-x:pdfa:CrossIndustryDocument:invoice:1p0#}"
        assert (known[f"{space}ConformanceLevel"], known[f"{space}DocumentType"]) == ("EN 16931", "INVOICE")
        assert known[f"{space}DocumentFileName"] == "factur-x.xml"
        (attached,) = opened.Root.AF
        assert (str(attached.AFRelationship), str(attached.UF)) == ("/Data", "factur-x.xml")
        assert str(attached.EF.F.Subtype) == "/text/xml"
        assert "/Params" in attached.EF.F
        assert opened.Root.OutputIntents[0].S == "/GTS_PDFA1"
        assert "/ID" in opened.trailer
        assert not opened.is_encrypted
        assert not {"/OpenAction", "/JavaScript"} & {*opened.Root.keys(), *opened.Root.Names.keys()}
        for font in fonts(opened):
            assert {"/FontFile", "/FontFile2", "/FontFile3"} & set(font.keys())


def fonts(opened: pikepdf.Pdf) -> Iterator[pikepdf.Object]:
    for page in opened.pages:
        for font in page.resources.Font.values():
            yield font.DescendantFonts[0].FontDescriptor if "/DescendantFonts" in font else font.FontDescriptor


def test_what_was_frozen_keeps_our_own_rules_too(world: World, company: Customer) -> None:
    assert document_rules.faults(InvoiceDocument.from_dict(fee(world, company).document)) == []


def test_a_debit_names_its_mandate_and_its_creditor(world: World, shop: Shop, company: Customer) -> None:
    """INV-5: on paper and for machines, and of her account the last digits alone."""
    _alice, invoice, debit = debiting.debited(world, shop, company)
    document = InvoiceDocument.from_dict(invoice.document)
    assert document.settlement[-1].endswith("from the account ending in 0189.")
    made = written(world, invoice)
    sound(made)
    mandate = debit.mandate
    for syntax in ("cii", "ubl"):
        xml = made[syntax].decode()
        for value in ("59", mandate.reference, mandate.creditor_id, "XXXX0189"):
            assert f">{value}<" in xml
        assert mandate.iban not in xml
    assert mandate.reference in pdf.text(made["pdf"])


def test_a_card_on_file_is_named_by_its_last_digits(world: World, shop: Shop, company: Customer) -> None:
    shop.buy(company)
    PaymentMethod.objects.create(
        account=company.account, provider="story", ref="pm_1", kind="card", brand="visa", last4="4242", exp_month=12,
        exp_year=2034, is_default=True, added_at=world.now,
    )  # fmt: skip
    world.advance(days=31, sweeps=["invoicing.renew"])
    made = written(world, Invoice.objects.latest("pk"))
    sound(made)
    for value in ("48", "4242"):
        assert f">{value}<" in said(made)
