"""A paid order becomes a machine (SRV-1), at a cloud whose answers get lost."""

from typing import Any

from servers.providers.simulated.control import Control
from tests.crash import stage_set
from tests.support.machines import subscribe


def prepare() -> None:
    world, customer = stage_set.furnish()
    subscribe(world, customer)
    Control("sim-1").plan("create", "lost")


def act() -> None:
    stage_set.work(stage_set.world_at())


def resume() -> None:
    stage_set.start_again(stage_set.world_at().now)
    act()


def verify() -> dict[str, Any]:
    return stage_set.outcome()
