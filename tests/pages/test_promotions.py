"""The pages of promotional codes: staff makes one, a customer types it and sees what it takes off."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.test import Client

from invoicing.models import Option, Order, Package, PromotionCode, Subscription
from invoicing.offering import promotions
from tests.pages.test_api import Program, problem, token_of
from tests.pages.test_lists_stay_fast import same_cost
from tests.support.personas import logged_in, staff
from tests.support.shop import Shop
from tests.support.world import World

pytestmark = pytest.mark.django_db
ASKED = {"name": "web-1", "interval": "month", "key": "once", "accept": "on"}


@pytest.fixture
def console(world: World) -> Client:
    return logged_in(staff(world, "billing"))


def made(world: World, name: str = "SPRING") -> PromotionCode:
    return promotions.create(
        name, [], now=world.now - timedelta(days=1), actor=world.staff("billing"), name=name, percent=Decimal(50),
        valid_from=world.now - timedelta(days=1),
    )  # fmt: skip


def test_staff_makes_a_code_and_switches_it_off(world: World, shop: Shop, console: Client) -> None:
    asked = {"code": "spring 26", "name": "Spring", "periods": 3, "percent": "12.5", "most_per_account": 1}
    both = console.post("/ops/promotions/new/", asked | {"amount": "3"})
    assert both.status_code == 422
    assert "either a percentage or an amount" in both.content.decode()
    assert console.post("/ops/promotions/new/", asked).status_code == 302
    row = PromotionCode.objects.get()
    assert (row.code, row.percent, row.periods, row.most_per_account) == ("SPRING26", Decimal("12.5"), 3, 1)
    assert "SPRING26" in console.get("/ops/promotions/").content.decode()
    again = console.post("/ops/promotions/new/", asked)
    assert "There is a code of this name." in again.content.decode()
    assert console.post("/ops/promotions/code/SPRING26/off/").status_code == 302
    assert "Switched off" in console.get("/ops/promotions/code/SPRING26/").content.decode()


def test_a_customer_sees_what_it_takes_off_before_and_after(world: World, shop: Shop) -> None:
    made(world)
    alice = world.customer()
    client = logged_in(alice.user, alice.account)
    price = client.get("/services/order/vps-m/price/", {"interval": "month", "promotion": "spring"}).content.decode()
    assert "Code SPRING: 50\u00a0% off, first invoice" in price
    assert "5.95" in price
    wrong = client.get("/services/order/vps-m/price/", {"interval": "month", "promotion": "winter"}).content.decode()
    assert "This code is not known" in wrong
    assert "11.90" in wrong, "the price is shown all the same"
    refused = client.post("/services/order/vps-m/", ASKED | {"promotion": "winter"})
    assert refused.status_code == 422
    assert not Order.objects.exists()
    assert client.post("/services/order/vps-m/", ASKED | {"promotion": "spring"}).status_code == 302
    page = client.get(f"/services/orders/{Order.objects.get().reference}/").content.decode()
    assert "Code SPRING" in page
    assert "7.14" in page


def test_a_program_orders_with_a_code(world: World, shop: Shop) -> None:
    row = made(world)
    program = Program(token_of(world.customer()))
    wish = {"package": "vps-m", "promotion": "spring"}
    body = problem(program.post("/orders/preview", wish | {"promotion": "winter"}), 422, "rule")
    assert body["field"] == "promotion"
    price = program.post("/orders/preview", wish).json()
    assert [line["net_cents"] for line in price["lines"]] == [1190, -595]
    order = wish | {"settings": {"name": "api-1"}, "accepted": price["accept"]}
    for _ in range(2):
        placed = program.post("/orders", order, key="promoted")
        assert (placed.status_code, placed.json()["net_cents"], placed.json()["total_cents"]) == (201, 595, 714)
    assert row.uses.count() == 1


def test_an_order_over_nothing_asks_for_no_payment(world: World, shop: Shop) -> None:
    PromotionCode.objects.filter(pk=made(world).pk).update(percent=100)
    alice = world.customer()
    client = logged_in(alice.user, alice.account)
    client.post("/services/order/vps-m/", ASKED | {"promotion": "spring"})
    page = client.get(f"/services/orders/{Order.objects.get().reference}/").content.decode()
    assert "Pay by card" not in page
    assert "F2026-000001" in page


def test_the_list_of_codes_stays_fast(world: World, shop: Shop, console: Client) -> None:
    made(world, "ONE")

    def more(number: int) -> None:
        made(world, f"CODE{number}")
        shop.order(world.customer(), promotion=f"CODE{number}")
        shop.order(world.customer(), promotion="ONE")

    same_cost(console, "/ops/promotions/", more)
    same_cost(console, "/ops/promotions/code/ONE/", lambda number: more(100 + number))


def test_staff_sets_the_vat_of_a_thing_and_its_setup_fee(world: World, shop: Shop, console: Client) -> None:
    option = Option.objects.get(code="vps-address")
    asked = {
        "family": option.family_id, "name": "Address", "name_fr": "Adresse", "service_kind": "vps", "position": 1,
        "maximum": 4, "on_sale": "on",
    }  # fmt: skip
    page = "/ops/catalogue/option/vps-address/"
    for category, needs in (("reduced", "vat_rate"), ("exempted", "vat_reason")):
        refused = console.post(page, asked | {"vat_category": category})
        assert refused.status_code == 422
        assert needs in refused.context["form"].errors
    assert console.post(page, asked | {"vat_category": "reduced", "vat_rate": "5.5"}).status_code == 302
    option.refresh_from_db()
    assert (option.vat_category, option.vat_rate, option.vat_reason) == ("reduced", Decimal("5.5"), "")
    fee = {"interval": "month", "amount": "3", "setup": "12.50", "setup_on_change": "on"}
    assert console.post(f"{page}price/", fee).status_code == 302
    price = option.prices.get(amount_cents=300)
    assert (price.setup_cents, price.setup_on_change) == (1250, True)
    assert "12.50" in console.get(page).content.decode()
    shop.buy(world.customer(), addresses=1)
    assert "vat_category" in console.post(page, asked | {"vat_category": "outside"}).context["form"].errors


def test_a_free_trial_is_offered_once_and_shown_with_its_price(world: World, shop: Shop) -> None:
    Package.objects.filter(code="vps-s").update(trial_days=14, trial_needs_means=False)
    alice = world.customer()
    client = logged_in(alice.user, alice.account)
    assert "Try it free for 14 days" in client.get("/services/").content.decode()
    form = client.get("/services/order/vps-s/?trial=1").content.decode()
    for text in ("free trial of 14 days", "Each later month in full, excluding VAT", "5.90", "0.00"):
        assert text in form, text
    assert client.post("/services/order/vps-s/", ASKED | {"trial": "on"}).status_code == 302
    row = Subscription.objects.get()
    assert row.on_trial
    page = client.get(f"/services/subscriptions/{row.reference}/").content.decode()
    assert "from then on it is paid for" in page
    assert "Change the package" not in page
    assert "Try it free" not in client.get("/services/").content.decode()
    assert 'name="trial"' not in client.get("/services/order/vps-s/").content.decode()
