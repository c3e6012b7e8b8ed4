"""As a customer I log in to my own server and to no other; as staff I hear of a host key that nobody changed
(SRV-2, SRV-13)."""

import pytest

from servers.models import Discrepancy, Server
from servers.providers.simulated.control import Control
from servers.verbs import rebuilding
from tests.support.machines import server_of
from tests.support.world import World

pytestmark = pytest.mark.django_db
CHECK = ["servers.watch", "servers.host_keys"]


def test_a_key_that_changes_with_a_rebuild_is_the_places_word_and_no_finding(cloud: Control) -> None:
    world = World()
    alice = world.customer()
    server = server_of(world, alice)
    rebuilding.rebuild(server, "debian-12", typed=server.name, actor=alice.actor, now=world.now)
    world.work()
    world.advance(hours=1, sweeps=CHECK)
    assert Server.objects.get(pk=server.pk).host_key != server.host_key
    assert not Discrepancy.objects.exists()


def test_a_key_that_changes_by_itself_is_believed_by_nobody_and_told_to_staff(cloud: Control) -> None:
    world = World()
    server = server_of(world, world.customer())
    world.advance(hours=1, sweeps=CHECK)
    assert not Discrepancy.objects.exists()
    cloud.swap_host_key(server.provider_ref)
    for _ in range(2):
        world.advance(hours=1, sweeps=CHECK)
    finding = Discrepancy.objects.get()
    assert (finding.kind, finding.server_id, finding.resolved_at) == ("host_key", server.pk, None)
    assert [op.kind for op in world.failed_operations()] == ["servers.review"]
    assert Server.objects.get(pk=server.pk).host_key == server.host_key, "the pinned one stays"
    world.sweep("servers.reconcile")
    assert Discrepancy.objects.get().resolved_at is None, "another comparison says nothing about it"


def test_while_the_machine_is_being_rebuilt_nobody_compares(cloud: Control) -> None:
    world = World()
    alice = world.customer()
    server = server_of(world, alice)
    world.sweep("servers.watch")
    cloud.plan("rebuild", "lost")
    rebuilding.rebuild(server, "debian-12", typed=server.name, actor=alice.actor, now=world.now)
    world.work()
    world.sweep("servers.host_keys")
    assert not Discrepancy.objects.exists()
    world.advance(minutes=1)
    assert server.actions.get(verb="rebuild").state == "done"
