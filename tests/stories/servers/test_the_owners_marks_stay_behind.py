"""As a customer who gives a server away I take my labels, my protection and my rescue system with me (SUB-2, SRV-8)."""

import pytest

from panel.core.errors import RuleViolation
from servers import handing_over, keys
from servers.models import Server
from servers.providers.simulated.control import Control
from servers.rules import Verb
from servers.verbs import naming, power, protection
from tests.stories.servers.test_server_goes_to_another_account import accepted, offered
from tests.support.machines import server_of
from tests.support.personas import PUBLIC_KEY
from tests.support.world import World

pytestmark = pytest.mark.django_db


def test_labels_and_protection_are_not_the_new_owners(cloud: Control) -> None:
    world = World()
    alice, bob = world.customer(), world.customer("Bob")
    server = server_of(world, alice)
    naming.label(server, "private", actor=alice.actor, now=world.now)
    protection.protect(server, on=True, actor=alice.actor, now=world.now)
    accepted(world, offered(world, server, alice, bob), bob)
    found = Server.objects.get(pk=server.pk)
    assert (found.account_id, found.protected, list(found.labels.all())) == (bob.account.pk, False, [])
    with pytest.raises(RuleViolation, match="another account"):
        protection.protect(server, on=True, actor=alice.actor, now=world.now)


def test_a_server_does_not_go_over_while_the_old_owners_keys_open_its_rescue_system(cloud: Control) -> None:
    world = World()
    alice = world.customer()
    keys.add(alice.account, name="laptop", public_key=PUBLIC_KEY, actor=alice.actor, now=world.now)
    server = server_of(world, alice)
    power.request(server, Verb.RESCUE, actor=alice.actor, now=world.now)
    world.work()
    assert "rescue system" in handing_over.refusal(server.subscription)
    power.request(server, Verb.LEAVE_RESCUE, actor=alice.actor, now=world.now)
    world.work()
    assert handing_over.refusal(server.subscription) == ""
