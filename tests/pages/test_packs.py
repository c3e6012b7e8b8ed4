"""Prepaid packs on their pages (OPR-9): put on sale by staff, bought by a customer, seen by both, and read by API."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils.translation import override

from invoicing.models import ONCE, Order, Pack, Package, Price, Subscription
from panel.accounts import tokens
from panel.accounts.models import Membership
from panel.core import clock
from tests.support import relay
from tests.support.personas import logged_in, staff
from tests.support.shop import Shop
from tests.support.world import Customer, World

pytestmark = pytest.mark.django_db


@pytest.fixture
def world() -> World:
    made = World()
    made.now = clock.now()
    return made


@pytest.fixture
def alice(world: World) -> Customer:
    return world.customer()


@pytest.fixture
def sms(world: World, shop: Shop, alice: Customer) -> Subscription:
    relay.messages(world)
    return shop.buy(alice, "sms")


def browser(person: Customer) -> Client:
    return logged_in(person.user)


ASKED = {
    "code": "pack-1000", "name": "1,000 messages", "name_fr": "1 000 messages", "position": "0", "on_sale": "on",
    "meter": "sms", "units": "1000", "vat_category": "electronic",
}  # fmt: skip


def test_staff_puts_a_pack_on_sale_and_a_customer_buys_it(
    world: World, shop: Shop, alice: Customer, sms: Subscription
) -> None:
    desk = logged_in(staff(world, "billing"))
    family = sms.package.family_id
    assert desk.post("/ops/catalogue/new/pack/", {**ASKED, "family": family, "units": "0"}).status_code == 422
    made = desk.post("/ops/catalogue/new/pack/", {**ASKED, "family": family})
    assert made["Location"] == "/ops/catalogue/pack/pack-1000/"
    package = Package.objects.get(code="pack-1000")
    assert package.spec == {"meter": "sms", "unit": "SMS", "units": "1000"}
    assert "No price yet" in desk.get("/ops/catalogue/").content.decode()
    assert "1,000 messages" not in browser(alice).get("/services/packs/").content.decode()
    priced = desk.post("/ops/catalogue/pack/pack-1000/price/", {"interval": "once", "amount": "45"})
    assert priced.status_code == 302
    assert Price.objects.get(package=package).interval == ONCE
    assert desk.get("/ops/catalogue/package/pack-1000/").status_code == 404  # it is no service

    shown = browser(alice).get("/services/packs/").content.decode()
    assert "/services/packs/pack-1000/" in shown
    assert "pack-1000" not in browser(alice).get("/services/").content.decode()
    page = browser(alice).get("/services/packs/pack-1000/").content.decode()
    assert "12 months after the last use" in page
    assert "Once, excluding VAT" in page
    refused = browser(alice).post("/services/packs/pack-1000/", {"key": "k"})
    assert (refused.status_code, Order.objects.filter(interval=ONCE).exists()) == (422, False)
    placed = browser(alice).post("/services/packs/pack-1000/", {"key": "k", "accept": "on"})
    order = Order.objects.get(interval=ONCE)
    assert placed["Location"] == f"/services/orders/{order.reference}/"
    assert "Pack ready to use" in browser(alice).get(placed["Location"]).content.decode()


def test_what_is_left_is_seen_by_customer_staff_and_api(
    world: World, shop: Shop, alice: Customer, sms: Subscription
) -> None:
    relay.pack(500)
    pack = shop.buy_pack(alice, "pack-500")
    world.advance(days=1)
    relay.used(world, sms, "a", 120)
    usage_page = f"/services/subscriptions/{sms.reference}/usage/"
    for path in (usage_page, "/services/packs/"):
        shown = browser(alice).get(path).content.decode()
        assert pack.reference in shown
        assert ">380</strong>" in shown
        assert "12 months after the last use, on" in shown
    assert "from prepaid packs" in browser(alice).get(usage_page).content.decode()
    desk = logged_in(staff(world, "billing"))
    for path in (f"/ops/subscriptions/{sms.reference}/usage/", f"/ops/customers/{alice.account.reference}/"):
        assert ">380</strong>" in desk.get(path).content.decode()
    bob = browser(world.customer("Bob"))
    assert pack.reference not in bob.get("/services/packs/").content.decode()


def test_a_month_in_french(world: World, shop: Shop, alice: Customer, sms: Subscription) -> None:
    relay.pack(500)
    shop.buy_pack(alice, "pack-500")
    alice.user.language = "fr"
    alice.user.save()
    with override("fr"):
        shown = browser(alice).get("/services/packs/").content.decode()
    assert "12 mois après l’achat, le" in shown


def test_the_list_asks_as_much_for_many_as_for_few(
    world: World, shop: Shop, alice: Customer, sms: Subscription
) -> None:
    relay.pack(10)
    client, counts = browser(alice), []
    for many in (2, 8):
        while Pack.objects.count() < many:
            world.now += timedelta(days=3)  # many orders at once would be looked at by a person (SUB-4)
            shop.buy_pack(alice, "pack-10")
        relay.used(world, sms, f"e{many}", 15)
        for path in ("/services/packs/", f"/services/subscriptions/{sms.reference}/usage/"):
            client.get(path)
            with CaptureQueriesContext(connection) as asked:
                assert client.get(path).status_code == 200
            counts.append(len(asked))
    assert counts[:2] == counts[2:]


def test_packs_are_read_by_api(world: World, shop: Shop, alice: Customer, sms: Subscription) -> None:
    relay.pack(500)
    pack = shop.buy_pack(alice, "pack-500")
    relay.used(world, sms, "a", 120)
    membership = Membership.objects.get(user=alice.user, account=alice.account)
    _row, key = tokens.issue(membership, name="read", scopes=["see"], lives=None, actor=alice.actor, now=world.now)
    client: Any = Client(headers={"host": "127.0.0.1", "Authorization": f"Bearer {key}"})
    listed = client.get("/api/v1/packs").json()["items"]
    assert [(one["reference"], one["bought"], one["used"], one["left"], one["state"]) for one in listed] == [
        (pack.reference, "500", "120", "380", "open")
    ]
    assert client.get(f"/api/v1/packs/{pack.reference}").json() == listed[0]
    assert client.post("/api/v1/packs", {}).status_code == 405
    assert Decimal(listed[0]["left"]) == pack.units_bought - 120
