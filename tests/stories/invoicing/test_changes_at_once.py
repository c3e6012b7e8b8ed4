"""As a customer who clicks twice, in two tabs, I change my subscription once and pay for it once (SUB-12)."""

import pytest

from invoicing.accounting import ledger
from invoicing.issuing import invoices
from invoicing.models import Invoice, Subscription, SubscriptionChange
from invoicing.subscribing import changes
from panel.core.errors import RuleViolation
from tests.support.crowd import together
from tests.support.shop import Shop
from tests.support.world import Customer, World

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]


def confirm(world: World, row: Subscription, who: Customer, key: str) -> str:
    try:
        return changes.change(
            row, changes.Wish("vps-m", "year", {"vps-address": 2}), key=key, actor=who.actor, now=world.now
        ).state
    except RuleViolation as refusal:
        return refusal.sentence


def test_many_clicks_are_one_change(world: World, shop: Shop) -> None:
    alice = world.customer()
    row = shop.buy(alice)
    said = together([lambda key=key: confirm(world, row, alice, key) for key in ("one", "one", "one", "two", "three")])
    assert set(said) <= {"done", "planned"}
    assert SubscriptionChange.objects.filter(state="done").count() == 1
    assert SubscriptionChange.objects.filter(state="planned").count() == 1
    assert [invoice.net_cents for invoice in Invoice.objects.order_by("pk")] == [590, 600 + 400]
    assert [deed for deed, _ in shop.service.done] == ["provision", "change"]
    assert ledger.total() == 0
    assert invoices.verify() == []


def test_taken_back_by_many_is_credited_once(world: World, shop: Shop) -> None:
    alice = world.customer()
    row = shop.buy(alice)
    made = changes.change(row, changes.Wish("vps-m", "month", {}), key="one", actor=alice.actor, now=world.now)
    together([lambda: changes.undo(made, actor=alice.actor, now=world.now)] * 5)
    assert Invoice.objects.filter(kind="credit_note").count() == 1
    row.refresh_from_db()
    assert (row.package.code, ledger.total()) == ("vps-s", 0)
