"""As the abuse desk I must know who held an address at any instant, and no two at one time (SRV-3)."""

from datetime import timedelta

import pytest
from django.db import DatabaseError, transaction

from invoicing.subscribing import kinds
from servers.addressing import holdings
from servers.models import Address, AddressHolding, Server
from servers.providers.simulated.control import Control
from tests.support.machines import first_ip, server_of, simulated_place, subscribe
from tests.support.world import World

pytestmark = pytest.mark.django_db


def end(server: Server, world: World) -> None:
    with transaction.atomic():
        kinds.get("vps").terminate(server.subscription, because="SUB-6", now=world.now)
    world.advance(seconds=5)


def test_an_address_rests_before_the_next_holder_and_history_tells_them_apart(tmp_path) -> None:  # type: ignore[no-untyped-def]
    with simulated_place(tmp_path, addresses=["192.0.2.0/30"], quarantine_days=10):
        world = World()
        alice, bob = world.customer("Alice"), world.customer("Bob")
        first = server_of(world, alice)
        ip, while_alice = first_ip(first), world.now
        end(first, world)
        ended = world.now

        waiting = subscribe(world, bob)
        world.advance(seconds=10)
        assert Server.objects.get(subscription=waiting).state == "ordered"  # the only address still rests

        world.advance(days=10, sweeps=["servers.reconcile"])
        for _ in range(3):
            world.advance(hours=1)
        second = Server.objects.get(subscription=waiting)
        assert second.state == "running"
        assert first_ip(second) == ip

        def names(start, stop):  # type: ignore[no-untyped-def]
            return [holding.account for holding in holdings.holders_between(ip, start, stop)]

        assert names(while_alice, while_alice) == [alice.account]
        assert names(world.now, world.now) == [bob.account]
        assert names(ended + timedelta(seconds=1), ended + timedelta(days=1)) == []
        assert names(while_alice, world.now) == [bob.account, alice.account]
        assert holdings.holders_between("not an address", world.now, world.now) == []


def test_the_last_instant_of_a_holding_belongs_to_nobody_and_the_first_to_its_holder(cloud: Control) -> None:
    world = World()
    alice = world.customer()
    server = server_of(world, alice)
    ip = first_ip(server)
    since = server.holdings.get().since
    end(server, world)
    until = server.holdings.get().until
    assert until is not None
    assert len(holdings.holders_between(ip, since, since)) == 1
    assert holdings.holders_between(ip, until, until) == []


def test_the_database_refuses_two_holders_at_one_time(cloud: Control) -> None:
    world = World()
    server = server_of(world, world.customer())
    other = server_of(world, world.customer("Bob"), name="web-2")
    holding = server.holdings.get()
    overlapping = AddressHolding(
        address=holding.address,
        server=other,
        ordered_with=other,
        account=other.account,
        is_first=False,
        since=holding.since + timedelta(hours=1),
    )
    with pytest.raises(DatabaseError), transaction.atomic():
        overlapping.save()
    overlapping.since, overlapping.until = holding.since - timedelta(hours=1), holding.since + timedelta(seconds=1)
    with pytest.raises(DatabaseError), transaction.atomic():
        overlapping.save()
    overlapping.until = holding.since
    overlapping.save()  # ends where the other begins
    with pytest.raises(DatabaseError), transaction.atomic():
        AddressHolding.objects.filter(pk=overlapping.pk).update(until=holding.since + timedelta(seconds=1))


def test_additional_addresses_are_taken_and_attached_with_the_server(cloud: Control) -> None:
    world = World()
    server = server_of(world, world.customer(), options={"vps-address": 2})
    held = [str(holding.address.ip) for holding in server.holdings.order_by("pk")]
    assert len(set(held)) == 3
    assert Address.objects.filter(state="held").count() == 3
    from servers import providers

    node = providers.get("sim-1").get(server.provider_ref)
    assert node is not None
    assert sorted(node.addresses) == sorted(held)


def test_an_address_that_the_place_chose_is_written_down_like_any_other(tmp_path) -> None:  # type: ignore[no-untyped-def]
    with simulated_place(tmp_path, gives_addresses="192.0.2.0/24"):
        world = World()
        alice = world.customer()
        server = server_of(world, alice)
        ip = first_ip(server)
        assert ip.startswith("192.0.2.")
        assert [holding.account for holding in holdings.holders_between(ip, world.now, world.now)] == [alice.account]
        end(server, world)
        assert Address.objects.get(ip=ip).state == "quarantine"
        assert first_ip(server_of(world, world.customer("Bob"))) == ip  # the place gave it again: it is theirs to give


def test_an_empty_pool_holds_the_order_up_until_there_is_an_address(tmp_path) -> None:  # type: ignore[no-untyped-def]
    with simulated_place(tmp_path, addresses=["192.0.2.0/30"]):
        world = World()
        server_of(world, world.customer())
        assert not kinds.get("vps").available(subscribe(world, world.customer("Bob")).package, {})
        world.advance(minutes=1)
        assert Server.objects.filter(state="running").count() == 1
