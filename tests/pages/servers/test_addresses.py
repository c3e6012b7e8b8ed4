"""The pages of addresses and their API: what they show, what they ask first, and whom they refuse (SRV-3)."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from panel.accounts import restrictions, tokens
from panel.accounts.models import Membership, User
from panel.core.actors import CLOCK
from servers.models import Address, Server
from servers.providers.simulated.control import Control
from tests.support.machines import first_ip, server_of
from tests.support.world import Customer, World

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _no_second_factor(settings: Any) -> None:
    settings.CLAUSE_REQUIRE_STAFF_MFA = False


@pytest.fixture
def one(cloud: Control, world: World, alice: Customer) -> Server:
    return server_of(world, alice, name="web-1", options={"vps-address": 1})


@pytest.fixture
def two(one: Server, world: World, alice: Customer) -> Server:
    return server_of(world, alice, name="web-2")


@pytest.fixture
def extra(one: Server) -> Address:
    return Address.objects.get(holdings__server=one, holdings__is_first=False)


def browser(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def text(answer: Any) -> str:
    return str(answer.content.decode())


URL = "/addresses/"


def test_an_address_is_moved_from_the_list(world: World, alice: Customer, two: Server, extra: Address) -> None:
    client, holding = browser(alice.user), extra.holdings.get()
    page = text(client.get(URL))
    for words in (str(extra.ip), "came with the server", "Where " + str(extra.ip), "web-2", "Reserve another"):
        assert words in page, words
    sent = {"deed": "move", "holding": holding.pk, "to": two.reference}
    assert client.post(URL, sent).status_code == 302
    assert "On its way" in text(client.get(URL, {"part": "addresses"}))
    world.advance(hours=13)
    page = text(client.get(URL))
    assert "ordered with web-1" in page
    assert "Held before" in page
    answer = client.post(URL, sent)
    assert answer.status_code == 404  # the stretch on web-1 is over


def test_a_restricted_one_says_why_it_stays(world: World, alice: Customer, two: Server, extra: Address) -> None:
    restrictions.restrict(
        alice.account, scope="address", subject=extra, rule="ABU-3", author=CLOCK, statement="No answer.",
        now=world.now, key="one",
    )  # fmt: skip
    client = browser(alice.user)
    assert "stays where it is until that has ended" in text(client.get(URL))
    sent = {"deed": "move", "holding": extra.holdings.get().pk, "to": two.reference}
    answer = client.post(URL, sent)
    assert (answer.status_code, "Nothing has changed" in text(answer)) == (422, True)


def test_others_see_nothing_of_it(world: World, alice: Customer, two: Server, extra: Address) -> None:
    bob = browser(world.customer("Bob").user)
    assert str(extra.ip) not in text(bob.get(URL))
    sent = {"deed": "move", "holding": extra.holdings.get().pk, "to": ""}
    assert bob.post(URL, sent).status_code == 404
    watcher = browser(world.contact(alice, ["see"]).user)
    assert "Move<" not in text(watcher.get(URL))
    assert watcher.post(URL, sent).status_code == 403


def test_staff_reads_the_pools_and_adds_a_block(world: World, one: Server, extra: Address) -> None:
    staff = world.staff("infrastructure")
    client, url = browser(User.objects.get(pk=staff.user_id)), reverse("servers:staff_pool_list")
    page = text(client.get(url))
    for words in ("203.0.113.0/24", "2001:db8:77::/64", "Add a block"):
        assert words in page, words
    answer = client.post(url, {"place": "sim-1", "network": "203.0.113.0/25"})
    assert (answer.status_code, "It overlaps 203.0.113.0/24" in text(answer)) == (422, True)
    assert client.post(url, {"place": "sim-1", "network": "192.0.2.0/24"}).status_code == 302
    assert "192.0.2.0/24" in text(client.get(url))
    page = text(client.get(url, {"q": first_ip(one)}))
    assert "Holds it now" in page
    assert one.account.reference in page
    assert "This is no address" in text(client.get(url, {"q": "web-1"}))
    support = browser(User.objects.get(pk=world.staff("support", name="Sue").user_id))
    assert "Add a block" not in text(support.get(url))
    assert support.post(url, {"place": "sim-1", "network": "198.18.0.0/24"}).status_code == 403


def test_the_api_lists_and_moves(world: World, alice: Customer, two: Server, extra: Address) -> None:
    member = Membership.objects.get(user=alice.user, account=alice.account)
    _token, secret = tokens.issue(
        member, name="script", scopes=["see", "servers"], lives=None, actor=alice.actor, now=datetime.now(UTC)
    )
    api = Client(headers={"Authorization": f"Bearer {secret}"})
    rows = api.get("/api/v1/addresses").json()["items"]
    assert {(row["address"], row["server"], row["first"]) for row in rows} >= {
        (str(extra.ip), two.subscription.account.servers.get(name="web-1").reference, False)
    }
    where = f"/api/v1/addresses/{extra.ip}/move"
    sent = api.post(where, {"server": two.reference}, content_type="application/json")
    assert (sent.status_code, sent.json()["action"]) == (202, "address")
    world.advance(hours=13)
    (row,) = [row for row in api.get("/api/v1/addresses").json()["items"] if row["address"] == str(extra.ip)]
    assert row["server"] == two.reference
    assert len(api.get("/api/v1/addresses?ended=true").json()["items"]) == len(rows) + 1
    refused = api.post(f"/api/v1/addresses/{first_ip(two)}/move", {"server": ""}, content_type="application/json")
    assert (refused.status_code, "came with its server" in refused.json()["detail"]) == (422, True)
    assert api.post(f"/api/v1/addresses/{extra.ip}/give-back").status_code == 403
