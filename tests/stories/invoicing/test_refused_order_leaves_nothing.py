"""As a customer whose payment is refused I owe nothing, nothing was made, no number is lost (SUB-3)."""

import pytest

from invoicing.accounting import ledger
from invoicing.models import Entry, Invoice, NumberSeries, Order, Payment, Subscription
from invoicing.paying import payments
from invoicing.subscribing import ordering
from panel.accounts import restrictions
from panel.core.actors import CLOCK, SYSTEM
from panel.core.errors import RuleViolation
from tests.support.shop import Shop
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
