"""As the provider I stay exact while everything happens at once: no address twice, no click twice, no byte twice."""

import pytest
from django.db import transaction

from panel.core import operations
from servers import metering, power
from servers.models import Address, AddressHolding, Meter, Server, ServerAction, TrafficMonth
from servers.providers import Counters
from servers.providers.simulated.control import Control
from servers.rules import Verb
from tests.support.crowd import at_once
from tests.support.machines import server_of, subscribe
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


def test_one_reading_brought_by_many_counts_once(cloud: Control) -> None:
    world = World()
    server = server_of(world, world.customer())
    world.advance(minutes=5)
    read = Counters("one", 1000, 500, world.now, link_bps=10**12)
    with transaction.atomic():
        Meter.objects.get_or_create(server=server, defaults={"account_id": server.account_id})
    at_once(lambda: metering.record(server, read, now=world.now), 8)
    assert TrafficMonth.objects.get(server=server).total == 1500
