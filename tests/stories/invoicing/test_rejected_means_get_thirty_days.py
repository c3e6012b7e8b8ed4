"""As a customer whose card is refused again and again I am told, and have 30 days to give a valid one before anything
else follows (INV-7)."""

from collections.abc import Iterator
from typing import Any

import pytest

from invoicing.chasing import suspending
from invoicing.models import Invoice, RejectionNotice, Suspension
from invoicing.paying import card_setup
from panel.accounts import restrictions
from tests.support import bank as person
from tests.support.owing import SWEEPS
from tests.support.shop import Shop
from tests.support.till import Till, open_till
from tests.support.world import Customer, World

pytestmark = pytest.mark.django_db


@pytest.fixture
def till(world: World, shop: Shop, settings: Any) -> Iterator[Till]:
    with open_till(world, shop, settings) as opened:
        yield opened


@pytest.fixture
def alice(world: World, till: Till) -> Customer:
    return world.customer()


@pytest.fixture
def invoice(world: World, till: Till, alice: Customer) -> Invoice:
    """A renewal of 2 April whose collection from the kept card is refused, as every later one."""
    till.buy(alice, keep=True)
    till.bank.control("mischief", kind="decline", value="insufficient_funds", times=50)
    live(world, till, 31)
    return Invoice.objects.filter(account=alice.account).latest("pk")


def live(world: World, till: Till, count: int) -> None:
    for _ in range(count):
        world.advance(days=1)
        till.sync()
        for name in ("payments.collect", *SWEEPS):
            world.sweep(name)
        world.work()


def test_the_suspension_is_proposed_after_the_thirty_days_and_not_before(
    world: World, till: Till, invoice: Invoice
) -> None:
    """Refused on 2 and 5 April, told on the 5th: the 30th day is 5 May."""
    live(world, till, 33)
    assert f"{world.now:%d.%m}" == "05.05"
    assert not Suspension.objects.exists()
    live(world, till, 1)
    row = Suspension.objects.get()
    assert (row.rule, row.invoice, row.state) == ("INV-7", invoice, "proposed")
    suspending.confirm(row.pk, reason="no means", actor=world.staff("billing"), now=world.now)
    assert restrictions.blocking(invoice.account_id, "use_service") is not None


def add_another_card(world: World, till: Till, alice: Customer) -> None:
    setup = card_setup.begin(alice.account, return_url="http://testserver/", key="k", actor=alice.actor, now=world.now)
    world.work()
    setup.refresh_from_db()
    person.type_card(setup.action_url, person.GOOD)
    till.deliver()
    world.work()


def test_a_card_that_is_refused_too_wins_no_further_days(
    world: World, till: Till, alice: Customer, invoice: Invoice
) -> None:
    """The rule asks for a valid means: one that pays."""
    live(world, till, 30)
    add_another_card(world, till, alice)
    assert Invoice.objects.get(pk=invoice.pk).state == "overdue"
    live(world, till, 4)
    assert RejectionNotice.objects.count() == 1
    assert Suspension.objects.get().rule == "INV-7"


def test_another_card_pays_at_once_and_ends_it(world: World, till: Till, alice: Customer, invoice: Invoice) -> None:
    live(world, till, 36)
    suspending.confirm(Suspension.objects.get().pk, reason="x", actor=world.staff("billing"), now=world.now)
    till.bank.store.set("mischief", [])
    add_another_card(world, till, alice)
    invoice.refresh_from_db()
    assert (invoice.state, Suspension.objects.get(invoice=invoice).state) == ("paid", "lifted")
    assert restrictions.blocking(invoice.account_id, "use_service") is None


def test_trouble_of_the_providers_is_no_rejection(world: World, till: Till, alice: Customer) -> None:
    """Invariant 22."""
    till.buy(alice, keep=True)
    till.bank.control("mischief", kind="decline", value="processing_error", times=50)
    live(world, till, 40)
    assert not RejectionNotice.objects.exists()
    assert not world.mails("payment_refused", alice.account)
    assert not Suspension.objects.exists()
