"""How a machine does, on its page: figures with their words, what cannot be told said so, in the API too (SRV-12)."""

import html
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from panel.accounts import tokens
from panel.accounts.models import Membership
from panel.core import clock
from servers.models import Server, Vitals
from servers.providers.simulated.control import Control
from tests.support.machines import server_of
from tests.support.personas import logged_in, staff
from tests.support.world import Customer, World

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _no_second_factor(settings: Any) -> None:
    settings.CLAUSE_REQUIRE_STAFF_MFA = False


@pytest.fixture
def server(cloud: Control, world: World, alice: Customer) -> Server:
    """Read twice, until just now."""
    found = server_of(world, alice)
    world.now = datetime.now(UTC) - timedelta(minutes=5)
    world.sweep("servers.watch")
    world.sweep("servers.vitals")
    world.advance(minutes=5, sweeps=["servers.vitals"])
    return found


def part(client: Client, path: str) -> str:
    page = client.get(f"{path}?part=vitals")
    assert page.status_code == 200
    return html.unescape(page.content.decode())


def test_owner_and_staff_see_the_figures_and_hear_of_the_next(server: Server, world: World, alice: Customer) -> None:
    for client, path in (
        (logged_in(alice.user, alice.account), f"/servers/{server.reference}/"),
        (logged_in(staff(world, "administrator")), f"/ops/servers/{server.reference}/"),
    ):
        whole, alone = html.unescape(client.get(path).content.decode()), part(client, path)
        for text in (whole, alone):
            assert f'data-live="vitals:{server.pk}" data-live-url="{path}?part=vitals"' in text
            for word in ("of 1 vCPU", "Used memory", "of 1\u00a0GiB", "of 20\u00a0GB", "/s</b>", "Read at the host"):
                assert word in text, word
        assert "server-live" not in alone


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"read_at": None}, "read for the first time within a minute"),
        ({"read_at": datetime(2026, 1, 1, tzinfo=UTC)}, "These figures are not of now"),
        ({"told": {"disk_bytes": 19_500_000_000}}, "The disk is full"),
    ],
)
def test_what_is_not_as_usual_is_said(server: Server, alice: Customer, change: dict[str, Any], words: str) -> None:
    path, client = f"/servers/{server.reference}/", logged_in(alice.user, alice.account)
    assert words not in part(client, path)
    row = Vitals.objects.get(server=server)
    change = {name: {**row.told, **value} if name == "told" else value for name, value in change.items()}
    Vitals.objects.filter(server=server).update(**change)
    assert words in part(client, path)


def test_a_machine_that_is_off_and_a_place_that_does_not_tell_show_no_figures(
    server: Server, alice: Customer, settings: Any
) -> None:
    path, client = f"/servers/{server.reference}/", logged_in(alice.user, alice.account)
    Server.objects.filter(pk=server.pk).update(power="off")
    assert "The machine is off" in part(client, path)
    settings.CLAUSE_PLACES = {"sim-1": {"provider": "libcloud", "driver": "dummy", "label": "Elsewhere",
                                        "arguments": {"creds": ""}}}  # fmt: skip
    said = part(client, path)
    assert "Elsewhere does not tell how its machines do" in said
    assert "vCPU" not in said


def test_the_last_day_is_drawn_once_there_are_two_hours_of_it(server: Server, world: World, alice: Customer) -> None:
    path, client = f"/servers/{server.reference}/", logged_in(alice.user, alice.account)
    assert "Processors, last day" not in client.get(path).content.decode()
    row = Vitals.objects.get(server=server)
    before = (datetime.fromisoformat(row.hours[-1][0]) - timedelta(hours=1)).isoformat()
    Vitals.objects.filter(server=server).update(hours=[[before, 4200.0, 100.0], *row.hours])
    said = html.unescape(client.get(path).content.decode())
    assert "Processors, last day" in said
    assert "42\u00a0%" in said


def test_the_api_tells_the_same(server: Server, alice: Customer) -> None:
    owner = Membership.objects.get(user=alice.user)
    _row, token = tokens.issue(owner, name="reader", scopes=["see"], lives=None, actor=alice.actor, now=clock.now())
    answer = Client(headers={"Authorization": f"Bearer {token}"}).get(f"/api/v1/servers/{server.reference}/vitals")
    told = json.loads(answer.content)
    assert (answer.status_code, told["told"]) == (200, "now")
    assert (told["memory_total"], told["disk_total"]) == (2**30, 20 * 10**9)
    assert 0 < told["cpu_percent"] < 100
