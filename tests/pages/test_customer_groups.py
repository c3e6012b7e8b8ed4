"""The pages of customer groups, and the customer's catalogue at the group's prices."""

import pytest
from django.test import Client

from invoicing.models import CustomerGroup, GroupMember, Package, Price
from invoicing.offering import groups
from invoicing.subscribing import kinds
from tests.pages.test_lists_stay_fast import same_cost
from tests.support.personas import logged_in, staff
from tests.support.shop import Shop, open_shop
from tests.support.world import World

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> Shop:
    opened = open_shop(World("2026-03-02 09:00"))
    monkeypatch.setitem(kinds._kinds, "vps", opened.service)
    return opened


@pytest.fixture
def console(shop: Shop) -> Client:
    return logged_in(staff(shop.world, "billing"))


def test_staff_makes_a_group_and_its_members_see_their_price(shop: Shop, console: Client) -> None:
    alice = shop.world.customer()
    assert console.post("/ops/groups/new/", {"code": "agencies", "name": "Agencies"}).status_code == 302
    assert console.post("/ops/groups/new/", {"code": "agencies", "name": "Agencies"}).status_code == 422
    page = "/ops/groups/of/agencies/"
    assert console.post(f"{page}add/member/", {"reference": "nobody"}).status_code == 422
    assert console.post(f"{page}add/member/", {"reference": alice.account.reference.lower()}).status_code == 302
    assert console.post(f"{page}add/percent/", {"percent": "101"}).status_code == 422
    assert console.post(f"{page}add/percent/", {"percent": "10"}).status_code == 302
    asked = {"item": "vps-l", "interval": "month", "amount": "19.90"}
    assert console.post(f"{page}add/price/", asked).status_code == 302
    assert console.post(f"{page}add/nothing/", {}).status_code == 404
    shown = console.get(page).content.decode()
    for text in (alice.account.reference, "19.90", "10 %"):
        assert text in shown
    theirs = logged_in(alice.user, alice.account)
    for path in ("/services/", "/services/order/vps-l/"):
        assert "19.90" in theirs.get(path).content.decode()
    assert "Your price" in theirs.get("/services/").content.decode()
    ending = f"{page}prices/{Price.objects.get(group__code='agencies').pk}/end/"
    assert ending in shown
    assert console.post(ending).status_code == 302
    assert ending not in console.get(page).content.decode()
    assert "as listed again" in console.get(page).content.decode()
    assert "21.51" in theirs.get("/services/order/vps-l/").content.decode(), "the list, less 10 %"
    assert console.post(f"{page}leave/{GroupMember.objects.get().pk}/").status_code == 302
    assert "Your price" not in theirs.get("/services/").content.decode()


def test_the_lists_stay_fast(shop: Shop, console: Client) -> None:
    actor, now = shop.world.staff("billing"), shop.world.now
    first = groups.create("first", "First", actor=actor, now=now)

    def more(number: int) -> None:
        made: CustomerGroup = groups.create(f"g{number}", "x", actor=actor, now=now)
        for group in (made, first):
            groups.join(group, shop.world.customer().account.reference, actor=actor, now=now)

    same_cost(console, "/ops/groups/", more)
    same_cost(console, "/ops/groups/of/first/", lambda number: more(100 + number))


def test_a_package_that_is_no_server_is_offered_without_a_servers_facts(shop: Shop) -> None:
    Package.objects.filter(code="vps-m").update(spec={}, service_kind="metered")
    alice = shop.world.customer()
    page = logged_in(alice.user, alice.account).get("/services/")
    assert page.status_code == 200
    assert page.content.decode().count("vCPU") == 2
