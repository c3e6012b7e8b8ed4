"""As a customer I start, stop and reboot my server once per click, and see what it really does (SRV-8, SRV-12)."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied

from panel.console import repairs
from panel.core import due, live
from panel.core.errors import RuleViolation
from panel.core.models import Event
from servers import actions, monitoring, providers, provisioning
from servers.models import Discrepancy, Server, ServerAction
from servers.providers.simulated.control import Control
from servers.rules import Power, Verb
from servers.verbs import power
from tests.support.machines import server_of
from tests.support.world import World

pytestmark = pytest.mark.django_db


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> list[tuple[tuple[str, ...], str]]:
    messages: list[tuple[tuple[str, ...], str]] = []

    def publish(topics: Any, event: str, payload: Any = None) -> None:
        messages.append((tuple(topics), event))

    monkeypatch.setattr(live, "publish", publish)
    return messages


def test_stop_start_and_reboot_are_carried_out_and_logged(cloud: Control) -> None:
    world = World()
    alice = world.customer()
    server = server_of(world, alice)
    for verb, state in ((Verb.STOP, "stopped"), (Verb.START, "running"), (Verb.REBOOT, "running")):
        power.request(Server.objects.get(pk=server.pk), verb, actor=alice.actor, now=world.now)
        world.work()
        assert Server.objects.get(pk=server.pk).state == state
    log = list(server.actions.order_by("pk").values_list("verb", "state", "actor_id"))
    assert log[1:] == [(verb, "done", alice.user.pk) for verb in ("stop", "start", "reboot")]


def test_a_double_click_is_one_action_and_another_verb_has_to_wait(cloud: Control) -> None:
    world = World()
    alice = world.customer()
    server = server_of(world, alice)
    first = power.request(server, Verb.REBOOT, actor=alice.actor, now=world.now)
    assert power.request(server, Verb.REBOOT, actor=alice.actor, now=world.now) == first
    with pytest.raises(RuleViolation, match="under way"):
        power.request(server, Verb.STOP, actor=alice.actor, now=world.now)
    world.work()
    assert cloud.calls("reboot") == ["ok"]


def test_a_reboot_whose_answer_was_lost_is_not_done_again(cloud: Control) -> None:
    world = World()
    alice = world.customer()
    server = server_of(world, alice)
    cloud.plan("reboot", "lost")
    power.request(server, Verb.REBOOT, actor=alice.actor, now=world.now)
    world.work()
    world.advance(minutes=1)
    assert cloud.calls("reboot") == ["lost"]
    assert server.actions.get(verb="reboot").state == "done"


def test_who_may_not_is_refused_and_what_does_not_apply_says_why(cloud: Control) -> None:
    world = World()
    alice = world.customer()
    server = server_of(world, alice)
    with pytest.raises(PermissionDenied):
        power.request(server, Verb.STOP, actor=world.contact(alice, ["see"]).actor, now=world.now)
    with pytest.raises(RuleViolation, match="running already"):
        power.request(server, Verb.START, actor=alice.actor, now=world.now)


def test_provider_and_ssh_are_two_facts_and_changes_reach_the_owners_pages(
    cloud: Control, heard: list[tuple[tuple[str, ...], str]]
) -> None:
    world = World()
    alice = world.customer()
    server = server_of(world, alice)
    world.sweep("servers.watch")
    server.refresh_from_db()
    assert (server.power, server.reachable, server.seen_at) == ("on", True, world.now)

    heard.clear()
    world.advance(seconds=15, sweeps=["servers.watch"])
    assert heard == []  # nothing changed
    cloud.silence(server.provider_ref)
    world.advance(seconds=15, sweeps=["servers.watch"])
    server.refresh_from_db()
    assert (server.state, server.power, server.reachable) == ("running", "on", False)
    assert heard == [((f"server:{server.pk}", f"account:{alice.account.pk}", "staff"), "servers.server.seen")]


def test_a_machine_switched_off_from_inside_is_stopped_and_can_be_started(cloud: Control) -> None:
    world = World()
    alice = world.customer()
    server = server_of(world, alice)
    cloud.cut_power(server.provider_ref)
    world.advance(seconds=15, sweeps=["servers.watch"])
    server.refresh_from_db()
    assert (server.state, server.power) == ("stopped", "off")
    power.request(server, Verb.START, actor=alice.actor, now=world.now)
    world.work()
    assert Server.objects.get(pk=server.pk).state == "running"


def test_a_machine_that_vanished_and_one_nobody_ordered_are_put_before_staff(cloud: Control) -> None:
    world = World()
    server = server_of(world, world.customer())
    cloud.vanish(server.provider_ref)
    providers.get("sim-1").create(
        providers.NodeSpec(
            "SUB-NOBODY", "ghost", "debian-12", providers.Size("x", 1, 1024, 10), "sim-1", "203.0.113.200"
        )
    )
    world.advance(minutes=5, sweeps=["servers.reconcile", "servers.reconcile"])
    assert sorted(Discrepancy.objects.values_list("kind", flat=True)) == ["missing", "orphan"]
    assert [op.kind for op in world.failed_operations()] == ["servers.review", "servers.review"]


@pytest.mark.parametrize("named", ["token", "mark"])
def test_a_second_machine_of_a_server_is_put_before_staff_and_its_own_is_not(
    cloud: Control, monkeypatch: pytest.MonkeyPatch, named: str
) -> None:
    """Where metadata is not taken a place knows a machine by the token's mark only; ended ones may stay in its list."""
    world = World()
    server = server_of(world, world.customer())
    token = server.token if named == "token" else providers.mark(server.token)
    own = providers.get("sim-1").get(server.provider_ref)
    assert own is not None
    listed = [replace(own, token=token)]
    listed += [replace(own, token=token, ref="second"), replace(own, token="SUB-OLD", ref="old", power=Power.GONE)]
    monkeypatch.setattr(type(providers.get("sim-1")), "list", lambda self: listed)
    world.sweep("servers.reconcile")
    assert list(Discrepancy.objects.values_list("kind", "ref")) == [("duplicate", "second")]
    world.work()
    assert [op.kind for op in world.failed_operations()] == ["servers.review"]


