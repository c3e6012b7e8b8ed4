"""As a customer I start anew on an empty disk and keep address, keys, size and price (SRV-8)."""

from typing import Any

import pytest
from django.core.exceptions import PermissionDenied

from invoicing.models import Invoice
from panel.core.errors import RuleViolation
from servers import keys
from servers.models import Server, ServerAction
from servers.providers.simulated.control import Control
from servers.rules import Verb
from servers.verbs import power, rebuilding
from tests.support.machines import first_ip, server_of
from tests.support.personas import PUBLIC_KEY
from tests.support.world import Customer, World

pytestmark = pytest.mark.django_db


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def alice(world: World) -> Customer:
    return world.customer()


def ask(world: World, server: Server, who: Customer, image: str = "ubuntu-24.04") -> ServerAction:
    return rebuilding.rebuild(server, image, typed=server.name, actor=who.actor, now=world.now)


def test_the_disk_is_new_and_the_rest_is_as_it_was(cloud: Control, world: World, alice: Customer) -> None:
    key = keys.add(alice.account, name="laptop", public_key=PUBLIC_KEY, actor=alice.actor, now=world.now)
    server = server_of(world, alice, keys=[key.pk], first_boot="echo hello")
    before: dict[str, Any] = {"ip": first_ip(server), "size": server.size, "ref": server.provider_ref}
    action = ask(world, server, alice)
    world.work()
    after = Server.objects.get(pk=server.pk)
    action.refresh_from_db()
    assert (action.state, after.state, after.image) == ("done", "running", "ubuntu-24.04")
    assert {"ip": first_ip(after), "size": after.size, "ref": after.provider_ref} == before
    machine = cloud.machine(after.provider_ref)
    assert (machine["image"], machine["first_boot"]) == ("ubuntu-24.04", "echo hello\n")
    assert cloud.keys(after.provider_ref) == {" ".join(PUBLIC_KEY.split()[:2])}
    assert after.host_key
    assert after.host_key != server.host_key, "learned from the place"
    assert Invoice.objects.count() == 0
    after.subscription.refresh_from_db()
    assert (after.subscription.state, after.subscription.price_cents) == ("active", 900)


def test_two_clicks_are_one_rebuild_and_nothing_else_begins_meanwhile(
    cloud: Control, world: World, alice: Customer
) -> None:
    server = server_of(world, alice)
    assert ask(world, server, alice) == ask(world, server, alice)
    with pytest.raises(RuleViolation, match="under way"):
        power.request(server, Verb.REBOOT, actor=alice.actor, now=world.now)
    world.work()
    assert cloud.calls("rebuild") == ["ok"]


def test_a_place_that_answers_too_late_is_not_asked_to_do_it_again(
    cloud: Control, world: World, alice: Customer
) -> None:
    server = server_of(world, alice)
    cloud.plan("rebuild", "lost")
    ask(world, server, alice)
    world.work()
    assert ServerAction.objects.get(verb="rebuild").state == "waiting"
    world.advance(minutes=1)
    assert cloud.calls("rebuild") == ["lost"]
    found = Server.objects.get(pk=server.pk)
    assert (found.image, found.state, found.actions.get(verb="rebuild").state) == ("ubuntu-24.04", "running", "done")
    assert found.host_key != server.host_key


def test_a_place_that_refuses_leaves_everything_as_it_was(cloud: Control, world: World, alice: Customer) -> None:
    server = server_of(world, alice)
    cloud.plan("rebuild", "refused")
    ask(world, server, alice)
    world.work()
    found = Server.objects.get(pk=server.pk)
    assert (found.image, found.host_key, found.state) == (server.image, server.host_key, "running")
    assert [op.kind for op in world.failed_operations()] == ["servers.rebuild"]
    power.request(found, Verb.REBOOT, actor=alice.actor, now=world.now)  # the way is free again


def test_a_stopped_server_runs_after_its_rebuild(cloud: Control, world: World, alice: Customer) -> None:
    server = server_of(world, alice)
    power.request(server, Verb.STOP, actor=alice.actor, now=world.now)
    world.work()
    ask(world, server, alice)
    world.work()
    assert Server.objects.get(pk=server.pk).state == "running"


def test_it_needs_the_name_a_system_on_offer_and_the_permission(cloud: Control, world: World, alice: Customer) -> None:
    server = server_of(world, alice, name="web-1")
    with pytest.raises(RuleViolation) as typed:
        rebuilding.rebuild(server, "debian-12", typed="web-2", actor=alice.actor, now=world.now)
    with pytest.raises(RuleViolation) as image:
        rebuilding.rebuild(server, "beos", typed="web-1", actor=alice.actor, now=world.now)
    assert (typed.value.field, image.value.field) == ("confirm", "image")
    with pytest.raises(PermissionDenied):
        ask(world, server, world.contact(alice, ["see", "order"]))
    assert cloud.calls("rebuild") == []


def test_a_suspension_that_crosses_a_rebuild_ends_with_the_machine_off(
    cloud: Control, world: World, alice: Customer
) -> None:
    from invoicing.subscribing import subscriptions
    from panel.core.actors import SYSTEM

    server = server_of(world, alice)
    ask(world, server, alice)
    subscriptions.suspend(server.subscription, because="unpaid", rule="SUB-8", now=world.now, actor=SYSTEM)
    world.advance(minutes=1)
    assert Server.objects.get(pk=server.pk).state == "suspended"
    assert cloud.machine(server.provider_ref)["power"] == "off"
    assert cloud.calls("rebuild") == [], "it had not begun"
    assert server.actions.get(verb="rebuild").state == "cancelled"
