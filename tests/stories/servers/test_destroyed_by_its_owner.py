"""As a customer I destroy my server: its subscription ends with it, and I knew what that costs (SUB-6, SRV-8)."""

from pathlib import Path

import pytest
from django.core.exceptions import PermissionDenied

from invoicing.models import Subscription
from invoicing.subscribing import ending, subscriptions
from invoicing.subscribing.leaving import Wishes
from panel.core.actors import SYSTEM
from panel.core.errors import RuleViolation
from servers.models import AddressHolding, Server
from servers.providers.simulated.control import Control
from servers.verbs import destroying
from tests.support.machines import server_of, simulated_place, subscribe
from tests.support.world import World

pytestmark = pytest.mark.django_db


def test_machine_address_and_subscription_end_together_by_whom_it_says(cloud: Control) -> None:
    world = World()
    alice = world.customer()
    server = server_of(world, alice, name="web-1")
    destroying.destroy(server, typed=" web-1 ", actor=alice.actor, now=world.now)
    world.work()
    row = Subscription.objects.get(pk=server.subscription_id)
    assert (row.state, row.end_rule, row.ended_at) == ("terminated", "SUB-6", world.now)
    assert Server.objects.get(pk=server.pk).state == "destroyed"
    assert cloud.refs() == []
    assert not AddressHolding.objects.filter(server=server, until=None).exists()
    action = server.actions.get(verb="destroy")
    assert (action.state, action.actor_id) == ("done", alice.user.pk)


def test_a_second_click_ends_nothing_twice(cloud: Control) -> None:
    world = World()
    alice = world.customer()
    server = server_of(world, alice)
    for _ in range(2):
        destroying.destroy(server, typed=server.name, actor=alice.actor, now=world.now)
    world.work()
    destroying.destroy(server, typed=server.name, actor=alice.actor, now=world.now)
    assert server.actions.filter(verb="destroy").count() == 1
    assert cloud.calls("destroy") == ["ok"]
    assert len(world.mails("subscription_ended", alice.account)) == 1


def test_a_wrong_name_or_a_person_who_may_not_ends_nothing(cloud: Control) -> None:
    world = World()
    alice = world.customer()
    server = server_of(world, alice)
    with pytest.raises(RuleViolation) as refused:
        destroying.destroy(server, typed="", actor=alice.actor, now=world.now)
    assert refused.value.field == "confirm"
    for actor in (world.contact(alice, ["see", "servers"]).actor, world.staff("infrastructure")):
        with pytest.raises(PermissionDenied):
            destroying.destroy(server, typed=server.name, actor=actor, now=world.now)
    world.work()
    assert len(cloud.refs()) == 1


def test_a_suspended_server_is_not_destroyed_by_its_owner(cloud: Control) -> None:
    world = World()
    alice = world.customer()
    server = server_of(world, alice)
    subscriptions.suspend(server.subscription, because="unpaid", rule="SUB-8", now=world.now, actor=SYSTEM)
    world.work()
    with pytest.raises(RuleViolation, match="suspended"):
        destroying.destroy(server, typed=server.name, actor=alice.actor, now=world.now)


def test_an_answer_that_is_lost_after_the_machine_went_ends_well(cloud: Control) -> None:
    world = World()
    alice = world.customer()
    server = server_of(world, alice)
    cloud.plan("destroy", "lost")
    destroying.destroy(server, typed=server.name, actor=alice.actor, now=world.now)
    world.work()
    world.advance(minutes=1)
    assert cloud.calls("destroy") == ["lost"]
    assert Server.objects.get(pk=server.pk).state == "destroyed"


def test_a_machine_that_nobody_finishes_any_more_is_removed_as_it_is(tmp_path: Path) -> None:
    """Such as one whose rebuild was left half done by a crash."""
    with simulated_place(tmp_path, boot_looks=1000) as cloud:
        world = World()
        alice = world.customer()
        subscription = subscribe(world, alice)
        world.advance(seconds=10)
        assert len(cloud.refs()) == 1
        ending.end_now(subscription, Wishes(), actor=alice.actor, now=world.now)
        for _ in range(25):
            world.advance(seconds=10)
        assert cloud.refs() == []
        assert Server.objects.get(subscription=subscription).state == "destroyed"
