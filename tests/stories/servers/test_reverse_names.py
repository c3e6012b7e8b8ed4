"""As a customer I give an address of my server its reverse name; it must lead back, and goes when the address does
(SRV-3)."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dns.rcode
import pytest
from django.db import transaction

from invoicing.subscribing import kinds
from panel.core import operations
from panel.core.errors import ProviderError, RuleViolation
from panel.core.models import Event
from servers.dns import at
from servers.models import ReverseName, Server
from servers.networking import reverse_names
from servers.providers.simulated.control import Control
from tests.support.machines import first_ip, server_of, simulated_place
from tests.support.nameserver import NameServer, nameserver
from tests.support.world import Customer, World

pytestmark = pytest.mark.django_db
Forward = dict[str, set[str]]


@pytest.fixture
def dns_server() -> Iterator[NameServer]:
    with nameserver("113.0.203.in-addr.arpa.") as made:
        yield made


@pytest.fixture
def cloud(tmp_path: Path, dns_server: NameServer) -> Iterator[Control]:
    """A place whose names are published by signed updates to a real port."""
    with simulated_place(tmp_path, reverse=dns_server.config) as control:
        yield control


@pytest.fixture
def forward(monkeypatch: pytest.MonkeyPatch) -> Forward:
    """Where names lead; one that is not here gets no answer."""
    leads: Forward = {}

    def asked(name: str) -> set[str]:
        if name not in leads:
            raise ProviderError("no answer", code="dns-unanswered")
        return leads[name]

    monkeypatch.setattr("servers.dns.forward.addresses_of", asked)
    return leads


@pytest.fixture
def world(cloud: Control) -> World:
    return World()


@pytest.fixture
def alice(world: World) -> Customer:
    return world.customer()


@pytest.fixture
def server(world: World, alice: Customer) -> Server:
    return server_of(world, alice)


def published(server: Server, ip: str) -> str:
    names = at(server.place)
    assert names is not None
    return names.published(ip)


def named(world: World, alice: Customer, server: Server, name: str) -> ReverseName:
    reverse_names.set_name(server, first_ip(server), name, actor=alice.actor, now=world.now)
    world.work()
    return ReverseName.objects.get()


def test_a_name_that_leads_back_is_published_and_can_be_taken_away(
    world: World, alice: Customer, server: Server, forward: Forward, dns_server: NameServer
) -> None:
    ip = first_ip(server)
    forward["mail.example.com"] = {ip, "2001:db8::1"}
    row = named(world, alice, server, " Mail.Example.COM. ")
    assert (row.state, row.published, row.since) == ("in_force", "mail.example.com", world.now)
    assert published(server, ip) == "mail.example.com"
    assert reverse_names.set_name(server, ip, "mail.example.com", actor=alice.actor, now=world.now) is None
    assert dns_server.updates == 1
    row = named(world, alice, server, "")
    assert (row.state, row.published, published(server, ip)) == ("in_force", "", "")


def test_a_name_that_leads_elsewhere_is_refused_and_the_old_one_stays(
    world: World, alice: Customer, server: Server, forward: Forward
) -> None:
    ip = first_ip(server)
    forward |= {"good.example.com": {ip}, "bad.example.com": {"192.0.2.1"}}
    named(world, alice, server, "good.example.com")
    row = named(world, alice, server, "bad.example.com")
    assert (row.state, row.published, published(server, ip)) == ("refused", "good.example.com", "good.example.com")
    assert Event.objects.filter(kind="servers.reverse.refused", account_id=alice.account.pk).count() == 1
    forward["bad.example.com"] = {ip}
    assert named(world, alice, server, "bad.example.com").state == "in_force"


def test_no_answer_is_not_no_and_a_server_that_refuses_is_the_staffs(
    world: World, alice: Customer, server: Server, forward: Forward, dns_server: NameServer
) -> None:
    ip = first_ip(server)
    assert named(world, alice, server, "slow.example.com").state == "waiting"
    forward["slow.example.com"] = {ip}
    world.advance(minutes=1)
    assert ReverseName.objects.get().state == "in_force"
    forward["next.example.com"] = {ip}
    dns_server.says = [dns.rcode.REFUSED]
    assert named(world, alice, server, "next.example.com").state == "failed"
    assert [op.kind for op in world.failed_operations()] == ["servers.reverse_name"]
    assert named(world, alice, server, "next.example.com").state == "in_force"


@pytest.mark.parametrize(
    "name", ["localhost", "-a.example.com", "a..example.com", "192.0.2.1", "x" * 64 + ".com", "ü.fr"]
)
def test_what_is_no_host_name_is_refused_at_once(world: World, alice: Customer, server: Server, name: str) -> None:
    with pytest.raises(RuleViolation) as refused:
        reverse_names.set_name(server, first_ip(server), name, actor=alice.actor, now=world.now)
    assert refused.value.field == "name"


def test_only_own_addresses(world: World, alice: Customer, server: Server) -> None:
    other = server_of(world, world.customer("Bob"))
    with pytest.raises(RuleViolation, match="not an address"):
        reverse_names.set_name(server, first_ip(other), "a.example.com", actor=alice.actor, now=world.now)


def test_an_address_that_is_given_back_loses_its_name(
    world: World, alice: Customer, server: Server, forward: Forward
) -> None:
    ip = first_ip(server)
    forward["mail.example.com"] = {ip}
    named(world, alice, server, "mail.example.com")
    with transaction.atomic():
        kinds.get("vps").terminate(server.subscription, because="SUB-6", now=world.now)
    world.advance(seconds=10)
    world.advance(seconds=10)
    assert Server.objects.get(pk=server.pk).state == "destroyed"
    assert published(server, ip) == ""
    assert ReverseName.objects.get().name == ""


def test_a_slow_worker_does_not_bring_back_the_name_of_who_had_the_address(
    world: World, alice: Customer, server: Server, forward: Forward, monkeypatch: pytest.MonkeyPatch
) -> None:
    ip, names, crossed = first_ip(server), at(server.place), []
    assert names is not None
    forward["mail.example.com"] = {ip}
    really = type(names).publish

    def slow(self: Any, ip: str, name: str) -> None:
        if name and not crossed:  # the older update is sent after the newer one was made and confirmed
            crossed.append(name)
            reverse_names.set_name(server, ip, "", actor=alice.actor, now=world.now)
            operations.run_due(world.now)
            assert ReverseName.objects.get().state == "in_force"
        really(self, ip, name)

    monkeypatch.setattr(type(names), "publish", slow)
    row = named(world, alice, server, "mail.example.com")
    assert crossed == ["mail.example.com"]
    assert (row.state, row.name, row.published, published(server, ip)) == ("in_force", "", "", "")
