"""As a customer I go back to a copy of last week, and who may log in is what I want today, not what I wanted then."""

from types import SimpleNamespace

import pytest

from panel.core import operations
from servers import keys, places
from servers.models import Copy, Server, SshKey
from servers.providers.simulated.control import Control
from servers.safekeeping import copies, restoring
from servers.terminals import permits, terminal_actions
from tests.ports.test_cloud_provider import key
from tests.support.machines import server_of
from tests.support.world import Customer, World

pytestmark = pytest.mark.django_db


def kept(world: World, alice: Customer, name: str) -> SshKey:
    return keys.add(alice.account, name=name, public_key=key(), actor=alice.actor, now=world.now)


def test_the_keys_of_today_are_put_on_and_those_of_then_are_taken_off(
    cloud: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = SimpleNamespace(is_simulated=lambda _place: False, capabilities=places.capabilities)
    monkeypatch.setattr(terminal_actions, "places", real)  # a terminal has a key of its own, at a real place
    world = World()
    alice = world.customer()
    gone, stays = kept(world, alice, "lost laptop"), kept(world, alice, "desk")
    server = server_of(world, alice, keys=[gone.pk, stays.pk])
    copy = copies.snapshot(server, "then", actor=alice.actor, now=world.now)
    for _ in range(3):
        world.advance(seconds=10)

    keys.remove(gone, actor=alice.actor, now=world.now)
    added = kept(world, alice, "new laptop")
    keys.put_on(added, server, now=world.now)
    permits.permit(server, actor=alice.actor, now=world.now)
    world.work()
    today = cloud.keys(server.provider_ref)
    assert {stays.public_key, added.public_key} < today
    assert len(today) == 3
    assert gone.public_key not in today

    restoring.restore(server, Copy.objects.get(pk=copy.pk), typed=server.name, actor=alice.actor, now=world.now)
    operations.run_due(world.now, limit=1)
    assert cloud.keys(server.provider_ref) == {gone.public_key, stays.public_key}, "the disk is that of then"
    world.work()
    assert cloud.keys(server.provider_ref) == today
    assert all(row.installed_at == world.now for row in Server.objects.get(pk=server.pk).keys.filter(wanted=True))
    assert world.failed_operations() == []


def test_a_restore_that_did_not_come_about_leaves_the_keys_alone(cloud: Control) -> None:
    world = World()
    alice = world.customer()
    mine = kept(world, alice, "desk")
    server = server_of(world, alice, keys=[mine.pk])
    copy = copies.snapshot(server, "then", actor=alice.actor, now=world.now)
    for _ in range(3):
        world.advance(seconds=10)
    cloud.plan("restore", "refused")
    restoring.restore(server, Copy.objects.get(pk=copy.pk), typed=server.name, actor=alice.actor, now=world.now)
    world.work()
    assert cloud.calls("add_key") == []
    assert cloud.keys(server.provider_ref) == {mine.public_key}
