"""As a provider with many customers at once I number without gap and bill nothing twice (INV-2, INV-11, SUB-5)."""

import random
from functools import partial

import pytest
from django.db import transaction

from invoicing.accounting import ledger
from invoicing.issuing import charging, invoices
from invoicing.models import BillingRun, Charge, Entry, Invoice, Settlement, Subscription, SubscriptionPeriod
from invoicing.paying import settlement
from invoicing.renewing import billing, billing_runs
from invoicing.subscribing import ordering
from panel import terms
from panel.core import operations
from tests.support.crowd import together
from tests.support.shop import Shop
from tests.support.world import World, paris

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]
MANY = 20


def sound(count: int) -> None:
    """Numbers 1..count without gap in one chain, books at zero, every paid invoice settled exactly."""
    numbers = list(Invoice.objects.filter(kind="invoice").order_by("position").values_list("position", flat=True))
    assert numbers == list(range(1, count + 1))
    assert invoices.verify() == []
    assert ledger.total() == 0
    for invoice in Invoice.objects.filter(state="paid"):
        assert sum(invoice.settlements.values_list("cents", flat=True)) == invoice.total_cents


def test_twenty_orders_paid_at_once(world: World, shop: Shop) -> None:
    """django-plans#118, PrestaShop#42821, hitobito#4005, django-oscar-invoices#17: the highest number and one was given
    twice."""
    orders = [shop.order(world.customer()) for _ in range(MANY)]
    payments = [shop.payment(order) for order in orders]
    pairs = [pair for pair in zip(orders, payments, strict=True) for _ in range(2)]  # every payment is told twice
    random.Random(7).shuffle(pairs)
    together([lambda o=order, p=payment: ordering.paid(o, p, now=world.now) for order, payment in pairs])
    assert Subscription.objects.count() == MANY
    assert Entry.objects.filter(kind="payment").count() == Settlement.objects.count() == MANY
    assert sorted(shop.service.done) == sorted(("provision", s.reference) for s in Subscription.objects.all())
    sound(MANY)


def test_two_sweeps_renew_everybody_once(world: World, shop: Shop) -> None:
    for _ in range(MANY):
        shop.buy(world.customer())
    later = paris("2026-05-02 00:01")
    reports = together([lambda: billing.run(later)] * 4)
    assert [report.failed for report in reports] == [[]] * 4
    assert SubscriptionPeriod.objects.count() == MANY * 3
    sound(MANY * 3)


def test_one_fee_whoever_asks(world: World, shop: Shop) -> None:
    alice = world.customer()
    order, version = shop.order(alice), terms.current(world.now)

    def charge() -> Charge:
        return charging.charge(
            alice.account, version.copyright.address_fee, description_key="address_deactivated", because=order,
            rule="ABU-3", once="CASE:ABU-3", terms_version=version.name, now=world.now,
        )  # fmt: skip

    assert len({made.pk for made in together([charge] * MANY)}) == 1
    sound(1)


def test_funds_are_never_spent_twice(world: World, shop: Shop) -> None:
    """INV-6: twenty invoices at once share one balance; it never goes below zero."""
    alice = world.customer()
    order, version = shop.order(alice), terms.current(world.now)
    with transaction.atomic():
        ledger.post("gift", "1", [ledger.debit(ledger.BANK, 25_000), ledger.credit(ledger.CUSTOMERS, 25_000)],
                    now=world.now, account=alice.account)  # fmt: skip
        settlement.to_funds(alice.account, 25_000, ref="gift:1", now=world.now)

    def charge(once: str) -> Charge:
        return charging.charge(
            alice.account, 9_000, description_key="address_deactivated", because=order, rule="ABU-3", once=once,
            terms_version=version.name, now=world.now,
        )  # fmt: skip

    together([lambda once=f"fee {n}": charge(once) for n in range(MANY)])
    assert ledger.funds(alice.account) == 0
    assert sum(Settlement.objects.filter(means="funds").values_list("cents", flat=True)) == 25_000
    sound(MANY)


def test_staff_the_clock_and_a_payment_at_the_same_instant_renew_once(world: World, shop: Shop) -> None:
    """FOSSBilling#3106: a webhook, the periodic job and a click of staff at once; each subscription is renewed once."""
    orders = [shop.order(world.customer()) for _ in range(6)]
    payments = [shop.payment(order) for order in orders]
    for order, payment in zip(orders, payments, strict=True):
        ordering.paid(order, payment, now=world.now)
    later, clerk = paris("2026-04-02 00:01"), world.staff("billing")
    run = billing_runs.start(key="press", dry=False, actor=clerk, now=later)

    def press() -> object:
        billing_runs.start(key="press", dry=False, actor=clerk, now=later)
        return operations.run_due(later, kinds=["invoicing.billing_run"])

    told = [partial(ordering.paid, order, payment, now=later) for order, payment in zip(orders, payments, strict=True)]
    reports = together(
        [lambda: billing_runs.by_clock(later), press, lambda: billing_runs.by_clock(later), press, *told]
    )
    assert [report.failed for report in reports if hasattr(report, "failed")] == [[], []]
    assert SubscriptionPeriod.objects.count() == 6 * 2
    run.refresh_from_db()
    assert (run.state, run.expected, run.billed, run.failed) == ("done", 6, 6, 0)
    assert BillingRun.objects.count() == 2
    sound(6 * 2)
