"""Whoever looks, the navigation has at most nine lines at its top level."""

import pytest
from django.test import Client

from panel.core import shell
from tests.support.personas import logged_in, staff
from tests.support.world import World

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("face", ["sandbox", "ops"])
def test_at_most_nine_lines(face: str) -> None:
    lines = {entry.group or entry.key for entry in shell.entries(face)}
    assert 0 < len(lines) <= shell.NAV_LIMIT


def test_a_folded_group_is_open_on_its_own_pages() -> None:
    world = World()
    console: Client = logged_in(staff(world, "administrator"))
    assert '<details class="nav-group">' in console.get("/ops/").content.decode()
    inside = console.get("/ops/quotes/").content.decode()
    assert '<details class="nav-group" open>' in inside
    assert inside.count('aria-current="page" data-go="q"') == 1
