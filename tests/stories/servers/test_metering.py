"""As a customer I am metered to the byte, warned in time and once, and not for a counter's moods (SRV-4, SRV-5)."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.db import transaction

from invoicing.subscribing import kinds
from panel.core.errors import NotYet
from panel.core.models import Event
from servers import metering, selectors
from servers.models import Meter, Server, TrafficHour, TrafficMonth, TrafficReading
from servers.providers import Counters
from servers.providers.simulated import traffic
from servers.providers.simulated.control import Control
from servers.rules import Verb
from servers.verbs import power
from tests.support.machines import GB, server_of
from tests.support.world import World, paris

pytestmark = pytest.mark.django_db


def read(server: Server, world: World, rx: int, tx: int = 0, *, epoch: str = "one") -> int:
    return metering.record(server, Counters(epoch, rx, tx, world.now, link_bps=10**12), now=world.now)


def used(server: Server) -> int:
    return sum(month.total for month in TrafficMonth.objects.filter(server=server))


def by_hours(server: Server) -> int:
    return sum(row.rx_bytes + row.tx_bytes for row in TrafficHour.objects.filter(server_id=server.pk))


def test_resets_gaps_and_replays_are_counted_once(cloud: Control) -> None:
    world = World()
    server = server_of(world, world.customer())
    steps = [(100, 50, "one", 150), (400, 50, "one", 300), (400, 50, "one", 0), (30, 5, "two", 35), (31, 5, "two", 1)]
    for rx, tx, epoch, added in steps:
        world.advance(minutes=5)
        assert read(server, world, rx, tx, epoch=epoch) == added
    assert read(server, world, 31, 5, epoch="two") == 0  # the same reading again
    world.advance(days=3)  # missed polls need no fix: the counter goes on
    assert read(server, world, 1031, 5, epoch="two") == 1000
    assert used(server) == by_hours(server) == 150 + 300 + 35 + 1 + 1000
    assert TrafficReading.objects.filter(server_id=server.pk).count() == 6


def test_a_late_reading_adds_nothing(cloud: Control) -> None:
    world = World()
    server = server_of(world, world.customer())
    late = Counters("one", 500, 0, world.now + timedelta(minutes=1), link_bps=10**12)
    world.advance(minutes=5)
    assert read(server, world, 1000) == 1000
    assert metering.record(server, late, now=world.now) == 0
    assert used(server) == 1000


def test_bytes_over_the_months_border_are_shared_by_time(cloud: Control) -> None:
    world = World("2026-03-02 09:00")
    server = server_of(world, world.customer())
    world.until(paris("2026-04-01 12:00"))
    read(server, world, 0)
    world.until(paris("2026-04-02 12:00"))  # the anchor day's midnight lies in the middle
    read(server, world, 1001)
    months = dict(TrafficMonth.objects.filter(server=server).values_list("starts_on", "rx_bytes"))
    assert months == {date(2026, 3, 2): 500, date(2026, 4, 2): 501}


def test_the_sweep_reads_the_hosts_side_and_can_run_twice(cloud: Control) -> None:
    world = World()
    server = server_of(world, world.customer())
    cloud.carry(server.provider_ref, bytes_a_day=24 * GB)
    world.sweep("servers.meter")
    began = world.now
    for _ in range(24):
        world.advance(hours=1, sweeps=["servers.meter"])
    once = used(server)
    assert once == sum(traffic.between(server.provider_ref, began, world.now, 24 * GB)) > GB
    world.sweep("servers.meter")
    assert used(server) == once == by_hours(server)


def test_what_ran_before_a_panel_driven_stop_is_not_lost(cloud: Control) -> None:
    world = World()
    alice = world.customer()
    server = server_of(world, alice)
    cloud.carry(server.provider_ref, bytes_a_day=24 * GB)
    world.sweep("servers.meter")
    world.advance(hours=5)
    before = used(server)
    power.request(server, Verb.STOP, actor=alice.actor, now=world.now)
    world.work()
    assert used(server) > before + GB
    counted = used(server)
    power.request(Server.objects.get(pk=server.pk), Verb.START, actor=alice.actor, now=world.now)
    world.work()
    world.advance(hours=1, sweeps=["servers.meter"])
    world.advance(hours=1, sweeps=["servers.meter"])
    assert counted < used(server) < counted + 24 * GB


def test_a_host_that_does_not_answer_shows_stale_and_never_zero(cloud: Control) -> None:
    world = World()
    server = server_of(world, world.customer())
    world.advance(minutes=5, sweeps=["servers.meter"])
    last = Meter.objects.get(server=server).at
    cloud.plan("counters", "transient", times=1)
    world.advance(hours=1)
    from panel.core import due

    assert due.SWEEPS["servers.meter"].run(world.now).failed
    meter = Meter.objects.get(server=server)
    assert (meter.at, meter.failing_since) == (last, world.now)
    assert selectors.traffic(server, now=world.now).stale
    world.sweep("servers.meter")
    assert Meter.objects.get(server=server).failing_since is None


def test_each_threshold_is_told_once_and_a_stride_over_two_tells_the_higher(cloud: Control) -> None:
    world = World()
    alice = world.customer()
    server = server_of(world, alice)
    told = []
    for percent in (49, 50, 60, 89, 90, 91, 99, 100, 180):
        world.advance(hours=1)
        read(server, world, percent * GB)
        told.append(
            [event.data["percent"] for event in Event.objects.filter(kind="servers.traffic.warned").order_by("pk")]
        )
    assert told == [
        [],
        [50],
        [50],
        [50, 75],
        [50, 75, 90],
        [50, 75, 90],
        [50, 75, 90],
        [50, 75, 90, 100],
        [50, 75, 90, 100],
    ]
    assert len(world.mails("servers/traffic", alice.account)) == 4
    assert "90 %" in world.mails("servers/traffic")[2].content.subject


def test_the_clients_own_threshold_is_told_too_and_a_new_month_begins_anew(cloud: Control) -> None:
    world = World("2026-03-02 09:00")
    server = server_of(world, world.customer())
    Server.objects.filter(pk=server.pk).update(warn_percent=30)
    server.refresh_from_db()
    world.advance(hours=1)
    read(server, world, 31 * GB)
    assert len(world.mails("servers/traffic")) == 1
    world.until(paris("2026-04-02 00:00"))
    read(server, world, 31 * GB)
    world.advance(hours=5)
    read(server, world, 62 * GB)
    assert len(world.mails("servers/traffic")) == 2


def test_the_forecast_says_what_the_month_will_cost(cloud: Control) -> None:
    world = World("2026-03-02 00:00")
    server = server_of(world, world.customer())
    world.until(paris("2026-03-02 03:00"))
    read(server, world, 10 * GB)
    assert selectors.traffic(server, now=world.now).forecast is None  # too early
    world.until(paris("2026-03-12 00:00"))
    read(server, world, 50 * GB)
    found = selectors.traffic(server, now=world.now)
    assert found.used == 50 * GB
    assert found.overage_now == 0
    expected = 50 * GB + found.forecast.bytes_a_day * 21
    assert abs(found.forecast.total - expected) < GB
    assert found.overage_forecast == pytest.approx((found.forecast.total - 100 * GB) / GB * 130, abs=1)


def test_usage_is_handed_over_to_the_byte_once_the_month_is_over(cloud: Control) -> None:
    world = World("2026-03-02 09:00")
    server = server_of(world, world.customer())
    kind, month = kinds.get("vps"), kinds.UsagePeriod(date(2026, 3, 2), date(2026, 4, 2))
    world.advance(days=1)
    read(server, world, 150 * GB, 1)
    with pytest.raises(NotYet):
        kind.usage(server.subscription, month)
    world.until(paris("2026-04-02 00:00"))
    read(server, world, 150 * GB, 1)
    (line,) = kind.usage(server.subscription, month)
    assert (line.meter, line.quantity, line.unit, line.allowance) == (
        "traffic",
        Decimal("150.000000001"),
        "GB",
        Decimal(100),
    )
    assert line.evidence["bytes"] == 150 * GB + 1


def test_a_destroyed_servers_count_is_final(cloud: Control) -> None:
    world = World("2026-03-02 09:00")
    server = server_of(world, world.customer())
    cloud.carry(server.provider_ref, bytes_a_day=24 * GB)
    world.sweep("servers.meter")
    world.advance(hours=10)
    with transaction.atomic():
        kinds.get("vps").terminate(server.subscription, because="SUB-6", now=world.now)
    world.advance(seconds=5)
    (line,) = kinds.get("vps").usage(server.subscription, kinds.UsagePeriod(date(2026, 3, 2), date(2026, 4, 2)))
    assert line.quantity > 1
