"""As a buyer I give each order the number of my own purchase order: it stands on the invoices of that service until I
give another; without one, my account's stands there (INV-2, INV-4: BT-13)."""

import pytest

from invoicing.documents import InvoiceDocument, einvoice
from invoicing.issuing import invoices
from invoicing.models import Invoice
from invoicing.subscribing import subscriptions
from panel.core.errors import RuleViolation
from tests.pages.test_api import Program, problem, token_of
from tests.support.shop import Shop
from tests.support.world import Customer, World

pytestmark = pytest.mark.django_db
RENEW = ["invoicing.renew"]


@pytest.fixture
def alice(world: World, shop: Shop) -> Customer:
    made = world.customer()
    made.account.buyer_reference = "FRAME-1"
    made.account.save()
    return made


def numbers(shop: Shop, alice: Customer) -> list[str]:
    return [one.document["order_number"] for one in shop.invoices(alice)]


def test_the_orders_own_stands_on_its_invoice_and_on_the_renewals_until_another_is_given(
    world: World, shop: Shop, alice: Customer
) -> None:
    row = shop.buy(alice, order_number="PO-7")
    world.advance(days=31, sweeps=RENEW)
    subscriptions.give_order_number(row, "  PO-8  bis ", actor=alice.actor, now=world.now)
    world.advance(days=31, sweeps=RENEW)
    subscriptions.give_order_number(row, "", actor=alice.actor, now=world.now)
    world.advance(days=31, sweeps=RENEW)
    assert numbers(shop, alice) == ["PO-7", "PO-7", "PO-8 bis", "FRAME-1"]
    first = Invoice.objects.earliest("pk")
    note = invoices.credit(first, None, reason="mistake", now=world.now, actor=world.staff("billing"))
    assert note.document["order_number"] == "PO-7"
    written = einvoice.cii(InvoiceDocument.from_dict(first.document)).decode()
    assert "<ram:BuyerOrderReferencedDocument><ram:IssuerAssignedID>PO-7<" in "".join(written.split())


def test_without_one_the_accounts_of_the_day_stands_there(world: World, shop: Shop, alice: Customer) -> None:
    shop.buy(alice)
    alice.account.buyer_reference = "FRAME-2"
    alice.account.save()
    world.advance(days=31, sweeps=RENEW)
    assert numbers(shop, alice) == ["FRAME-1", "FRAME-2"]


def test_what_has_ended_gets_none(world: World, shop: Shop, alice: Customer) -> None:
    row = shop.buy(alice)
    subscriptions.terminate(row, because="", rule="SUB-6", now=world.now, actor=alice.actor)
    with pytest.raises(RuleViolation):
        subscriptions.give_order_number(row, "PO-9", actor=alice.actor, now=world.now)


def test_by_program(world: World, shop: Shop, alice: Customer) -> None:
    row = shop.buy(alice, order_number="PO-7")
    path = f"/subscriptions/{row.reference}"
    problem(Program(token_of(alice, "see")).post(f"{path}/order-number", {"order_number": "PO-9"}), 403, "permission")
    program = Program(token_of(alice))
    assert program.get(path).json()["order_number"] == "PO-7"
    assert program.post(f"{path}/order-number", {"order_number": "PO-9"}).json()["order_number"] == "PO-9"
    assert program.get(f"/orders/{row.order.reference}").json()["order_number"] == "PO-7"
