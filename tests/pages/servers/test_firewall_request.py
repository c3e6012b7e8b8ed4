"""Pages and API of a change of the firewall that is asked for: what they refuse and where, and who decides (TIC-5)."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from panel.accounts import tokens
from panel.accounts.models import Membership, User
from servers import places
from servers.models import FirewallRequest, Server
from servers.networking import firewalls
from servers.networking.firewall_rules import Direction, Policy, Protocol, Rule, Verdict
from servers.providers.simulated.control import Control
from servers.terminals import terminal_actions
from tests.support.machines import server_of
from tests.support.world import Customer, World

pytestmark = pytest.mark.django_db
SSH = Rule(Direction.IN, Verdict.ACCEPT, Protocol.TCP, ((22, 22),), note="secret words")
ASKED = {"what": "add", "remove": "", "direction": "in", "action": "accept", "protocol": "tcp", "ports": "443",
         "peers": "", "why": "The shop opens."}  # fmt: skip


@pytest.fixture(autouse=True)
def _no_second_factor(settings: Any) -> None:
    settings.CLAUSE_REQUIRE_STAFF_MFA = False


@pytest.fixture
def server(cloud: Control, world: World, alice: Customer) -> Server:
    made = server_of(world, alice, name="web-1")
    firewalls.change(made, Policy((SSH,)), actor=alice.actor, now=world.now)
    world.work()
    return made


def browser(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def text(answer: Any) -> str:
    return str(answer.content.decode())


def test_asked_on_a_page_and_decided_in_the_request(world: World, alice: Customer, server: Server) -> None:
    client = browser(alice.user)
    network = text(client.get(reverse("servers:server_network", args=[server.reference])))
    url = reverse("servers:firewall_ask", args=[server.reference])
    assert url in network
    page = text(client.get(url))
    assert "Incoming · Allow · TCP · 22 · everybody" in page
    assert "secret words" not in page
    where = client.post(url, ASKED)["Location"]
    row = FirewallRequest.objects.get()
    assert row.ticket.number in where
    assert "To be decided" in text(client.get(where))

    tech = browser(User.objects.get(pk=world.staff("infrastructure").user_id))
    support = browser(User.objects.get(pk=world.staff("support").user_id))
    decide = reverse("servers:firewall_request_decide", args=[row.ticket.number])
    assert "Accept and apply" in text(tech.get(reverse("tickets_staff:ticket_detail", args=[row.ticket.number])))
    assert support.post(decide, {"decision": "accept"}).status_code == 403
    assert tech.post(decide, {"decision": "explode"}).status_code == 404
    said = text(tech.post(decide, {"decision": "refuse", "words": ""}, follow=True))
    assert "Say why: the customer reads it." in said
    assert FirewallRequest.objects.get().state == "open"
    assert tech.post(decide, {"decision": "accept"}).status_code == 302
    world.now = datetime.now(UTC)
    world.work()
    assert "In force" in text(client.get(where))
    withdraw = reverse("servers:firewall_request_withdraw", args=[row.ticket.number])
    assert "decided already" in text(client.post(withdraw, follow=True))


@pytest.mark.parametrize(
    ("sent", "says"),
    [({"ports": "70000"}, "There is no port 70000"), ({"why": ""}, "This field is required"),
     ({"what": "remove"}, "Choose the rule that goes."), ({"ports": "22"}, "This rule is there already."),
     ({"what": "remove", "remove": "nonsense"}, "Select a valid choice")],
)  # fmt: skip
def test_a_mistake_changes_nothing_and_what_was_typed_stays(
    alice: Customer, server: Server, sent: dict[str, str], says: str
) -> None:
    client, url = browser(alice.user), reverse("servers:firewall_ask", args=[server.reference])
    answer = client.post(url, {**ASKED, **sent})
    assert answer.status_code == 422
    assert says in text(answer)
    assert "The shop opens." in text(answer) or "why" in sent
    assert not FirewallRequest.objects.exists()


def test_it_is_withdrawn_by_the_account_alone(world: World, alice: Customer, server: Server) -> None:
    client = browser(alice.user)
    client.post(reverse("servers:firewall_ask", args=[server.reference]), ASKED)
    row = FirewallRequest.objects.get()
    url = reverse("servers:firewall_request_withdraw", args=[row.ticket.number])
    assert browser(world.customer("Eve").user).post(url).status_code == 404
    assert client.post(url).status_code == 302
    assert FirewallRequest.objects.get().state == "withdrawn"


def script(alice: Customer, *scopes: str) -> Client:
    _token, secret = tokens.issue(
        Membership.objects.get(user=alice.user), name="script", scopes=list(scopes), lives=None, actor=alice.actor,
        now=datetime.now(UTC),
    )  # fmt: skip
    return Client(headers={"Authorization": f"Bearer {secret}"})


def test_the_api_asks_the_same(alice: Customer, server: Server) -> None:
    client, base = script(alice, "see", "tickets"), f"/api/v1/servers/{server.reference}/firewall/requests"
    rule = {"direction": "in", "action": "accept", "protocol": "tcp", "ports": "443"}
    once = {"Idempotency-Key": "one"}
    for _ in range(2):
        asked = client.post(base, {"add": rule, "why": "Shop."}, content_type="application/json", headers=once)
        assert (asked.status_code, asked.json()["state"]) == (201, "open")
    wrong = client.post(base, {"add": {**rule, "ports": "0"}, "why": "Shop."}, content_type="application/json")
    assert (wrong.status_code, wrong.json()["field"]) == (422, "ports")
    assert [one["request"] for one in client.get(base).json()["items"]] == [asked.json()["request"]]
    taken = client.post(f"{base}/{asked.json()['request']}/withdraw", content_type="application/json")
    assert (taken.status_code, taken.json()["state"]) == (200, "withdrawn")
    assert script(alice, "see").get(base).status_code == 403


def test_the_api_permits_terminals(
    world: World, alice: Customer, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, url = script(alice, "see", "servers"), f"/api/v1/servers/{server.reference}/terminal"
    before = client.get(url).json()
    assert (before["permitted"], before["state"], before["sessions"]) == (False, "ended", [])
    simulated = client.put(url, {"permitted": True}, content_type="application/json")
    assert (simulated.status_code, "simulated" in simulated.json()["detail"]) == (409, True)

    real = SimpleNamespace(is_simulated=lambda _place: False, capabilities=places.capabilities)
    monkeypatch.setattr(terminal_actions, "places", real)
    for _ in range(2):
        given = client.put(url, {"permitted": True, "staff_days": 1}, content_type="application/json")
        assert (given.status_code, given.json()["state"]) == (202, "waiting")
    assert given.json()["public_key"].startswith("ssh-ed25519 ")
    assert given.json()["staff_until"]
    assert "private" not in given.content.decode().lower()
    taken = client.put(url, {"permitted": False}, content_type="application/json").json()
    assert (taken["permitted"], taken["state"], taken["public_key"]) == (False, "ending", "")
    assert script(alice, "see").get(url).status_code == 403
