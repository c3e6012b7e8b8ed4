"""As the provider I do not repeat what went wrong with money in other panels: each test is named after the report of a
bug in another program. Bugs that another story disproves are named there."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from invoicing import gateways
from invoicing.accounting import ledger, statements
from invoicing.funding import funds
from invoicing.models import (
    Entry,
    FundsCredit,
    Invoice,
    OrderState,
    Payment,
    PaymentState,
    Refund,
    Settlement,
    Subscription,
    SubscriptionPeriod,
)
from invoicing.paying import payments, settlement, webhooks
from invoicing.selling_by_hand import repaying
from panel.accounts.models import User
from panel.core.calendars import paris_date
from panel.core.models import Event
from tests.support.crowd import together
from tests.support.personas import logged_in
from tests.support.shop import Shop
from tests.support.till import Till, open_till
from tests.support.world import World

pytestmark = pytest.mark.django_db
_DAY = timedelta(days=1)


@pytest.fixture
def till(world: World, shop: Shop, settings: Any) -> Iterator[Till]:
    with open_till(world, shop, settings) as opened:
        yield opened


def renewed(till: Till, world: World, days: int = 31) -> Invoice:
    """The next month, invoiced and collected from the kept card."""
    world.now += (days) * _DAY
    till.sync()
    world.sweep("invoicing.renew")
    world.work()
    return Invoice.objects.latest("pk")


def test_fossbilling_3105_a_recurring_payment_pays_its_own_invoice_and_no_old_one_again(
    till: Till, world: World
) -> None:
    first = till.buy(world.customer(), keep=True)
    second, third = renewed(till, world), renewed(till, world, 30)
    event = Event.objects.filter(kind="invoicing.invoice.issued", data__invoice=second.number).get()
    for _ in range(3):  # told again, weeks later
        payments.collect(event, now=world.now)
        world.work()
    rows = Payment.objects.exclude(pk=first.pk).order_by("pk")
    assert [(row.invoice.number, row.state) for row in rows if row.invoice] == [
        (second.number, "succeeded"), (third.number, "succeeded"),
    ]  # fmt: skip
    assert list(second.settlements.values_list("cents", flat=True)) == [second.total_cents]
    assert till.booked() == first.amount_cents + second.total_cents + third.total_cents
    assert funds.balance(first.account) == 0


def test_fossbilling_950_money_that_came_has_an_entry_and_a_reason(till: Till, world: World, shop: Shop) -> None:
    """Money for an invoice settles that invoice; what is too much names the payment it came with, and is no sale."""
    alice = world.customer()
    till.buy(alice, keep=True)
    invoice = renewed(till, world)
    paid = Payment.objects.get(invoice=invoice)
    with transaction.atomic():  # and a transfer for it, with 5.00 more than it asked
        legs = [ledger.debit(ledger.BANK, 500), ledger.credit(ledger.CUSTOMERS, 500)]
        twice = ledger.post("transfer", "VIR-1", legs, now=world.now, account=alice.account)
        assert twice is not None
        settlement.pay(invoice.pk, 500, means="transfer", entry=twice, now=world.now)
    for payment in Payment.objects.filter(state=PaymentState.SUCCEEDED):
        assert Entry.objects.filter(kind="payment", ref=payment.reference).count() == 1
    assert Settlement.objects.get(entry__ref=paid.reference).invoice == invoice
    credit = FundsCredit.objects.get()
    assert (credit.cents, credit.entry.kind, credit.entry.ref) == (500, "to_funds", "transfer:VIR-1")
    assert ledger.balance(ledger.SALES) == -sum(Invoice.objects.values_list("net_cents", flat=True))


def test_fossbilling_2887_a_delivery_that_fails_is_tried_again_and_nothing_is_billed_twice(
    till: Till, world: World, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The provider's message counts, the machine cannot be asked for, and the billing run comes by meanwhile."""
    deliver, faults = shop.service.provision, [True, True]

    def broken(row: Subscription, **how: Any) -> None:
        if faults:
            faults.pop()
            raise RuntimeError("out of order")
        deliver(row, **how)

    monkeypatch.setattr(shop.service, "provision", broken)
    alice = world.customer()
    order = shop.order(alice)
    till.pay(till.start(order, alice))
    till.deliver()
    for _ in range(12):
        world.advance(minutes=10, sweeps=["payments.reconcile", "invoicing.renew"])
        till.deliver()
    order.refresh_from_db()
    assert (faults, order.state) == ([], OrderState.PAID)
    assert [what for what, _ref in shop.service.done] == ["provision"]
    assert (Subscription.objects.count(), Invoice.objects.count(), SubscriptionPeriod.objects.count()) == (1, 1, 1)
    assert till.booked() == order.total_cents


