"""As a customer whose card payment is disputed at the bank I am neither reminded nor suspended before the banks decide
(INV-7, TIC-6): I had paid, and may be found to have."""

from collections.abc import Iterator
from typing import Any

import pytest

from invoicing.accounting import receivables
from invoicing.models import ClockStop, Dispute, Invoice, Payment, Reminder, Suspension
from tests.support.owing import days
from tests.support.shop import Shop
from tests.support.till import Till, open_till
from tests.support.world import Customer, World

pytestmark = pytest.mark.django_db


@pytest.fixture
def till(world: World, shop: Shop, settings: Any) -> Iterator[Till]:
    with open_till(world, shop, settings) as opened:
        yield opened


@pytest.fixture
def alice(world: World) -> Customer:
    return world.customer()


@pytest.fixture
def payment(till: Till, alice: Customer) -> Payment:
    """A year is paid by a kept card, and the bank takes it back for now."""
    payment = till.buy(alice, keep=True, interval="year")
    till.bank.control("dispute", payment=payment.provider_ref)
    told(till)
    return payment


def told(till: Till) -> None:
    till.deliver()
    till.world.work()


def decided(till: Till, *, won: bool) -> None:
    till.sync()
    till.bank.control("dispute", close=Dispute.objects.get().provider_ref, won=won)
    told(till)


def invoice_of(alice: Customer) -> Invoice:
    return Invoice.objects.get(account=alice.account)


def hurried() -> tuple[int, int, int]:
    return Reminder.objects.count(), Suspension.objects.count(), Payment.objects.count()


def test_nothing_follows_while_it_is_undecided(till: Till, world: World, alice: Customer, payment: Payment) -> None:
    invoice = invoice_of(alice)
    assert (invoice.due_cents, invoice.contested_at) == (payment.amount_cents, world.now)
    days(world, 40)
    assert hurried() == (0, 0, 1)


def test_lost_the_clock_runs_from_the_decision(till: Till, world: World, alice: Customer, payment: Payment) -> None:
    days(world, 40)
    decided(till, won=False)
    assert invoice_of(alice).contested_at is None
    assert ClockStop.objects.get(because="bank").until == world.now
    days(world, 1)
    assert hurried() == (1, 0, 1), "the first reminder, a day after: the days of the dispute count for nothing"
    days(world, 40)
    assert Reminder.objects.count() > 1
    assert receivables.of(alice.account.pk) == []


def test_won_it_is_paid_and_nothing_is_left_of_it(till: Till, world: World, alice: Customer, payment: Payment) -> None:
    days(world, 20)
    decided(till, won=True)
    invoice = invoice_of(alice)
    assert (invoice.state, invoice.contested_at) == ("paid", None)
    days(world, 40)
    assert hurried() == (0, 0, 1)


def test_what_comes_back_for_good_at_once_stops_no_clock(till: Till, world: World, alice: Customer) -> None:
    payment = till.buy(alice, interval="year")
    till.bank.control("dispute", payment=payment.provider_ref, lost=True)
    told(till)
    assert invoice_of(alice).contested_at is None
    assert not ClockStop.objects.filter(because="bank").exists()
    days(world, 40)
    assert Reminder.objects.exists()


def test_two_disputes_of_one_invoice_hold_it_until_both_are_decided(
    till: Till, world: World, alice: Customer, payment: Payment
) -> None:
    till.sync()
    first = Dispute.objects.get()
    Dispute.objects.create(
        payment=payment, account=alice.account, provider_ref="dp_2", amount_cents=1, returned_cents=0, loss_cents=1,
        opened_at=world.now,
    )  # fmt: skip
    till.bank.control("dispute", close=first.provider_ref, won=False)
    told(till)
    assert invoice_of(alice).contested_at is not None
