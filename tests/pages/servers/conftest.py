"""A simulated place, and a world that began twelve hours ago: pages show their times against the real clock."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from servers.providers.simulated.control import Control
from tests.support.machines import simulated_place
from tests.support.world import Customer, World


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Control]:
    with simulated_place(tmp_path) as control:
        yield control


@pytest.fixture
def world() -> World:
    world = World()
    world.now = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=12)
    return world


@pytest.fixture
def alice(world: World) -> Customer:
    return world.customer()
