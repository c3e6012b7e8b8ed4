"""The page of the managed service: what it shows and refuses, and where, for its owner, for staff and by the API
(SRV-9, SRV-11, SUB-11)."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from invoicing.models import Charge
from panel.accounts import tokens
from panel.accounts.models import Membership, User
from servers.managing import managed_actions, playbooks, required_updates
from servers.managing.playbooks import Outcome
from servers.models import Mailbox, ManagedRun, ManagedService, PendingUpdate, RequiredUpdate, Server
from servers.providers.simulated.control import Control
from tests.support.machines import server_of, simulated_place
from tests.support.world import Customer, World

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _no_second_factor(settings: Any) -> None:
    settings.CLAUSE_REQUIRE_STAFF_MFA = False


@pytest.fixture(autouse=True)
def _real_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is asked and shown here; that it is really done is another story (test_managed_for_real.py)."""
    monkeypatch.setattr(managed_actions.places, "is_simulated", lambda _place: False)
    monkeypatch.setattr(playbooks, "play", lambda *_words, **_more: Outcome())


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Control]:
    with simulated_place(tmp_path) as control:
        yield control


@pytest.fixture
def world() -> World:
    world = World()
    world.now = datetime.now(UTC).replace(microsecond=0) - timedelta(days=60)
    return world


@pytest.fixture
def alice(world: World) -> Customer:
    return world.customer()


@pytest.fixture
def server(cloud: Control, world: World, alice: Customer) -> Server:
    """Managed since then; its runs are told here, not carried out."""
    made = server_of(world, alice, name="web-1", options={"vps-managed": 1})
    ManagedRun.objects.all().delete()
    ManagedService.objects.update(state="in_force", due_at=world.now)
    return made


