"""As a customer my running server follows what I changed: its size, its addresses, its allowance; or I read why not
(SUB-12, SRV-3, SRV-4, SRV-8)."""

from datetime import timedelta

import pytest

from invoicing.offering import catalogue
from invoicing.subscribing import changes
from invoicing.subscribing.changes import Wish
from panel.core.errors import RuleViolation
from servers import providers
from servers.models import Address, Server, TrafficMonth
from servers.providers.simulated.control import Control
from tests.support.shop import Shop, open_shop
from tests.support.world import Customer, World, paris

pytestmark = pytest.mark.django_db
TB = 10**12


@pytest.fixture
def shop(cloud: Control, world: World) -> Shop:
    return open_shop(world)


def running(world: World, shop: Shop, who: Customer, **how: object) -> Server:
    row = shop.buy(who, name="web-1", **how)  # type: ignore[arg-type]
    for _ in range(3):
        world.advance(seconds=10)
    return Server.objects.select_related("subscription").get(subscription=row)


def change(world: World, who: Customer, server: Server, package: str, addresses: int = 0) -> changes.SubscriptionChange:
    wish = Wish(package, "month", {"vps-address": addresses} if addresses else {})
    made = changes.change(server.subscription, wish, key=str(world.now), actor=who.actor, now=world.now)
    world.advance(seconds=10)
    server.refresh_from_db()
    return made


def test_an_upgrade_resizes_the_machine_and_widens_the_month(world: World, shop: Shop, cloud: Control) -> None:
    alice = world.customer()
    server = running(world, shop, alice)
    world.sweep("servers.meter")
    change(world, alice, server, "vps-m", addresses=1)
    node = providers.get("sim-1").get(server.provider_ref)
    assert node is not None
    assert (node.size, len(node.addresses), str(node.power)) == ("vps-m", 2, "on")
    assert (server.size["disk_gb"], server.holdings.filter(until=None).count()) == (60, 2)
    assert TrafficMonth.objects.get().included_bytes == 2 * TB
    assert server.actions.get(verb="resize").state == "done"


def test_a_smaller_disk_is_refused_with_the_reason(world: World, shop: Shop, cloud: Control) -> None:
    alice = world.customer()
    server = running(world, shop, alice, package="vps-m")
    with pytest.raises(RuleViolation, match="disk of 60 GB cannot be made smaller"):
        change(world, alice, server, "vps-s")
    assert server.subscription.changes.count() == 0


def test_given_up_addresses_go_back_at_the_renewal(world: World, shop: Shop, cloud: Control) -> None:
    alice = world.customer()
    server = running(world, shop, alice, addresses=2)
    change(world, alice, server, "vps-s")
    assert server.holdings.filter(until=None).count() == 3
    world.until(paris("2026-04-02 00:01"), sweeps=["servers.meter", "invoicing.renew"])
    world.advance(seconds=10, sweeps=["invoicing.renew"])
    node = providers.get("sim-1").get(server.provider_ref)
    assert node is not None
    assert len(node.addresses) == 1
    assert server.holdings.filter(until=None, is_first=True).count() == 1
    assert server.holdings.filter(until=None).count() == 1
    assert Address.objects.filter(state="quarantine").count() == 2


def test_there_and_back_on_one_day_where_the_disk_stays(world: World, shop: Shop, cloud: Control) -> None:
    alice = world.customer()
    server = running(world, shop, alice)
    made = change(world, alice, server, "vps-s", addresses=1)
    changes.undo(made, actor=alice.actor, now=world.now)
    world.advance(seconds=10)
    assert server.holdings.filter(until=None).count() == 1


def test_a_lost_answer_changes_it_once(world: World, shop: Shop, cloud: Control) -> None:
    alice = world.customer()
    server = running(world, shop, alice)
    cloud.plan("resize", "lost")
    change(world, alice, server, "vps-l", addresses=1)
    for _ in range(4):
        world.advance(minutes=2)
    node = providers.get("sim-1").get(server.provider_ref)
    assert node is not None
    assert (node.size, len(node.addresses)) == ("vps-l", 2)
    assert server.actions.get(verb="resize").state == "done"
    assert not world.failed_operations()


def test_while_it_is_being_made_or_busy_it_waits(world: World, shop: Shop, cloud: Control) -> None:
    alice = world.customer()
    row = shop.buy(alice, name="web-1")
    seen = changes.preview(row, Wish("vps-m", "month", {}), now=world.now)
    assert "still being set up" in seen.refusal
    assert row.period_end - row.period_start == timedelta(days=31)
    assert catalogue.package("vps-m").spec["disk_gb"] == 60
