"""Two answers to an offer at once, or an answer while the renewal is billed: one outcome (SUB-2, SUB-5)."""

from datetime import date

import pytest

from invoicing.accounting import ledger
from invoicing.issuing import invoices
from invoicing.models import Consumption, Invoice, ServiceTransfer, Subscription
from invoicing.renewing import billing
from invoicing.transferring import handing_over, transfers
from panel.accounts import terms_in_force
from panel.core.errors import RuleViolation
from panel.core.models import Event
from tests.support.crowd import together
from tests.support.shop import Shop
from tests.support.world import Customer, World, paris

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]
TB = 10**12


def offered(world: World, shop: Shop) -> tuple[Customer, Customer, Subscription, ServiceTransfer]:
    alice, bob = world.customer(), world.customer("Bob")
    row = shop.buy(alice)
    shop.service.used[date(2026, 3, 2)] = TB + 10**9
    made = transfers.offer(row, to=bob.account.reference, reason="Sold", actor=alice.actor, now=world.now)
    return alice, bob, row, made


def accept(world: World, made: ServiceTransfer, who: Customer) -> str:
    documents = terms_in_force.at(who.account, world.now).order_documents
    try:
        handing_over.accept(made, who.account, accepted=documents, actor=who.actor, ip=None, now=world.now)
    except RuleViolation as refusal:
        return refusal.sentence
    return "accepted"


def withdraw(world: World, made: ServiceTransfer, who: Customer) -> str:
    try:
        transfers.withdraw(made, actor=who.actor, now=world.now)
    except RuleViolation as refusal:
        return refusal.sentence
    return "withdrawn"


def check_books(alice: Customer, bob: Customer, row: Subscription) -> Subscription:
    """Billed once, to who has it."""
    row.refresh_from_db()
    assert (ledger.total(), invoices.verify()) == (0, [])
    assert {one.account_id for one in row.options.all()} <= {row.account_id}
    return row


def test_accepted_by_many_clicks(world: World, shop: Shop) -> None:
    alice, bob, row, made = offered(world, shop)
    said = together([lambda: accept(world, made, bob)] * 6)
    assert said == ["accepted"] * 6
    assert check_books(alice, bob, row).account == bob.account
    assert Consumption.objects.count() == 1
    assert [one.net_cents for one in shop.invoices(alice)] == [590, 130]
    assert [deed for deed, _ in shop.service.done] == ["provision", "hand over"]
    assert Event.objects.filter(kind="invoicing.transfer.accepted").count() == 2


def test_accepted_and_withdrawn(world: World, shop: Shop) -> None:
    alice, bob, row, made = offered(world, shop)
    said = together([lambda: accept(world, made, bob), lambda: withdraw(world, made, alice)] * 3)
    state = ServiceTransfer.objects.get().state
    has_it = check_books(alice, bob, row).account
    assert (state, has_it) in {("accepted", bob.account), ("withdrawn", alice.account)}
    assert said.count(state) == 3, "and the others read what became of it"
    assert len(shop.invoices(alice)) == (2 if state == "accepted" else 1)


@pytest.mark.parametrize("hour", ["23:59", "00:00"])
def test_accepted_while_the_renewal_is_billed(world: World, shop: Shop, hour: str) -> None:
    """Whoever is billed has it: before the day nothing is due, on the day the renewal comes first."""
    alice, bob, row, _made = offered(world, shop)
    transfers.withdraw(_made, actor=alice.actor, now=world.now)
    world.until(paris("2026-03-25 09:00"))
    made = transfers.offer(row, to=bob.account.reference, reason="Sold", actor=alice.actor, now=world.now)
    world.until(paris(f"2026-04-{'01' if hour == '23:59' else '02'} {hour}"))
    night = paris("2026-04-02 00:00")
    together([lambda: accept(world, made, bob), lambda: billing.renew(night), lambda: accept(world, made, bob)])
    billing.renew(night)
    has_it = check_books(alice, bob, row).account
    assert row.periods.count() == 2, "the period is invoiced once"
    renewal = row.periods.get(start=date(2026, 4, 2)).invoice
    if hour == "00:00":
        assert renewal.account == alice.account, "on the day it is hers to pay, then it waits until that is paid"
        assert has_it == alice.account
    used = sum(one.net_cents for one in Consumption.objects.all())
    assert used == 130
    assert sum(one.net_cents for one in Invoice.objects.all()) == 590 + 130 + 590
    assert Invoice.objects.filter(lines__code="usage:traffic").count() == 1
