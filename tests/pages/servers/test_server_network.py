"""The page of a server's network: what it shows and asks first, what it refuses and where, for its owner, for staff and
by the API (SRV-3, SRV-8)."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from panel.accounts import tokens
from panel.accounts.models import Membership, User
from servers.models import Server
from servers.networking import firewalls
from servers.providers.simulated.control import Control
from servers.safeguarding import safeguards
from servers.safeguarding.safeguard_rules import How, Threat
from tests.support.machines import first_ip, server_of
from tests.support.world import Customer, World

pytestmark = pytest.mark.django_db
ADD = {"direction": "in", "action": "accept", "protocol": "tcp", "ports": "8080", "peers": "", "note": "shop"}


@pytest.fixture(autouse=True)
def _no_second_factor(settings: Any) -> None:
    settings.CLAUSE_REQUIRE_STAFF_MFA = False


@pytest.fixture
def server(cloud: Control, world: World, alice: Customer) -> Server:
    return server_of(world, alice, name="web-1")


def browser(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def here(server: Server, *, staff: bool = False) -> str:
    return reverse("servers:staff_server_network" if staff else "servers:server_network", args=[server.reference])


def text(answer: Any) -> str:
    return str(answer.content.decode())


def test_rules_are_added_moved_changed_and_removed(world: World, alice: Customer, server: Server) -> None:
    client, url = browser(alice.user), here(server)
    page = text(client.get(url))
    for words in ("No rules yet", "Outgoing mail: TCP port 25 is closed.", "no longer new", "Database from one address",
                  "open to everybody"):  # fmt: skip
        assert words in page, words
    assert client.post(url, {"deed": "template", "template": "web", "seen": "1"})["Location"] == url
    assert "Being applied" in text(client.get(url, {"part": "firewall"}))
    world.advance(hours=13)
    page = text(client.get(url))
    assert "In force" in page
    assert "4. Incoming" in page
    assert "5. Incoming" not in page
    assert client.post(url, {"deed": "add", **ADD}).status_code == 302
    assert client.post(url, {"deed": "up:5"}).status_code == 302
    assert client.post(url, {"deed": "remove:1", "sure": "yes"}).status_code == 302
    assert 'value="8080"' in text(client.get(url, {"edit": "3"}))
    assert client.post(url, {"deed": "save:3", **ADD, "ports": "8081"}).status_code == 302
    assert [rule.ports for rule in firewalls.of(server).own.rules][2:] == [((8081, 8081),), ((443, 443),)]
    assert client.post(url, {"deed": "remove:9"}).status_code == 404
    assert client.post(url, {"deed": "open"}).status_code == 302
    assert client.post(url, {"deed": "explode"}).status_code == 404
    detail = text(client.get(reverse("servers:server_detail", args=[server.reference])))
    assert "Change of the firewall" in detail


@pytest.mark.parametrize(
    ("sent", "says"),
    [({"ports": "0"}, "There is no port 0"), ({"ports": "70000"}, "There is no port 70000"),
     ({"peers": "192.0.2.0/40"}, "wrong mask"), ({"peers": "192.0.2.1, 2001:db8::1"}, "not both"),
     ({"protocol": "icmp"}, "Only TCP and UDP have ports")],
)  # fmt: skip
def test_a_mistake_stands_at_its_field_and_what_was_typed_stays(
    alice: Customer, server: Server, sent: dict[str, str], says: str
) -> None:
    answer = browser(alice.user).post(here(server), {"deed": "add", **ADD, **sent})
    assert answer.status_code == 422
    assert says in text(answer)
    assert 'value="shop"' in text(answer)
    assert firewalls.of(server).own.rules == ()


def test_closing_ssh_is_asked_twice_and_a_stale_page_is_told(alice: Customer, server: Server) -> None:
    client, url = browser(alice.user), here(server)
    asked = client.post(url, {"deed": "defaults", "default_in": "drop", "default_out": "accept", "seen": "1"})
    assert (asked.status_code, "Nobody could log in over SSH" in text(asked)) == (422, True)
    assert 'name="default_in" value="drop"' in text(asked)
    sure = {"deed": "defaults", "default_in": "drop", "default_out": "accept", "seen": "1", "sure": "yes"}
    assert client.post(url, sure).status_code == 302
    stale = client.post(url, {"deed": "template", "template": "mail", "seen": "1"})
    assert (stale.status_code, "Somebody changed the firewall meanwhile" in text(stale)) == (422, True)
    missing = client.post(url, {"deed": "template", "template": "database", "peers": ""})
    assert (missing.status_code, "Name the addresses" in text(missing)) == (422, True)


def test_a_port_is_tried_by_the_page(world: World, alice: Customer, server: Server) -> None:
    client, url, ip = browser(alice.user), here(server), first_ip(server)
    assert client.post(url, {"deed": "try", "ip": ip, "port": "22"})["Location"] == url
    assert "Being tried" in text(client.get(url, {"part": "tests"}))
    world.advance(hours=13)
    assert "Something listens there" in text(client.get(url))
    wrong = client.post(url, {"deed": "try", "ip": ip, "port": "70000"})
    assert (wrong.status_code, "There is no port" in text(wrong) or "less than or equal" in text(wrong)) == (422, True)
    assert client.post(url, {"deed": "try", "ip": "192.0.2.99", "port": "22"}).status_code == 422
    looker = browser(world.contact(alice, ["see"]).user)
    assert looker.post(url, {"deed": "try", "ip": ip, "port": "22"}).status_code == 403


def test_a_name_is_asked_for_by_the_page(
    world: World, alice: Customer, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, url, ip = browser(alice.user), here(server), first_ip(server)
    monkeypatch.setattr("servers.dns.forward.addresses_of", lambda name: {ip} if "mail" in name else set())
    wrong = client.post(url, {"deed": "name", "ip": ip, "name": "mail"})
    assert (wrong.status_code, "Write a full host name" in text(wrong), 'value="mail"' in text(wrong)) == (
        422, True, True
    )  # fmt: skip
    assert client.post(url, {"deed": "name", "ip": ip, "name": "mail.example.com"})["Location"] == url
    assert "Being published" in text(client.get(url, {"part": "names"}))
    world.advance(hours=13)
    assert "mail.example.com" in text(client.get(url))
    client.post(url, {"deed": "name", "ip": ip, "name": "other.example.com"})
    world.advance(hours=1)
    assert "other.example.com does not lead to" in text(client.get(url))
    client.post(url, {"deed": "unname", "ip": ip})
    world.advance(hours=1)
    assert "No name" in text(client.get(url))


def test_who_may_only_look_changes_nothing_and_staff_sees_what_failed(
    world: World, alice: Customer, server: Server, cloud: Control
) -> None:
    looker = browser(world.contact(alice, ["see"]).user)
    assert "Add a rule" not in text(looker.get(here(server)))
    assert looker.post(here(server), {"deed": "template", "template": "web"}).status_code == 403
    assert looker.post(here(server), {"word": "yes"}).status_code == 404
    cloud.plan("set_firewall", "refused")
    client = browser(alice.user)
    assert client.post(here(server), {"deed": "template", "template": "web"}).status_code == 302
    world.advance(hours=13)
    page = text(client.get(here(server)))
    assert "The firewall could not be set" in page
    assert "the cloud refuses" not in page
    support, infrastructure = (
        browser(User.objects.get(pk=world.staff(role).user_id)) for role in ("support", "infrastructure")
    )
    assert "the cloud refuses" in text(support.get(here(server, staff=True)))
    assert support.post(here(server, staff=True), {"deed": "again"}).status_code == 403
    assert infrastructure.post(here(server, staff=True), {"deed": "again"}).status_code == 302
    world.advance(hours=1)
    assert firewalls.of(server).state == "in_force"


def test_the_page_takes_the_same_queries_for_many_rules(
    alice: Customer, server: Server, django_assert_max_num_queries: Any
) -> None:
    client, counts = browser(alice.user), []
    for many in (1, 30):
        firewalls.change(server, firewalls.policy_of({"rules": [ADD | {"ports": "", "note": ""}] * many}),
                         actor=alice.actor, now=datetime.now(UTC))  # fmt: skip
        client.get(here(server))
        with django_assert_max_num_queries(22) as captured:
            client.get(here(server))
        counts.append(len(captured))
    assert counts[0] == counts[1]


def test_the_api_sets_the_same(world: World, alice: Customer, server: Server) -> None:
    _token, secret = tokens.issue(
        Membership.objects.get(user=alice.user), name="script", scopes=["see", "servers"], lives=None,
        actor=alice.actor, now=datetime.now(UTC),
    )  # fmt: skip
    client, base = Client(headers={"Authorization": f"Bearer {secret}"}), f"/api/v1/servers/{server.reference}"

    def put(**body: Any) -> Any:
        return client.put(f"{base}/firewall", body, content_type="application/json")

    assert client.get(f"{base}/firewall").json()["closed_ports"] == "25"
    wrong = put(rules=[ADD, {**ADD, "ports": "0"}])
    assert (wrong.status_code, wrong.json()["field"], wrong.json()["detail"][:7]) == (422, "ports", "Rule 2:")
    shut = put(rules=[ADD], default_in="drop")
    assert (shut.status_code, shut.json()["field"]) == (422, "sure")
    for _ in range(2):
        done = put(rules=[ADD], default_in="drop", sure=True)
        assert (done.status_code, done.json()["state"], done.json()["ssh"]) == (202, "waiting", "nobody")
    assert done.json()["rules"] == [ADD]
    assert server.actions.filter(verb="firewall").count() == 1
    world.advance(hours=13)
    assert client.get(f"{base}/firewall").json()["state"] == "in_force"
    asked, once = {"address": first_ip(server), "port": 22}, {"Idempotency-Key": "one"}
    for _ in range(2):
        tried = client.post(f"{base}/port-tests", asked, content_type="application/json", headers=once)
        assert (tried.status_code, tried.json()["state"]) == (202, "waiting")
    world.advance(hours=1)
    assert [one["state"] for one in client.get(f"{base}/port-tests").json()] == ["filtered"]
    named = client.put(f"{base}/names/{first_ip(server)}", {"name": "mail.example.com"}, "application/json")
    assert (named.status_code, named.json()[0]["state"], named.json()[0]["name"]) == (
        202, "waiting", "mail.example.com"
    )  # fmt: skip
    assert client.get(f"{base}/names").json() == named.json()


def test_mail_that_is_filtered_is_told_with_its_reason(world: World, alice: Customer, server: Server) -> None:
    safeguards.limit(
        server, Threat.SPAM, How.MAIL, reason="40,000 mails in an hour.", steps="Close the relay.",
        actor=world.staff("abuse"), now=world.now,
    )  # fmt: skip
    page = text(browser(alice.user).get(here(server)))
    for words in ("TCP ports 25, 465, 587 are closed", "It is being applied.", "ABU-14", "40,000 mails in an hour."):
        assert words in page, words
    world.work()
    assert "In force since" in text(browser(alice.user).get(here(server)))
