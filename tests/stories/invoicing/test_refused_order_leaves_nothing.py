"""As a customer whose payment is refused I owe nothing, nothing was made, no number is lost (SUB-3)."""

from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from invoicing.accounting import ledger
from invoicing.models import Entry, Invoice, NumberSeries, Order, Payment, Refund, Subscription
from invoicing.paying import payments
from invoicing.paying.payments import Finding
from invoicing.subscribing import ordering
from panel.accounts import restrictions
from panel.core import due
from panel.core.actors import CLOCK, SYSTEM
from panel.core.errors import RuleViolation
from tests.support.shop import Shop
from tests.support.till import Till, open_till
from tests.support.world import World

pytestmark = pytest.mark.django_db


def test_a_refused_payment_cancels_and_leaves_nothing(world: World, shop: Shop) -> None:
    alice = world.customer()
    order = ordering.cancel(shop.order(alice), ordering.REFUSED, actor=SYSTEM, now=world.now)
    assert order.state == "cancelled"
    assert not Subscription.objects.exists()
    assert not Invoice.objects.exists()
    assert not Entry.objects.exists()
    assert not NumberSeries.objects.exists()
    assert shop.service.done == []
    world.work()
    (told,) = world.mails("order_cancelled")
    assert "the payment was refused" in told.content.body

    shop.buy(world.customer("Bob"))
    assert Invoice.objects.get().number == "F2026-000001"


def test_cancelling_twice_or_after_payment_changes_nothing(world: World, shop: Shop) -> None:
    alice = world.customer()
    subscription = shop.buy(alice)
    order = ordering.cancel(subscription.order, ordering.WITHDRAWN, actor=alice.actor, now=world.now)
    assert order.state == "paid"
    assert world.mails("order_cancelled") == []


def test_an_unpaid_order_expires(world: World, shop: Shop) -> None:
    order = shop.order(world.customer())
    world.until(order.expires_at, sweeps=["invoicing.expire"])
    order.refresh_from_db()
    assert order.state == "awaiting_payment", "the last instant is in time"
    world.advance(seconds=1, sweeps=["invoicing.expire"])
    order.refresh_from_db()
    assert (order.state, order.cancel_reason) == ("cancelled", ordering.EXPIRED)


def test_an_order_does_not_expire_while_its_payment_is_on_the_way(world: World, shop: Shop) -> None:
    order = shop.order(world.customer())
    payment = shop.payment(order)
    payment.state = "processing"
    payment.save(update_fields=["state"])
    world.advance(days=10, sweeps=["invoicing.expire"])
    assert Order.objects.get().state == "awaiting_payment"


