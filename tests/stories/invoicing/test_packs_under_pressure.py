"""As a provider I never let two uses at the same instant take the same unit of a pack (OPR-9)."""

from functools import partial

import pytest
from django.db.models import Sum

from invoicing.consuming import pack_expiry, usage
from invoicing.consuming.usage import Told
from invoicing.models import Pack, PackMovement, Subscription
from tests.support import relay
from tests.support.crowd import together
from tests.support.shop import Shop
from tests.support.world import Customer, World

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]
MANY = 12


def sms(world: World, shop: Shop, services: int) -> tuple[Customer, list[Subscription]]:
    relay.messages(world)
    relay.pack(50)
    relay.pack(70)
    alice = world.customer()
    return alice, [shop.buy(alice, "sms") for _ in range(services)]


def told(world: World, row: Subscription, key: str, quantity: int = 30) -> usage.Taken:
    return relay.used(world, row, key, quantity)


def drawn(pack: Pack) -> int:
    pack.refresh_from_db()
    moved = PackMovement.objects.filter(pack=pack).aggregate(sum=Sum("millionths"))["sum"] or 0
    assert pack.remaining == pack.bought + moved >= 0
    return -moved // 10**6


def test_uses_of_several_services_at_once_draw_each_unit_once(world: World, shop: Shop) -> None:
    """Three services of an account, twelve uses of 30 at once, each told twice, 120 units in two packs."""
    alice, rows = sms(world, shop, 3)
    packs = [shop.buy_pack(alice, "pack-50"), shop.buy_pack(alice, "pack-70")]
    world.advance(hours=1)
    deeds = [partial(told, world, rows[number % 3], f"e{number}") for number in range(MANY) for _twice in range(2)]
    taken = together(deeds)
    assert sum(one.accepted for one in taken) == MANY
    assert [drawn(pack) for pack in packs] == [50, 70]
    assert PackMovement.objects.values("pack", "event").distinct().count() == PackMovement.objects.count()


def test_uses_corrections_and_the_end_at_once_lose_nothing(world: World, shop: Shop) -> None:
    """A pack whose time is over expires while uses of before are still told, and others taken back: whatever comes
    first, used, left and expired add up to what was bought."""
    alice, rows = sms(world, shop, 2)
    pack = shop.buy_pack(alice, "pack-70")
    used_at = world.now
    for number in range(4):
        told(world, rows[number % 2], f"e{number}", 10)
    world.advance(days=340, sweeps=["invoicing.packs"])
    world.advance(days=60)
    back = [
        partial(usage.record, "relay", [Told(f"undo {number}", rows[number % 2].reference, corrects=f"e{number}")],
                now=world.now)
        for number in range(4)
    ]  # fmt: skip
    late = [
        partial(usage.record, "relay", [Told(f"late {number}", rows[number % 2].reference, "sms", usage.Decimal(5),
                                             used_at)], now=world.now)
        for number in range(4)
    ]  # fmt: skip
    ends = [partial(pack_expiry.run, world.now)] * 3
    together([*back, *late, *ends])
    pack_expiry.run(world.now)
    pack.refresh_from_db()
    moved = dict(PackMovement.objects.order_by().values_list("kind").annotate(sum=Sum("millionths")))
    used = -moved["drawn"] - moved["back"]
    expired = -moved.get("expired", 0) - moved.get("reopened", 0)
    assert used == 20 * 10**6
    assert used + pack.remaining + expired == pack.bought
    assert (pack.closing, pack.remaining) == ("expired", 0)
