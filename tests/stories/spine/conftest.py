"""Each story has a place of real hosts, the provider's bank, an abuse desk, and the panel's own door for webhooks."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from panel.core import clock
from servers.providers.local_adapter import LocalProvider
from tests.support import hosts
from tests.support.desk import Desk
from tests.support.shop import open_shop
from tests.support.till import Till, open_till
from tests.support.world import World


@pytest.fixture
def world(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> World:
    """The story's clock is the panel's clock, at the edges too."""
    told = World("2026-03-02 09:00")
    monkeypatch.setattr(clock, "now", lambda: told.now)
    return told


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[LocalProvider]:
    with hosts.place_on_offer(tmp_path) as provider:
        yield provider


@pytest.fixture
def till(world: World, settings: Any, live_server: Any) -> Iterator[Till]:
    """The bank calls at the panel's door by itself, over HTTP."""
    with open_till(world, open_shop(world), settings, door=f"{live_server.url}/hooks/stripe/") as opened:
        yield opened


@pytest.fixture
def desk(world: World) -> Desk:
    return Desk(world)
