"""As the provider I stay exact while everything happens at once: no address twice, no click twice, no byte twice."""

import contextlib
import itertools
from datetime import timedelta
from functools import partial

import pytest
from django.db import transaction

from invoicing.subscribing import changes
from invoicing.subscribing.ending_by_us import Ground
from panel.core import operations
from panel.core.errors import RuleViolation
from servers import metering
from servers.addressing import giving_back
from servers.models import Address, AddressHolding, Meter, Server, ServerAction, TrafficHour, TrafficMonth
from servers.providers import Counters
from servers.providers.simulated.control import Control
from servers.rules import Verb
from servers.traffic import in_bulk
from servers.traffic.in_bulk import Taken
from servers.verbs import destroying, power, rebuilding
from tests.support.crowd import at_once, locks, together
from tests.support.machines import server_of, subscribe
from tests.support.shop import open_shop
from tests.support.world import World

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]


def test_orders_at_once_get_one_machine_and_one_address_each(cloud: Control) -> None:
    world = World()
    owners = [world.customer(f"Owner{number}") for number in range(12)]
    for number, owner in enumerate(owners):
        subscribe(world, owner, name=f"web-{number}")
    for _ in range(3):
        at_once(lambda: operations.run_due(world.now), 6)
        world.advance(seconds=10)
    assert Server.objects.filter(state="running").count() == 12
    assert len(cloud.refs()) == 12
    held = AddressHolding.objects.filter(until=None)
    assert held.values("address").distinct().count() == held.count() == 12
    assert Address.objects.filter(state="held").count() == 12


def test_one_click_sent_ten_times_is_one_reboot(cloud: Control) -> None:
    world = World()
    alice = world.customer()
    server = server_of(world, alice)
    at_once(lambda: power.request(server, Verb.REBOOT, actor=alice.actor, now=world.now), 10)
    assert ServerAction.objects.filter(verb="reboot").count() == 1
    at_once(lambda: operations.run_due(world.now), 4)
    assert cloud.calls("reboot") == ["ok"]


def test_a_server_destroyed_by_ten_clicks_ends_once(cloud: Control) -> None:
    world = World()
    alice = world.customer()
    server = server_of(world, alice)
    at_once(lambda: destroying.destroy(server, typed=server.name, actor=alice.actor, now=world.now), 10)
    at_once(lambda: operations.run_due(world.now), 4)
    assert Server.objects.get(pk=server.pk).state == "destroyed"
    assert ServerAction.objects.filter(verb="destroy").count() == 1
    assert cloud.calls("destroy") == ["ok"]
    assert len(world.mails("subscription_ended", alice.account)) == 1


def test_every_end_holds_the_subscription_before_its_server(cloud: Control) -> None:
    world = World()
    alice, staff = world.customer(), world.staff("infrastructure")
    one, two = server_of(world, alice), server_of(world, alice, name="web-2")
    by_us = locks(lambda: destroying.destroy_for(
        one, Ground.ASKED, reason="As you wrote us.", typed="web-1", actor=staff, now=world.now
    ))  # fmt: skip
    by_its_owner = locks(lambda: destroying.destroy(two, typed="web-2", actor=alice.actor, now=world.now))
    for found in (by_us, by_its_owner):
        assert found.index("invoicing_subscription") < found.index("servers_server")


def test_addresses_given_back_at_once_are_each_paid_for_no_longer(cloud: Control) -> None:
    world = World()
    alice, shop = world.customer(), open_shop(world)
    shop.buy(alice, name="web-1", addresses=3)
    for _ in range(3):
        world.advance(seconds=10)
    server = Server.objects.select_related("subscription").get()
    first, second, third = Address.objects.filter(holdings__ordered_with=server, holdings__is_first=False)

    def give(address: Address) -> None:
        giving_back.give_back(address, actor=alice.actor, now=world.now)

    found = locks(lambda: give(third))
    assert found.index("invoicing_subscription") < found.index("servers_addressholding")
    together([partial(give, first), partial(give, second)])
    assert changes.wished(server.subscription).options == {}


