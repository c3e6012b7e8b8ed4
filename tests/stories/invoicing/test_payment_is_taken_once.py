"""As a customer I pay an order at the provider's page and it comes to life once; refused, it ends and leaves nothing
(SUB-3, INV-1, INV-5, INV-11)."""

from collections.abc import Iterator
from typing import Any

import pytest

from invoicing.accounting import ledger
from invoicing.models import (
    Invoice,
    NumberSeries,
    OrderState,
    PaymentMethod,
    PaymentState,
    Refund,
    Subscription,
)
from invoicing.paying import payments
from invoicing.subscribing import ordering
from panel.console import repairs
from panel.core.errors import RuleViolation
from panel.core.models import Operation
from tests.support import bank as person
from tests.support.shop import Shop
from tests.support.till import ORDER_PAGE, Till, open_till
from tests.support.world import World

pytestmark = pytest.mark.django_db


@pytest.fixture
def till(world: World, shop: Shop, settings: Any) -> Iterator[Till]:
    with open_till(world, shop, settings) as opened:
        yield opened


class TestOrderPaidByCard:
    def test_paid_and_told_it_comes_to_life(self, till: Till, world: World, shop: Shop) -> None:
        alice = world.customer()
        order = shop.order(alice)
        payment = till.start(order, alice)
        assert payment.state == PaymentState.WAITING
        assert payment.action_url.startswith(till.bank.base)
        assert till.pay(payment) == ORDER_PAGE
        order.refresh_from_db()
        assert order.state == OrderState.AWAITING_PAYMENT, "the customer's return alone proves nothing"
        till.deliver()
        world.work()
        order.refresh_from_db()
        payment.refresh_from_db()
        assert (order.state, payment.state) == (OrderState.PAID, PaymentState.SUCCEEDED)
        assert payment.provider_ref
        assert Subscription.objects.get().order == order
        assert Invoice.objects.get().state == "paid"
        assert till.booked() == order.total_cents
        assert not world.failed_operations()

    def test_the_return_asks_without_waiting_for_the_webhook(self, till: Till, world: World, shop: Shop) -> None:
        alice = world.customer()
        payment = till.start(shop.order(alice), alice)
        till.pay(payment)
        for _ in range(3):
            payments.came_back(payment, now=world.now)
        assert Operation.objects.filter(kind=payments.LOOK).count() == 1
        world.work()
        assert Subscription.objects.count() == 1

    def test_3d_secure(self, till: Till, world: World) -> None:
        assert till.buy(world.customer(), person.SECURE).state == PaymentState.SUCCEEDED

    def test_pressing_pay_twice_opens_one_payment(self, till: Till, world: World, shop: Shop) -> None:
        alice = world.customer()
        order = shop.order(alice)
        first = till.start(order, alice, key="one")
        assert till.start(order, alice, key="one") == first
        assert till.start(order, alice, key="two") == first
        assert len(till.bank.store.where("checkout.session")) == 1

    def test_the_same_answer_twice_changes_nothing(self, till: Till, world: World) -> None:
        payment = till.buy(world.customer())
        for state in (PaymentState.SUCCEEDED, PaymentState.FAILED, PaymentState.WAITING):
            finding = payments.Finding(state, payment.provider_ref or "", payment.amount_cents)
            assert payments.conclude(payment.pk, finding, now=world.now).state == PaymentState.SUCCEEDED
        assert (Invoice.objects.count(), Subscription.objects.count()) == (1, 1)
        assert till.booked() == payment.amount_cents

    def test_another_amount_is_never_taken_for_the_right_one(self, till: Till, world: World, shop: Shop) -> None:
        alice = world.customer()
        payment = till.start(shop.order(alice), alice)
        with pytest.raises(ValueError, match="instead of"):
            payments.conclude(payment.pk, payments.Finding(PaymentState.SUCCEEDED, "pi_1", 1), now=world.now)

    def test_a_paid_order_cannot_be_paid_again(self, till: Till, world: World) -> None:
        alice = world.customer()
        order = till.buy(alice).order
        with pytest.raises(RuleViolation):
            till.start(order, alice, key="again")

    def test_the_card_is_kept_only_on_wish(self, till: Till, world: World) -> None:
        till.buy(world.customer())
        assert not PaymentMethod.objects.exists()
        alice = world.customer()
        till.buy(alice, keep=True)
        card = PaymentMethod.objects.get()
        assert (card.account, str(card), card.exp_year, card.is_default) == (
            alice.account,
            "visa •••• 4242",
            2034,
            True,
        )


