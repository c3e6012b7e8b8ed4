"""As the provider I may be told twice, late, out of order or never, and the result is the same (INV-12)."""

import itertools
import json
import random
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import OperationalError

from invoicing.gateways import SignatureRefused
from invoicing.gateways.fake.webhooks import sign
from invoicing.models import (
    Invoice,
    OrderState,
    Payment,
    PaymentMethod,
    Subscription,
    WebhookEvent,
)
from invoicing.paying import webhooks
from invoicing.paying.payment_models import WebhookBody
from panel.core import clock
from panel.core.models import Event
from tests.support import bank as person
from tests.support.shop import Shop
from tests.support.till import SECRET, Till, open_till
from tests.support.world import World

pytestmark = pytest.mark.django_db


@pytest.fixture
def till(world: World, shop: Shop, settings: Any) -> Iterator[Till]:
    with open_till(world, shop, settings) as opened:
        yield opened


class TestMessagesInAnyOrder:
    """INV-12: whatever comes, how often and in which order, the result is the same."""

    @pytest.mark.parametrize("seed", range(6))
    def test_shuffled_and_repeated(self, till: Till, world: World, shop: Shop, seed: int) -> None:
        alice = world.customer()
        order = shop.order(alice)
        payment = till.start(order, alice, keep=True)
        till.pay(payment, person.DECLINED)
        till.pay(payment, person.SECURE)
        parcels = till.parcels() * 3
        random.Random(seed).shuffle(parcels)
        for number, parcel in enumerate(parcels):
            webhooks.receive(parcel.body, {"Stripe-Signature": parcel.signature}, now=world.now)
            if number % 4 == seed % 4:
                world.work()
        world.work()
        order.refresh_from_db()
        assert order.state == OrderState.PAID
        assert (Subscription.objects.count(), Invoice.objects.count(), PaymentMethod.objects.count()) == (1, 1, 1)
        assert WebhookEvent.objects.count() == len(parcels) // 3
        assert till.booked() == order.total_cents
        assert not world.failed_operations()

    def test_every_order_of_the_two_that_matter(self, till: Till, world: World, shop: Shop) -> None:
        for pair in itertools.permutations(range(2)):
            alice = world.customer()
            order = shop.order(alice)
            till.pay(till.start(order, alice))
            parcels = [parcel for parcel in till.parcels() if _kind(parcel.body) in webhooks.TELLING]
            assert len(parcels) == 2
            for place in pair:
                parcel = parcels[place]
                webhooks.receive(parcel.body, {"Stripe-Signature": parcel.signature}, now=world.now)
                world.work()
            for parcel in till.parcels():
                till.bank.courier.settle(parcel, 200)
            order.refresh_from_db()
            assert order.state == OrderState.PAID

    def test_lost_altogether_and_made_good(self, till: Till, world: World, shop: Shop) -> None:
        till.bank.control("weather", seed=1, never=1.0)
        alice = world.customer()
        world.advance(sweeps=["payments.reconcile"])  # the list was read once before
        world.advance(minutes=1)
        order = shop.order(alice)
        till.pay(till.start(order, alice))
        assert till.parcels() == []
        world.advance(minutes=5)
        till.sync()
        world.advance(sweeps=["payments.reconcile"])
        order.refresh_from_db()
        assert order.state == OrderState.PAID
        assert WebhookEvent.objects.exclude(via="listing").count() == 0
        told = WebhookEvent.objects.count()
        world.advance(minutes=5, sweeps=["payments.reconcile"])
        assert WebhookEvent.objects.count() == told
        assert Invoice.objects.count() == 1

    def test_a_payment_pending_for_long_is_asked_for(self, till: Till, world: World, shop: Shop) -> None:
        """Even an event that the provider does not list any more is no loss."""
        alice = world.customer()
        order = shop.order(alice)
        till.pay(till.start(order, alice))
        till.bank.store.sql("DELETE FROM objects WHERE kind = 'event'")
        till.bank.store.sql("DELETE FROM deliveries")
        world.advance(minutes=11, sweeps=["payments.reconcile"])
        order.refresh_from_db()
        assert order.state == OrderState.PAID

    def test_money_that_nobody_asked_for_is_told_to_staff(self, till: Till, world: World) -> None:
        body = json.dumps({
            "id": "evt_x", "type": "payment_intent.succeeded", "created": int(world.now.timestamp()),
            "data": {"object": {"id": "pi_x", "object": "payment_intent", "metadata": {"payment": "PAY-NONE"}}},
        }).encode()  # fmt: skip
        webhooks.receive(body, {"Stripe-Signature": sign(body, SECRET, world.now.timestamp())}, now=world.now)
        world.work()
        assert Event.objects.get(kind="invoicing.payment.unknown").data["provider_ref"] == "pi_x"
        assert [op.kind for op in world.failed_operations()] == ["payments.judge"]

    def test_money_for_a_payment_that_had_ended_is_told_to_staff(self, till: Till, world: World, shop: Shop) -> None:
        alice = world.customer()
        payment = till.start(shop.order(alice), alice)
        Payment.objects.filter(pk=payment.pk).update(state="cancelled")
        self._say(till, world, "payment_intent.succeeded", {"object": "payment_intent", "id": "pi_y"}, payment)
        assert [op.payload["why"] for op in world.failed_operations()] == ["unknown"]

    def test_a_dispute_is_told_to_staff_once(self, till: Till, world: World, shop: Shop) -> None:
        alice = world.customer()
        payment = till.start(shop.order(alice), alice)
        for _ in range(2):
            self._say(till, world, "charge.dispute.created", {"object": "dispute", "id": "dp_y"}, payment)
        assert [op.payload["why"] for op in world.failed_operations()] == ["disputed"]

    def _say(self, till: Till, world: World, kind: str, thing: dict[str, Any], payment: Payment) -> None:
        about = {**thing, "metadata": {"payment": payment.reference}}
        body = json.dumps({
            "id": "evt_y", "type": kind, "created": int(world.now.timestamp()), "data": {"object": about},
        }).encode()  # fmt: skip
        webhooks.receive(body, {"Stripe-Signature": sign(body, SECRET, world.now.timestamp())}, now=world.now)
        world.work()


