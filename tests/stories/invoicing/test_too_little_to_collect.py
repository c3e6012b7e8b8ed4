"""As a customer with a few cents left on an invoice, less than any means of payment moves, I am left in peace (INV-5,
INV-8, INV-14)."""

import pytest
from django.test import Client

from invoicing.accounting import ledger
from invoicing.models import Invoice, LateInvoice, Reminder
from invoicing.paying import payments
from panel.core.errors import RuleViolation
from tests.support.owing import SWEEPS, days, transfer
from tests.support.shop import Shop
from tests.support.world import Customer, World

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice(world: World, shop: Shop) -> Customer:
    return world.customer()


@pytest.fixture
def invoice(world: World, shop: Shop, alice: Customer) -> Invoice:
    """A renewal, due at once, to a business that keeps no card."""
    shop.buy(alice)
    world.advance(days=31, sweeps=SWEEPS)
    return Invoice.objects.latest("pk")


@pytest.mark.parametrize(("left", "state", "reminders"), [(49, "open", 0), (50, "overdue", 3)])
def test_what_is_left_has_no_consequences(
    world: World, invoice: Invoice, left: int, state: str, reminders: int
) -> None:
    transfer(world, invoice, invoice.due_cents - left)
    days(world, 14)
    invoice.refresh_from_db()
    assert (invoice.state, invoice.due_cents) == (state, left)
    assert (Reminder.objects.count(), LateInvoice.objects.exists()) == (reminders, reminders > 0)


def test_paid_in_part_when_it_was_late_already_it_is_not_reminded_of_again(world: World, invoice: Invoice) -> None:
    days(world, 2)
    transfer(world, invoice, invoice.due_cents - 49)
    days(world, 10)
    assert [row.stage for row in Reminder.objects.filter(invoice=invoice)] == [1]


def test_it_is_said_and_a_transfer_still_pays_it(
    client: Client, world: World, alice: Customer, invoice: Invoice
) -> None:
    transfer(world, invoice, invoice.due_cents - 49)
    invoice.refresh_from_db()
    with pytest.raises(RuleViolation, match="So little"):
        payments.pay_invoice(invoice, key="k", actor=alice.actor, now=world.now, return_url="http://testserver/")
    client.force_login(alice.user)
    page = client.get(f"/billing/invoices/{invoice.number}/").content.decode()
    assert "nothing follows from it" in page
    assert f"/billing/invoices/{invoice.number}/pay/" not in page
    transfer(world, invoice)
    invoice.refresh_from_db()
    assert (invoice.state, ledger.total()) == ("paid", 0)
