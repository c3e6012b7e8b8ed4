"""The last of a limit, or of a cap, is taken once, however many orders come at the same time (SUB-4)."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connections

from invoicing.limiting import spending
from invoicing.models import Order
from panel.core.errors import RuleViolation
from tests.support.shop import Shop
from tests.support.world import Customer, World

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]
CROWD = 12


def placed_together(shop: Shop, alice: Customer) -> int:
    def place(number: int) -> int:
        try:
            shop.order(alice, key=f"together-{number}")
        except RuleViolation:
            return 0
        finally:
            connections.close_all()
        return 1

    with ThreadPoolExecutor(CROWD) as crowd:
        return sum(crowd.map(place, range(CROWD)))


def test_a_new_account_gets_three(world: World, shop: Shop) -> None:
    alice = world.customer()
    assert placed_together(shop, alice) == Order.objects.count() == 3


def test_the_cap_holds_for_a_crowd(world: World, shop: Shop) -> None:
    alice = world.customer()
    shop.buy(alice)
    spending.set_cap(alice.account, 590 * 5, actor=alice.actor, now=world.now)
    assert placed_together(shop, alice) == 4
