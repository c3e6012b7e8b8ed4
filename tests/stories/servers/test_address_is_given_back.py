"""As a customer I give one of my additional addresses back: that one goes, at the renewal, and I pay for one less from
then on (SRV-3, SUB-12)."""

import pytest

from invoicing.models import Option, Subscription
from invoicing.subscribing import changes
from invoicing.subscribing.changes import Wish
from panel.accounts import restrictions
from panel.core.actors import CLOCK
from panel.core.errors import RuleViolation
from servers import providers
from servers.addressing import address_selectors, giving_back, moving
from servers.models import Address, AddressHolding, Server
from servers.providers.simulated.control import Control
from tests.support.shop import Shop, open_shop
from tests.support.world import Customer, World, paris

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop(cloud: Control, world: World) -> Shop:
    return open_shop(world)


def running(world: World, shop: Shop, who: Customer, **how: object) -> Server:
    row = shop.buy(who, **{"name": "web-1", **how})  # type: ignore[arg-type]
    for _ in range(3):
        world.advance(seconds=10)
    return Server.objects.select_related("subscription").get(subscription=row)


def extras(server: Server) -> list[Address]:
    return list(Address.objects.filter(holdings__ordered_with=server, holdings__until=None, holdings__is_first=False)
                .order_by("pk"))  # fmt: skip


def renewed(world: World) -> None:
    world.until(paris("2026-04-02 00:01"), sweeps=["servers.meter", "invoicing.renew"])
    world.advance(seconds=10, sweeps=["invoicing.renew"])
    world.work()


def test_the_chosen_one_goes_at_the_renewal_wherever_it_is(world: World, shop: Shop, cloud: Control) -> None:
    alice = world.customer()
    one = running(world, shop, alice, addresses=2)
    two = running(world, shop, alice, name="web-2")
    first, second = extras(one)
    moving.move(first, two, actor=alice.actor, now=world.now)
    world.work()
    made = giving_back.give_back(first, actor=alice.actor, now=world.now)
    assert made is not None
    assert (made.state, giving_back.give_back(first, actor=alice.actor, now=world.now)) == ("planned", None)
    (row,) = [row for row in address_selectors.mine(alice.actor).rows if row.leaves_on]
    assert (row.ip, row.leaves_on) == (str(first.ip), made.effective_on)
    renewed(world)
    assert extras(one) == [second]
    node = providers.get("sim-1").get(two.provider_ref)
    assert node is not None
    assert str(first.ip) not in node.addresses
    assert Address.objects.get(pk=first.pk).state == "quarantine"
    assert changes.wished(Subscription.objects.get(pk=one.subscription_id)).options == {"vps-address": 1}


def test_two_of_them_go_together(world: World, shop: Shop, cloud: Control) -> None:
    alice = world.customer()
    server = running(world, shop, alice, addresses=3)
    first, second, third = extras(server)
    for one in (third, first):
        giving_back.give_back(one, actor=alice.actor, now=world.now)
    renewed(world)
    assert extras(server) == [second]


def test_taking_the_change_back_keeps_it_and_forgets_the_choice(world: World, shop: Shop, cloud: Control) -> None:
    alice = world.customer()
    server = running(world, shop, alice, addresses=2)
    first, second = extras(server)
    made = giving_back.give_back(first, actor=alice.actor, now=world.now)
    assert made is not None
    changes.undo(made, actor=alice.actor, now=world.now)
    assert not [row for row in address_selectors.mine(alice.actor).rows if row.leaves_on]
    giving_back.give_back(second, actor=alice.actor, now=world.now)
    renewed(world)
    assert extras(server) == [first]


def test_what_is_restricted_or_came_with_the_server_is_not_given_back(world: World, shop: Shop, cloud: Control) -> None:
    alice = world.customer()
    server = running(world, shop, alice, addresses=1)
    (extra,) = extras(server)
    restrictions.restrict(
        alice.account, scope="address", subject=extra, rule="ABU-3", author=CLOCK, statement="No answer.",
        now=world.now, key="one",
    )  # fmt: skip
    with pytest.raises(RuleViolation, match="restricted"):
        giving_back.give_back(extra, actor=alice.actor, now=world.now)
    with pytest.raises(RuleViolation, match="came with its server"):
        giving_back.give_back(server.holdings.get(is_first=True).address, actor=alice.actor, now=world.now)


def test_one_of_ipv6_is_had_and_moved_like_any_other(world: World, shop: Shop, cloud: Control) -> None:
    Option.objects.filter(code="vps-address-v6").update(on_sale=True)
    alice = world.customer()
    one, two = running(world, shop, alice), running(world, shop, alice, name="web-2")
    changes.change(one.subscription, Wish("vps-s", "month", {"vps-address-v6": 1}), key="v6", actor=alice.actor,
                   now=world.now)  # fmt: skip
    world.advance(seconds=10)
    (address,) = extras(one)
    assert (address.family, str(address.ip)) == (6, "2001:db8:77::2")
    moving.move(address, two, actor=alice.actor, now=world.now)
    world.work()
    node = providers.get("sim-1").get(two.provider_ref)
    assert node is not None
    assert node.addresses[1:] == (str(address.ip),)
    assert AddressHolding.objects.filter(address=address).count() == 2


def test_no_address_is_added_to_a_server_that_is_restricted(world: World, shop: Shop, cloud: Control) -> None:
    alice = world.customer()
    server = running(world, shop, alice)
    restrictions.restrict(
        alice.account, scope="address", subject=server.holdings.get().address, rule="SRV-7", author=CLOCK,
        statement="It floods the network.", now=world.now, key="limit",
    )  # fmt: skip
    with pytest.raises(RuleViolation, match="restricted"):
        changes.change(server.subscription, Wish("vps-s", "month", {"vps-address": 1}), key="more", actor=alice.actor,
                       now=world.now)  # fmt: skip
