"""As a customer I get real machines: many at once, cut off and back with every byte counted once, and a firewall that
lets real connections through or not (SRV-1, SRV-4, SRV-8, SRV-12)."""

import socket
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from panel.core import operations
from servers import keys, remote
from servers.models import Firewall, Server, TrafficMonth
from servers.networking import firewalls
from servers.networking.firewall_rules import OPEN, Policy, Verdict
from servers.providers.local_adapter import LocalProvider
from servers.remote import Remote, Target
from servers.rules import Verb
from servers.verbs import power
from tests.support import hosts, wire
from tests.support.crowd import together
from tests.support.machines import first_ip, server_of, subscribe
from tests.support.world import Customer, World

pytestmark = [pytest.mark.local, pytest.mark.postgres, pytest.mark.django_db(transaction=True)]
MANY = 30
STRAY = 2000  # bytes: questions for hardware addresses, and what the bridge says to all of its cables
SHUT = Policy(default_in=Verdict.DROP)


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[LocalProvider]:
    with hosts.place_on_offer(tmp_path) as provider:
        yield provider


class Owner:
    """A customer with an SSH key of their own on file."""

    def __init__(self, world: World) -> None:
        self.customer: Customer = world.customer()
        self.hand = hosts.Customer()
        self.key = keys.add(
            self.customer.account, name="laptop", public_key=self.hand.public, actor=self.customer.actor, now=world.now
        )

    def log_in(self, server: Server) -> Remote:
        target = Target(address=first_ip(server), host_key=server.host_key, private_key=self.hand.private)
        return remote.connect(target, timeout=10)


def done(world: World, owner: Owner, server: Server, verb: Verb) -> Server:
    power.request(Server.objects.get(pk=server.pk), verb, actor=owner.customer.actor, now=world.now)
    world.advance(seconds=10)
    assert server.actions.get(verb=verb).state == "done"
    return Server.objects.get(pk=server.pk)


def opens(ip: str, port: int) -> bool:
    try:
        socket.create_connection((ip, port), 0.5).close()
    except OSError:
        return False
    return True


def test_thirty_servers_ordered_at_once_are_all_reached(cloud: LocalProvider) -> None:
    world = World()
    owner = Owner(world)
    for number in range(MANY):
        subscribe(world, owner.customer, name=f"web-{number}", keys=[owner.key.pk])
    for _ in range(4):
        together([lambda: operations.run_due(world.now)] * 4)
        world.now += timedelta(seconds=10)
    servers = list(Server.objects.order_by("pk"))
    assert [server.state for server in servers] == ["running"] * MANY
    assert len({first_ip(server) for server in servers}) == len(cloud.list()) == MANY
    world.sweep("servers.watch")
    assert Server.objects.filter(power="on", reachable=True).count() == MANY

    def name(server: Server) -> str:
        with owner.log_in(server) as inside:
            return inside.run(["hostname"]).output.strip()

    assert together([lambda server=server: name(server) for server in servers]) == [one.name for one in servers]
    world.sweep("servers.vitals")
    assert not any(server.vitals.misses for server in Server.objects.select_related("vitals"))


def test_cut_off_and_back_and_every_byte_counts_once(cloud: LocalProvider) -> None:
    """The last counters of the old cable and the first of the new one meet: what came in is known to the byte."""
    world = World()
    owner = Owner(world)
    server = server_of(world, owner.customer, keys=[owner.key.pk])
    ip = first_ip(server)
    with owner.log_in(server) as inside:
        inside.run(["sh", "-c", "echo kept > /root/kept; sync"])
        wire.listen(inside)
    time.sleep(0.3)  # the last packets of the log-in

    def into() -> int:
        world.advance(minutes=5, sweeps=["servers.meter"])
        return TrafficMonth.objects.get(server=server).rx_bytes

    before = into()
    expected = wire.bulk(ip)
    server = done(world, owner, server, Verb.CUT)
    assert (server.state, opens(ip, 22)) == ("stopped", False)
    world.advance(minutes=5, sweeps=["servers.meter"])
    server = done(world, owner, server, Verb.START)
    expected += wire.bulk(ip, datagrams=3000)
    carried = into() - before
    assert 0 <= carried - expected <= STRAY
    assert into() - before - carried <= STRAY  # nothing of it twice
    with owner.log_in(server) as inside:
        assert inside.run(["cat", "/root/kept"]).output == "kept\n"


def test_a_rule_shuts_a_real_connection_out_and_lets_it_in_again(cloud: LocalProvider) -> None:
    world = World()
    owner = Owner(world)
    server = server_of(world, owner.customer, keys=[owner.key.pk])
    ip = first_ip(server)

    def change(policy: Policy) -> bool:
        firewalls.change(server, policy, actor=owner.customer.actor, now=world.now, sure=True)
        world.advance(seconds=10)
        assert Firewall.objects.get(server=server).state == Firewall.State.IN_FORCE
        return opens(ip, 22)

    assert opens(ip, 22)
    assert not change(SHUT)
    assert change(OPEN)
