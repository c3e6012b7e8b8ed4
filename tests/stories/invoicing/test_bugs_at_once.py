"""As the provider I do not repeat what went wrong in other panels when several things happened at the same instant:
each test is named after the report of a bug in another program (with test_bugs_that_others_had.py)."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection, transaction

from invoicing.funding import funds, topping_up
from invoicing.issuing import invoices
from invoicing.models import FundsCredit, Invoice, Payment, PaymentState, Reminder, Subscription
from invoicing.paying import payments, webhooks
from invoicing.subscribing import ordering
from panel.core import operations
from panel.core.models import Event
from tests.support.crowd import together
from tests.support.owing import owe_overage
from tests.support.shop import Shop
from tests.support.till import Till, open_till
from tests.support.world import World

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def till(world: World, shop: Shop, settings: Any) -> Iterator[Till]:
    with open_till(world, shop, settings) as opened:
        yield opened


def test_lago_2243_messages_within_milliseconds_credit_the_funds_once(till: Till, world: World) -> None:
    """All that the provider has to say of a top-up, each message three times, while eight workers act upon them; then
    eight who had asked how it stands have their answer in the same instant."""
    alice = world.customer()
    payment = topping_up.begin(
        alice.account, 5_000, key="form", actor=alice.actor, now=world.now, return_url="http://testserver/"
    )
    world.work()
    payment.refresh_from_db()
    till.pay(payment)

    def bring(parcel: Any) -> None:
        webhooks.receive(parcel.body, {"Stripe-Signature": parcel.signature}, now=world.now)

    deeds: list[Callable[[], Any]] = [lambda parcel=parcel: bring(parcel) for parcel in till.parcels() * 3]  # type: ignore[misc]
    together([*deeds, *[lambda: operations.run_due(world.now)] * 8])
    assert len(deeds) >= 6
    world.work()
    _credited_once(payment, 5_000)


def test_lago_2243_answers_at_once_credit_the_funds_once(till: Till, world: World) -> None:
    alice = world.customer()
    payment = topping_up.begin(
        alice.account, 5_000, key="form", actor=alice.actor, now=world.now, return_url="http://testserver/"
    )
    finding = payments.Finding(PaymentState.SUCCEEDED, "pi_x", 5_000)
    together([lambda: payments.conclude(payment.pk, finding, now=world.now)] * 8)
    _credited_once(payment, 5_000)


def _credited_once(payment: Payment, cents: int) -> None:
    assert (funds.balance(payment.account), FundsCredit.objects.count()) == (cents, 1)
    for kind in ("payment.succeeded", "funds.credited"):
        assert Event.objects.filter(kind=f"invoicing.{kind}").count() == 1


def test_fossbilling_3726_four_sweeps_at_once_remind_once(world: World, shop: Shop) -> None:
    """And none of the four stumbles over the others."""
    customers = [world.customer(f"C{number}") for number in range(3)]
    owe_overage(world, shop, *customers)
    for days in (1, 6):
        world.advance(days=days, sweeps=["invoicing.renew"])
        together([lambda: world.sweep("invoicing.dun")] * 4)
    world.work()
    assert sorted(Reminder.objects.values_list("stage", flat=True)) == [1, 1, 1, 2, 2, 2]
    for customer in customers:
        assert [len(world.mails(name, customer.account)) for name in ("reminder_first", "reminder_again")] == [1, 1]


def test_odoo_91873_numbers_wait_for_nobody_who_works_on_older_invoices(world: World, shop: Shop) -> None:
    """Somebody holds every invoice there is (a payment settles it, staff writes it off). Others are issued meanwhile:
    the next number is a counter, and asks no other row; it is held for the end of a transaction only, so that those
    who have other work to do first do not keep it."""
    for _ in range(3):
        shop.buy(world.customer())
    orders = [shop.order(world.customer()) for _ in range(6)]
    paid = [shop.payment(order) for order in orders]
    held, done = threading.Event(), threading.Event()
    deliver, slow = shop.service.provision, threading.Event()

    def hold() -> None:
        with transaction.atomic():
            assert len(Invoice.objects.select_for_update()) == 3
            held.set()
            assert done.wait(15), "they waited for us"

    def linger(row: Subscription, **how: Any) -> None:
        """The first who comes is long about it, and has no number yet."""
        if row.account_id == orders[0].account_id:
            assert slow.wait(15), "the others waited for a number"
        deliver(row, **how)

    shop.service.provision = linger  # type: ignore[method-assign]

    def pay(number: int) -> None:
        held.wait(15)
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '10s'")
        ordering.paid(orders[number], paid[number], now=world.now)
        if Invoice.objects.count() == 8:
            slow.set()
        if Invoice.objects.count() == 9:
            done.set()

    together([hold, *[lambda number=number: pay(number) for number in range(6)]])  # type: ignore[misc]
    assert sorted(Invoice.objects.values_list("position", flat=True)) == list(range(1, 10))
    assert invoices.verify() == []
    assert Invoice.objects.latest("position").account_id == orders[0].account_id
