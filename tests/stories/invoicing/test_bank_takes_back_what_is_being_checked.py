"""As a customer whose order is being checked I keep my funds when my bank takes its payment back (SUB-4, INV-6)."""

from collections.abc import Iterator
from typing import Any

import pytest

from invoicing.accounting import ledger, receivables
from invoicing.funding import funds, taken_back
from invoicing.models import Dispute, Order, OrderState, Payment, Refund
from invoicing.reviewing import deciding
from invoicing.selling_by_hand import manual_sales
from panel.core.calendars import paris_date
from panel.core.errors import RuleViolation
from tests.support.shop import Shop
from tests.support.till import Till, open_till
from tests.support.world import Customer, World

pytestmark = pytest.mark.django_db

FUNDS = 2_000
GERMAN_CARD = "4000 0027 6000 0016"


@pytest.fixture
def till(world: World, shop: Shop, settings: Any) -> Iterator[Till]:
    with open_till(world, shop, settings) as opened:
        yield opened


@pytest.fixture
def alice(world: World) -> Customer:
    return world.customer()


@pytest.fixture
def payment(till: Till, world: World, alice: Customer) -> Payment:
    """Paid by a card of another country, so it is held; EUR 20.00 are in the funds; the bank takes the payment back."""
    payment = till.buy(alice, GERMAN_CARD)
    assert Order.objects.get().state == OrderState.HELD
    manual_sales.record_payment(
        alice.account, FUNDS, means="transfer", reference="T-1", received_on=paris_date(world.now), invoice=None,
        actor=world.staff("billing"), now=world.now,
    )  # fmt: skip
    till.bank.control("dispute", payment=payment.provider_ref)
    told(till)
    return payment


def won(till: Till) -> None:
    till.bank.control("dispute", close=Dispute.objects.get().provider_ref, won=True)
    told(till)


def told(till: Till) -> None:
    till.deliver()
    till.world.work()


def agrees(till: Till, alice: Customer) -> None:
    till.booked()
    assert receivables.of(alice.account.pk) == []
    assert taken_back.owed(alice.account) == 0


def test_the_funds_are_left_alone(till: Till, world: World, alice: Customer, payment: Payment) -> None:
    assert funds.balance(alice.account) == FUNDS
    assert ledger.balance(ledger.CUSTOMERS, alice.account) == 0
    agrees(till, alice)
    review = Order.objects.get().reviews.get()
    with pytest.raises(RuleViolation, match="taken back"):
        deciding.accept(review.pk, actor=world.staff("billing"), now=world.now)
    deciding.refuse(review.pk, why="payment", actor=world.staff("billing"), now=world.now)
    world.work()
    assert not Refund.objects.exists()
    assert funds.balance(alice.account) == FUNDS
    agrees(till, alice)


def test_won_while_it_is_checked_it_pays_the_order(till: Till, world: World, alice: Customer, payment: Payment) -> None:
    won(till)
    agrees(till, alice)
    deciding.accept(Order.objects.get().reviews.get().pk, actor=world.staff("billing"), now=world.now)
    assert Order.objects.get().state == OrderState.PAID
    assert funds.balance(alice.account) == FUNDS
    agrees(till, alice)


def test_won_after_the_order_was_refused_it_is_the_customers(
    till: Till, world: World, alice: Customer, payment: Payment
) -> None:
    review = Order.objects.get().reviews.get()
    deciding.refuse(review.pk, why="payment", actor=world.staff("billing"), now=world.now)
    won(till)
    assert funds.balance(alice.account) == FUNDS + payment.amount_cents
    agrees(till, alice)
