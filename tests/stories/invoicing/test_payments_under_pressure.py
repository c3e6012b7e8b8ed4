"""As the provider I am paid once however many workers, messages and sweeps work at the same time (INV-2, INV-12)."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from invoicing.accounting import ledger
from invoicing.models import Invoice, Order, OrderState, Payment, Refund, Subscription, WebhookEvent
from invoicing.paying import payments, reconcile_payments, refunds, webhooks
from panel.core import operations
from panel.core.errors import RuleViolation
from tests.support.crowd import together
from tests.support.shop import Shop
from tests.support.till import Till, open_till
from tests.support.world import Customer, World

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]
CROWD = 20


@pytest.fixture
def till(world: World, shop: Shop, settings: Any) -> Iterator[Till]:
    with open_till(world, shop, settings) as opened:
        yield opened


def test_twenty_orders_paid_told_and_swept_together(till: Till, world: World, shop: Shop) -> None:
    started = []
    for number in range(CROWD):
        alice = world.customer(f"Alice{number}")
        started.append(till.start(shop.order(alice), alice))
    together([lambda payment=payment: till.pay(payment) for payment in started])  # type: ignore[misc]
    parcels = till.parcels()

    def bring(parcel: Any) -> None:
        webhooks.receive(parcel.body, {"Stripe-Signature": parcel.signature}, now=world.now)

    deeds: list[Callable[[], Any]] = [lambda parcel=parcel: bring(parcel) for parcel in parcels * 2]  # type: ignore[misc]
    deeds += [lambda: operations.run_due(world.now)] * 6
    deeds += [lambda: reconcile_payments.reconcile(world.now)] * 2
    together(deeds)
    together([lambda: operations.run_due(world.now)] * 4)
    assert {payment.order.state for payment in Payment.objects.select_related("order") if payment.order} == {
        OrderState.PAID
    }
    assert Subscription.objects.count() == Invoice.objects.count() == CROWD
    assert sorted(Invoice.objects.values_list("position", flat=True)) == list(range(1, CROWD + 1))
    assert WebhookEvent.objects.count() == len(till.bank.store.where("event"))
    assert till.booked() == sum(Payment.objects.values_list("amount_cents", flat=True))
    assert not world.failed_operations()


def test_twenty_presses_of_pay_are_one_payment(till: Till, world: World, shop: Shop) -> None:
    alice = world.customer()
    order = shop.order(alice)

    def press(number: int) -> str:
        return payments.pay_order(
            order, return_url="http://testserver/", keep=False, key=f"press-{number}", actor=alice.actor, now=world.now
        ).reference

    assert len(set(together([lambda number=number: press(number) for number in range(CROWD)]))) == 1  # type: ignore[misc]
    assert Payment.objects.count() == 1


def test_a_crowd_of_refunds_gives_back_no_cent_too_much(till: Till, world: World, shop: Shop) -> None:
    """eventyay#1405: refunds at once exceeded the payment."""
    from invoicing.issuing import invoices

    payment = till.buy(world.customer())
    staff = world.staff("billing")
    invoices.credit(Invoice.objects.get(), None, reason="x", once="credit", actor=staff, now=world.now)

    def give(number: int) -> int:
        try:
            return refunds.give_back(
                payment, 100, reason="x", key=f"refund-{number}", actor=staff, now=world.now
            ).amount_cents
        except RuleViolation:
            return 0

    given = sum(together([lambda number=number: give(number) for number in range(CROWD)]))  # type: ignore[misc]
    assert given == payment.amount_cents // 100 * 100
    world.work()
    assert Refund.objects.filter(state="succeeded").count() == payment.amount_cents // 100
    payment.refresh_from_db()
    assert payment.refunded_cents == given, "what each took is written down, none over another"
    assert till.booked() == payment.amount_cents - given
    assert ledger.funds(payment.account) == payment.amount_cents - given


def test_orders_that_expire_while_their_payments_begin(world: World, shop: Shop) -> None:
    """An order ends, or its payment begins: never both (SUB-3)."""
    people = [world.customer(f"Alice{number}") for number in range(6)]
    orders = [shop.order(one) for one in people]
    world.until(max(order.expires_at for order in orders) + timedelta(seconds=1))

    def press(who: Customer, order: Order) -> Payment:
        return payments.pay_order(
            order, return_url="http://testserver/", key=order.reference, actor=who.actor, now=world.now
        )

    deeds: list[Callable[[], Any]] = [
        lambda who=who, order=order: press(who, order)  # type: ignore[misc]
        for who, order in zip(people, orders, strict=True)
    ]
    together([lambda: world.sweep("invoicing.expire"), *deeds, lambda: world.sweep("invoicing.expire")],
             may_refuse=True)  # fmt: skip
    for order in Order.objects.all():
        under_way = order.payments.filter(state__in=payments.LIVE).count()
        assert (order.state, under_way) in {("cancelled", 0), ("awaiting_payment", 1)}