def test_a_reboot_and_the_end_clicked_at_once_end_the_server(cloud: Control) -> None:
    """Whichever comes first: the machine is destroyed once, and nothing is left under way."""
    world = World()
    alice = world.customer()
    server = server_of(world, alice)

    def click(number: int) -> None:
        with contextlib.suppress(RuleViolation):
            if number % 2:
                power.request(server, Verb.REBOOT, actor=alice.actor, now=world.now)
            else:
                destroying.destroy(server, typed=server.name, actor=alice.actor, now=world.now)

    together([partial(click, number) for number in range(10)])
    for _ in range(3):
        at_once(lambda: operations.run_due(world.now), 4)
        world.now += timedelta(minutes=1)
    assert (Server.objects.get(pk=server.pk).state, cloud.refs()) == ("destroyed", [])
    assert not ServerAction.objects.filter(state="waiting").exists()
    assert set(ServerAction.objects.filter(verb="reboot").values_list("state", flat=True)) <= {"done", "cancelled"}
    assert cloud.calls("destroy") == ["ok"]
    assert world.failed_operations() == []


def test_rebuilds_and_reboots_asked_for_at_once_leave_one_that_began(cloud: Control) -> None:
    world = World()
    alice = world.customer()
    server = server_of(world, alice)

    def click(number: int) -> None:
        with contextlib.suppress(RuleViolation):
            if number % 2:
                power.request(server, Verb.REBOOT, actor=alice.actor, now=world.now)
            else:
                rebuilding.rebuild(server, "rocky-9", typed=server.name, actor=alice.actor, now=world.now)

    numbers = itertools.count()
    at_once(lambda: click(next(numbers)), 10)
    assert ServerAction.objects.filter(state="waiting").count() == 1
    at_once(lambda: operations.run_due(world.now), 4)
    assert len(cloud.calls("rebuild")) + len(cloud.calls("reboot")) == 1


def test_one_reading_brought_by_many_counts_once(cloud: Control) -> None:
    world = World()
    server = server_of(world, world.customer())
    world.advance(minutes=5)
    read = Counters("one", 1000, 500, world.now, link_bps=10**12)
    with transaction.atomic():
        Meter.objects.get_or_create(server=server, defaults={"account_id": server.account_id})
    at_once(lambda: metering.record(server, read, now=world.now), 8)
    assert TrafficMonth.objects.get(server=server).total == 1500


def test_batches_and_single_readings_at_once_count_each_byte_once(cloud: Control) -> None:
    world = World()
    alice = world.customer()
    servers = [server_of(world, alice, name=f"web-{number}") for number in range(6)]
    rows = Server.objects.select_related("subscription").in_bulk([server.pk for server in servers])

    def batch(minute: int) -> list[Taken]:
        at = world.now + timedelta(minutes=minute)
        return [
            Taken(pk, row.subscription.anchor_on, row.subscription.terms_version, None,
                  Counters("one", 1000 * minute, 500 * minute, at, link_bps=10**12))
            for pk, row in rows.items()
        ]  # fmt: skip

    in_bulk.ingest(batch(1), now=world.now)

    def bring(number: int) -> None:
        some = batch(2 + number // 4)
        if number % 4 == 3:
            for one in reversed(some):
                metering.record(rows[one.server_id], one.read, now=world.now)
        else:
            assert in_bulk.ingest(some, now=world.now).failed == {}

    numbers = itertools.count()
    at_once(lambda: bring(next(numbers)), 16)
    assert set(TrafficMonth.objects.values_list("rx_bytes", "tx_bytes")) == {(5000, 2500)}
    assert set(Meter.objects.values_list("rx_bytes", flat=True)) == {5000}
    assert sum(TrafficHour.objects.values_list("rx_bytes", flat=True)) == 6 * 5000
