"""As a customer I ask whether a port of my server is reachable; the panel really tries (SRV-8)."""

import socket
from collections.abc import Iterator

import pytest

from panel.core.errors import ProviderError, RuleViolation
from servers import remote
from servers.models import PortTest, Server
from servers.networking import firewalls, port_tests
from servers.networking.firewall_rules import TEMPLATES
from servers.providers.simulated.control import Control
from servers.remote import Met
from tests.support.machines import first_ip, server_of
from tests.support.world import Customer, World

pytestmark = pytest.mark.django_db


@pytest.fixture
def world(cloud: Control) -> World:
    return World()


@pytest.fixture
def alice(world: World) -> Customer:
    return world.customer()


@pytest.fixture
def server(world: World, alice: Customer) -> Server:
    return server_of(world, alice)


def tried(world: World, alice: Customer, server: Server, port: int) -> str:
    made = port_tests.ask(server, first_ip(server), port, actor=alice.actor, now=world.now)
    world.advance(seconds=2)
    made.refresh_from_db()
    assert made.answered_at == world.now
    return str(made.state)


def test_open_closed_and_behind_a_firewall_are_told_apart(
    world: World, alice: Customer, server: Server, cloud: Control
) -> None:
    assert [tried(world, alice, server, port) for port in (22, 25)] == ["open", "closed"]
    firewalls.change(server, TEMPLATES["web"].policy(), actor=alice.actor, now=world.now)
    world.work()
    assert [tried(world, alice, server, port) for port in (22, 25, 80)] == ["open", "filtered", "closed"]
    cloud.cut_power(server.provider_ref)
    assert tried(world, alice, server, 22) == "filtered"


def test_only_their_own_addresses_and_real_ports_and_not_too_often(
    world: World, alice: Customer, server: Server
) -> None:
    other = first_ip(server_of(world, world.customer("Bob")))
    for ip, port, field in ((other, 25, "ip"), ("127.0.0.1", 25, "ip"), ("no", 25, "ip"), (first_ip(server), 0, "port"),
                            (first_ip(server), 65_536, "port")):  # fmt: skip
        with pytest.raises(RuleViolation) as refused:
            port_tests.ask(server, ip, port, actor=alice.actor, now=world.now)
        assert refused.value.field == field
    first = port_tests.ask(server, first_ip(server), 1, actor=alice.actor, now=world.now)
    assert port_tests.ask(server, first_ip(server), 1, actor=alice.actor, now=world.now) == first
    for port in range(2, port_tests.AT_ONCE + 1):
        port_tests.ask(server, first_ip(server), port, actor=alice.actor, now=world.now)
    with pytest.raises(RuleViolation, match="wait a little"):
        port_tests.ask(server, first_ip(server), 99, actor=alice.actor, now=world.now)
    world.advance(minutes=11)
    port_tests.ask(server, first_ip(server), 99, actor=alice.actor, now=world.now)
    assert PortTest.objects.filter(state="closed").count() == port_tests.AT_ONCE


def test_an_address_that_went_meanwhile_is_not_tried(world: World, alice: Customer, server: Server) -> None:
    made = port_tests.ask(server, first_ip(server), 22, actor=alice.actor, now=world.now)
    server.holdings.update(until=world.now)
    world.work()
    made.refresh_from_db()
    assert made.state == "failed"


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as door:
        yield door


def test_the_try_is_a_real_connection(listening: socket.socket) -> None:
    port = listening.getsockname()[1]
    assert remote.met_at("127.0.0.1", port) is Met.OPEN
    listening.close()
    assert remote.met_at("127.0.0.1", port) is Met.CLOSED
    with pytest.raises(ProviderError):
        remote.met_at("not-an-address.invalid.", 25, timeout=0.2)
