"""Staff decides on held orders, standings and renewals on their pages; the customer reads why, sets a cap, pauses
(SUB-4, SUB-5)."""

import pytest
from django.test import Client

from invoicing.limiting import spending
from invoicing.models import MailDomain, Order, OrderReview, OrderState, RenewalRefusal
from invoicing.reviewing import standing
from panel.core.actors import SYSTEM
from tests.pages.test_lists_stay_fast import same_cost
from tests.support.personas import logged_in, staff
from tests.support.shop import Shop
from tests.support.world import Customer, World

pytestmark = pytest.mark.django_db


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World("2026-03-02 09:00")
    monkeypatch.setattr("panel.core.clock.now", lambda: made.now)
    return made


@pytest.fixture
def billing(world: World) -> Client:
    return logged_in(staff(world, "billing"))


@pytest.fixture
def alice(world: World) -> Customer:
    return world.customer()


def held(world: World, shop: Shop, customer: Customer) -> Order:
    standing.mark_competitor(customer.account, True, why="Sells the same.", actor=SYSTEM, now=world.now)
    return shop.order(customer)


def text(client: Client, path: str) -> str:
    return client.get(path).content.decode()


def test_refused_on_the_page_and_read_by_the_customer(
    world: World, shop: Shop, billing: Client, alice: Customer
) -> None:
    order = held(world, shop, alice)
    review = OrderReview.objects.get()
    own = logged_in(alice.user, alice.account)
    assert "Your order is being checked" in text(own, f"/services/orders/{order.reference}/")
    assert order.reference in text(billing, "/ops/reviews/")
    page = text(billing, f"/ops/reviews/{review.pk}/")
    assert "Holds the order" in page
    assert "Nothing has been paid yet." in page, "the country of a card is not guessed"
    decide = f"/ops/reviews/{review.pk}/decide/"
    assert billing.post(decide, {"word": "refuse"}).status_code == 422
    assert billing.post(decide, {"word": "refuse", "why": "other", "words": ""}).status_code == 422
    given = {"word": "refuse", "why": "competitor", "words": "You resell servers."}
    assert billing.post(decide, given).status_code == 302
    assert billing.post(decide, {"word": "accept"}).status_code == 409
    page = text(own, f"/services/orders/{order.reference}/")
    assert "We do not serve competitors." in page
    assert "You resell servers." in page
    assert order.reference in text(billing, "/ops/reviews/?which=decided")


def test_accepted_on_the_page(world: World, shop: Shop, billing: Client, alice: Customer) -> None:
    order = held(world, shop, alice)
    review = OrderReview.objects.get()
    assert billing.post(f"/ops/reviews/{review.pk}/decide/", {"word": "accept", "note": "Known."}).status_code == 302
    order.refresh_from_db()
    assert order.state == OrderState.AWAITING_PAYMENT
    assert "Pay by card" in text(logged_in(alice.user, alice.account), f"/services/orders/{order.reference}/")


def test_support_looks_and_does_not_decide(world: World, shop: Shop, alice: Customer) -> None:
    held(world, shop, alice)
    pk, support = OrderReview.objects.get().pk, logged_in(staff(world, "support"))
    assert "Accept the order" not in text(support, f"/ops/reviews/{pk}/")
    assert support.post(f"/ops/reviews/{pk}/decide/", {"word": "accept"}).status_code == 403


def test_the_queues_stay_fast(world: World, shop: Shop, billing: Client) -> None:
    same_cost(billing, "/ops/reviews/", lambda number: held(world, shop, world.customer(f"C{number}")))
    same_cost(billing, "/ops/", lambda number: held(world, shop, world.customer(f"D{number}")))


def test_mail_domains_are_said_and_taken_back(world: World, billing: Client) -> None:
    path = "/ops/reviews/mail-domains/"
    assert billing.post(path, {"domain": "no domain", "disposable": "yes"}).status_code == 422
    assert billing.post(path, {"domain": "@Throw.Example", "disposable": "yes"}).status_code == 302
    assert MailDomain.objects.get().domain == "throw.example"
    assert billing.post(path, {"forget": "throw.example"}).status_code == 302
    assert not MailDomain.objects.exists()

    def more(number: int) -> None:
        standing.say_domain(f"d{number}.example", True, actor=world.staff("billing"), now=world.now)

    same_cost(billing, path, more)


def test_limits_are_shown_raised_and_gone(world: World, shop: Shop, billing: Client, alice: Customer) -> None:
    own, page = logged_in(alice.user, alice.account), f"/ops/customers/{alice.account.reference}/standing/"
    for path in ("/services/", "/services/order/vps-s/", "/billing/spending/"):
        assert "Limits of a new account" in text(own, path), path
    assert billing.post(page, {"word": "raise", "why": ""}).status_code == 422
    assert billing.post(page, {"word": "raise", "why": "An agency."}).status_code == 302
    assert "raised by staff" in text(billing, page)
    assert "Limits of a new account" not in text(own, "/services/")
    assert billing.post(page, {"word": "competitor", "why": "Hosts too."}).status_code == 302
    assert "Hosts too." in text(billing, page)


def test_the_cap_is_set_on_the_page(world: World, shop: Shop, billing: Client, alice: Customer) -> None:
    own = logged_in(alice.user, alice.account)
    assert own.post("/billing/spending/", {"amount": "-1"}).status_code == 422
    assert own.post("/billing/spending/", {"amount": "25.50"}).status_code == 302
    assert spending.cap_of(alice.account) == 2_550
    assert "25.50" in text(billing, f"/ops/customers/{alice.account.reference}/standing/")
    assert own.post("/billing/spending/", {"amount": ""}).status_code == 302
    assert spending.cap_of(alice.account) is None


def test_a_renewal_is_refused_and_taken_back(world: World, shop: Shop, billing: Client, alice: Customer) -> None:
    row = shop.buy(alice)
    page, own = f"/ops/subscriptions/{row.reference}/renewal/", logged_in(alice.user, alice.account)
    assert billing.post(page, {"word": "refuse"}).status_code == 422
    assert billing.post(page, {"word": "refuse", "why": "misuse", "words": "Twice."}).status_code == 302
    customers = text(own, f"/services/subscriptions/{row.reference}/")
    assert "Our services were misused." in customers
    assert "Keep the subscription" not in customers
    assert own.post(f"/services/subscriptions/{row.reference}/keep/").status_code == 409
    assert billing.post(page, {"word": "take_back", "taken_back": ""}).status_code == 422
    assert billing.post(page, {"word": "take_back", "taken_back": "A mistake."}).status_code == 302
    assert RenewalRefusal.objects.get().taken_back_why == "A mistake."


def test_paused_and_back_on_the_page(world: World, shop: Shop, alice: Customer) -> None:
    row = shop.buy(alice, addresses=1)
    own, page = logged_in(alice.user, alice.account), f"/services/subscriptions/{row.reference}/"
    assert "7.90" in text(own, f"{page}pause/"), "what goes on to cost stands there first"
    assert own.post(f"{page}pause/").status_code == 302
    assert "End the pause" in text(own, page)
    assert own.post(f"{page}resume/").status_code == 302
    row.refresh_from_db()
    assert row.state == "active"
