"""As a provider with one use of a code left I give it once, whoever asks at the same instant (SUB-2)."""

from decimal import Decimal

import pytest

from invoicing.models import Order, PromotionUse
from invoicing.offering import promotions
from panel.core.errors import RuleViolation
from tests.support.crowd import together
from tests.support.shop import Shop
from tests.support.world import Customer, World

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]
MANY = 50


def asked(shop: Shop, who: Customer) -> str:
    try:
        return shop.order(who, promotion="LAST").state
    except RuleViolation as refused:
        return refused.sentence


def code(world: World, **limits: int) -> None:
    promotions.create(
        "LAST", [], now=world.now, actor=world.staff("billing"), name="last", percent=Decimal(10),
        valid_from=world.now, **limits,
    )  # fmt: skip


def test_fifty_orders_and_one_use(world: World, shop: Shop) -> None:
    code(world, most_uses=1)
    people = [world.customer() for _ in range(MANY)]
    answers = together([lambda who=who: asked(shop, who) for who in people])
    assert sorted(answers) == sorted(["awaiting_payment", *[str(promotions.REFUSALS["used_up"])] * (MANY - 1)])
    assert PromotionUse.objects.count() == Order.objects.count() == 1


def test_one_account_and_one_use(world: World, shop: Shop) -> None:
    code(world, most_per_account=1)
    alice = world.customer()
    answers = together([lambda: asked(shop, alice)] * 12)
    assert answers.count("awaiting_payment") == PromotionUse.objects.count() == 1
