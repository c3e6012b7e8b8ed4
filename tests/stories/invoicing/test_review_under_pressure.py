"""Accepted, refused, withdrawn and told by the provider in the same moment, a held order has one outcome (SUB-4)."""

import random
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from invoicing.accounting import ledger
from invoicing.models import Invoice, Order, OrderReview, OrderState, Payment, Refund, ReviewState, Subscription
from invoicing.paying import payments, webhooks
from invoicing.reviewing import deciding
from panel.core import operations
from tests.support.crowd import together
from tests.support.shop import Shop
from tests.support.till import Till, open_till
from tests.support.world import World

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]
GERMAN_CARD = "4000 0027 6000 0016"
MANY = 6


@pytest.fixture
def till(world: World, shop: Shop, settings: Any) -> Iterator[Till]:
    with open_till(world, shop, settings) as opened:
        yield opened


def test_one_outcome_for_each(till: Till, world: World, shop: Shop) -> None:
    staff = world.staff("billing")
    started = []
    for number in range(MANY):
        customer = world.customer(f"C{number}")
        payment = till.start(shop.order(customer), customer)
        till.pay(payment, GERMAN_CARD)
        started.append((customer, payment))
    parcels = till.parcels()
    till.deliver()
    world.work()
    reviews = list(OrderReview.objects.filter(state=ReviewState.WAITING).select_related("order", "payment"))
    assert len(reviews) == MANY
    deeds: list[Callable[[], object]] = []
    for review, (customer, payment) in zip(sorted(reviews, key=lambda one: one.order_id), started, strict=True):
        found = payments.Finding("succeeded", payment.provider_ref or "", payment.amount_cents)
        deeds += [
            partial(deciding.accept, review.pk, actor=staff, now=world.now),
            partial(deciding.accept, review.pk, actor=staff, now=world.now),
            partial(deciding.refuse, review.pk, why="payment", actor=staff, now=world.now),
            partial(deciding.withdraw, review.order, actor=customer.actor, now=world.now),
            partial(payments.conclude, payment.pk, found, now=world.now),
        ]
    for parcel in parcels:
        deeds.append(partial(webhooks.receive, parcel.body, {"Stripe-Signature": parcel.signature}, now=world.now))
    deeds += [partial(operations.run_due, world.now)] * 3
    random.Random(7).shuffle(deeds)
    together(deeds, may_refuse=True)
    world.work()
    accepted = OrderReview.objects.filter(state=ReviewState.ACCEPTED).count()
    over = OrderReview.objects.filter(state__in=[ReviewState.REFUSED, ReviewState.WITHDRAWN]).count()
    assert accepted + over == MANY
    assert Subscription.objects.count() == Invoice.objects.count() == len(shop.service.done) == accepted
    assert Order.objects.filter(state=OrderState.PAID).count() == accepted
    assert Refund.objects.filter(state="succeeded").count() == over
    assert till.booked() == sum(Payment.objects.filter(order__state="paid").values_list("amount_cents", flat=True))
    assert ledger.balance(ledger.CUSTOMERS) == 0
    assert not world.failed_operations()
