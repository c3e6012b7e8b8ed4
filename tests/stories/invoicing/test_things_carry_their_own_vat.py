"""As a provider I sell things of several VAT categories; each carries its own through preview, order, invoice, credit
note and e-invoice (INV-10, INV-4)."""

from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction

from invoicing.issuing import invoices
from invoicing.models import Invoice, Option, Package
from invoicing.offering import catalogue, pricing
from invoicing.renewing import billing
from panel.core import files
from panel.core.calendars import start_of_paris_day
from panel.core.errors import RuleViolation
from tests.support import einvoices, pdf
from tests.support.shop import Shop
from tests.support.world import Customer, World

pytestmark = pytest.mark.django_db


@pytest.fixture
def company(world: World, shop: Shop) -> Customer:
    return world.customer("Alice", siren="552100554", vat_number="FR96552100554")


def option(**vat: object) -> Option:
    Option.objects.filter(code="vps-address").update(**vat)
    return Option.objects.get(code="vps-address")


def sound(world: World, invoice: Invoice) -> tuple[str, str]:
    """The CII and the text of the PDF, once the official rules found nothing."""
    world.work()
    invoice.refresh_from_db()
    assert invoice.cii is not None, world.failed_operations()
    assert invoice.ubl is not None
    assert invoice.pdf is not None
    for syntax, kept in (("cii", invoice.cii), ("ubl", invoice.ubl)):
        assert einvoices.broken(files.read(kept), syntax) == []
    return files.read(invoice.cii).decode(), pdf.text(files.read(invoice.pdf))


@pytest.mark.paper
def test_an_exempt_option_beside_a_taxed_package(world: World, shop: Shop, company: Customer) -> None:
    option(vat_category="exempted", vat_reason="VATEX-EU-132-1I")
    shown = pricing.quote(company.account, catalogue.package("vps-m"), "month", {"vps-address": 2}, now=world.now)
    assert (shown.totals.net, shown.totals.vat) == (1590, 238)
    row = shop.buy(company, "vps-m", addresses=2)
    (invoice,) = shop.invoices(company)
    assert (invoice.net_cents, invoice.vat_cents) == (1590, 238)
    xml, printed = sound(world, invoice)
    for text in ("VATEX-EU-132-1I", "<ram:CategoryCode>E</ram:CategoryCode>", "<ram:CategoryCode>S</ram:CategoryCode>"):
        assert text in xml, text
    assert "vocational training" in printed

    note = invoices.credit(invoice, None, reason="All of it", now=world.now, actor=world.staff("billing"))
    assert (note.net_cents, note.vat_cents) == (1590, 238)
    assert "VATEX-EU-132-1I" in sound(world, note)[0]

    billing.run(start_of_paris_day(row.period_end))
    renewed = Invoice.objects.filter(kind="invoice").latest("pk")
    assert (renewed.net_cents, renewed.vat_cents) == (1590, 238)


@pytest.mark.paper
def test_a_reduced_rate_holds_at_home_alone(world: World, shop: Shop, company: Customer) -> None:
    Package.objects.filter(code="vps-s").update(vat_category="reduced", vat_rate=Decimal("5.5"))
    shop.buy(company)
    (invoice,) = shop.invoices(company)
    assert (invoice.net_cents, invoice.vat_cents) == (590, 32)
    assert "<ram:RateApplicablePercent>5.50<" in sound(world, invoice)[0]
    greta = world.customer("Greta", kind="consumer", company="", country="DE")
    shown = pricing.quote(greta.account, catalogue.package("vps-s"), "month", {}, now=world.now)
    assert shown.totals.groups[0].rate == Decimal(19)


@pytest.mark.paper
def test_what_is_outside_vat_has_an_invoice_of_its_own(world: World, shop: Shop, company: Customer) -> None:
    Package.objects.filter(code="vps-s").update(vat_category="outside")
    with pytest.raises(RuleViolation) as refused:
        shop.order(company, addresses=1)
    assert refused.value.rule == "INV-10"
    row = shop.buy(company)
    shop.service.used[row.anchor_on] = 2 * 10**12  # what it consumes is outside VAT as well
    world.now = start_of_paris_day(row.period_end)
    billing.run(world.now)
    for invoice in shop.invoices(company):
        assert invoice.vat_cents == 0
        assert "VATEX-EU-O" in sound(world, invoice)[0]
    assert shop.invoices(company)[1].lines.count() == 2


def test_nobody_leaves_the_reason_out(shop: Shop) -> None:
    for wrong in ({"vat_category": "exempted"}, {"vat_category": "reduced"}, {"vat_rate": 5}, {"vat_reason": "x"}):
        with pytest.raises(IntegrityError), transaction.atomic():
            option(**wrong)
