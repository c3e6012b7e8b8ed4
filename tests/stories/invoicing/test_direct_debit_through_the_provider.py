"""As a customer I sign a mandate once and my renewals are debited; a debit that fails or comes back leaves the invoice
open, and is never mine to fear twice (INV-5, INV-7, INV-11, SUB-3)."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from invoicing.accounting import ledger
from invoicing.funding import funds, topping_up
from invoicing.models import Dispute, Invoice, Payment, PaymentMethod, Refund, RejectionNotice
from invoicing.paying import card_setup, disputes, means, payments, refunds, webhooks
from invoicing.selling_by_hand import repaying
from invoicing.taxing import declared
from panel.core.calendars import paris_date
from panel.core.errors import RuleViolation
from panel.core.models import Operation
from tests.support import bank as person
from tests.support.shop import Shop
from tests.support.till import Till, open_till
from tests.support.world import Customer, World

pytestmark = pytest.mark.django_db
PAGE = "http://testserver/billing/means/?back=1"


@pytest.fixture
def till(world: World, shop: Shop, settings: Any) -> Iterator[Till]:
    with open_till(world, shop, settings) as opened:
        yield opened


def sign(till: Till, world: World, alice: Customer, iban: str = person.IBAN) -> PaymentMethod:
    till.sync()
    setup = card_setup.begin(
        alice.account, return_url=PAGE, key=f"sign:{iban}", actor=alice.actor, now=world.now, kind="sepa"
    )
    world.work()
    setup.refresh_from_db()
    person.sign_mandate(setup.action_url, iban)
    card_setup.came_back(setup, now=world.now)
    world.work()
    return PaymentMethod.objects.filter(account=alice.account, kind="sepa").latest("pk")


def pass_days(till: Till, world: World, days: float) -> None:
    world.advance(days=days)
    till.deliver()
    world.work()


def debited(till: Till, world: World, iban: str = person.IBAN) -> tuple[Customer, Invoice]:
    """A renewal that is with the bank."""
    alice = world.customer()
    till.buy(alice)
    sign(till, world, alice, iban)
    world.advance(days=31)
    till.sync()
    world.sweep("invoicing.renew")
    world.work()
    return alice, Invoice.objects.filter(account=alice.account).latest("pk")


class TestMandate:
    def test_signed_once_with_its_reference(self, till: Till, world: World) -> None:
        means = sign(till, world, world.customer())
        assert (means.last4, means.is_default) == ("3000", True)
        assert len(means.mandate_reference) == 16
        assert means.mandate_signed_at == world.now

    def test_a_broken_account_number_keeps_nothing(self, till: Till, world: World) -> None:
        alice = world.customer()
        till.sync()
        setup = card_setup.begin(alice.account, return_url=PAGE, key="x", actor=alice.actor, now=world.now, kind="sepa")
        world.work()
        setup.refresh_from_db()
        assert "problem=invalid_iban" in person.sign_mandate(setup.action_url, "DE89 3704 0044 0532 0130 99")
        card_setup.came_back(setup, now=world.now)
        world.work()
        setup.refresh_from_db()
        assert setup.state == "waiting"
        assert not PaymentMethod.objects.exists()

    def test_a_first_payment_is_never_a_debit(self, till: Till, world: World, shop: Shop) -> None:
        alice = world.customer()
        means = sign(till, world, alice)
        order = shop.order(alice)
        with pytest.raises(RuleViolation) as refused:
            payments.take(
                alice.account, order.total_cents, purpose=order, key="k", actor=alice.actor, now=world.now,
                method=means,
            )  # fmt: skip
        assert refused.value.rule == "SUB-3"
        with pytest.raises(RuleViolation):
            topping_up.begin(alice.account, 5_000, key="k", actor=alice.actor, now=world.now, method=means)
        assert not Payment.objects.exists()


class TestDebit:
    def test_with_the_bank_for_days_then_paid(self, till: Till, world: World) -> None:
        _alice, invoice = debited(till, world)
        payment = Payment.objects.get(invoice=invoice)
        assert (payment.state, invoice.state) == ("processing", "open")
        assert till.booked() == Payment.objects.exclude(pk=payment.pk).get().amount_cents
        pass_days(till, world, 4)
        invoice.refresh_from_db()
        assert invoice.state == "paid"
        assert invoice.settlements.get().means == "sepa"
        till.booked()

    def test_one_that_fails_is_told_and_tried_again(self, till: Till, world: World) -> None:
        alice, invoice = debited(till, world, person.IBAN_FAILS)
        pass_days(till, world, 4)
        invoice.refresh_from_db()
        assert invoice.state == "open"
        assert len(world.mails("payment_refused", alice.account)) == 1
        world.advance(days=3, sweeps=["payments.collect"])
        till.sync()
        pass_days(till, world, 4)
        assert list(Payment.objects.filter(invoice=invoice).values_list("state", flat=True)) == ["failed", "failed"]
        assert RejectionNotice.objects.filter(account=alice.account, ended_at=None).count() == 1
        till.booked()

    def test_a_return_after_six_weeks_opens_the_invoice_again(self, till: Till, world: World) -> None:
        alice, invoice = debited(till, world)
        pass_days(till, world, 4)
        pass_days(till, world, 42)
        payment = Payment.objects.get(invoice=invoice)
        till.bank.control("dispute", payment=payment.provider_ref, reason="debit_not_authorized", lost=True)
        till.deliver()
        world.work()
        invoice.refresh_from_db()
        assert (invoice.state, invoice.due_cents) == ("open", invoice.total_cents)
        assert ledger.balance(ledger.CUSTOMERS, alice.account) == invoice.total_cents
        assert list(invoice.settlements.values_list("means", "cents")) == [
            ("sepa", invoice.total_cents), ("returned", -invoice.total_cents),
        ]  # fmt: skip
        assert (Dispute.objects.get().state, len(world.mails("payment_returned"))) == ("lost", 1)
        world.advance(days=30, sweeps=["payments.collect"])
        assert Payment.objects.filter(invoice=invoice).count() == 1  # never debited a second time by itself
        till.booked()

    def test_while_the_bank_has_it_an_invoice_is_not_overdue(self, till: Till, world: World) -> None:
        """It is due on issue (INV-14), and the debit takes days of its own; one that fails is late from then on."""
        _alice, invoice = debited(till, world, person.IBAN_FAILS)
        world.advance(days=2, sweeps=["invoicing.renew", "invoicing.dun"])
        invoice.refresh_from_db()
        assert (invoice.state, len(world.mails("reminder_first"))) == ("open", 0)
        pass_days(till, world, 2)
        world.advance(sweeps=["invoicing.renew", "invoicing.dun"])
        invoice.refresh_from_db()
        assert (invoice.state, len(world.mails("reminder_first"))) == ("overdue", 1)

    def test_what_was_overdue_before_is_so_again_when_its_debit_returns(self, till: Till, world: World) -> None:
        alice, invoice = debited(till, world, person.IBAN_FAILS)
        pass_days(till, world, 4)
        world.sweep("invoicing.renew")
        means.make_default(sign(till, world, alice), actor=alice.actor, now=world.now)  # collected from it at once
        world.work()
        pass_days(till, world, 4)
        invoice.refresh_from_db()
        assert invoice.state == "paid"
        payment = Payment.objects.get(invoice=invoice, state="succeeded")
        till.bank.control("dispute", payment=payment.provider_ref, reason="debit_not_authorized", lost=True)
        pass_days(till, world, 42)
        invoice.refresh_from_db()
        assert (invoice.state, invoice.due_cents) == ("overdue", invoice.total_cents)
        assert ledger.balance(ledger.CUSTOMERS, alice.account) == invoice.total_cents
        till.booked()


class TestDisputedCard:
    def bought(self, till: Till, world: World, **kinds: str) -> tuple[Customer, Payment, Invoice]:
        alice = world.customer(**kinds)
        payment = till.buy(alice)
        return alice, payment, Invoice.objects.get(order=payment.order)

    def tell(self, till: Till, world: World, times: int = 1) -> None:
        parcels = till.parcels()
        for parcel in parcels[::-1] * times:  # the last first
            webhooks.receive(parcel.body, {"Stripe-Signature": parcel.signature}, now=world.now)
        for parcel in parcels:
            till.bank.courier.settle(parcel, 200)
        world.work()

    def test_won_it_is_paid_again(self, till: Till, world: World) -> None:
        _alice, payment, invoice = self.bought(till, world)
        made = till.bank.control("dispute", payment=payment.provider_ref)
        self.tell(till, world, 2)
        invoice.refresh_from_db()
        assert (invoice.state, Dispute.objects.get().state) == ("open", "open")
        assert [op.payload["why"] for op in world.failed_operations()] == ["disputed"]
        assert till.booked() == 0
        with pytest.raises(RuleViolation):
            refunds.give_back(
                payment, 100, reason="x", key="r", actor=world.staff("billing"), now=world.now, unused=True
            )
        till.bank.control("dispute", close=made["dispute"], won=True)
        self.tell(till, world, 2)
        invoice.refresh_from_db()
        assert (invoice.state, Dispute.objects.get().state) == ("paid", "won")
        assert till.booked() == payment.amount_cents

    def test_lost_it_stays_owed(self, till: Till, world: World) -> None:
        alice, payment, invoice = self.bought(till, world)
        made = till.bank.control("dispute", payment=payment.provider_ref)
        till.bank.control("dispute", close=made["dispute"], won=False)
        self.tell(till, world, 3)
        invoice.refresh_from_db()
        assert (invoice.due_cents, Dispute.objects.get().state) == (invoice.total_cents, "lost")
        assert ledger.balance(ledger.CUSTOMERS, alice.account) == invoice.total_cents
        till.booked()

    @pytest.mark.parametrize("refund", [False, True])
    def test_after_a_credit_only_what_it_left_is_owed(self, till: Till, world: World, refund: bool) -> None:
        """Paid 7.08, credited 3.54; then the bank takes all of it back. What was credited is not owed, and no longer
        there to be spent; what was refunded is a loss. The VAT office is told of nothing that was collected."""
        alice, payment, invoice = self.bought(till, world, kind="consumer", company="")
        half = [line.net_cents // 2 for line in invoice.lines.all()]
        repaying.credit(invoice, half, reason="x", refund=refund, key="k", actor=world.staff("billing"), now=world.now)
        world.work()
        made = till.bank.control("dispute", payment=payment.provider_ref)
        self.tell(till, world, 2)
        invoice.refresh_from_db()
        assert (invoice.state, invoice.due_cents, funds.balance(alice.account)) == ("open", 354, 0)
        assert ledger.balance(ledger.CUSTOMERS, alice.account) == 354
        assert ledger.balance(ledger.LOSSES) == (354 if refund else 0)
        day = paris_date(world.now)
        told = declared.collected(day, day + timedelta(days=1))
        assert (len(told), sum(cents for one in told for cents in one.by_rate.values())) == (3, 0)
        till.bank.control("dispute", close=made["dispute"], won=True)
        self.tell(till, world, 2)
        invoice.refresh_from_db()
        assert (invoice.state, ledger.balance(ledger.CUSTOMERS, alice.account)) == ("paid", 0)
        assert funds.balance(alice.account) == (0 if refund else 354)
        till.booked()

    def test_after_a_refund_it_is_a_loss(self, till: Till, world: World) -> None:
        """(invariant 10: the bank gives the customer the money a second time; the books call it a loss)"""
        _alice, payment, invoice = self.bought(till, world)
        nets = [line.net_cents for line in invoice.lines.all()]
        repaying.credit(invoice, nets, reason="x", refund=True, key="k", actor=world.staff("billing"), now=world.now)
        world.work()
        till.bank.control("dispute", payment=payment.provider_ref)
        self.tell(till, world, 2)
        dispute, payment = Dispute.objects.get(), Payment.objects.get()
        assert (dispute.returned_cents, dispute.loss_cents) == (0, payment.amount_cents)
        assert (payment.refunded_cents, payment.disputed_cents) == (payment.amount_cents, 0)
        assert ledger.balance(ledger.LOSSES) == payment.amount_cents
        assert (ledger.balance(ledger.CUSTOMERS), Refund.objects.count()) == (0, 1)
        assert till.booked() == -payment.amount_cents

    def test_of_a_top_up_takes_what_the_funds_still_hold(self, till: Till, world: World, shop: Shop) -> None:
        alice = world.customer()
        payment = topping_up.begin(
            alice.account, 5_000, key="k", actor=alice.actor, now=world.now, return_url="http://testserver/REFERENCE/"
        )
        world.work()
        payment.refresh_from_db()
        till.pay(payment)
        till.deliver()
        world.work()
        order = shop.order(alice)
        topping_up.pay_order(order, actor=alice.actor, now=world.now)
        payment.refresh_from_db()
        made = till.bank.control("dispute", payment=payment.provider_ref)
        self.tell(till, world)
        assert funds.balance(alice.account) == 0
        assert ledger.balance(ledger.CUSTOMERS, alice.account) == order.total_cents
        till.booked()
        till.bank.control("dispute", close=made["dispute"], won=True)
        self.tell(till, world)
        assert funds.balance(alice.account) == 5_000 - order.total_cents
        assert ledger.balance(ledger.CUSTOMERS, alice.account) == 0
        till.booked()

    def test_heard_of_before_the_payment_itself(self, till: Till, world: World, shop: Shop) -> None:
        """(INV-12: whatever the order of the messages, the result is the same)"""
        alice = world.customer()
        payment = till.start(shop.order(alice), alice)
        till.pay(payment)
        till.bank.control("dispute", payment=till.bank.store.where("payment_intent")[0]["id"])
        payments_first = till.parcels()
        for parcel in [one for one in payments_first if b"dispute" in one.body]:
            webhooks.receive(parcel.body, {"Stripe-Signature": parcel.signature}, now=world.now)
        world.work()
        assert not Dispute.objects.exists()
        for parcel in payments_first:
            webhooks.receive(parcel.body, {"Stripe-Signature": parcel.signature}, now=world.now)
        world.work()
        world.advance(minutes=2)
        assert Dispute.objects.get().returned_cents == payment.amount_cents
        till.booked()

    def test_of_a_payment_that_nobody_here_knows_goes_to_the_staff_after_a_day(
        self, till: Till, world: World, shop: Shop
    ) -> None:
        alice = world.customer()
        till.pay(till.start(shop.order(alice), alice))
        till.bank.control("dispute", payment=till.bank.store.where("payment_intent")[0]["id"])
        for parcel in [one for one in till.parcels() if b"dispute" in one.body]:
            webhooks.receive(parcel.body, {"Stripe-Signature": parcel.signature}, now=world.now)
        world.work()
        asked = Operation.objects.filter(kind=webhooks.Judge.kind)
        world.advance(hours=23)
        world.work()
        assert not asked.exists()
        world.advance(hours=3)
        world.work()
        assert (asked.get().state, asked.get().last_error) == ("failed", webhooks.SENTENCES[webhooks.STRANGE])

    def test_told_at_once_by_everybody_it_is_booked_once(self, till: Till, world: World) -> None:
        _alice, payment, _invoice = self.bought(till, world)
        till.bank.control("dispute", payment=payment.provider_ref, amount=300)
        found = [{"ref": "dp_1", "state": "open", "amount_cents": 300, "reason": "", "at": "2026-03-02T09:00:00+00:00",
                  "respond_by": ""}]  # fmt: skip
        for _ in range(3):
            disputes.conclude(payment.pk, found, now=world.now)
        assert (Dispute.objects.count(), ledger.balance(ledger.CLEARING)) == (1, payment.amount_cents - 300)
