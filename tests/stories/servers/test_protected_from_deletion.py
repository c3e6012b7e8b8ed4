"""As a customer I protect a server from deletion; only who may order takes that off again (SRV-8, SUB-6)."""

import pytest
from django.core.exceptions import PermissionDenied

from invoicing.models import Subscription
from invoicing.subscribing import ending, subscriptions
from invoicing.subscribing.leaving import Wishes
from panel.core.actors import SYSTEM
from panel.core.errors import RuleViolation
from servers.models import Server
from servers.providers.simulated.control import Control
from servers.verbs import destroying, protection, rebuilding
from tests.support.machines import server_of
from tests.support.world import Customer, World

pytestmark = pytest.mark.django_db


def protected(world: World, alice: Customer) -> Server:
    server = server_of(world, alice, name="web-1")
    protection.protect(server, on=True, actor=alice.actor, now=world.now)
    server.refresh_from_db()
    return server


def test_a_protected_server_refuses_every_way_of_losing_it(cloud: Control) -> None:
    world = World()
    alice = world.customer()
    server = protected(world, alice)
    row = Subscription.objects.get(pk=server.subscription_id)
    with pytest.raises(RuleViolation, match="protected from deletion"):
        destroying.destroy(server, typed="web-1", actor=alice.actor, now=world.now)
    with pytest.raises(RuleViolation, match="protected from deletion"):
        rebuilding.rebuild(server, "debian-12", typed="web-1", actor=alice.actor, now=world.now)
    for deed in (ending.end_now, ending.end_at_term):
        with pytest.raises(RuleViolation, match="protected from deletion"):
            deed(row, Wishes(), actor=alice.actor, now=world.now)
    world.work()
    row.refresh_from_db()
    assert (row.state, row.ends_on, len(cloud.refs())) == ("active", None, 1)


def test_only_who_may_order_takes_it_off(cloud: Control) -> None:
    world = World()
    alice = world.customer()
    server = protected(world, alice)
    operator = world.contact(alice, ["see", "servers"]).actor
    protection.protect(server, on=True, actor=operator, now=world.now)  # it is on already
    with pytest.raises(PermissionDenied):
        protection.protect(server, on=False, actor=operator, now=world.now)
    both = world.contact(alice, ["see", "servers", "order"]).actor
    for _ in range(2):
        protection.protect(server, on=False, actor=both, now=world.now)
    assert not Server.objects.get(pk=server.pk).protected
    verbs = list(server.actions.order_by("pk").values_list("verb", "state"))
    assert verbs[1:] == [("protect", "done"), ("unprotect", "done")]


def test_it_protects_from_its_owner_and_not_from_the_contract(cloud: Control) -> None:
    world = World()
    alice = world.customer()
    server = protected(world, alice)
    subscriptions.terminate(server.subscription, because="unpaid", rule="SUB-8", now=world.now, actor=SYSTEM)
    world.work()
    assert Server.objects.get(pk=server.pk).state == "destroyed"


def test_a_server_whose_end_is_planned_is_not_protected_in_vain(cloud: Control) -> None:
    world = World()
    alice = world.customer()
    server = server_of(world, alice)
    ending.end_at_term(server.subscription, Wishes(), actor=alice.actor, now=world.now)
    with pytest.raises(RuleViolation, match="end of its subscription is planned"):
        protection.protect(server, on=True, actor=alice.actor, now=world.now)
