"""As an accountant I find on each invoice the VAT its customer's evidence asks for, and that evidence (INV-10)."""

from decimal import Decimal
from typing import Any

import pytest

from invoicing.models import Invoice
from tests.support.shop import Shop
from tests.support.world import World

pytestmark = pytest.mark.django_db

CUSTOMERS: list[tuple[dict[str, Any], bool, str, str, int, str]] = [
    ({"country": "FR"}, False, "S", "20", 118, ""),
    ({"country": "DE", "vat_number": "DE136695976"}, True, "AE", "0", 0, "Autoliquidation"),
    ({"country": "DE", "vat_number": "DE136695976"}, False, "S", "19", 112, "One Stop Shop"),
    ({"country": "DE", "kind": "consumer", "company": ""}, False, "S", "19", 112, "One Stop Shop"),
    ({"country": "FI", "kind": "consumer", "company": ""}, False, "S", "25.5", 150, "One Stop Shop"),
    ({"country": "CH"}, False, "O", "0", 0, "outside the European Union"),
    ({"country": "RE"}, False, "S", "8.5", 50, "art. 296"),
    ({"country": "GP", "kind": "consumer", "company": ""}, False, "S", "8.5", 50, "art. 296"),
    ({"country": "MQ", "vat_number": "FR44732829320"}, False, "S", "8.5", 50, "art. 296"),
    ({"country": "GF"}, False, "O", "0", 0, "art. 294"),
    ({"country": "YT", "kind": "consumer", "company": ""}, False, "O", "0", 0, "art. 294"),
    ({"country": "NC"}, False, "O", "0", 0, "outside the European Union"),
]


@pytest.mark.parametrize(("data", "valid", "code", "rate", "vat", "mention"), CUSTOMERS)
def test_each_customer_is_taxed_as_the_law_says(
    world: World, shop: Shop, data: dict[str, Any], valid: bool, code: str, rate: str, vat: int, mention: str
) -> None:
    customer = world.customer(**data)
    if valid:
        customer.account.vat_valid_at = world.now
        customer.account.vat_evidence = {"vies": "valid", "consultation": "WAPIAAAAX"}
        customer.account.save(update_fields=["vat_valid_at", "vat_evidence"])
    shop.buy(customer)
    (invoice,) = shop.invoices(customer)
    line = invoice.lines.get()
    assert (line.vat_code, line.vat_rate, invoice.vat_cents) == (code, Decimal(rate), vat)
    assert invoice.total_cents == invoice.net_cents + vat
    assert mention in " ".join(invoice.document["mentions"])
    assert invoice.vat_evidence["country"] == data["country"]
    if valid:
        assert invoice.vat_evidence["checks"] == {"vies": "valid", "consultation": "WAPIAAAAX"}


def test_moving_house_changes_no_issued_invoice(world: World, shop: Shop) -> None:
    alice = world.customer()
    shop.buy(alice)
    alice.account.country = "CH"
    alice.account.save(update_fields=["country"])
    (invoice,) = shop.invoices(alice)
    assert invoice.vat_cents == 118
    assert invoice.vat_evidence["country"] == "FR"
    shop.buy(alice)
    assert Invoice.objects.order_by("pk").last().vat_cents == 0  # type: ignore[union-attr]


def test_the_french_invoice_speaks_french(world: World, shop: Shop) -> None:
    alice = world.customer(country="DE", vat_number="DE136695976")
    alice.account.language = "fr"
    alice.account.vat_valid_at = world.now
    alice.account.save(update_fields=["language", "vat_valid_at"])
    shop.buy(alice)
    (invoice,) = shop.invoices(alice)
    assert any(mention.startswith("Autoliquidation") for mention in invoice.document["mentions"])
    assert invoice.document["lines"][0]["detail"] == "Du 02/03/2026 au 01/04/2026"
    assert invoice.document["customer"]["address"][-1] == "Allemagne"