def test_paymenter_640_one_charge_is_one_payment(till: Till, world: World, shop: Shop) -> None:
    """The message comes twice, the customer comes back twice, staff looks: and the database itself knows a charge
    once."""
    alice = world.customer()
    payment = till.start(shop.order(alice), alice)
    till.pay(payment)
    for parcel in till.parcels() * 2:
        webhooks.receive(parcel.body, {"Stripe-Signature": parcel.signature}, now=world.now)
        payments.came_back(payment, now=world.now)
    world.work()
    payment.refresh_from_db()
    finding = payments.Finding(PaymentState.SUCCEEDED, payment.provider_ref or "", payment.amount_cents)
    for _ in range(3):  # and others who had asked the provider at the same time have their answer now
        payments.conclude(payment.pk, finding, now=world.now)
    assert (Payment.objects.count(), Settlement.objects.count(), Refund.objects.count()) == (1, 1, 0)
    assert Event.objects.filter(kind="invoicing.payment.succeeded").count() == 1
    assert till.booked() == payment.amount_cents
    copy = {"account": alice.account, "invoice": Invoice.objects.get(), "amount_cents": 1, "provider": "stripe"}
    copy |= {"created_at": world.now, "state": "failed"}
    Payment.objects.create(reference="PAY-2", key="k2", provider_ref="pi_another", **copy)
    with pytest.raises(IntegrityError), transaction.atomic():
        Payment.objects.create(reference="PAY-3", key="k3", provider_ref=payment.provider_ref, **copy)


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_lago_3223_two_messages_at_once_are_one_payment(till: Till, world: World) -> None:
    till.buy(world.customer(), keep=True)
    world.now += 31 * _DAY
    till.sync()
    world.sweep("invoicing.renew")
    invoice = Invoice.objects.latest("pk")
    world.work(kinds=["core.deliver"])
    payment = Payment.objects.get(invoice=invoice)
    finding = payments.Finding(PaymentState.SUCCEEDED, "pi_x", payment.amount_cents)
    deeds: list[Callable[[], Any]] = [lambda: payments.conclude(payment.pk, finding, now=world.now)] * 8
    together(deeds)
    invoice.refresh_from_db()
    assert (invoice.state, invoice.paid_cents) == ("paid", invoice.total_cents)
    assert Settlement.objects.filter(invoice=invoice).count() == 1
    assert Entry.objects.filter(kind="payment", ref=payment.reference).count() == 1
    assert Event.objects.filter(kind="invoicing.payment.succeeded", data__payment=payment.reference).count() == 1
    assert funds.balance(invoice.account) == 0


def test_killbill_289_a_payment_is_listed_once_however_often_it_was_refunded(
    till: Till, world: World, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    """The list of payments, what is found in it, the statement of account and the books, after two refunds of one
    payment, a part of which the bank then takes back too."""
    settings.CLAUSE_REQUIRE_STAFF_MFA = False
    payment = till.buy(world.customer())
    staff, invoice = world.staff("billing"), Invoice.objects.get()
    for number, cents in enumerate((200, 100)):
        repaying.credit(invoice, [cents], reason="x", refund=True, key=f"k{number}", actor=staff, now=world.now)
        world.work()
    payment.refresh_from_db()
    assert (payment.refunds.count(), payment.refunded_cents) == (2, 240 + 120)
    for _ in range(2):
        till.bank.control("dispute", payment=payment.provider_ref, amount=50)
    till.deliver()
    world.work()
    assert payment.disputes.count() == 2
    monkeypatch.setattr("panel.core.clock.now", lambda: world.now)
    console = logged_in(User.objects.get(pk=staff.user_id))
    assert payment.order is not None
    for asked in ("", f"?q={payment.reference}", f"?q={payment.order.reference}", "?state=disputed"):
        page = console.get(f"/ops/payments/{asked}").content.decode()
        assert page.count(f'href="/ops/payments/{payment.reference}/"') == 1, asked
    told = statements.of(payment.account, paris_date(world.now), paris_date(world.now))
    assert [row.movement.cents for row in told.rows if row.movement.kind == "payment"] == [-payment.amount_cents]
    assert till.booked() == payment.amount_cents - 460


def test_pretix_1230_what_the_provider_ended_does_not_stay_pending(till: Till, world: World, shop: Shop) -> None:
    """Its message was lost for good: the payment that is pending for long is asked for, and the order can be paid by a
    new one."""
    till.bank.control("weather", seed=1, never=1.0)
    alice = world.customer()
    order = shop.order(alice)
    payment = till.start(order, alice)
    gateways.get().close_checkout(payment.checkout_ref or "")
    till.bank.store.sql("DELETE FROM objects WHERE kind = 'event'")
    assert payment.state == PaymentState.WAITING
    world.advance(minutes=11, sweeps=["payments.reconcile"])
    payment.refresh_from_db()
    assert payment.state == PaymentState.CANCELLED
    till.bank.control("weather")
    again = till.start(order, alice, key="again")
    till.pay(again)
    till.deliver()
    world.work()
    order.refresh_from_db()
    assert (order.state, again.pk != payment.pk) == (OrderState.PAID, True)


def test_pretix_585_what_was_refunded_can_still_be_cancelled(till: Till, world: World) -> None:
    """A part was credited and refunded, then the rest is cancelled and goes back too: the notes mirror the invoice, and
    all that came in has gone out."""
    payment = till.buy(world.customer())
    staff, invoice = world.staff("billing"), Invoice.objects.get()
    repaying.credit(invoice, [100], reason="x", refund=True, key="part", actor=staff, now=world.now)
    world.work()
    repaying.credit(invoice, [490], reason="cancelled", refund=True, key="rest", actor=staff, now=world.now)
    world.work()
    notes = Invoice.objects.filter(credits=invoice)
    assert [sum(notes.values_list(name, flat=True)) for name in ("net_cents", "vat_cents", "total_cents")] == [
        invoice.net_cents, invoice.vat_cents, invoice.total_cents
    ]  # fmt: skip
    invoice.refresh_from_db()
    payment.refresh_from_db()
    assert (invoice.state, payment.refunded_cents, till.booked()) == ("credited", payment.amount_cents, 0)
