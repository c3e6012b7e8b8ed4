"""A service is offered, withdrawn, offered again and taken over on its pages; staff offers one for its customer (SUB-2,
SUB-4)."""

import pytest
from django.test import Client

from invoicing.models import ServiceTransfer, Subscription
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
def row(world: World, shop: Shop) -> Subscription:
    return shop.buy(world.customer(), addresses=1)


def owner_of(row: Subscription) -> Client:
    return logged_in(row.account.memberships.get(is_owner=True).user)


def read(client: Client, path: str, status: int = 200) -> str:
    answer = client.get(path)
    assert answer.status_code == status
    return answer.content.decode()


@pytest.fixture
def bob(world: World) -> Customer:
    return world.customer("Bob")


def test_from_hand_to_hand(world: World, row: Subscription, bob: Customer) -> None:
    alice, receiver = owner_of(row), logged_in(bob.user)
    path = f"/services/subscriptions/{row.reference}/transfer/"
    assert path in read(alice, f"/services/subscriptions/{row.reference}/")
    assert "14 days" in read(alice, path)
    assert alice.post(path, {"to": bob.account.reference, "reason": ""}).status_code == 422
    for to in ("ACC-NOBODY", bob.account.reference):
        ServiceTransfer.objects.filter(state="offered").update(state="withdrawn", ended_at=world.now)
        page = alice.post(path, {"to": to, "reason": "We sold the shop."}, follow=True).content.decode()
        assert "If this account exists, its owner is told" in page, "the same whether it exists or not"
    made = ServiceTransfer.objects.get(state="offered")
    offer = f"/services/transfers/{made.reference}/"
    assert offer in read(receiver, "/services/subscriptions/")
    page = read(receiver, offer)
    for shown in ("We sold the shop.", "7.90", "Owed for it", "2026-03-16"):
        assert shown in page, shown
    assert receiver.post(f"{offer}withdraw/").status_code == 404, "it is not his to withdraw"
    assert receiver.post(f"{offer}answer/", {"word": "accept"}).status_code == 422, "the box is not ticked"
    answer = receiver.post(f"{offer}answer/", {"word": "accept", "accept": "on"})
    assert (answer.status_code, answer["Location"]) == (302, f"/services/subscriptions/{row.reference}/")
    page = read(receiver, f"/services/subscriptions/{row.reference}/")
    assert "F2026-000001" not in page, "her invoices are hers"
    read(alice, f"/services/subscriptions/{row.reference}/", status=404)
    assert "It was transferred" in read(alice, offer)
    assert "It was transferred" in read(receiver, offer)
    read(logged_in(world.customer("Carl").user), offer, status=404)
    assert "Transferred to another account since" in read(alice, f"/services/orders/{row.order.reference}/")


def test_withdrawn_and_declined(world: World, row: Subscription, bob: Customer) -> None:
    alice, receiver = owner_of(row), logged_in(bob.user)
    path = f"/services/subscriptions/{row.reference}/transfer/"
    for answer in ("withdraw", "decline"):
        alice.post(path, {"to": bob.account.reference, "reason": "Sold"})
        made = ServiceTransfer.objects.get(state="offered")
        if answer == "withdraw":
            alice.post(f"/services/transfers/{made.reference}/withdraw/")
        else:
            receiver.post(f"/services/transfers/{made.reference}/answer/", {"word": "decline"})
        assert "Nothing was transferred" in read(receiver, f"/services/transfers/{made.reference}/")
    assert "Earlier offers" in read(alice, path)


def test_staff_offers_it_for_the_customer(world: World, row: Subscription, bob: Customer) -> None:
    billing = logged_in(staff(world, "billing"))
    path = f"/ops/subscriptions/{row.reference}/transfer/"
    assert path in read(billing, f"/ops/customers/{row.account.reference}/")
    assert billing.post(path, {"to": bob.account.reference, "reason": "Both asked by telephone."}).status_code == 302
    made = ServiceTransfer.objects.get()
    assert (made.by_staff, made.receiver) == (True, bob.account)
    assert "Both asked by telephone." in read(billing, path)
    assert "opened by our team" in read(logged_in(bob.user), f"/services/transfers/{made.reference}/")
    assert billing.post(path, {"word": "withdraw"}).status_code == 302
    made.refresh_from_db()
    assert made.state == "withdrawn"
