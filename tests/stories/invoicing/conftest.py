"""Money stories happen in a shop whose service only notes what it was asked."""

import pytest

from invoicing.subscribing import kinds
from tests.support.shop import Shop, open_shop
from tests.support.world import World


@pytest.fixture
def world() -> World:
    return World("2026-03-02 09:00")


@pytest.fixture
def shop(db: None, world: World, monkeypatch: pytest.MonkeyPatch) -> Shop:
    opened = open_shop(world)
    monkeypatch.setitem(kinds._kinds, "vps", opened.service)
    return opened
