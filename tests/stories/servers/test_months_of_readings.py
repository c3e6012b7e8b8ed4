"""As the provider I keep raw readings for as long as the terms say, month by month, without a table that only grows."""

from datetime import timedelta

import pytest
from django.db import connection

from panel.core import due
from servers import metering
from servers.models import Server, TrafficHour, TrafficMonth, TrafficReading
from servers.providers import Counters
from servers.providers.simulated.control import Control
from tests.support.machines import server_of
from tests.support.world import World, paris

pytestmark = pytest.mark.django_db


def read(server: Server, world: World, rx: int) -> None:
    metering.record(server, Counters("one", rx, 0, world.now, link_bps=10**12), now=world.now)


def kept_in() -> dict[str, int]:
    """How many readings each partition holds."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT tableoid::regclass::text, count(*) FROM servers_trafficreading GROUP BY 1")
        return dict(cursor.fetchall())


def partitions() -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = "
                       "'servers_trafficreading'::regclass")  # fmt: skip
        return {name.removeprefix("servers_trafficreading_") for (name,) in cursor.fetchall()}


@pytest.mark.postgres
def test_months_are_made_ahead_and_what_came_before_them_moves_in(cloud: Control) -> None:
    world = World("2026-03-30 09:00")
    server = server_of(world, world.customer())
    read(server, world, 1000)
    assert kept_in() == {"servers_trafficreading_rest": 1}, "no month was made yet: nothing is lost"
    assert due.SWEEPS["servers.partitions"].run(world.now, dry_run=True).would[:1] == [
        "make servers_trafficreading_2026_03"
    ]
    world.sweep("servers.partitions")
    assert partitions() >= {"2026_03", "2026_04", "2026_05", "rest"}
    assert kept_in() == {"servers_trafficreading_2026_03": 1}
    world.until(paris("2026-04-01 03:00"))
    read(server, world, 2500)
    assert kept_in() == {"servers_trafficreading_2026_03": 1, "servers_trafficreading_2026_04": 1}
    assert due.SWEEPS["servers.partitions"].run(world.now).done == 2, "June, of readings and of hours"
    assert due.SWEEPS["servers.partitions"].run(world.now).done == 0
    assert TrafficMonth.objects.get().total == 2500


def test_readings_go_after_thirteen_months_and_hours_stay(cloud: Control) -> None:
    world = World("2026-03-02 09:00")
    server = server_of(world, world.customer())
    for number in range(3):
        world.now += timedelta(days=19)
        read(server, world, 1000 * number)
    world.sweep("servers.partitions")
    hours = TrafficHour.objects.count()
    sweep = due.SWEEPS["servers.partitions"]
    sweep.run(paris("2027-04-30 12:00"))
    assert TrafficReading.objects.count() == 3
    sweep.run(paris("2027-05-01 12:00"))
    assert TrafficReading.objects.count() == 2, "March is over"
    sweep.run(paris("2027-06-01 12:00"))
    assert (TrafficReading.objects.count(), TrafficHour.objects.count()) == (0, hours)
    sweep.run(paris("2036-12-31 12:00"))
    assert TrafficHour.objects.count() == hours
    sweep.run(paris("2037-01-01 12:00"))
    assert TrafficHour.objects.count() == 0