def browser(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def staff(world: World, role: str = "infrastructure") -> Client:
    return browser(User.objects.get(pk=world.staff(role).user_id))


def here(server: Server, *, of_staff: bool = False) -> str:
    return reverse("servers:staff_server_managed" if of_staff else "servers:server_managed", args=[server.reference])


def text(answer: Any) -> str:
    return str(answer.content.decode())


def a_run(server: Server, state: str = "done", **other: Any) -> ManagedRun:
    lines = [
        {"role": "base", "task": "Log-in by key alone", "status": "changed", "message": ""},
        {"role": "mail", "task": "The <b>mail</b> server", "status": "failed", "message": "apt: <script>no</script>"},
    ]
    return ManagedRun.objects.create(
        server=server, account=server.account, kind="setup", state=state, actor_kind="system", lines=lines,
        asked_at=datetime.now(UTC), **other,
    )  # fmt: skip


def waits(server: Server, package: str, *, days: int, security: bool = False) -> None:
    PendingUpdate.objects.create(
        server=server, account=server.account, package=package, installed="1.0", available="=2.0", security=security,
        first_seen=datetime.now(UTC) - timedelta(days=days),
    )  # fmt: skip


def test_what_is_looked_after_and_what_waits_is_shown(world: World, alice: Customer, server: Server) -> None:
    waits(server, "openssl", days=40, security=True)
    waits(server, "nginx", days=3)
    a_run(server, "failed", error="base: <i>secret</i> of the machine")
    page = text(browser(alice.user).get(here(server)))
    for words in ("Managed by us", "Hardening", "openssl", "Security", "1 late", "Log-in by key alone", "SRV-9",
                  "Our team has been told", "others after 7 days, none later than 30 days",
                  "The &lt;b&gt;mail&lt;/b&gt; server"):  # fmt: skip
        assert words in page, words
    for words in ("<script>no", "secret", "Require an update", "apt:"):
        assert words not in page, words
    inside = text(staff(world).get(here(server, of_staff=True)))
    for words in ("&lt;i&gt;secret&lt;/i&gt; of the machine", "apt: &lt;script&gt;no", "Require an update"):
        assert words in inside, words
    part = text(browser(alice.user).get(here(server), {"part": "state"}))
    assert ('id="managed-live"' in part, "<html" in part) == (True, False)


def test_the_report_is_a_file_too(world: World, alice: Customer, server: Server) -> None:
    waits(server, "openssl", days=40, security=True)
    for client, name in ((browser(alice.user), "server_managed_report"), (staff(world), "staff_server_managed_report")):
        answer = client.get(reverse(f"servers:{name}", args=[server.reference]))
        head, row = answer.content.decode("utf-8-sig").splitlines()
        assert head.startswith("package;installed;available;security;first_seen;until;late")
        assert row.startswith("openssl;1.0;'=2.0;yes;")
        assert ";yes;" in row[-10:]
        assert answer["Content-Type"].startswith("text/csv")


def test_services_and_mailboxes_are_chosen_on_the_page(alice: Customer, server: Server) -> None:
    client, url = browser(alice.user), here(server)
    assert client.post(url, {"deed": "roles", "roles": ["mail"]})["Location"] == url
    assert ManagedService.objects.get().roles == ["mail"]
    assert client.post(url, {"deed": "roles", "roles": ["games"]}).status_code == 422
    page = text(client.get(url))
    assert "No mailbox yet." in page
    wrong = client.post(url, {"deed": "mailbox", "address": "alice", "password": "x"})
    assert (wrong.status_code, "no address of a mailbox" in text(wrong)) == (422, True)
    sent = {"deed": "mailbox", "address": "alice@shop.example", "password": "correct horse battery"}
    assert client.post(url, sent).status_code == 302
    page = text(client.get(url))
    assert ("alice@shop.example" in page, "correct horse" in page, Mailbox.objects.get().password in page) == (
        True, False, False
    )  # fmt: skip
    assert client.post(url, {"deed": "unmailbox", "address": "alice@shop.example"}).status_code == 302
    assert not Mailbox.objects.exists()
    for deed in ("set_up", "patch"):
        assert client.post(url, {"deed": deed}).status_code == 302
    assert set(ManagedRun.objects.values_list("kind", flat=True)) == {"setup", "patches"}
    for deed in ("require", "installed", "withdraw", "explode"):
        assert client.post(url, {"deed": deed}).status_code == 404, "only staff"


def test_who_may_only_look_changes_nothing_and_others_see_nothing(
    world: World, alice: Customer, server: Server
) -> None:
    looker = browser(world.contact(alice, ["see"]).user)
    assert "Set it up" not in text(looker.get(here(server)))
    assert looker.post(here(server), {"deed": "roles", "roles": ["web"]}).status_code == 403
    assert browser(world.customer("Mallory").user).get(here(server)).status_code == 404
    assert staff(world, "support").get(here(server, of_staff=True)).status_code == 200
    assert staff(world, "support").post(here(server, of_staff=True), {"deed": "set_up"}).status_code == 403


def test_a_required_update_goes_its_way_on_the_pages(world: World, alice: Customer, server: Server) -> None:
    client, inside = browser(alice.user), staff(world)
    theirs = here(server, of_staff=True)
    empty = inside.post(theirs, {"deed": "require", "title": "", "why": "Old."})
    assert (empty.status_code, "This field is required" in text(empty)) == (422, True)
    assert inside.post(theirs, {"deed": "require", "title": "PHP 8.1", "why": "No fixes."}).status_code == 302
    row = RequiredUpdate.objects.get()
    page = text(client.get(here(server)))
    for words in ("An update is required", "PHP 8.1", "No fixes.", "I have installed it", "72"):
        assert words in page, words
    assert "bill it" not in text(inside.get(theirs))
    long_ago = datetime.now(UTC) - timedelta(days=70)
    RequiredUpdate.objects.update(state="due", told_at=long_ago, until=datetime.now(UTC) - timedelta(days=1))
    assert "Required updates to install" in text(inside.get("/ops/"))
    assert "bill it" in text(inside.get(theirs))
    sent = {"deed": "installed", "update": row.reference}
    assert inside.post(theirs, sent | {"minutes": "0"}).status_code == 422
    assert inside.post(theirs, sent | {"update": "UPD-NOTHING1", "minutes": "5"}).status_code == 404
    assert inside.post(theirs, sent | {"minutes": "30"}).status_code == 302
    assert Charge.objects.get().net_cents == 3600
    assert "Installed by us" in text(client.get(here(server)))


def test_not_managed_or_not_here_says_what_to_do(
    world: World, alice: Customer, cloud: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = server_of(world, alice, name="web-2")
    page = text(browser(alice.user).get(here(plain)))
    assert ("You look after this server yourself" in page, "Order the managed service" in page) == (True, True)
    monkeypatch.setattr(managed_actions.places, "is_simulated", lambda _place: True)
    assert "there is no machine to look after" in text(browser(alice.user).get(here(plain)))


def test_the_page_asks_no_more_for_many(alice: Customer, server: Server) -> None:
    client, url = browser(alice.user), here(server)

    def asked() -> int:
        with CaptureQueriesContext(connection) as queries:
            client.get(url)
        return len(queries)

    a_run(server)
    waits(server, "one", days=1)
    asked()
    few = asked()
    for number in range(8):
        a_run(server)
        waits(server, f"package-{number}", days=number)
    assert asked() == few


def test_the_api_does_what_the_page_does(world: World, alice: Customer, server: Server) -> None:
    _token, secret = tokens.issue(
        Membership.objects.get(user=alice.user), name="script", scopes=["see", "servers"], lives=None,
        actor=alice.actor, now=datetime.now(UTC),
    )  # fmt: skip
    client, base = Client(headers={"authorization": f"Bearer {secret}"}), f"/api/v1/servers/{server.reference}"

    def call(method: str, path: str, body: Any = None) -> Any:
        return getattr(client, method)(f"{base}{path}", body, content_type="application/json")

    assert call("get", "/managed").json()["state"] == "in_force"
    assert call("put", "/managed", {"roles": ["mail"]}).json()["roles"] == ["mail"]
    assert call("put", "/managed", {"roles": ["games"]}).status_code == 422
    box = {"address": "alice@shop.example", "password": "correct horse battery"}
    assert call("post", "/mailboxes", box).status_code == 202
    assert [one["address"] for one in call("get", "/mailboxes").json()["items"]] == ["alice@shop.example"]
    assert call("delete", "/mailboxes/alice@shop.example").status_code == 204
    assert call("post", "/managed/runs", {"kind": "patches"}).json()["state"] == "waiting"
    a_run(server, error="secret")
    runs = call("get", "/managed/runs").json()["items"]
    assert (runs[0]["lines"][1]["status"], "secret" in str(runs), "apt:" in str(runs)) == ("failed", False, False)
    waits(server, "openssl", days=1)
    assert call("get", "/managed/updates").json()["items"][0]["package"] == "openssl"
    row = required_updates.announce(server, title="PHP", why="Old.", actor=world.staff("infrastructure"), now=world.now)
    assert call("get", "/required-updates").json()["items"][0]["state"] == "announced"
    assert call("post", f"/required-updates/{row.reference}/done").json()["state"] == "done"
    assert call("post", "/required-updates/UPD-22222222/done").status_code == 404
