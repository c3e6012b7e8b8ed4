"""The page that changes a server for good: what it says first, what it refuses and where, for its owner and for staff
(SRV-8, SUB-6)."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from panel.accounts import tokens
from panel.accounts.models import Membership, User
from servers import keys
from servers.models import Server
from servers.providers.simulated.control import Control
from tests.support.machines import first_ip, server_of
from tests.support.personas import PUBLIC_KEY
from tests.support.world import Customer, World

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _no_second_factor(settings: Any) -> None:
    settings.CLAUSE_REQUIRE_STAFF_MFA = False


@pytest.fixture
def server(cloud: Control, world: World, alice: Customer) -> Server:
    keys.add(alice.account, name="laptop", public_key=PUBLIC_KEY, actor=alice.actor, now=world.now)
    return server_of(world, alice, name="web-1", first_boot="echo <hello>")


def browser(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def here(server: Server) -> str:
    return reverse("servers:server_manage", args=[server.reference])


def text(answer: Any) -> str:
    return str(answer.content.decode())


def test_it_says_what_is_lost_and_what_stays_before_anything_is_done(
    world: World, alice: Customer, server: Server
) -> None:
    page = text(browser(alice.user).get(here(server)))
    for words in ("Lost for good", first_ip(server), "not refunded", "Type web-1 to confirm", "Ending costs nothing",
                  "echo &lt;hello&gt;", "Ubuntu 24.04 LTS", "The script for the first start runs again."):  # fmt: skip
        assert words in page, words


def test_name_and_labels_are_kept_or_refused_at_their_fields(world: World, alice: Customer, server: Server) -> None:
    client = browser(alice.user)
    refused = client.post(here(server), {"deed": "rename", "name": "no name", "labels": "shop"})
    assert refused.status_code == 422
    assert "letters, digits and hyphens" in text(refused)
    refused = client.post(here(server), {"deed": "rename", "name": "shop", "labels": "a/b"})
    assert refused.status_code == 422
    server.refresh_from_db()
    assert server.name == "web-1", "both or none"
    assert client.post(here(server), {"deed": "rename", "name": "shop", "labels": "prod"})["Location"] == here(server)
    listed = text(client.get(reverse("servers:server_list"), {"label": "prod"}))
    assert "shop" in listed
    assert "No server matches" in text(client.get(reverse("servers:server_list"), {"label": "other"}))


def test_every_deed_by_the_page_in_turn(world: World, alice: Customer, cloud: Control, server: Server) -> None:
    client, detail = browser(alice.user), reverse("servers:server_detail", args=[server.reference])
    assert client.post(here(server), {"deed": "rescue"})["Location"] == detail
    world.advance(hours=13)
    assert "The rescue system is running" in text(client.get(detail))
    assert client.post(here(server), {"deed": "leave_rescue"}).status_code == 302
    world.advance(hours=1)
    assert "The rescue system is running" not in text(client.get(detail))
    assert client.post(here(server), {"deed": "protect"}).status_code == 302
    page = text(client.get(here(server)))
    assert page.count("The server is protected from deletion. Take the protection off first.") == 2
    refused = client.post(here(server), {"deed": "rebuild", "image": "rocky-9", "confirm": "web-1"})
    assert (refused.status_code, "Nothing has changed" in text(refused)) == (422, True)
    assert client.post(here(server), {"deed": "unprotect"}).status_code == 302
    refused = client.post(here(server), {"deed": "rebuild", "image": "rocky-9", "confirm": "web"})
    assert (refused.status_code, "The name was not typed as shown" in text(refused)) == (422, True)
    assert client.post(here(server), {"deed": "rebuild", "image": "rocky-9", "confirm": "web-1"}).status_code == 302
    world.advance(hours=1)
    assert Server.objects.get(pk=server.pk).image == "rocky-9"
    refused = client.post(here(server), {"deed": "destroy", "confirm": ""})
    assert refused.status_code == 422
    assert client.post(here(server), {"deed": "destroy", "confirm": "web-1"}).status_code == 302
    world.advance(hours=1)
    assert cloud.refs() == []
    assert "The server has ended." in text(client.get(here(server)))
    assert client.post(here(server), {"deed": "explode"}).status_code == 404


def test_a_contact_sees_why_not(world: World, alice: Customer, server: Server) -> None:
    client = browser(world.contact(alice, ["see", "servers"]).user)
    assert client.post(here(server), {"deed": "protect"}).status_code == 302
    page = text(client.get(here(server)))
    assert "Only who may order services may take it off." in page
    assert "Destroy the server" not in page
    assert client.post(here(server), {"deed": "unprotect"}).status_code == 403
    assert client.post(here(server), {"deed": "destroy", "confirm": "web-1"}).status_code == 403


def test_a_protected_server_is_not_lost_by_its_subscriptions_page_either(
    world: World, alice: Customer, server: Server
) -> None:
    client = browser(alice.user)
    client.post(here(server), {"deed": "protect"})
    end = reverse("invoicing:subscription_end", args=[server.subscription.reference])
    assert "protected from deletion" in text(client.get(end))
    client.post(end, {"when": "now", "confirm": server.subscription.reference})
    server.subscription.refresh_from_db()
    assert server.subscription.state == "active"


def test_staff_does_the_same_on_its_own_page_and_destroys_nothing(
    world: World, alice: Customer, server: Server
) -> None:
    client = browser(User.objects.get(pk=world.staff("infrastructure").user_id))
    page = reverse("servers:staff_server_manage", args=[server.reference])
    assert "Destroy the server" not in text(client.get(page))
    assert client.post(page, {"deed": "rescue"})["Location"] == reverse(
        "servers:staff_server_detail", args=[server.reference]
    )
    world.advance(hours=13)
    assert Server.objects.get(pk=server.pk).rescue_since is not None
    assert client.post(page, {"deed": "destroy", "confirm": "web-1"}).status_code == 403


def test_the_api_does_the_same(world: World, alice: Customer, cloud: Control, server: Server) -> None:
    membership = Membership.objects.get(user=alice.user)
    _token, secret = tokens.issue(
        membership, name="script", scopes=["see", "servers", "order"], lives=None, actor=alice.actor,
        now=datetime.now(UTC),
    )  # fmt: skip
    client, base = Client(headers={"Authorization": f"Bearer {secret}"}), f"/api/v1/servers/{server.reference}"

    def send(method: str, path: str, body: dict[str, Any]) -> Any:
        return getattr(client, method)(base + path, body, content_type="application/json")

    changed = send("patch", "", {"name": "shop", "labels": ["Prod", "eu"], "protected": True})
    assert changed.status_code == 200, changed.content
    assert {name: changed.json()[name] for name in ("name", "labels", "protected", "rescue_since")} == {
        "name": "shop", "labels": ["eu", "prod"], "protected": True, "rescue_since": None
    }  # fmt: skip
    assert send("patch", "", {"name": "no name"}).json()["field"] == "name"
    refused = send("post", "/rebuild", {"image": "rocky-9", "confirm": "shop"})
    assert (refused.status_code, "protected" in refused.json()["detail"]) == (409, True)
    assert send("patch", "", {"protected": False}).status_code == 200
    assert send("post", "/rebuild", {"image": "rocky-9", "confirm": "shop"}).json()["action"] == "rebuild"
    world.advance(hours=13)
    assert send("post", "/rescue", {"on": True}).status_code == 202
    world.advance(hours=1)
    assert client.get(base).json()["rescue_since"]
    assert send("post", "/power", {"action": "cut"}).status_code == 202
    world.advance(hours=1)
    assert client.get(base).json()["state"] == "stopped"
    done = [(one["action"], one["state"]) for one in client.get(base + "/actions").json()["items"]]
    assert done == [
        ("cut", "done"), ("rescue", "done"), ("rebuild", "done"), ("unprotect", "done"), ("protect", "done"),
        ("rename", "done"), ("create", "done"),
    ]  # fmt: skip
    assert send("post", "/destroy", {"confirm": "nonsense"}).json()["field"] == "confirm"
    assert send("post", "/destroy", {"confirm": "shop"}).json()["state"] == "destroying"


def test_staff_reads_what_it_costs_before_it_destroys(world: World, alice: Customer, server: Server) -> None:
    staff = world.staff("infrastructure")
    client = browser(User.objects.get(pk=staff.user_id))
    url = reverse("servers:staff_server_manage", args=[server.reference])
    page = text(client.get(url))
    for words in ("Destroy for the customer, or for us", "A reason of our own", "Lost for good", "nothing more to pay"):
        assert words in page, words
    assert "Destroy for the customer" not in text(browser(alice.user).get(here(server)))
    sent = {"deed": "destroy_for", "ground": "asked", "reason": "As you wrote us.", "confirm": "wrong"}
    answer = client.post(url, sent)
    assert (answer.status_code, "The name was not typed as shown" in text(answer)) == (422, True)
    assert client.post(url, {**sent, "ground": "whim"}).status_code == 404
    assert client.post(url, {**sent, "confirm": server.name}).status_code == 302
    assert Server.objects.get(pk=server.pk).state == "destroying"
    assert browser(alice.user).post(here(server), {**sent, "confirm": server.name}).status_code == 403