class TestRefused:
    @pytest.mark.parametrize("number", [person.DECLINED, person.POOR, person.EXPIRED])
    def test_the_order_ends_and_nothing_is_left(self, till: Till, world: World, shop: Shop, number: str) -> None:
        alice = world.customer()
        order = shop.order(alice)
        payment = till.start(order, alice)
        till.pay(payment, number)
        till.deliver()
        world.work()
        order.refresh_from_db()
        payment.refresh_from_db()
        assert (order.state, order.cancel_reason) == (OrderState.CANCELLED, ordering.REFUSED)
        assert payment.state == PaymentState.FAILED
        assert payment.decline_code in {"generic_decline", "insufficient_funds", "expired_card"}
        assert not NumberSeries.objects.exists()
        assert not Invoice.objects.exists()
        assert shop.service.done == []
        assert till.booked() == 0

    def test_its_page_is_closed_so_a_second_card_cannot_pay_a_dead_order(
        self, till: Till, world: World, shop: Shop
    ) -> None:
        alice = world.customer()
        payment = till.start(shop.order(alice), alice)
        till.pay(payment, person.DECLINED)
        till.deliver()
        world.work()
        till.pay(payment, person.GOOD)
        assert till.booked() == 0

    def test_a_second_card_that_is_faster_than_the_message_pays(self, till: Till, world: World, shop: Shop) -> None:
        alice = world.customer()
        order = shop.order(alice)
        payment = till.start(order, alice)
        till.pay(payment, person.DECLINED)
        till.pay(payment, person.GOOD)
        till.deliver()
        world.work()
        order.refresh_from_db()
        assert order.state == OrderState.PAID

    def test_refusing_the_banks_question(self, till: Till, world: World, shop: Shop) -> None:
        alice = world.customer()
        order = shop.order(alice)
        payment = till.start(order, alice)
        person.answer_challenge(person.type_card(payment.action_url, person.SECURE), "refuse")
        till.deliver()
        world.work()
        order.refresh_from_db()
        assert order.cancel_reason == ordering.REFUSED


class TestWithdrawn:
    def test_before_paying_the_page_is_closed(self, till: Till, world: World, shop: Shop) -> None:
        alice = world.customer()
        order = shop.order(alice)
        payment = till.start(order, alice)
        payments.cancel_order(order, actor=alice.actor, now=world.now)
        world.work()
        order.refresh_from_db()
        payment.refresh_from_db()
        assert (order.cancel_reason, payment.state) == (ordering.WITHDRAWN, PaymentState.CANCELLED)
        till.sync()
        person.type_card(f"{till.bank.base}/c/{payment.checkout_ref}", person.GOOD)
        assert till.booked() == 0

    def test_paid_in_the_same_moment_the_payment_counts(self, till: Till, world: World, shop: Shop) -> None:
        alice = world.customer()
        order = shop.order(alice)
        payment = till.start(order, alice)
        till.pay(payment)
        payments.cancel_order(order, actor=alice.actor, now=world.now)
        world.work()
        order.refresh_from_db()
        assert order.state == OrderState.PAID

    def test_without_a_payment_it_ends_at_once(self, till: Till, world: World, shop: Shop) -> None:
        alice = world.customer()
        order = payments.cancel_order(shop.order(alice), actor=alice.actor, now=world.now)
        assert order.state == OrderState.CANCELLED

    def test_money_for_a_cancelled_order_goes_back(self, till: Till, world: World, shop: Shop) -> None:
        alice = world.customer()
        order = shop.order(alice)
        payment = till.start(order, alice)
        till.pay(payment)
        ordering.cancel(order, "no longer sold", actor=world.staff("billing"), now=world.now)
        till.deliver()
        world.work()
        refund = Refund.objects.get()
        assert (refund.state, refund.amount_cents) == ("succeeded", order.total_cents)
        assert till.booked() == 0
        assert ledger.balance(ledger.CUSTOMERS, alice.account) == 0
        assert not Invoice.objects.exists()

    def test_a_page_nobody_used_expires_and_the_order_can_still_be_paid(
        self, till: Till, world: World, shop: Shop
    ) -> None:
        alice = world.customer()
        order = shop.order(alice)
        payment = till.start(order, alice)
        world.now = world.now.replace(day=world.now.day + 1, hour=12)
        till.deliver()
        world.work()
        order.refresh_from_db()
        payment.refresh_from_db()
        assert (order.state, payment.state) == (OrderState.AWAITING_PAYMENT, PaymentState.CANCELLED)
        till.pay(till.start(order, alice, key="again"))
        till.deliver()
        world.work()
        order.refresh_from_db()
        assert order.state == OrderState.PAID