def test_a_payment_that_begins_while_orders_expire_keeps_its_order(
    world: World, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found to be late; "Pay" is pressed before it is cancelled."""
    alice = world.customer()
    order = shop.order(alice)
    carry_out = due.each

    def each(ids: Iterable[int], deed: Callable[[int], object]) -> due.SweepReport:
        payments.pay_order(order, return_url="http://testserver/", key="late", actor=alice.actor, now=world.now)
        return carry_out(ids, deed)

    world.until(order.expires_at + timedelta(seconds=1))
    monkeypatch.setattr(due, "each", each)
    world.sweep("invoicing.expire")
    assert (Order.objects.get().state, Payment.objects.get().state) == ("awaiting_payment", "new")
    assert world.mails("order_cancelled") == []


class TestPaidAfterItExpired:
    """Whatever is paid for an order that has ended goes back, or to the funds, or to a person: never lost."""

    @pytest.fixture
    def till(self, world: World, shop: Shop, settings: Any) -> Iterator[Till]:
        with open_till(world, shop, settings) as opened:
            yield opened

    @pytest.fixture
    def late(self, till: Till, world: World, shop: Shop) -> Payment:
        """The provider's page is open, and the order has ended all the same."""
        alice = world.customer()
        payment = till.start(shop.order(alice), alice)
        assert payment.order is not None
        ordering.cancel(payment.order, ordering.EXPIRED, actor=CLOCK, now=world.now)
        return payment

    def test_it_goes_back_to_where_it_came_from(self, till: Till, world: World, late: Payment) -> None:
        till.pay(late)
        for _ in range(2):
            till.deliver()
            world.work()
        refund = Refund.objects.get()
        assert (refund.payment, refund.amount_cents, refund.state) == (late, late.amount_cents, "succeeded")
        assert till.booked() == 0
        assert ledger.balance(ledger.CUSTOMERS, late.account) == 0
        assert not Invoice.objects.exists()

    def test_what_cannot_go_back_is_the_customers_in_the_funds(self, till: Till, world: World, late: Payment) -> None:
        till.pay(late)
        till.bank.control("mischief", kind="fail", path="/v1/refunds", value=400)
        till.deliver()
        world.work()
        assert [op.kind for op in world.failed_operations()] == ["payments.refund"], "staff sees it at once"
        world.advance(minutes=11, sweeps=["payments.reconcile"])
        assert Refund.objects.get().state == "failed"
        assert ledger.balance(ledger.CUSTOMERS, late.account) == 0
        assert ledger.funds(late.account) == late.amount_cents
        assert till.booked() == late.amount_cents

    def test_money_of_a_payment_that_was_given_up_waits_for_a_person(
        self, till: Till, world: World, late: Payment
    ) -> None:
        page = Payment.objects.get(pk=late.pk)
        payments.conclude(late.pk, Finding("failed", decline_code="out_of_reach"), now=world.now)
        till.pay(page)
        till.deliver()
        world.work()
        (waits,) = world.failed_operations()
        assert (waits.kind, waits.account_id) == ("payments.judge", late.account_id)


def test_money_for_a_cancelled_order_is_booked_and_not_lost(world: World, shop: Shop) -> None:
    """The payment arrived after the end: no service, no invoice, but the customer's account shows what they gave."""
    alice = world.customer()
    order = shop.order(alice)
    ordering.cancel(order, ordering.WITHDRAWN, actor=alice.actor, now=world.now)
    assert ordering.paid(order, shop.payment(order), now=world.now) is None
    assert not Invoice.objects.exists()
    assert ledger.balance(ledger.CUSTOMERS, alice.account) == -order.total_cents
    assert ledger.total() == 0


def test_a_restricted_account_cannot_order(world: World, shop: Shop) -> None:
    """SUB-4, ACC-13: the reason is told, and nothing is written."""
    alice = world.customer()
    restrictions.restrict(
        alice.account, scope="account", rule="ABU-4", statement="No answer within 72 h.", author=CLOCK, now=world.now,
        key="case:ABU-4",
    )  # fmt: skip
    with pytest.raises(RuleViolation) as refused:
        shop.order(alice)
    assert refused.value.rule == "SUB-4"
    assert not Order.objects.exists()


def test_an_overdue_invoice_comes_first(world: World, shop: Shop) -> None:
    """SUB-4."""
    alice = world.customer()
    shop.buy(alice)
    world.advance(days=40, sweeps=["invoicing.renew"])
    world.advance(days=1, sweeps=["invoicing.renew"])
    with pytest.raises(RuleViolation) as refused:
        shop.order(alice)
    assert "overdue" in refused.value.sentence


def test_an_order_that_ended_meanwhile_is_not_paid_for(world: World, shop: Shop) -> None:
    """The page was opened before, "Pay" pressed after: what counts is the order as it is then."""
    alice = world.customer()
    order = shop.order(alice)
    seen = Order.objects.get(pk=order.pk)
    ordering.cancel(order, ordering.EXPIRED, actor=CLOCK, now=world.now)
    assert seen.state == "awaiting_payment"
    with pytest.raises(RuleViolation, match="cannot be paid any more"):
        payments.pay_order(seen, return_url="", keep=False, key="pay-1", actor=alice.actor, now=world.now)
    assert not Payment.objects.exists()
