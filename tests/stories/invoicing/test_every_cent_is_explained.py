"""As a customer I open any line of an invoice and read why it is there and how it was reckoned; done again from what
was kept, it is the same to the cent."""

from datetime import date
from decimal import Decimal

import pytest
from django.test import Client

from invoicing.issuing import charging, explaining, invoices, line_rules
from invoicing.models import Invoice, InvoiceLine
from panel import terms
from tests.support.shop import Shop
from tests.support.world import Customer, World

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice(world: World, shop: Shop) -> Customer:
    return world.customer()


def page(customer: Customer, invoice: Invoice) -> str:
    client = Client()
    client.force_login(customer.user)
    answer = client.get(f"/billing/invoices/{invoice.number}/")
    assert answer.status_code == 200
    return " ".join(answer.content.decode().replace("\u00a0", " ").split())


def over_the_allowance(world: World, shop: Shop, alice: Customer) -> Invoice:
    """A month with 12.5 GB beyond the allowance."""
    subscription = shop.buy(alice)
    included = subscription.package.spec["included_bytes"]
    shop.service.used[date(2026, 3, 2)] = included + 12_500_000_000
    world.advance(days=31, sweeps=["invoicing.renew"])
    return Invoice.objects.filter(account=alice.account).order_by("-pk")[0]


def test_traffic_to_the_byte(world: World, shop: Shop, alice: Customer) -> None:
    """12.5 GB at EUR 1.30: EUR 16.25."""
    invoice = over_the_allowance(world, shop, alice)
    (one,) = [one for one in explaining.lines(invoice) if one.line.rule == "SRV-5"]
    assert one.holds
    assert one.line.net_cents == 1625
    assert "12.5 GB × 1.30 EUR = 16.25 EUR" in one.sums
    assert {fact.label for fact in one.facts} >= {"Subscription", "Used", "Included", "Days"}
    said = page(alice, invoice)
    for text in ("Why this amount", "12.5 GB × 1.30 EUR", "included = 12.5 GB beyond", "counted to the byte",
                 "say_digital/2026-01", "the same amount"):  # fmt: skip
        assert text in said, text


def test_a_fee_names_its_case_and_what_happened_there(world: World, shop: Shop, alice: Customer) -> None:
    order = shop.order(alice)
    version = terms.current(world.now)
    made = charging.charge(
        alice.account, version.copyright.address_fee, description_key="address_deactivated", because=order,
        rule="ABU-3", once="x", terms_version=version.name, now=world.now,
    )  # fmt: skip
    (one,) = explaining.lines(made.invoice)
    assert [fact.value for fact in one.facts if fact.label == "Because of"] == [order.reference]
    assert "address was deactivated" in str(one.law)
    assert "VAT 20 % of EUR\u00a090.00, all lines of this rate together: EUR\u00a018.00" in one.sums


def test_a_credited_line_leads_to_its_invoice(world: World, shop: Shop, alice: Customer) -> None:
    shop.buy(alice)
    invoice = Invoice.objects.get()
    note = invoices.credit(invoice, None, reason="x", now=world.now, actor=world.staff("billing"))
    (one,) = explaining.lines(note, reader=alice.actor)
    assert [fact.url for fact in one.facts if fact.label == "Line of"] == [f"/billing/invoices/{invoice.number}/"]
    assert f'href="/billing/invoices/{invoice.number}/"' in page(alice, note)


def test_every_line_of_a_busy_month_holds(world: World, shop: Shop, alice: Customer) -> None:
    over_the_allowance(world, shop, alice)
    shop.buy(alice, "vps-m", "year", addresses=3)
    rows = list(InvoiceLine.objects.select_related("invoice"))
    assert len(rows) >= 5
    for invoice in Invoice.objects.all():
        assert all(one.holds for one in explaining.lines(invoice))


@pytest.mark.parametrize(
    ("quantity", "price", "net", "evidence"),
    [
        ("12.5", "1.30", 1626, {}),
        ("12.5", "1.30", 1625, {"used": "1012.4", "allowance": "1000"}),
        ("1", "1.30", 130, {"used": "999", "allowance": "1000"}),
    ],
)
def test_an_amount_that_does_not_follow_is_told(
    quantity: str, price: str, net: int, evidence: dict[str, str]
) -> None:  # fmt: skip
    assert not line_rules.holds(line_rules.Stated(Decimal(quantity), Decimal(price), net, evidence))
    sound = {"used": "1012.5", "allowance": "1000"}
    assert line_rules.holds(line_rules.Stated(Decimal("12.5"), Decimal("1.30"), 1625, sound))


def test_a_long_invoice_takes_no_more_queries(
    world: World, shop: Shop, alice: Customer, django_assert_max_num_queries: object
) -> None:
    shop.buy(alice, addresses=3)
    invoice = Invoice.objects.select_related("order").get()
    with django_assert_max_num_queries(4):  # type: ignore[operator]
        explaining.lines(invoice, reader=alice.actor)
