"""As the provider I suspend an account and all its machines go off; lifted, each is as it was (ABU-4, ACC-13)."""

from datetime import timedelta

import pytest
from django.db import transaction

from invoicing.subscribing import kinds
from panel.accounts import restrictions
from panel.accounts.models import Restriction
from panel.core.actors import CLOCK
from panel.core.errors import RuleViolation
from panel.core.models import Event
from servers import providers
from servers.models import Server
from servers.providers.simulated.control import Control
from servers.rules import Verb
from servers.verbs import power
from tests.support.machines import server_of, subscribe
from tests.support.world import Customer, World

pytestmark = pytest.mark.django_db


def suspend(world: World, who: Customer, key: str = "case-1") -> Restriction:
    return restrictions.restrict(
        who.account,
        scope="account",
        rule="ABU-4",
        statement="No answer within 72 hours.",
        author=CLOCK,
        now=world.now,
        key=key,
    )


def powers(*servers: Server) -> list[str]:
    found = [providers.get("sim-1").get(Server.objects.get(pk=server.pk).provider_ref) for server in servers]
    return [str(node.power) for node in found if node]


def states(*servers: Server) -> list[str]:
    return [Server.objects.get(pk=server.pk).state for server in servers]


def test_every_machine_of_the_account_goes_off_and_comes_back_as_it_was(cloud: Control) -> None:
    world = World()
    alice, bob = world.customer(), world.customer("Bob")
    on, off, other = (
        server_of(world, alice, name="on"),
        server_of(world, alice, name="off"),
        server_of(world, bob, name="other"),
    )
    power.request(off, Verb.STOP, actor=alice.actor, now=world.now)
    world.work()
    assert powers(on, off, other) == ["on", "off", "on"]

    restriction = suspend(world, alice)
    world.work()
    world.advance(seconds=5)
    assert states(on, off, other) == ["suspended", "suspended", "running"]
    assert powers(on, off, other) == ["off", "off", "on"]
    restriction.refresh_from_db()
    assert restriction.effective_at is not None
    told = Event.objects.get(kind="servers.account.suspended")
    assert told.data == {"restriction_id": restriction.pk, "servers": 2}

    with pytest.raises(RuleViolation):
        power.request(on, Verb.START, actor=alice.actor, now=world.now)

    restrictions.lift(restriction.pk, reason="answered", actor=world.staff(), now=world.now)
    world.advance(seconds=5)
    assert states(on, off) == ["running", "stopped"]
    assert powers(on, off) == ["on", "off"]


def test_the_effect_is_told_only_once_all_machines_are_off(cloud: Control) -> None:
    world = World()
    alice = world.customer()
    servers = [server_of(world, alice, name=f"web-{number}") for number in range(3)]
    cloud.plan("stop", "transient", times=2)
    restriction = suspend(world, alice)
    world.work()
    restriction.refresh_from_db()
    assert restriction.effective_at is None
    assert not Event.objects.filter(kind="servers.account.suspended").exists()
    for _ in range(5):
        world.advance(seconds=30)
    restriction.refresh_from_db()
    assert restriction.effective_at is not None
    assert powers(*servers) == ["off", "off", "off"]


def test_an_account_without_servers_is_suspended_at_once(cloud: Control) -> None:
    world = World()
    restriction = suspend(world, world.customer())
    world.work()
    restriction.refresh_from_db()
    assert restriction.effective_at == world.now


def test_two_restrictions_must_both_be_lifted(cloud: Control) -> None:
    world = World()
    alice = world.customer()
    server = server_of(world, alice)
    first, second = suspend(world, alice, "one"), suspend(world, alice, "two")
    world.advance(seconds=5)
    restrictions.lift(first.pk, reason="answered", actor=CLOCK, now=world.now)
    world.advance(seconds=5)
    assert states(server) == ["suspended"]
    restrictions.lift(second.pk, reason="answered", actor=CLOCK, now=world.now)
    world.advance(seconds=5)
    assert states(server) == ["running"]


def test_lifting_before_the_machine_went_off_leaves_it_running(cloud: Control) -> None:
    world = World()
    alice = world.customer()
    server = server_of(world, alice)
    restriction = suspend(world, alice)
    restrictions.lift(restriction.pk, reason="a mistake", actor=CLOCK, now=world.now)
    world.work()
    for _ in range(4):
        world.advance(seconds=10)
    assert states(server) == ["running"]
    assert powers(server) == ["on"]
    restriction.refresh_from_db()
    assert restriction.effective_at is None


def test_a_server_that_becomes_ready_under_a_suspension_goes_off_at_once(cloud: Control) -> None:
    world = World()
    alice = world.customer()
    subscription = subscribe(world, alice)
    suspend(world, alice)
    for _ in range(4):
        world.advance(seconds=10)
    server = Server.objects.get(subscription=subscription)
    assert states(server) == ["suspended"]
    assert powers(server) == ["off"]


def test_an_unpaid_subscription_is_switched_off_and_on_again(cloud: Control) -> None:
    world = World()
    server = server_of(world, world.customer())
    for state, verb, expected in (("suspended", "suspend", "suspended"), ("active", "resume", "running")):
        with transaction.atomic():
            type(server.subscription).objects.filter(pk=server.subscription_id).update(state=state)
            getattr(kinds.get("vps"), verb)(server.subscription, because="INV-7", now=world.now)
        world.advance(seconds=5)
        assert states(server) == [expected]


def test_a_suspended_machine_that_runs_again_is_found_and_switched_off(cloud: Control) -> None:
    world = World()
    alice = world.customer()
    server = server_of(world, alice)
    suspend(world, alice)
    world.advance(seconds=5)
    providers.get("sim-1").start(Server.objects.get(pk=server.pk).provider_ref)
    world.advance(sweeps=["servers.reconcile"], minutes=5)
    assert powers(server) == ["off"]
    world.advance(sweeps=["servers.reconcile"], minutes=5)
    assert not server.discrepancies.filter(resolved_at=None).exists()


def test_a_start_that_crosses_the_suspension_ends_off(cloud: Control) -> None:
    world = World()
    alice = world.customer()
    server = server_of(world, alice)
    power.request(server, Verb.STOP, actor=alice.actor, now=world.now)
    world.work()
    power.request(server, Verb.START, actor=alice.actor, now=world.now)
    suspend(world, alice)
    world.work()
    world.advance(seconds=timedelta(seconds=10).seconds)
    assert powers(server) == ["off"]
    assert states(server) == ["suspended"]
