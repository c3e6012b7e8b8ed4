"""As a customer I stop my server politely, am told when it does not listen, and cut its power then (SRV-8)."""

from typing import Any

import pytest

from panel.core.errors import RuleViolation
from panel.core.models import Event
from servers import providers, wording
from servers.models import Server
from servers.providers.simulated.control import Control
from servers.rules import Verb
from servers.verbs import power
from tests.support.machines import server_of
from tests.support.world import World

pytestmark = pytest.mark.django_db


def state(server: Server) -> tuple[str, str]:
    found = Server.objects.get(pk=server.pk)
    return found.state, found.power


def test_a_machine_that_listens_is_asked_once_and_its_power_is_not_cut(cloud: Control) -> None:
    world = World()
    alice = world.customer()
    server = server_of(world, alice)
    power.request(server, Verb.STOP, actor=alice.actor, now=world.now)
    world.work()
    assert state(server) == ("stopped", "off")
    assert (cloud.calls("shut_down"), cloud.calls("stop")) == (["ok"], [])


def test_one_that_does_not_listen_runs_on_and_the_log_says_so(cloud: Control) -> None:
    world = World()
    alice = world.customer()
    server = server_of(world, alice)
    cloud.deafen(server.provider_ref)
    asked = power.request(server, Verb.STOP, actor=alice.actor, now=world.now)
    world.work()
    for _ in range(23):
        world.advance(seconds=5)
        asked.refresh_from_db()
        assert asked.state == "waiting"
    world.advance(seconds=5)
    asked.refresh_from_db()
    assert asked.state == "failed"
    assert state(server) == ("running", "on")
    assert cloud.calls("shut_down") == ["ok"], "asked once"
    assert "did not shut down within two minutes" in wording.log_entries([asked])[0]["note"]
    assert Event.objects.filter(kind="servers.server.stop_ignored").count() == 1
    assert world.failed_operations() == [], "nothing for our team to do"

    power.request(server, Verb.CUT, actor=alice.actor, now=world.now)
    world.work()
    assert state(server) == ("stopped", "off")


def test_who_cannot_wait_cuts_the_power_at_once_and_the_request_before_is_over(cloud: Control) -> None:
    world = World()
    alice = world.customer()
    server = server_of(world, alice)
    cloud.deafen(server.provider_ref)
    asked = power.request(server, Verb.STOP, actor=alice.actor, now=world.now)
    world.work()
    with pytest.raises(RuleViolation, match="under way"):
        power.request(server, Verb.REBOOT, actor=alice.actor, now=world.now)
    power.request(server, Verb.CUT, actor=alice.actor, now=world.now)
    world.work()
    assert state(server) == ("stopped", "off")
    power.request(server, Verb.START, actor=alice.actor, now=world.now)
    world.advance(minutes=5)
    asked.refresh_from_db()
    assert asked.state == "cancelled"
    assert state(server) == ("running", "on")


def test_a_place_that_cannot_ask_says_so_and_the_power_can_still_be_cut(
    cloud: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World()
    alice = world.customer()
    server = server_of(world, alice)
    place: Any = type(providers.get("sim-1"))
    can = providers.Capabilities("Old cloud", start_stop=True)
    monkeypatch.setattr(place, "capabilities", property(lambda self: can))
    shown = {button["verb"]: button["reason"] for button in wording.buttons(alice.actor, server)}
    assert "cannot ask a server to shut down" in str(shown["stop"])
    assert "cannot reboot" in str(shown["reboot"])
    assert shown["cut"] is None
    with pytest.raises(RuleViolation, match="cannot ask"):
        power.request(server, Verb.STOP, actor=alice.actor, now=world.now)
    power.request(server, Verb.CUT, actor=alice.actor, now=world.now)
    world.work()
    assert state(server) == ("stopped", "off")


def test_the_answer_that_was_lost_after_it_was_asked_changes_nothing(cloud: Control) -> None:
    world = World()
    alice = world.customer()
    server = server_of(world, alice)
    cloud.plan("shut_down", "lost")
    power.request(server, Verb.STOP, actor=alice.actor, now=world.now)
    world.advance(minutes=1)
    world.advance(minutes=1)
    assert state(server) == ("stopped", "off")
    assert cloud.calls("shut_down") == ["lost"]
