"""As a customer who is locked out I start a rescue system, mend my disk and leave it again (SRV-8)."""

import pytest

from panel.core.errors import RuleViolation
from servers import keys
from servers.models import Server
from servers.providers.simulated.control import Control
from servers.rules import Verb
from servers.verbs import power, rebuilding
from tests.support.machines import server_of
from tests.support.personas import PUBLIC_KEY
from tests.support.world import Customer, World

pytestmark = pytest.mark.django_db


def scene() -> tuple[World, Customer, Server]:
    world = World()
    alice = world.customer()
    keys.add(alice.account, name="laptop", public_key=PUBLIC_KEY, actor=alice.actor, now=world.now)
    return world, alice, server_of(world, alice)


def test_in_and_out_again_with_the_host_key_of_each(cloud: Control) -> None:
    world, alice, server = scene()
    power.request(server, Verb.RESCUE, actor=alice.actor, now=world.now)
    world.work()
    rescued = Server.objects.get(pk=server.pk)
    assert (rescued.rescue_since, rescued.state) == (world.now, "running")
    assert cloud.machine(server.provider_ref)["rescue"] == 1
    assert rescued.host_key != server.host_key
    with pytest.raises(RuleViolation, match="rescue system"):
        power.request(rescued, Verb.RESCUE, actor=alice.actor, now=world.now)
    with pytest.raises(RuleViolation, match="rescue system"):
        rebuilding.rebuild(rescued, "debian-12", typed=server.name, actor=alice.actor, now=world.now)
    power.request(rescued, Verb.LEAVE_RESCUE, actor=alice.actor, now=world.now)
    world.work()
    back = Server.objects.get(pk=server.pk)
    assert (back.rescue_since, back.state, back.host_key) == (None, "running", server.host_key)
    with pytest.raises(RuleViolation, match="does not run a rescue system"):
        power.request(back, Verb.LEAVE_RESCUE, actor=alice.actor, now=world.now)


def test_without_any_key_in_the_account_nobody_could_log_in(cloud: Control) -> None:
    world = World()
    alice = world.customer()
    server = server_of(world, alice)
    with pytest.raises(RuleViolation, match="no SSH key"):
        power.request(server, Verb.RESCUE, actor=alice.actor, now=world.now)


@pytest.mark.parametrize("verb", [Verb.RESCUE, Verb.LEAVE_RESCUE])
def test_an_answer_that_comes_too_late_is_one_restart(cloud: Control, verb: Verb) -> None:
    world, alice, server = scene()
    if verb is Verb.LEAVE_RESCUE:
        power.request(server, Verb.RESCUE, actor=alice.actor, now=world.now)
        world.work()
    cloud.plan(verb, "lost")
    power.request(server, verb, actor=alice.actor, now=world.now)
    world.work()
    world.advance(minutes=1)
    assert cloud.calls(verb) == ["lost"]
    assert server.actions.get(verb=verb).state == "done"
    assert (Server.objects.get(pk=server.pk).rescue_since is not None) == (verb is Verb.RESCUE)


def test_a_place_that_refuses_leaves_the_server_as_it_was(cloud: Control) -> None:
    world, alice, server = scene()
    cloud.plan("rescue", "refused")
    power.request(server, Verb.RESCUE, actor=alice.actor, now=world.now)
    world.work()
    found = Server.objects.get(pk=server.pk)
    assert (found.rescue_since, found.host_key, found.state) == (None, server.host_key, "running")
    assert [op.kind for op in world.failed_operations()] == ["servers.rescue"]