def _kind(body: bytes) -> str:
    return str(json.loads(body)["type"])


class TestTheDoor:
    def test_good_bad_old_and_wrong_ways(
        self, till: Till, world: World, shop: Shop, client: Any, monkeypatch: Any
    ) -> None:
        monkeypatch.setattr(clock, "now", lambda: world.now)
        alice = world.customer()
        till.pay(till.start(shop.order(alice), alice))
        parcel = till.parcels()[0]
        assert till.post(parcel.body, "t=1,v1=00") == 400
        assert till.post(parcel.body, "") == 400
        assert till.post(parcel.body + b" ", parcel.signature) == 400
        assert not WebhookEvent.objects.exists()
        assert [till.post(parcel.body, parcel.signature) for _ in range(3)] == [200, 200, 200]
        assert WebhookEvent.objects.count() == WebhookBody.objects.count() == 1
        assert bytes(WebhookBody.objects.get().raw) == parcel.body
        assert till.post(b"x" * 600_000, parcel.signature) == 413
        assert client.get("/hooks/stripe/").status_code == 405
        world.advance(minutes=6)
        assert till.post(parcel.body, parcel.signature) == 400

    def test_what_cannot_be_kept_is_not_acknowledged(self, till: Till, world: World, monkeypatch: Any) -> None:
        def broken(*_: Any, **__: Any) -> None:
            raise OperationalError("disk full")

        monkeypatch.setattr(webhooks, "receive", broken)
        assert till.post(b"{}", "t=1,v1=00") == 503

    def test_an_event_is_kept_with_its_bytes_apart(self, till: Till, world: World, shop: Shop) -> None:
        alice = world.customer()
        till.pay(till.start(shop.order(alice), alice))
        till.deliver()
        WebhookBody.objects.all().delete()
        world.work()
        assert Subscription.objects.exists(), "erasing the bodies loses nothing that is acted upon"

    def test_forged_with_another_secret(self, till: Till, world: World) -> None:
        body = b'{"id": "evt_1", "type": "x", "created": 1, "data": {"object": {}}}'
        with pytest.raises(SignatureRefused):
            webhooks.receive(
                body, {"Stripe-Signature": sign(body, "whsec_guess", world.now.timestamp())}, now=world.now
            )
