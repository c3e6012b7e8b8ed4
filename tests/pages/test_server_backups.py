"""The page of a server's copies: what it shows and says first, what it refuses and where, for its owner, for staff and
by the API (SRV-8, SUB-14, SRV-10)."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from panel.accounts import tokens
from panel.accounts.models import Membership, User
from servers.models import BackupPlan, Copy, Server
from servers.providers.simulated.control import Control
from servers.safekeeping import backups, copies
from tests.support.machines import server_of, simulated_place
from tests.support.world import Customer, World

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _no_second_factor(settings: Any) -> None:
    settings.CLAUSE_REQUIRE_STAFF_MFA = False


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Control]:
    with simulated_place(tmp_path) as control:
        yield control


@pytest.fixture
def world() -> World:
    world = World()
    world.now = datetime.now(UTC).replace(microsecond=0) - timedelta(days=30)
    return world


@pytest.fixture
def alice(world: World) -> Customer:
    return world.customer()


@pytest.fixture
def server(cloud: Control, world: World, alice: Customer) -> Server:
    return server_of(world, alice, name="web-1", options={"vps-backup-2": 1})


def browser(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def here(server: Server, *, staff: bool = False) -> str:
    return reverse("servers:staff_server_backups" if staff else "servers:server_backups", args=[server.reference])


def text(answer: Any) -> str:
    return str(answer.content.decode())


def until_now(world: World) -> None:
    """What the page asked for, at the wall clock, is carried out."""
    world.now = max(world.now, datetime.now(UTC))
    for _ in range(3):
        world.advance(seconds=15)


def nights(world: World, count: int) -> None:
    for _ in range(count):
        world.advance(days=1, sweeps=["servers.backups"])
        world.advance(seconds=15)


def test_a_snapshot_is_taken_used_and_deleted_by_the_page(
    world: World, alice: Customer, server: Server, cloud: Control
) -> None:
    client, url = browser(alice.user), here(server)
    page = text(client.get(url))
    for words in ("No copies yet", "None yet", "Level 2", "every night", "kept for 7 days", "Snapshots: 0 of 3"):
        assert words in page, words
    wrong = client.post(url, {"deed": "snapshot", "name": " "})
    assert (wrong.status_code, "This field is required" in text(wrong) or "Give the snapshot" in text(wrong)) == (
        422, True
    )  # fmt: skip
    cloud.write(server.provider_ref, "then")
    assert client.post(url, {"deed": "snapshot", "name": "before"})["Location"] == url
    assert "Being made" in text(client.get(url, {"part": "state"}))
    until_now(world)
    copy = Copy.objects.get()
    page = text(client.get(url))
    assert copy.reference in page
    assert "you delete it" in page
    page = text(client.get(url, {"do": "restore", "copy": copy.reference}))
    for words in ("Lost for good:", "everything that was written to the disk of web-1", f"?copy={copy.reference}"):
        assert words in page, words
    cloud.write(server.provider_ref, "now")
    untyped = client.post(url, {"deed": "restore", "copy": copy.reference, "confirm": "web"})
    assert (untyped.status_code, "not typed as shown" in text(untyped)) == (422, True)
    assert client.post(url, {"deed": "restore", "copy": copy.reference, "confirm": "web-1"}).status_code == 302
    assert "still under way" in text(client.get(url, {"do": "restore", "copy": copy.reference}))
    until_now(world)
    assert cloud.disk(server.provider_ref) == "then"
    assert "The copy is removed for good" in text(client.get(url, {"do": "delete", "copy": copy.reference}))
    assert client.post(url, {"deed": "delete", "copy": copy.reference}).status_code == 302
    until_now(world)
    assert copy.reference not in text(client.get(url))
    for sent in ({"deed": "explode"}, {"deed": "delete", "copy": "CPY-NOTHING1"}, {"word": "yes"}):
        assert client.post(url, sent).status_code == 404
    detail = text(client.get(reverse("servers:server_detail", args=[server.reference])))
    assert "Restoring of a copy" in detail


def test_the_last_good_one_the_next_and_what_goes_wrong_are_shown(
    world: World, alice: Customer, server: Server, cloud: Control
) -> None:
    client, url = browser(alice.user), here(server)
    nights(world, 2)
    page = text(client.get(url))
    assert "there is a newer one" in page
    assert page.count("Restore<span") == 2
    assert "This is the last good backup." in text(
        client.get(url, {"do": "delete", "copy": str(backups.latest(server))})
    )
    cloud.plan("snapshot", "refused")
    nights(world, 1)
    assert "No backup could be made for days" in text(client.get(url)), "a month ago, by the page's clock"
    BackupPlan.objects.update(failing_since=datetime.now(UTC) - timedelta(hours=8))
    assert "The last backup could not be made" in text(client.get(url))
    assert "the cloud refuses" not in text(client.get(url))
    support = browser(User.objects.get(pk=world.staff("support").user_id))
    assert "the cloud refuses" in text(support.get(here(server, staff=True)))
    assert support.post(here(server, staff=True), {"deed": "snapshot", "name": "x"}).status_code == 403
    infrastructure = browser(User.objects.get(pk=world.staff("infrastructure").user_id))
    assert infrastructure.post(here(server, staff=True), {"deed": "snapshot", "name": "x"}).status_code == 302
    BackupPlan.objects.update(halted_at=world.now)
    page = text(client.get(url))
    for words in ("Backups are halted", "SRV-10", "Halted", "Change the level"):
        assert words in page, words


def test_who_may_only_look_changes_nothing_and_others_see_nothing(
    world: World, alice: Customer, server: Server
) -> None:
    copies.snapshot(server, "mine", actor=alice.actor, now=world.now)
    looker, copy = browser(world.contact(alice, ["see"]).user), Copy.objects.get()
    page = text(looker.get(here(server)))
    assert copy.reference in page
    assert "Take a snapshot</" not in page
    for deed in ({"deed": "snapshot", "name": "x"}, {"deed": "delete", "copy": copy.reference}):
        assert looker.post(here(server), deed).status_code == 403
    assert browser(world.customer("Bob").user).get(here(server)).status_code == 404


def test_a_rhythm_of_ones_own(world: World, alice: Customer, cloud: Control) -> None:
    server = server_of(world, alice, name="web-2", options={"vps-backup-own": 1})
    client, url = browser(alice.user), here(server)
    assert "every 6 hours" in text(client.get(url))
    wrong = client.post(url, {"deed": "rhythm", "every_hours": "6", "keep_days": "99"})
    assert (wrong.status_code, "between 1 and 60" in text(wrong) or "less than or equal" in text(wrong)) == (422, True)
    assert client.post(url, {"deed": "rhythm", "every_hours": "12", "keep_days": "3"}).status_code == 302
    plan = BackupPlan.objects.get()
    assert (plan.own_every_hours, plan.own_keep_days) == (12, 3)


def test_the_order_begins_with_the_copy_that_was_chosen(world: World, alice: Customer, server: Server) -> None:
    from invoicing.offering import catalogue

    catalogue.install_catalogue()
    copies.snapshot(server, "mine", actor=alice.actor, now=world.now)
    for _ in range(3):
        world.advance(seconds=15)
    copy, client = Copy.objects.get(), browser(alice.user)
    page = text(client.get(reverse("invoicing:order_new", args=["vps-m"]), {"copy": copy.reference}))
    assert f'value="{copy.reference}" selected' in page
    page = text(client.get(reverse("invoicing:order_new", args=["vps-m"]), {"copy": "CPY-NOTHING1"}))
    assert "selected>no: with the system above" in page or f'value="{copy.reference}" selected' not in page


def test_the_page_takes_the_same_queries_for_many_copies(world: World, alice: Customer, server: Server) -> None:
    client, url, counts = browser(alice.user), here(server), []
    nights(world, 1)
    for _ in range(2):
        client.get(url)
        with CaptureQueriesContext(connection) as asked:
            client.get(url)
        counts.append(len(asked))
        nights(world, 6)
    assert counts[0] == counts[1]


def test_the_api_does_what_the_page_does(world: World, alice: Customer, server: Server, cloud: Control) -> None:
    _token, secret = tokens.issue(
        Membership.objects.get(user=alice.user), name="script", scopes=["see", "servers"], lives=None,
        actor=alice.actor, now=datetime.now(UTC),
    )  # fmt: skip
    client, base = Client(headers={"authorization": f"Bearer {secret}"}), f"/api/v1/servers/{server.reference}"
    nights(world, 1)
    shown = client.get(f"{base}/backups").json()
    assert (shown["level"], shown["every_hours"], shown["keep_days"]) == ("level_2", 24, 7)
    assert shown["last_good_at"] is not None
    made = client.post(f"{base}/copies", {"name": "by hand"}, content_type="application/json")
    assert (made.status_code, made.json()["state"]) == (202, "waiting")
    until_now(world)
    rows = client.get(f"{base}/copies").json()["items"]
    assert [(row["kind"], row["state"]) for row in rows] == [("snapshot", "ready"), ("backup", "ready")]
    one = f"{base}/copies/{rows[0]['reference']}"
    refused = client.post(f"{one}/restore", {"confirm": "no"}, content_type="application/json")
    assert refused.status_code == 422
    done = client.post(f"{one}/restore", {"confirm": "web-1"}, content_type="application/json")
    assert (done.status_code, done.json()["action"]) == (202, "restore")
    until_now(world)
    assert client.delete(one).json()["state"] == "deleting"
    wrong = client.put(f"{base}/backups", {"every_hours": 6, "keep_days": 2}, content_type="application/json")
    assert wrong.status_code == 409
    assert client.delete(f"{base}/copies/CPY-NOTHING1").status_code == 404