class TestTroubleOnTheWay:
    def test_answers_lost_after_the_effect(self, till: Till, world: World, shop: Shop) -> None:
        alice = world.customer()
        order = shop.order(alice)
        for path in ("/v1/customers", "/v1/checkout/sessions"):
            till.bank.control("mischief", kind="drop", path=path)
        payment = till.start(order, alice)
        assert payment.state == PaymentState.NEW
        for _ in range(3):
            world.advance(minutes=1)
        payment.refresh_from_db()
        assert payment.state == PaymentState.WAITING
        assert len(till.bank.store.where("checkout.session")) == len(till.bank.store.where("customer")) == 1

    def test_a_provider_out_of_reach_refuses_nothing(self, till: Till, world: World, shop: Shop) -> None:
        alice = world.customer()
        order = shop.order(alice)
        till.bank.control("mischief", kind="fail", path="/v1/", times=100, value=503)
        payment = till.start(order, alice)
        for _ in range(30):
            world.advance(hours=1)
        payment.refresh_from_db()
        order.refresh_from_db()
        assert (payment.state, payment.decline_code) == (PaymentState.FAILED, "out_of_reach")
        assert order.state == OrderState.AWAITING_PAYMENT
        assert [operation.kind for operation in world.failed_operations()] == [payments.OPEN]

    @pytest.mark.parametrize("withdrawn", [False, True])
    def test_a_page_that_staff_discards_before_it_is_open_holds_up_no_order(
        self, till: Till, world: World, shop: Shop, withdrawn: bool
    ) -> None:
        """SUB-3: it can be paid anew or expires; one that its customer had withdrawn by then has ended."""
        alice = world.customer()
        order = shop.order(alice)
        till.bank.control("mischief", kind="fail", path="/v1/", times=2, value=503)
        payment = till.start(order, alice)
        if withdrawn:
            payments.cancel_order(order, actor=alice.actor, now=world.now)
        opening = Operation.objects.get(kind=payments.OPEN)
        assert (payment.state, opening.state) == (PaymentState.NEW, "due")
        repairs.discard(opening.pk, reason="the provider is down", actor=world.staff("billing"), now=world.now)
        payment.refresh_from_db()
        order.refresh_from_db()
        if withdrawn:
            assert (payment.state, order.state) == (PaymentState.CANCELLED, OrderState.CANCELLED)
            return
        assert (payment.state, order.state) == (PaymentState.FAILED, OrderState.AWAITING_PAYMENT)
        world.advance(minutes=1)
        till.bank.store.set("mischief", [])
        till.pay(till.start(order, alice, key="again"))
        till.deliver()
        world.work()
        order.refresh_from_db()
        assert order.state == OrderState.PAID