def test_nobody_but_the_owner_and_staff_hears_of_a_server(cloud: Control) -> None:
    world = World()
    alice, bob = world.customer(), world.customer("Bob")
    server = server_of(world, alice)
    topic = f"server:{server.pk}"
    assert live.may_watch(alice.actor, topic)
    assert live.may_watch(world.contact(alice, ["see"]).actor, topic)
    assert live.may_watch(world.staff("support"), topic)
    assert not live.may_watch(bob.actor, topic)
    assert not live.may_watch(world.contact(alice, ["pay"]).actor, topic)
    assert not live.may_watch(alice.actor, "server:x")
    assert not actions.may_watch(alice.actor, "")


def test_an_operation_that_gives_up_says_so_on_the_page(cloud: Control) -> None:
    world = World()
    alice = world.customer()
    server = server_of(world, alice)
    cloud.plan("shut_down", "refused")
    power.request(server, Verb.STOP, actor=alice.actor, now=world.now)
    world.work()
    assert Server.objects.get(pk=server.pk).state == "running"
    assert server.actions.get(verb="stop").state == ServerAction.State.FAILED
    assert [op.kind for op in world.failed_operations()] == ["servers.stop"]


def test_what_staff_discards_before_it_was_done_ends_too_and_lets_others_begin(cloud: Control) -> None:
    world = World()
    alice = world.customer()
    server = server_of(world, alice)
    asked = power.request(server, Verb.STOP, actor=alice.actor, now=world.now)
    assert asked.operation is not None
    repairs.discard(asked.operation.pk, reason="asked by mistake", actor=world.staff("infrastructure"), now=world.now)
    asked.refresh_from_db()
    assert (asked.state, asked.finished_at) == (ServerAction.State.FAILED, world.now)
    assert Event.objects.filter(kind="servers.server.stop_failed").count() == 1
    power.request(server, Verb.REBOOT, actor=alice.actor, now=world.now)
    world.work()
    assert cloud.calls("reboot") == ["ok"]
    assert cloud.calls("shut_down") == []


def test_discarded_after_its_server_has_gone_it_changes_nothing_there(cloud: Control) -> None:
    world = World()
    alice = world.customer()
    server = server_of(world, alice)
    asked = power.request(server, Verb.STOP, actor=alice.actor, now=world.now)
    assert asked.operation is not None
    provisioning.terminate(server, because="the end", now=world.now)
    world.work(kinds=["servers.destroy"])
    repairs.discard(asked.operation.pk, reason="gone", actor=world.staff("infrastructure"), now=world.now)
    asked.refresh_from_db()
    assert asked.state == ServerAction.State.CANCELLED
    assert not Event.objects.filter(kind="servers.server.stop_failed").exists()


def test_what_a_place_said_before_an_action_ended_is_no_news(cloud: Control, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was listed as running; then its owner switched it off; then the list was gone through."""
    world = World()
    alice = world.customer()
    server = server_of(world, alice)
    began, said = world.now, monitoring._listed("sim-1")
    world.now += timedelta(seconds=9)
    power.request(Server.objects.get(pk=server.pk), Verb.STOP, actor=alice.actor, now=world.now)
    world.work()
    monkeypatch.setattr(monitoring, "_listed", lambda place: said)
    due.SWEEPS["servers.watch"].run(began)
    server.refresh_from_db()
    assert (server.state, server.power) == ("stopped", Power.OFF)
    assert not Event.objects.filter(kind="servers.server.came_up").exists()
