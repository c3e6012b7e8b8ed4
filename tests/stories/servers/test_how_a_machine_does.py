"""As a customer I see how my server does: read from its host, often while I look, and never a made-up zero (SRV-12)."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from panel.core import live
from servers import handing_over, monitoring, providers, provisioning
from servers.models import Server, Vitals
from servers.providers.simulated import SimulatedCloud
from servers.providers.simulated.control import Control
from servers.rules import Verb
from servers.verbs import power
from servers.watching import vitals
from servers.watching.shown import Shown, Told, vitals_of
from tests.support.machines import server_of
from tests.support.world import World

pytestmark = pytest.mark.django_db


def shown(server: Server, world: World) -> Shown:
    return vitals_of(Server.objects.get(pk=server.pk), now=world.now)


def row_of(server: Server) -> Vitals:
    return Vitals.objects.get(server=server)


def test_the_figures_of_a_running_server_come_from_two_readings(cloud: Control) -> None:
    world = World()
    server = server_of(world, world.customer())
    assert shown(server, world).told is Told.SOON
    world.sweep("servers.watch")
    world.sweep("servers.vitals")
    first = row_of(server)
    assert (first.rates.cpu_percent, first.rates.rx_rate) == (None, None)  # one reading says nothing of a rate
    assert first.reading is not None
    world.advance(minutes=5, sweeps=["servers.vitals"])
    seen = shown(server, world)
    assert (seen.told, row_of(server).read_at) == (Told.NOW, world.now)
    assert seen.rates.cpu_percent is not None
    assert 0 < seen.rates.cpu_percent < 100
    assert seen.memory is not None
    assert seen.memory[0] < seen.memory[1] == 1024 * 2**20
    assert seen.disk is not None
    assert seen.disk[0] < seen.disk[1] == 20 * 10**9
    assert seen.up == world.now - first.reading.started_at  # type: ignore[operator]
    assert cloud.calls("vitals") == ["ok", "ok"]


def test_it_is_read_every_few_seconds_while_somebody_looks_and_seldom_otherwise(
    cloud: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World()
    watched_one = server_of(world, world.customer())
    server_of(world, world.customer("Bob"), name="db-1")
    world.sweep("servers.watch")
    world.sweep("servers.vitals")
    heard: list[Any] = []
    monkeypatch.setattr(live, "publish", lambda topics, event, payload=None: heard.append((tuple(topics), event)))
    vitals.attended([str(watched_one.pk), "x"], world.now)
    for _ in range(3):
        world.advance(seconds=5, sweeps=["servers.attend"])
        assert row_of(watched_one).read_at == world.now
        assert heard[-1] == ((f"vitals:{watched_one.pk}",), "servers.vitals.read")
    assert len(heard) == 3
    assert cloud.calls("vitals").count("ok") == 2 + 3
    world.advance(seconds=15, sweeps=["servers.attend"])  # the page was closed
    assert cloud.calls("vitals").count("ok") == 2 + 3
    world.advance(minutes=5, sweeps=["servers.vitals", "servers.vitals"])
    assert cloud.calls("vitals").count("ok") == 2 + 3 + 2


def test_what_cannot_be_read_stays_as_it_was_and_says_since_when(cloud: Control) -> None:
    world = World()
    server = server_of(world, world.customer())
    world.sweep("servers.watch")
    world.sweep("servers.vitals")
    world.advance(minutes=5, sweeps=["servers.vitals"])
    before = row_of(server)
    cloud.plan("vitals", "transient", times=100)
    for _ in range(10):
        vitals.attended([str(server.pk)], world.now)
        world.advance(seconds=5)
        monitoring.attend(world.now)
    after, seen = row_of(server), shown(server, world)
    assert (seen.told, after.read_at, after.rates) == (Told.STALE, before.read_at, before.rates)
    assert seen.reading == before.reading
    asked = len(cloud.calls("vitals"))
    assert asked < 2 + 10  # a host that fails is left alone for a while
    world.advance(minutes=5)
    assert [one.partition(",")[0] for one in vitals.read_due(world.now).failed] == ["sim-1"]  # staff hears of the place
    assert len(cloud.calls("vitals")) == asked + 1


def test_a_place_that_stumbles_once_while_somebody_looks_changes_nothing(cloud: Control) -> None:
    """The regular watch says what it means that a place does not answer."""
    world = World()
    server = server_of(world, world.customer())
    world.sweep("servers.watch")
    cloud.plan("get", "transient")
    vitals.attended([str(server.pk)], world.now)
    world.advance(seconds=5, sweeps=["servers.attend"])
    assert cloud.calls("get")[-1] == "transient"
    assert Server.objects.get(pk=server.pk).power == "on"
    vitals.attended([str(server.pk)], world.now)
    cloud.cut_power(server.provider_ref)
    world.advance(seconds=5, sweeps=["servers.attend"])  # what it does say is seen at once
    assert Server.objects.get(pk=server.pk).state == "stopped"


def test_a_server_that_is_off_has_no_figures_and_begins_anew(cloud: Control) -> None:
    world = World()
    alice = world.customer()
    server = server_of(world, alice)
    world.sweep("servers.watch")
    world.advance(minutes=5, sweeps=["servers.vitals"])
    world.advance(minutes=5, sweeps=["servers.vitals"])
    power.request(Server.objects.get(pk=server.pk), Verb.STOP, actor=alice.actor, now=world.now)
    world.work()
    world.sweep("servers.watch")
    world.advance(minutes=6, sweeps=["servers.vitals"])
    assert shown(server, world).told is Told.OFF
    power.request(Server.objects.get(pk=server.pk), Verb.START, actor=alice.actor, now=world.now)
    world.work()
    world.advance(minutes=6, sweeps=["servers.watch", "servers.vitals"])
    row = row_of(server)
    assert (row.up, row.rates.cpu_percent) == (timedelta(), None)


def test_a_full_disk_is_said(cloud: Control) -> None:
    world = World()
    server = server_of(world, world.customer())
    cloud.fill_disk(server.provider_ref, 94)
    world.advance(seconds=15, sweeps=["servers.watch", "servers.vitals"])
    assert not shown(server, world).disk_is_full
    cloud.fill_disk(server.provider_ref, 96)
    world.advance(minutes=5, sweeps=["servers.vitals"])
    assert shown(server, world).disk_is_full


def test_how_it_did_for_who_had_it_goes_with_them(cloud: Control) -> None:
    world = World()
    alice, bob = world.customer(), world.customer("Bob")
    server = server_of(world, alice)
    world.advance(minutes=5, sweeps=["servers.watch", "servers.vitals"])
    world.advance(minutes=5, sweeps=["servers.vitals"])
    assert row_of(server).hours
    subscription = server.subscription
    type(subscription).objects.filter(pk=subscription.pk).update(account=bob.account)
    subscription.refresh_from_db()
    handing_over.hand_over(subscription, now=world.now)
    world.advance(seconds=15, sweeps=["servers.watch", "servers.vitals"])
    row = row_of(server)
    assert (row.account_id, row.hours) == (bob.account.pk, [])


def test_of_a_destroyed_server_nothing_is_kept(cloud: Control) -> None:
    world = World()
    server = server_of(world, world.customer())
    world.advance(minutes=5, sweeps=["servers.watch", "servers.vitals"])
    provisioning.terminate(server, because="the end", now=world.now)
    world.work()
    world.advance(minutes=6, sweeps=["servers.watch", "servers.vitals"])
    assert not Vitals.objects.exists()


def test_only_who_may_see_the_server_may_watch_how_it_does(cloud: Control) -> None:
    world = World()
    alice, bob = world.customer(), world.customer("Bob")
    topic = vitals.topic(server_of(world, alice))
    assert live.may_watch(alice.actor, topic)
    assert live.may_watch(world.staff("support"), topic)
    assert not live.may_watch(bob.actor, topic)


def test_a_machine_that_stays_silent_is_asked_less_and_less_often(
    cloud: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World()
    server = server_of(world, world.customer())
    world.sweep("servers.watch")
    cloud.silence(server.provider_ref)
    asked, answers = [], SimulatedCloud.answers_ssh

    def answer(self: SimulatedCloud, ref: str) -> bool:
        asked.append(ref)
        return answers(self, ref)

    monkeypatch.setattr(SimulatedCloud, "answers_ssh", answer)
    for _ in range(40):
        world.advance(seconds=15, sweeps=["servers.watch"])
    assert Server.objects.get(pk=server.pk).reachable is False
    assert len(asked) < 12
    cloud.silence(server.provider_ref, silent=False)
    vitals.attended([str(server.pk)], world.now)
    world.advance(seconds=5, sweeps=["servers.attend"])  # who looks does not wait for the pause to end
    assert Server.objects.get(pk=server.pk).reachable is True
    assert row_of(server).ask_at is None


def test_the_fleet_is_looked_at_in_parts(cloud: Control, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    servers = [server_of(world, world.customer(name), name=f"web-{name.lower()}") for name in ("Alice", "Bob", "Cleo")]
    monkeypatch.setattr(monitoring, "PART", 2)
    world.sweep("servers.watch")
    assert {Server.objects.get(pk=one.pk).checked_at for one in servers} == {world.now}
    assert cloud.calls("list").count("ok") == 1


def test_a_place_that_does_not_tell_is_not_asked(cloud: Control, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    server = server_of(world, world.customer())
    told = replace(providers.get("sim-1").capabilities, vitals=False)
    monkeypatch.setattr(SimulatedCloud, "capabilities", told)
    world.advance(minutes=5, sweeps=["servers.watch", "servers.vitals"])
    assert (shown(server, world).told, cloud.calls("vitals")) == (Told.NOT_HERE, [])
