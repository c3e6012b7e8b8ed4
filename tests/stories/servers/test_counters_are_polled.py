"""As the provider I read the counters of a whole fleet in time, whichever machines and places do not answer (SRV-4)."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from panel.core import due
from panel.core.errors import ProviderError
from servers.models import Meter, Server, TrafficReading
from servers.providers import Counters
from servers.providers.simulated import SimulatedCloud
from servers.providers.simulated.control import Control
from servers.traffic import in_bulk, polling
from tests.support.machines import server_of
from tests.support.world import World

pytestmark = pytest.mark.django_db
Reads = Callable[..., Counters]


@pytest.fixture
def world(cloud: Control) -> World:
    return World("2026-03-02 09:00")


@pytest.fixture
def servers(world: World) -> list[Server]:
    alice = world.customer()
    return [server_of(world, alice, name=f"web-{number}") for number in range(5)]


@pytest.fixture
def one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """The place can tell the counters of one machine at a time."""
    able = SimulatedCloud.capabilities.fget
    assert able is not None
    monkeypatch.setattr(
        SimulatedCloud, "capabilities", property(lambda cloud: replace(able(cloud), counters_at_once=False))
    )


def broken(monkeypatch: pytest.MonkeyPatch, refs: set[str], code: str = "failed") -> list[str]:
    """These machines do not answer from now on; who was asked is noted."""
    asked: list[str] = []
    read = SimulatedCloud.counters

    def counters(cloud: SimulatedCloud, ref: str, **more: Any) -> Counters:
        asked.append(ref)
        if ref in refs:
            raise ProviderError("no answer", code=code)
        return read(cloud, ref, **more)

    monkeypatch.setattr(SimulatedCloud, "counters", counters)
    return asked


def swept(world: World) -> due.SweepReport:
    return due.SWEEPS["servers.meter"].run(world.now)


def test_a_place_that_can_tells_all_counters_in_one_call(
    cloud: Control, world: World, servers: list[Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = len(cloud.calls("counters"))
    world.now += timedelta(minutes=5)
    assert swept(world).done == 5
    assert len(cloud.calls("counters")) == before + 1
    monkeypatch.setattr(polling, "PART", 2)
    world.now += timedelta(minutes=5)
    assert swept(world).done == 5, "in parts by key, none is left out"
    assert len(cloud.calls("counters")) == before + 4
    assert TrafficReading.objects.filter(at=world.now).count() == 5


def test_one_that_the_place_does_not_know_stops_no_other(cloud: Control, world: World, servers: list[Server]) -> None:
    cloud.vanish(servers[2].provider_ref)
    world.now += timedelta(minutes=5)
    report = swept(world)
    assert (report.done, len(report.failed)) == (4, 1)
    assert servers[2].reference in report.failed[0]
    assert Meter.objects.get(server=servers[2]).failing_since == world.now


@pytest.mark.usefixtures("one_by_one")
def test_who_does_not_answer_is_asked_ever_more_rarely(
    world: World, servers: list[Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    silent = servers[1].provider_ref
    began, asked = world.now, broken(monkeypatch, {silent})
    minutes = []
    for turn in range(1, 49):
        world.now = began + timedelta(minutes=5 * turn)
        asked.clear()
        swept(world)
        if silent in asked:
            minutes.append(5 * turn)
        assert len(asked) - asked.count(silent) == 4, "the others are read each time"
    assert minutes == [5, 10, 20, 40, 80, 140, 200]
    meter = Meter.objects.get(server=servers[1])
    assert (meter.failing_since, meter.error) == (began + timedelta(minutes=5), "no answer")
    monkeypatch.undo()
    world.now = began + timedelta(minutes=300)
    swept(world)
    meter.refresh_from_db()
    assert (meter.at, meter.misses, meter.ask_again_at, meter.failing_since) == (world.now, 0, None, None)


@pytest.mark.usefixtures("one_by_one")
def test_a_place_that_answers_nobody_is_left_alone_until_the_next_sweep(
    world: World, servers: list[Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(polling, "READERS", 1)
    asked = broken(monkeypatch, {server.provider_ref for server in servers}, code="unavailable")
    world.now += timedelta(minutes=5)
    assert len(swept(world).failed) == 5
    assert len(asked) == polling.PATIENCE
    assert Meter.objects.filter(misses=0, ask_again_at=None, failing_since=world.now).count() == 5
    monkeypatch.undo()
    world.now += timedelta(minutes=5)
    assert swept(world).done == 5, "no machine pays for its place"


@pytest.mark.parametrize("absurd", [2**63, 2**64 - 1, -1])
def test_what_no_counter_can_tell_is_a_failure_of_its_meter_alone(
    world: World, servers: list[Server], monkeypatch: pytest.MonkeyPatch, absurd: int
) -> None:
    for _ in range(2):
        world.now += timedelta(minutes=5)
        swept(world)
    told = SimulatedCloud.counters_of
    mad = servers[2]

    def counters_of(cloud: SimulatedCloud, refs: Any, **more: Any) -> dict[str, Counters]:
        found = dict(told(cloud, refs, **more))
        found[mad.provider_ref] = replace(found[mad.provider_ref], tx_bytes=absurd)
        return found

    monkeypatch.setattr(SimulatedCloud, "counters_of", counters_of)
    ingested: list[in_bulk.Ingested] = []
    ingest = in_bulk.ingest

    def noted(taken: Any, **more: Any) -> in_bulk.Ingested:
        ingested.append(ingest(taken, **more))
        return ingested[-1]

    monkeypatch.setattr(in_bulk, "ingest", noted)
    world.now += timedelta(minutes=5)
    report = swept(world)
    assert (report.done, len(report.failed), ingested[0].singly) == (4, 1, 0), "the others by the set"
    assert mad.reference in report.failed[0]
    assert Meter.objects.get(server=mad).failing_since == world.now
    monkeypatch.setattr(SimulatedCloud, "counters_of", told)
    world.now += timedelta(minutes=5)
    swept(world)
    assert Meter.objects.get(server=mad).failing_since is None
