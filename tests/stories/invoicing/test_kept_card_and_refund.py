"""As a customer my renewals are collected from my kept card once; what is given back comes back once
(INV-5, INV-11, REFUND)."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from invoicing.accounting import ledger, reconciling
from invoicing.chasing import pausing
from invoicing.issuing import invoices
from invoicing.models import (
    Invoice,
    Payment,
    PaymentMethod,
    PaymentState,
    Refund,
)
from invoicing.paying import collecting, means, payments, refunds
from panel.console import repairs
from panel.core import operations
from panel.core.errors import RuleViolation
from panel.core.models import Operation
from tests.support import bank as person
from tests.support.owing import transfer
from tests.support.shop import Shop
from tests.support.till import Till, open_till
from tests.support.world import World

pytestmark = pytest.mark.django_db


@pytest.fixture
def till(world: World, shop: Shop, settings: Any) -> Iterator[Till]:
    with open_till(world, shop, settings) as opened:
        yield opened


class TestKeptCard:
    @pytest.fixture
    def invoice(self, till: Till, world: World) -> Invoice:
        """A renewal of a customer with a kept card, issued a month later and not collected yet."""
        alice = world.customer()
        till.buy(alice, keep=True)
        world.advance(days=31)
        till.sync()
        world.sweep("invoicing.renew")
        return Invoice.objects.filter(account=alice.account).latest("pk")

    def test_a_renewal_is_collected_on_issue(self, till: Till, world: World, invoice: Invoice) -> None:
        assert invoice.state == "open"
        world.work()
        invoice.refresh_from_db()
        assert (invoice.state, invoice.due_cents) == ("paid", 0)
        assert till.booked() == 2 * invoice.total_cents

    def test_a_lost_answer_is_not_a_second_charge(self, till: Till, world: World, invoice: Invoice) -> None:
        till.bank.control("mischief", kind="drop", path="/v1/payment_intents")
        world.work()
        assert Payment.objects.get(invoice=invoice).state == PaymentState.NEW
        world.now += timedelta(hours=30)  # the provider has forgotten the idempotency key by then
        till.sync()
        world.work()
        invoice.refresh_from_db()
        assert invoice.state == "paid"
        assert len(till.bank.store.where("charge")) == 2

    def test_a_refusal_leaves_the_invoice_due(self, till: Till, world: World, invoice: Invoice) -> None:
        till.bank.control("mischief", kind="decline", value="insufficient_funds")
        world.work()
        payment = Payment.objects.get(invoice=invoice)
        invoice.refresh_from_db()
        assert (payment.state, payment.decline_code) == (PaymentState.FAILED, "insufficient_funds")
        assert (invoice.state, invoice.due_cents) == ("open", invoice.total_cents)
        again = payments.pay_invoice(
            invoice, method=PaymentMethod.objects.get(), key="again", actor=world.staff("billing"), now=world.now
        )
        world.work()
        again.refresh_from_db()
        assert again.state == PaymentState.SUCCEEDED

    def test_a_contested_invoice_is_not_collected(self, till: Till, world: World, invoice: Invoice) -> None:
        Invoice.objects.filter(pk=invoice.pk).update(collectable=False)
        world.work()
        assert not Payment.objects.filter(invoice=invoice).exists()

    def test_given_up_nothing_is_concluded_before_the_provider_was_asked(
        self, till: Till, world: World, invoice: Invoice
    ) -> None:
        till.bank.control("mischief", kind="drop", path="/v1/payment_intents", times=50)
        for _ in range(30):
            world.advance(hours=1)
            till.sync()
        payment = Payment.objects.get(invoice=invoice)
        assert payment.state == PaymentState.NEW
        assert [operation.kind for operation in world.failed_operations()] == [payments.CHARGE]
        till.bank.store.set("mischief", [])
        world.advance(minutes=30, sweeps=["payments.reconcile"])
        payment.refresh_from_db()
        assert payment.state == PaymentState.SUCCEEDED
        assert len(till.bank.store.where("charge")) == 2

    def test_discarded_by_staff_it_is_looked_for_and_then_the_invoice_can_be_paid(
        self, till: Till, world: World, invoice: Invoice
    ) -> None:
        """INV-5: whether or not an answer was lost on the way is asked first."""
        till.bank.control("mischief", kind="drop_before", path="/v1/payment_intents")
        world.work()
        payment = Payment.objects.get(invoice=invoice)
        charge = Operation.objects.get(kind=payments.CHARGE)
        assert (payment.state, charge.state) == (PaymentState.NEW, "due")
        repairs.discard(charge.pk, reason="paid otherwise", actor=world.staff("billing"), now=world.now)
        world.advance(minutes=11, sweeps=["payments.reconcile"])
        payment.refresh_from_db()
        assert (payment.state, payment.decline_code) == (PaymentState.FAILED, "out_of_reach")
        again = payments.pay_invoice(
            invoice, method=PaymentMethod.objects.get(), key="again", actor=world.staff("billing"), now=world.now
        )
        world.work()
        again.refresh_from_db()
        assert (again.state, len(till.bank.store.where("charge"))) == (PaymentState.SUCCEEDED, 2)

    def test_contested_before_the_provider_was_reached_it_is_not_charged(
        self, till: Till, world: World, invoice: Invoice
    ) -> None:
        """INV-1: decided, but not carried out yet; when the contest is over it is collected after all."""
        till.bank.control("mischief", kind="drop_before", path="/v1/payment_intents")
        world.work()
        pausing.stop(invoice, pausing.DISPUTE, now=world.now)
        world.advance(minutes=1)
        assert Payment.objects.get(invoice=invoice).state == PaymentState.CANCELLED
        assert len(till.bank.store.where("charge")) == 1  # the order's
        ended = pausing.go_on(invoice, pausing.DISPUTE, now=world.now)
        assert ended is not None
        collecting.collect_released(ended, now=world.now)
        world.work()
        invoice.refresh_from_db()
        assert (invoice.state, len(till.bank.store.where("charge"))) == ("paid", 2)

    @pytest.mark.parametrize(("arrived", "collected"), [(0, 0), (200, 200)])
    def test_settled_meanwhile_only_what_is_left_is_charged(
        self, till: Till, world: World, invoice: Invoice, arrived: int, collected: int
    ) -> None:
        """A transfer comes in while the provider cannot be reached: all of it, or all but `arrived` cents."""
        till.bank.control("mischief", kind="drop_before", path="/v1/payment_intents")
        world.work()
        transfer(world, invoice, invoice.due_cents - arrived)
        world.advance(minutes=1)
        invoice.refresh_from_db()
        assert invoice.state == "paid"
        assert [charge["amount"] for charge in till.bank.store.where("charge")][:-1] == [collected] * bool(collected)
        assert ledger.funds(invoice.account) == 0

    def test_a_removed_card_is_forgotten_and_not_used(self, till: Till, world: World, invoice: Invoice) -> None:
        card = PaymentMethod.objects.get()
        means.remove(card, actor=world.staff("billing"), now=world.now)
        world.work()
        assert not Payment.objects.filter(invoice=invoice).exists()
        assert till.bank.store.get("payment_method", card.ref)["customer"] is None
        card.refresh_from_db()
        with pytest.raises(RuleViolation):
            payments.pay_invoice(invoice, method=card, key="k", actor=world.staff("billing"), now=world.now)

    def test_another_accounts_card_is_refused(self, till: Till, world: World, invoice: Invoice) -> None:
        bob = world.customer("Bob")
        till.buy(bob, keep=True)
        with pytest.raises(RuleViolation):
            payments.pay_invoice(
                invoice, method=PaymentMethod.objects.get(account=bob.account), key="k", actor=bob.actor, now=world.now
            )


class TestRefund:
    def freed(self, till: Till, world: World) -> Payment:
        """A payment whose invoice staff credited: the money stands in the customer's funds."""
        payment = till.buy(world.customer())
        invoice = Invoice.objects.get()
        invoices.credit(
            invoice, None, reason="Not as agreed", once="credit", actor=world.staff("billing"), now=world.now
        )
        assert ledger.funds(payment.account) == payment.amount_cents
        return payment

    def give(self, payment: Payment, cents: int, key: str, world: World) -> Refund:
        return refunds.give_back(
            payment, cents, reason="goodwill", key=key, actor=world.staff("billing"), now=world.now
        )

    def test_in_parts_never_beyond(self, till: Till, world: World) -> None:
        payment = self.freed(till, world)
        self.give(payment, 500, "one", world)
        assert self.give(payment, 500, "one", world) == self.give(payment, 500, "one", world)
        with pytest.raises(RuleViolation):
            self.give(payment, payment.amount_cents - 499, "two", world)
        self.give(payment, payment.amount_cents - 500, "three", world)
        world.work()
        payment.refresh_from_db()
        assert payment.refunded_cents == payment.amount_cents
        assert till.booked() == 0
        assert ledger.funds(payment.account) == 0

    def test_not_without_a_credit_note(self, till: Till, world: World) -> None:
        payment = till.buy(world.customer())
        with pytest.raises(RuleViolation):
            self.give(payment, 100, "one", world)

    def test_a_lost_answer_is_not_a_second_refund(self, till: Till, world: World) -> None:
        payment = self.freed(till, world)
        till.bank.control("mischief", kind="drop", path="/v1/refunds")
        self.give(payment, 300, "one", world)
        world.work()
        world.now += timedelta(hours=30)
        till.sync()
        world.work()
        assert Refund.objects.get().state == "succeeded"
        assert len(till.bank.store.where("refund")) == 1

    def refused(self, till: Till, world: World) -> Payment:
        """The provider refuses for good to send EUR 3.00 back."""
        payment = self.freed(till, world)
        till.bank.control("mischief", kind="fail", path="/v1/refunds", value=400)
        self.give(payment, 300, "one", world)
        world.work()
        assert (Refund.objects.get().state, len(world.failed_operations())) == ("new", 1)
        return payment

    def test_one_refused_for_good_is_the_customers_money_again(self, till: Till, world: World) -> None:
        payment = self.refused(till, world)
        world.advance(minutes=11, sweeps=["payments.reconcile"])
        assert Refund.objects.get().state == "failed"
        assert ledger.funds(payment.account) == payment.amount_cents
        operations.retry(world.failed_operations()[0].pk, now=world.now)  # too late: nothing is sent any more
        world.work()
        assert not till.bank.store.where("refund")
        self.give(payment, payment.amount_cents, "two", world)
        world.work()
        assert (till.booked(), ledger.funds(payment.account)) == (0, 0)

    def test_one_refused_for_good_that_staff_tries_again_is_sent(self, till: Till, world: World) -> None:
        self.refused(till, world)
        operations.retry(world.failed_operations()[0].pk, now=world.now)
        world.advance(minutes=11, sweeps=["payments.reconcile"])
        assert Refund.objects.get().state == "succeeded"

    def test_one_given_up_by_staff_is_looked_for_first(self, till: Till, world: World) -> None:
        """The answer was lost: it is on its way in spite of everything."""
        payment = self.freed(till, world)
        till.bank.control("mischief", kind="drop", path="/v1/refunds")
        self.give(payment, 300, "one", world)
        world.work()
        operations.discard(Operation.objects.get(kind=refunds.REFUND).pk, reason="x", now=world.now)
        world.advance(minutes=11, sweeps=["payments.reconcile"])
        assert Refund.objects.get().state == "succeeded"

    def test_one_that_is_not_sent_is_named_by_the_comparison(self, till: Till, world: World) -> None:
        payment = self.freed(till, world)
        till.bank.control("mischief", kind="fail", path="/v1/refunds", value=503, times=999)
        self.give(payment, 300, "one", world)
        for _ in range(4):
            world.advance(minutes=20, sweeps=["payments.reconcile"])
        assert Refund.objects.get().state == "new"
        found = [one for one in reconciling.compare(None, now=world.now) if one.ref == payment.reference]
        assert [(one.kind, one.expected, one.found) for one in found] == [("refund_differs", 300, 0)]

    def test_one_that_comes_back_is_the_customers_money_again(self, till: Till, world: World) -> None:
        payment = till.buy(world.customer(), person.REFUND_FAILS)
        invoices.credit(
            Invoice.objects.get(), None, reason="x", once="credit", actor=world.staff("billing"), now=world.now
        )
        self.give(payment, 300, "one", world)
        world.work()
        assert Refund.objects.get().state == "pending"
        world.advance(minutes=5)
        till.deliver()
        world.work()
        payment.refresh_from_db()
        assert (Refund.objects.get().state, payment.refunded_cents) == ("failed", 0)
        assert ledger.funds(payment.account) == payment.amount_cents
        assert till.booked() == payment.amount_cents
