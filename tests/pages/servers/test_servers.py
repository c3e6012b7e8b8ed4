"""The pages of servers and keys: who may open them, what they show, and how many queries they take (SRV-2, SRV-12)."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from panel.accounts import restrictions
from panel.accounts.models import User
from panel.core.actors import CLOCK
from servers import metering
from servers.models import Address, Server, SshKey
from servers.providers import Counters
from servers.providers.simulated.control import Control
from tests.support.machines import GB, first_ip, server_of, subscribe
from tests.support.world import Customer, World

pytestmark = pytest.mark.django_db
GOOD_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHkTXbQr2oO0D0aNbX8EO1ZkYQm0vDYeGmRyeo0b3FQ8 laptop"


def browser(who: Customer) -> Client:
    client = Client()
    client.force_login(who.user)
    return client


def staff(world: World, *roles: str) -> Client:
    client = Client()
    client.force_login(User.objects.get(pk=world.staff(*roles).user_id))
    return client


@pytest.fixture(autouse=True)
def _no_second_factor(settings: Any) -> None:
    settings.CLAUSE_REQUIRE_STAFF_MFA = False


def every_page(server: Server) -> dict[str, str]:
    return {
        name: reverse(f"servers:{name}", args=args)
        for name, args in {
            "server_list": [], "server_detail": [server.reference], "server_traffic": [server.reference],
            "key_list": [], "key_add": [], "staff_server_list": [], "staff_server_detail": [server.reference],
        }.items()
    }  # fmt: skip


def test_each_page_opens_for_whom_it_is_meant_and_for_nobody_else(cloud: Control, world: World) -> None:
    alice, bob = world.customer(), world.customer("Bob")
    server = server_of(world, alice)
    pages = every_page(server)
    visitors = {
        "anonymous": (Client(), "302 302 302 302 302 302 302"),
        "owner": (browser(alice), "200 200 200 200 200 403 403"),
        "other": (browser(bob), "200 404 404 200 200 403 403"),
        "sees": (browser(world.contact(alice, ["see"])), "200 200 200 200 403 403 403"),
        "pays": (browser(world.contact(alice, ["pay"])), "403 403 403 403 403 403 403"),
        "infrastructure": (staff(world, "infrastructure"), "403 403 403 403 403 200 200"),
        "support": (staff(world, "support"), "403 403 403 403 403 200 200"),
    }
    for name, (client, expected) in visitors.items():
        found = " ".join(str(client.get(url).status_code) for url in pages.values())
        assert found == expected, name


def test_the_list_finds_by_name_and_address_and_shows_only_ones_own(cloud: Control, world: World) -> None:
    alice, bob = world.customer(), world.customer("Bob")
    one, two = server_of(world, alice, name="shop"), server_of(world, alice, name="mail")
    foreign = server_of(world, bob, name="shop-of-bob")
    client, url = browser(alice), reverse("servers:server_list")
    page = client.get(url).content.decode()
    assert one.reference in page
    assert two.reference in page
    assert foreign.reference not in page
    for query in ({"q": "sho"}, {"q": first_ip(one)}, {"q": one.reference}):
        page = client.get(url, query).content.decode()
        assert one.reference in page, query
        assert two.reference not in page, query
    assert one.reference not in client.get(url, {"q": first_ip(foreign)}).content.decode()
    assert "No server matches" in client.get(url, {"state": "suspended"}).content.decode()


def test_the_lists_take_the_same_queries_for_one_server_as_for_many(
    cloud: Control, world: World, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    alice = world.customer()
    client, ops = browser(alice), staff(world, "infrastructure")
    server_of(world, alice, name="web-0")
    urls = [(client, reverse("servers:server_list")), (ops, reverse("servers:staff_server_list"))]
    counts = []
    for _ in range(2):
        for asking, url in urls:
            asking.get(url)
            with django_assert_max_num_queries(20) as captured:
                assert asking.get(url).status_code == 200
            counts.append(len(captured))
        for number in range(1, 8):
            subscribe(world, alice, name=f"web-{number}")
        world.advance(seconds=10)
        world.advance(seconds=10)
    assert counts[:2] == counts[2:]


def test_the_page_of_a_server_says_everything_about_it(cloud: Control, world: World) -> None:
    alice = world.customer()
    server = server_of(world, alice)
    world.sweep("servers.watch")
    page = browser(alice).get(reverse("servers:server_detail", args=[server.reference])).content.decode()
    for text in (first_ip(server), f"ssh root@{first_ip(server)}", server.host_key, "Simulated", "Answers",
                 "Stopping does not stop billing", "The server is running already."):  # fmt: skip
        assert text in page, text
    assert "style=" not in page
    assert f'data-live="server:{server.pk}"' in page


def test_the_live_part_alone_is_fetched_again(cloud: Control, world: World) -> None:
    alice = world.customer()
    subscription = subscribe(world, alice)
    server = Server.objects.get(subscription=subscription)
    client, url = browser(alice), reverse("servers:server_detail", args=[server.reference])
    part = client.get(url, {"part": "live"}).content.decode()
    assert "<html" not in part
    assert "Payment confirmed" in part
    assert "The server is still being set up." in part
    assert client.get(reverse("servers:server_list"), {"part": "rows"}).content.decode().strip().startswith("<div")


def test_power_by_the_page(cloud: Control, world: World) -> None:
    alice = world.customer()
    server = server_of(world, alice)
    url = reverse("servers:server_power", args=[server.reference])
    assert browser(world.contact(alice, ["see"])).post(url, {"verb": "stop"}).status_code == 403
    assert browser(world.customer("Bob")).post(url, {"verb": "stop"}).status_code == 404
    assert browser(alice).post(url, {"verb": "explode"}).status_code == 404
    assert browser(alice).get(url).status_code == 405
    assert browser(alice).post(url, {"verb": "stop"}).status_code == 302
    world.advance(hours=12)
    assert Server.objects.get(pk=server.pk).state == "stopped"
    refused = browser(alice).post(url, {"verb": "stop"}, follow=True).content.decode()
    assert "stopped already" in refused
    answer = staff(world, "infrastructure").post(url, {"verb": "start"})
    assert answer["Location"] == reverse("servers:staff_server_detail", args=[server.reference])
    assert staff(world, "billing").post(url, {"verb": "start"}).status_code == 403


def test_a_restriction_is_told_with_its_reasons_and_bars_the_buttons(cloud: Control, world: World) -> None:
    alice = world.customer()
    server = server_of(world, alice)
    restrictions.restrict(
        alice.account, scope="address", subject=Address.objects.get(ip=first_ip(server)), rule="ABU-3", author=CLOCK,
        statement="No answer came within 48 hours.", now=world.now, key="one",
    )  # fmt: skip
    world.work()
    page = browser(alice).get(reverse("servers:server_detail", args=[server.reference])).content.decode()
    assert "No answer came within 48 hours." in page
    assert "Deactivated" in page
    ops = staff(world, "abuse").get(reverse("servers:staff_server_detail", args=[server.reference])).content.decode()
    assert "ABU-3" in ops
    assert "servers.block" in ops


def test_traffic_with_its_forecast_in_every_span(cloud: Control, world: World) -> None:
    alice = world.customer()
    world.now -= timedelta(days=3)
    server = server_of(world, alice)
    world.now += timedelta(days=3)
    metering.record(server, Counters("one", 60 * GB, 5, world.now, link_bps=10**12), now=world.now)
    client, url = browser(alice), reverse("servers:server_traffic", args=[server.reference])
    for span in ("24h", "7d", "30d", "period", "nonsense"):
        page = client.get(url, {"span": span}).content.decode()
        assert "<svg" in page
        assert "60" in page
        assert "SRV-5" in page
    assert client.post(url, {"warn_percent": "30"}).status_code == 302
    assert Server.objects.get(pk=server.pk).warn_percent == 30
    assert "warn_percent" in client.post(url, {"warn_percent": "-3"}).content.decode()
    assert browser(world.contact(alice, ["see"])).post(url, {"warn_percent": "3"}).status_code == 403


def test_keys_are_added_refused_and_removed_by_the_page(cloud: Control, world: World) -> None:
    alice = world.customer()
    server = server_of(world, alice)
    client, add = browser(alice), reverse("servers:key_add")
    answer = client.post(add, {"name": "x", "public_key": "-----BEGIN OPENSSH PRIVATE KEY-----"})
    assert answer.status_code == 422
    assert "This is a private key" in answer.content.decode()
    assert client.post(add, {"name": "", "public_key": GOOD_KEY, "servers": [server.pk]}).status_code == 302
    world.advance(hours=12)
    key = SshKey.objects.get()
    assert key.name == "laptop"
    assert len(cloud.keys(server.provider_ref)) == 1
    assert key.fingerprint in client.get(reverse("servers:key_list")).content.decode()
    off = reverse("servers:server_keys", args=[server.reference])
    assert client.post(off, {}).status_code == 302
    world.advance(hours=1)
    assert cloud.keys(server.provider_ref) == set()
    delete = reverse("servers:key_delete", args=[key.pk])
    assert browser(world.customer("Bob")).post(delete).status_code == 404
    assert browser(world.contact(alice, ["see"])).post(delete).status_code == 403
    assert client.post(delete).status_code == 302
    assert client.post(add, {"public_key": GOOD_KEY, "servers": [999]}).status_code == 422


def test_staff_finds_past_holders_of_an_address_and_pages_by_key(
    cloud: Control, world: World, monkeypatch: Any
) -> None:
    from django.db import transaction

    from invoicing.subscribing import kinds
    from servers import fleet

    alice = world.customer()
    first, second = server_of(world, alice, name="old"), server_of(world, alice, name="new")
    ip = first_ip(first)
    with transaction.atomic():
        kinds.get("vps").terminate(first.subscription, because="SUB-6", now=world.now)
    world.advance(seconds=5)
    client, url = staff(world, "abuse"), reverse("servers:staff_server_list")
    page = client.get(url, {"q": ip}).content.decode()
    assert first.reference in page
    assert second.reference not in page
    assert first.reference not in client.get(url).content.decode()
    assert first.reference in client.get(url, {"state": "destroyed"}).content.decode()
    assert second.reference in client.get(url, {"q": alice.account.reference.lower()}).content.decode()
    monkeypatch.setattr(fleet, "PAGE", 1)
    third = server_of(world, alice, name="newest")
    page = client.get(url).content.decode()
    assert third.reference in page
    assert second.reference not in page
    assert f"before={third.pk}" in page
    assert second.reference in client.get(url, {"before": third.pk}).content.decode()


def test_names_are_escaped_in_rows(cloud: Control, world: World) -> None:
    alice = world.customer("Alice", company="<script>alert(1)</script>")
    server_of(world, alice)
    page = staff(world, "support").get(reverse("servers:staff_server_list")).content.decode()
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page
