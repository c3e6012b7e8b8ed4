"""As a customer of a place that does not reach into its machines I am told so, and nothing is tried in vain."""

from collections.abc import Iterator

import pytest

from panel.core.errors import RuleViolation
from servers import actions, keys
from servers.models import Server, SshKey
from servers.providers.libcloud_adapter import LibcloudProvider
from tests.support.machines import subscribe
from tests.support.vendors.stages import Stage, stage
from tests.support.world import Customer, World

pytestmark = pytest.mark.django_db


@pytest.fixture
def far(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    monkeypatch.setattr(LibcloudProvider, "patience", 0.05)
    monkeypatch.setattr(LibcloudProvider, "pause", 0.001)
    with stage("vultr") as found:
        yield found


def made(world: World, alice: Customer, key: SshKey) -> Server:
    subscription = subscribe(world, alice, keys=[key.pk], place="far-1", image="debian-13")
    for _ in range(4):
        world.advance(minutes=1)
    server = Server.objects.get(subscription=subscription)
    assert server.state == "running"
    return server


def public_key() -> str:
    from tests.ports.test_cloud_provider import key

    return key()


def test_keys_of_the_order_are_on_it_and_later_ones_are_refused_with_the_reason(far: Stage) -> None:
    world = World()
    alice = world.customer()
    first = keys.add(alice.account, name="first", public_key=public_key(), actor=alice.actor, now=world.now)
    server = made(world, alice, first)
    assert server.keys.get().installed_at is not None
    assert "only while it is made" in str(actions.KEYS.refusal(alice.actor, server))
    later = keys.add(alice.account, name="later", public_key=public_key(), actor=alice.actor, now=world.now)
    with pytest.raises(RuleViolation, match="only while it is made"):
        keys.put_on(later, server, now=world.now)


def test_a_removed_key_is_said_to_stay_on_it_and_nobody_tries_to_take_it_off(far: Stage) -> None:
    world = World()
    alice = world.customer()
    first = keys.add(alice.account, name="first", public_key=public_key(), actor=alice.actor, now=world.now)
    server = made(world, alice, first)
    assert keys.remove(first, actor=alice.actor, now=world.now) == [server]
    world.work()
    assert world.failed_operations() == []
    assert not server.keys.get().wanted
