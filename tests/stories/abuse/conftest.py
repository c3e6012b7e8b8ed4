"""Each story has a place, a world, a desk with a trusted reporter, and a customer with a running server."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from servers.models import Server
from servers.providers.simulated.control import Control
from tests.support.desk import Desk
from tests.support.machines import server_of, simulated_place
from tests.support.world import Customer, World


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Control]:
    with simulated_place(tmp_path) as control:
        yield control


@pytest.fixture
def world(db: None) -> World:
    return World("2026-03-02 09:00")


@pytest.fixture
def desk(world: World) -> Desk:
    return Desk(world)


@pytest.fixture
def alice(world: World) -> Customer:
    return world.customer("Alice")


@pytest.fixture
def server(cloud: Control, world: World, alice: Customer) -> Server:
    return server_of(world, alice)
