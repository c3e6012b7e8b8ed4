"""Maintenance and incidents on their pages (SUB-10): staff sees what goes out before it does; everybody can follow."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from panel.core import clock
from panel.core.actors import SYSTEM
from servers.maintaining import interruptions
from servers.maintaining.interruptions import Plan, Words
from servers.maintaining.maintenance_rules import Kind
from servers.models import Interruption, Server
from servers.providers.simulated.control import Control
from tests.support.machines import server_of, simulated_place
from tests.support.personas import logged_in, staff
from tests.support.world import Customer, World

pytestmark = pytest.mark.django_db
ATOM = "{http://www.w3.org/2005/Atom}"


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Control]:
    cache.clear()
    with simulated_place(tmp_path) as control:
        yield control


@pytest.fixture
def world(cloud: Control) -> World:
    made = World()
    made.now = clock.now()
    return made


@pytest.fixture
def alice(world: World) -> Customer:
    return world.customer()


@pytest.fixture
def server(world: World, alice: Customer) -> Server:
    return server_of(world, alice)


def asked(world: World, hours: float, **more: str) -> dict[str, str]:
    begins = timezone.localtime(world.now + timedelta(hours=hours))
    return {
        "kind": "planned", "place": "sim-1", "title": "New switches", "reason": "Two switches are replaced.",
        "starts_at": f"{begins:%Y-%m-%dT%H:%M}", "ends_at": f"{begins + timedelta(hours=2):%Y-%m-%dT%H:%M}", **more,
    }  # fmt: skip


def announced(world: World, kind: Kind = Kind.PLANNED, **more: Any) -> Interruption:
    begins = world.now + timedelta(days=2) if kind is Kind.PLANNED else world.now
    plan = Plan(kind, "sim-1", Words("New switches"), Words("Why."), begins, begins + timedelta(hours=2), **more)
    made = interruptions.announce(plan, actor=SYSTEM, now=world.now)
    world.work()
    return made


def test_staff_sees_what_goes_out_before_anything_does(world: World, server: Server) -> None:
    desk = logged_in(staff(world, "infrastructure"))
    shown = desk.post("/ops/interruptions/new/", asked(world, 30))
    assert shown.context["preview"]["accounts"] == 1
    assert not Interruption.objects.exists()
    said = shown.context["preview"]["shown"]
    other = desk.post("/ops/interruptions/new/", asked(world, 30, announce=said, title="Something else"))
    assert other.context["preview"]["plan"].title.text == "Something else"  # edited since: shown again first
    assert not Interruption.objects.exists()
    done = desk.post("/ops/interruptions/new/", asked(world, 30, announce=said))
    row = Interruption.objects.get()
    assert done["Location"] == f"/ops/interruptions/{row.reference}/"
    world.work()
    assert len(world.mails("servers/interruption")) == 1


def test_what_comes_too_soon_is_told_at_its_field_and_loses_nothing(world: World, server: Server) -> None:
    desk = logged_in(staff(world, "infrastructure"))
    answer = desk.post("/ops/interruptions/new/", asked(world, 20, announce="1"))
    assert answer.status_code == 422
    assert "at least 24 hours before" in str(answer.context["form"].errors["starts_at"])
    assert "Two switches are replaced." in answer.content.decode()
    assert not Interruption.objects.exists()


def test_a_reference_that_is_no_servers_is_named(world: World, server: Server) -> None:
    desk = logged_in(staff(world, "infrastructure"))
    answer = desk.post("/ops/interruptions/new/", asked(world, 30, servers=f"{server.reference}, SRV-NOBODY22"))
    assert "SRV-NOBODY22" in str(answer.context["form"].errors["servers"])


def test_support_writes_an_update_but_ends_nothing(world: World, server: Server) -> None:
    row = announced(world, Kind.EMERGENCY)
    support, page = logged_in(staff(world, "support")), f"/ops/interruptions/{row.reference}/"
    said = {"note-text": "Half of it is done.", "finish-text": "Done."}
    assert support.post(f"{page}note/", said).status_code == 302
    assert support.post(f"{page}finish/", said).status_code == 403
    assert (
        "Half of it is done." in Client(headers={"host": "127.0.0.1"}).get(f"/status/{row.reference}/").content.decode()
    )
    desk = logged_in(staff(world, "infrastructure"))
    assert desk.post(f"{page}extend/", {"extend-text": "Later.", "extend-until": "2020-01-01T00:00"}).status_code == 422
    assert desk.post(f"{page}finish/", said).status_code == 302
    assert desk.post(f"{page}finish/", said).status_code == 422  # it is over already


def test_the_dashboard_and_the_server_say_it(world: World, alice: Customer, server: Server) -> None:
    stranger = world.customer("Bob")
    announced(world)
    hers = logged_in(alice.user, alice.account)
    assert "New switches" in hers.get("/").content.decode()
    assert "New switches" in hers.get(f"/servers/{server.reference}/").content.decode()
    assert "New switches" not in logged_in(stranger.user, stranger.account).get("/").content.decode()


def test_nobody_learns_from_the_status_page_whose_servers_they_are(
    world: World, alice: Customer, server: Server
) -> None:
    row = announced(world, servers=[server])
    anybody = Client(headers={"host": "127.0.0.1"})
    for path in ("/status/", f"/status/{row.reference}/", "/status/feed.atom"):
        said = anybody.get(path).content.decode()
        assert server.reference not in said
        assert alice.account.company not in said
    assert server.name in logged_in(alice.user, alice.account).get(f"/status/{row.reference}/").content.decode()


def test_the_feed_names_each_update_once(world: World, server: Server) -> None:
    row = announced(world, Kind.EMERGENCY)
    interruptions.note(row, Words("News."), mailed=False, actor=SYSTEM, now=world.now)
    feed = Client(headers={"host": "127.0.0.1"}).get("/status/feed.atom")
    entries = ET.fromstring(feed.content).findall(f"{ATOM}entry")  # noqa: S314 - our own
    assert [entry.findtext(f"{ATOM}title", "").split(":")[0] for entry in entries] == ["Update", "Announced"]


def test_thirty_cost_what_three_do(world: World, server: Server) -> None:
    anybody, desk = Client(headers={"host": "127.0.0.1"}), logged_in(staff(world, "infrastructure"))

    def cost(client: Client, path: str) -> int:
        client.get(path)
        with CaptureQueriesContext(connection) as captured:
            assert client.get(path).status_code == 200
        return len(captured)

    pages = ((anybody, "/status/"), (anybody, "/status/feed.atom"), (desk, "/ops/interruptions/"))
    for _ in range(3):
        announced(world)
    few = [cost(*page) for page in pages]
    for _ in range(9):
        announced(world, Kind.INCIDENT, mailed=False)
    assert [cost(*page) for page in pages] == few
