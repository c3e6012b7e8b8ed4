"""48 hours and a second after T0: one block, one fee, one statement, however often the clock dies (ABU-3, ABU-11)."""

from datetime import timedelta
from typing import Any

from abuse import escalation
from abuse.models import Case
from servers.models import Server
from tests.crash import stage_set
from tests.support.desk import Desk
from tests.support.machines import server_of
from tests.support.world import World


def prepare() -> None:
    world, customer = stage_set.furnish()
    server = server_of(world, customer)
    Desk(world).case(Server.objects.get(pk=server.pk))


def a_second_too_late() -> World:
    world, case = stage_set.world_at(), Case.objects.get()
    assert case.t0 is not None
    world.now = case.t0 + timedelta(hours=48, seconds=1)
    return world


def act() -> None:
    world = a_second_too_late()
    for _ in range(2):
        escalation.escalate(world.now)
        stage_set.work(world)


def resume() -> None:
    stage_set.start_again(a_second_too_late().now)
    act()


def verify() -> dict[str, Any]:
    return stage_set.outcome()
