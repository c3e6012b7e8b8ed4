"""As a customer I add funds in advance; they pay my invoices before any other means and never more than is there
(INV-6, SUB-3)."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.test import Client

from invoicing.accounting import ledger, receivables
from invoicing.funding import funds, taken_back, topping_up
from invoicing.issuing import invoices
from invoicing.models import FundsCredit, FundsDebit, Invoice, Payment, PaymentMethod, Refund, Settlement, TopUp
from invoicing.paying import payments, reconcile_payments, refunds, settlement, webhooks
from invoicing.selling_by_hand import manual_sales, paying_back, sending_back, unmet
from panel.accounts import approvals, tokens
from panel.accounts.models import Membership
from panel.console import work
from panel.core import operations
from panel.core.calendars import paris_date
from panel.core.errors import RuleViolation
from panel.core.money import format_eur
from tests.support import bank as person
from tests.support.personas import logged_in
from tests.support.shop import Shop
from tests.support.till import Till, open_till
from tests.support.world import Customer, World

pytestmark = pytest.mark.django_db
PAGE = "http://testserver/billing/funds/REFERENCE/"


@pytest.fixture
def till(world: World, shop: Shop, settings: Any) -> Iterator[Till]:
    with open_till(world, shop, settings) as opened:
        yield opened


def ask(till: Till, world: World, alice: Customer, cents: int, key: str = "form-1", **how: Any) -> Payment:
    till.sync()
    payment = topping_up.begin(alice.account, cents, key=key, actor=alice.actor, now=world.now, return_url=PAGE, **how)
    world.work(kinds=[payments.OPEN, payments.CHARGE])
    payment.refresh_from_db()
    return payment


def add(till: Till, world: World, alice: Customer, cents: int, key: str = "form-1") -> Payment:
    payment = ask(till, world, alice, cents, key)
    till.pay(payment)
    till.deliver()
    world.work()
    payment.refresh_from_db()
    return payment


class TestTakenBackAfterItWasSpent:
    """INV-11: the bank takes a top-up back when most of it has paid for something."""

    def spent(self, till: Till, world: World, shop: Shop) -> tuple[Customer, Payment, str]:
        """EUR 50.00 added, an order paid from it, all of it disputed: the customer, the payment, the dispute."""
        alice = world.customer()
        payment = add(till, world, alice, 5_000)
        topping_up.pay_order(shop.order(alice), actor=alice.actor, now=world.now)
        made = till.bank.control("dispute", payment=payment.provider_ref)
        self.tell(till, world)
        return alice, payment, made["dispute"]

    def tell(self, till: Till, world: World) -> None:
        till.deliver()
        world.work()

    def test_staff_and_customer_see_what_is_owed(
        self, till: Till, world: World, shop: Shop, settings: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        settings.CLAUSE_REQUIRE_STAFF_MFA = False
        monkeypatch.setattr("panel.core.clock.now", lambda: world.now)
        alice, payment, _dispute = self.spent(till, world, shop)
        cents = Invoice.objects.get().total_cents
        assert (funds.balance(alice.account), taken_back.owed(alice.account)) == (0, cents)
        assert settlement.owed(alice.account) == cents
        (queue,) = [one for one in work.queues(world.staff("billing"), now=world.now) if "took back" in one.title]
        (row,) = queue.rows
        assert (row.title, row.note) == (str(alice.account), f"{format_eur(cents, 'en')} \u00b7 {payment.reference}")
        assert row.url == f"/ops/payments/{payment.reference}/"
        with pytest.raises(RuleViolation, match="took back funds"):
            shop.order(alice)
        page = logged_in(alice.user).get("/billing/funds/").content.decode()
        assert "Your bank took back funds that you had spent" in page
        (mail,) = world.mails("funds_taken_back", alice.account)
        assert payment.reference in mail.content.body
        assert receivables.of(alice.account.pk) == []

    def test_the_next_funds_settle_it_first(self, till: Till, world: World, shop: Shop) -> None:
        alice, _payment, _dispute = self.spent(till, world, shop)
        cents = Invoice.objects.get().total_cents
        add(till, world, alice, 1_000, "again")
        assert (funds.balance(alice.account), taken_back.owed(alice.account)) == (1_000 - cents, 0)
        assert ledger.balance(ledger.CUSTOMERS, alice.account) == 0
        assert "Settled with it" in world.mails("funds_credited", alice.account)[-1].content.body
        assert not next(one for one in work.queues(world.staff("billing"), now=world.now) if "took" in one.title).total
        assert shop.order(alice).total_cents == cents
        assert receivables.of(alice.account.pk) == []
        till.booked()

    @pytest.mark.parametrize("added", [0, 100, 1_000])
    def test_a_dispute_that_is_won_gives_back_what_was_made_good(
        self, till: Till, world: World, shop: Shop, added: int
    ) -> None:
        alice, _payment, dispute = self.spent(till, world, shop)
        if added:
            manual_sales.record_payment(
                alice.account, added, means="transfer", reference="T-1", received_on=paris_date(world.now),
                invoice=None, actor=world.staff("billing"), now=world.now,
            )  # fmt: skip
        till.bank.control("dispute", close=dispute, won=True)
        self.tell(till, world)
        assert taken_back.owed(alice.account) == 0
        assert funds.balance(alice.account) == 5_000 + added - Invoice.objects.get().total_cents
        assert ledger.balance(ledger.CUSTOMERS, alice.account) == 0
        assert receivables.of(alice.account.pk) == []
        till.booked()


class TestToppingUp:
    def test_it_is_no_sale(self, till: Till, world: World) -> None:
        """Credit in the books, a receipt by mail, no invoice and no VAT (FOSSBilling#2988: it was spent on its own)."""
        alice = world.customer()
        payment = add(till, world, alice, 5_000)
        assert (payment.state, funds.balance(alice.account)) == ("succeeded", 5_000)
        assert (ledger.balance(ledger.FUNDS), ledger.balance(ledger.CLEARING)) == (-5_000, 5_000)
        assert ledger.balance(ledger.CUSTOMERS) == ledger.balance(ledger.VAT) == ledger.balance(ledger.SALES) == 0
        assert not Invoice.objects.exists()
        (mail,) = world.mails("funds_credited", alice.account)
        assert "EUR\u00a050.00" in mail.content.body
        assert "no invoice" in mail.content.body
        assert TopUp.objects.get().credited_at == world.now
        assert till.booked() == 5_000

    def test_nothing_can_be_spent_before_it_arrived(self, till: Till, world: World, shop: Shop) -> None:
        """(lago-api#4326, boxbilling#479: neither an open page nor a sweep credits anything)"""
        alice = world.customer()
        payment = ask(till, world, alice, 10_000)
        for _ in range(3):
            world.advance(hours=1, sweeps=["payments.reconcile", "invoicing.renew", "invoicing.expire"])
            till.sync()
        assert (payment.state, funds.balance(alice.account)) == ("waiting", 0)
        with pytest.raises(RuleViolation):
            topping_up.pay_order(shop.order(alice), actor=alice.actor, now=world.now)
        till.pay(payment)
        till.deliver()
        world.advance(hours=1, sweeps=["payments.reconcile", "invoicing.renew", "invoicing.expire"])
        assert (funds.balance(alice.account), FundsCredit.objects.count()) == (10_000, 1)

    def test_told_many_times_it_is_credited_once(self, till: Till, world: World) -> None:
        """The webhook, its repeats, the listing, and the customer coming back."""
        alice = world.customer()
        payment = ask(till, world, alice, 5_000)
        till.pay(payment)
        for parcel in till.parcels() * 3:
            webhooks.receive(parcel.body, {"Stripe-Signature": parcel.signature}, now=world.now)
        payments.came_back(payment, now=world.now)
        world.work()
        world.now += timedelta(hours=1)
        till.sync()
        reconcile_payments.reconcile(world.now)
        world.work()
        assert funds.balance(alice.account) == 5_000
        assert len(world.mails("funds_credited")) == 1

    def test_a_double_click_is_one_top_up(self, till: Till, world: World) -> None:
        alice = world.customer()
        assert ask(till, world, alice, 5_000) == ask(till, world, alice, 5_000)
        with pytest.raises(RuleViolation):
            ask(till, world, alice, 6_000)
        assert Payment.objects.count() == 1

    def test_from_a_kept_card_at_once(self, till: Till, world: World) -> None:
        alice = world.customer()
        till.buy(alice, keep=True)
        ask(till, world, alice, 2_500, method=PaymentMethod.objects.get())
        assert funds.balance(alice.account) == 2_500
        till.booked()

    def test_a_refused_card_adds_nothing(self, till: Till, world: World) -> None:
        alice = world.customer()
        till.buy(alice, keep=True)
        till.bank.control("mischief", kind="decline", value="insufficient_funds")
        assert ask(till, world, alice, 2_500, method=PaymentMethod.objects.get()).state == "failed"
        assert funds.balance(alice.account) == 0

    @pytest.mark.parametrize(("cents", "good"), [(999, False), (1_000, True), (200_000, True), (200_001, False)])
    def test_between_10_and_2000_euros_at_once(self, till: Till, world: World, cents: int, good: bool) -> None:
        alice = world.customer()
        if good:
            assert ask(till, world, alice, cents).amount_cents == cents
        else:
            with pytest.raises(RuleViolation) as refused:
                ask(till, world, alice, cents)
            assert (refused.value.rule, refused.value.field) == ("INV-6", "amount")


class TestSpending:
    def test_the_next_invoice_takes_them_before_the_card(self, till: Till, world: World) -> None:
        alice = world.customer()
        first = till.buy(alice, keep=True, package="vps-l")
        add(till, world, alice, 1_000)
        world.advance(days=31)
        till.sync()
        world.sweep("invoicing.renew")
        world.work()
        renewal = Invoice.objects.latest("pk")
        paid = dict(Settlement.objects.filter(invoice=renewal).values_list("means", "cents"))
        assert paid == {"funds": 1_000, "card": first.amount_cents - 1_000}
        assert (renewal.state, funds.balance(alice.account)) == ("paid", 0)
        till.booked()

    def test_a_first_order_paid_from_funds(self, till: Till, world: World, shop: Shop) -> None:
        alice = world.customer()
        add(till, world, alice, 200_000)
        order = shop.order(alice)
        topping_up.pay_order(order, actor=alice.actor, now=world.now)
        invoice = Invoice.objects.get()
        assert (invoice.state, invoice.total_cents) == ("paid", order.total_cents)
        assert [what for what, _ in shop.service.done] == ["provision"]
        assert funds.balance(alice.account) == 200_000 - order.total_cents
        with pytest.raises(RuleViolation):
            topping_up.pay_order(order, actor=alice.actor, now=world.now)

    def test_not_while_the_card_page_is_open(self, till: Till, world: World, shop: Shop) -> None:
        alice = world.customer()
        add(till, world, alice, 200_000)
        order = shop.order(alice)
        payment = till.start(order, alice)
        with pytest.raises(RuleViolation):
            topping_up.pay_order(order, actor=alice.actor, now=world.now)
        till.pay(payment)
        till.deliver()
        world.work()
        order.refresh_from_db()
        assert (order.state, funds.balance(alice.account)) == ("paid", 200_000)

    def test_an_open_invoice_paid_in_part(self, till: Till, world: World, shop: Shop) -> None:
        alice = world.customer()
        shop.buy(alice, "vps-l")
        world.advance(days=31, sweeps=["invoicing.renew"])
        invoice = Invoice.objects.latest("pk")
        add(till, world, alice, 1_000)
        assert topping_up.pay_invoice(invoice, actor=alice.actor, now=world.now) == 1_000
        invoice.refresh_from_db()
        assert (invoice.paid_cents, invoice.state, funds.balance(alice.account)) == (1_000, "open", 0)
        with pytest.raises(RuleViolation):
            topping_up.pay_invoice(invoice, actor=alice.actor, now=world.now)

    def test_debits_name_their_credits_first_in_first_out(self, till: Till, world: World, shop: Shop) -> None:
        alice = world.customer()
        add(till, world, alice, 1_000, "one")
        add(till, world, alice, 200_000, "two")
        order = shop.order(alice, "vps-l")
        topping_up.pay_order(order, actor=alice.actor, now=world.now)
        older, newer = FundsCredit.objects.order_by("pk")
        assert list(FundsDebit.objects.order_by("pk").values_list("credit", "cents")) == [
            (older.pk, 1_000), (newer.pk, order.total_cents - 1_000),
        ]  # fmt: skip
        assert (older.left_cents, newer.left_cents) == (0, 201_000 - order.total_cents)


class TestGivenBack:
    def give(self, payment: Payment, cents: int, world: World, reason: str = "Closed account", key: str = "k") -> Any:
        staff = world.staff("billing")
        return sending_back.give_top_up_back(payment, cents, reason=reason, key=key, actor=staff, now=world.now)

    def test_only_with_a_reason_and_what_is_left(self, till: Till, world: World) -> None:
        payment = add(till, world, world.customer(), 5_000)
        with pytest.raises(RuleViolation):
            self.give(payment, 5_000, world, reason=" ")
        with pytest.raises(RuleViolation):
            self.give(payment, 5_001, world)
        assert [self.give(payment, 4_000, world) for _twice in "12"] == [None, None]
        with pytest.raises(RuleViolation):
            self.give(payment, 1_001, world, key="again")
        world.work()
        assert funds.balance(payment.account) == 1_000
        assert till.booked() == 1_000

    def test_beyond_the_terms_amount_another_person_must_agree(self, till: Till, world: World) -> None:
        payment = add(till, world, world.customer(), 50_001)
        asked = self.give(payment, 50_001, world)
        assert asked == self.give(payment, 50_001, world)
        with pytest.raises(RuleViolation, match="another person"):
            self.give(payment, 50_001, world, key="again")
        world.work()
        assert (funds.balance(payment.account), Refund.objects.count()) == (50_001, 0)
        approvals.vote(asked.pk, agrees=True, actor=world.staff("billing", name="Ann"), now=world.now)
        world.work()
        assert (funds.balance(payment.account), Refund.objects.get().amount_cents) == (0, 50_001)
        assert till.booked() == 0

    def test_nor_can_one_person_send_it_in_parts(self, till: Till, world: World) -> None:
        payment = add(till, world, world.customer(), 80_000)
        assert self.give(payment, 30_000, world, key="first") is None
        assert self.give(payment, 20_000, world, key="second") is None
        asked = self.give(payment, 1, world, key="third")
        assert asked.state == "open"
        world.work()
        assert funds.balance(payment.account) == 30_000

    def test_spent_before_the_other_agreed_it_waits_in_my_work(self, till: Till, world: World, shop: Shop) -> None:
        alice = world.customer()
        payment = add(till, world, alice, 50_001)
        asked, staff = self.give(payment, 50_001, world), world.staff("billing", name="Ann")
        topping_up.pay_order(shop.order(alice, "vps-s"), actor=alice.actor, now=world.now)
        approvals.vote(asked.pk, agrees=True, actor=staff, now=world.now)
        world.work()
        assert not Refund.objects.exists()
        (queue,) = (one for one in work.queues(staff, now=world.now) if "money was spent" in one.title)
        assert [row.url for row in queue.rows] == [f"/ops/payments/{payment.reference}/"]
        unmet.close(unmet.of(payment).get(), actor=staff, now=world.now)
        assert not unmet.waiting().exists()

    def test_of_several_payments_each_waits_there(self, till: Till, world: World) -> None:
        """A credit note freed what two payments had paid; by the time the other person agrees all of it is spent."""
        alice, staff = world.customer(), world.staff("billing", name="Ann")
        parts = [(add(till, world, alice, 30_000, key), 30_000) for key in ("one", "two")]
        with transaction.atomic():
            asked = sending_back.send(
                parts, alice.account, reason="x", key="k", actor=world.staff("billing"), now=world.now
            )
        paying_back.record(
            alice.account, 60_000, reference="VIR 1", paid_on=paris_date(world.now), reason="Closed", iban_last4="0189",
            actor=staff, now=world.now,
        )  # fmt: skip
        assert asked is not None
        approvals.vote(asked.pk, agrees=True, actor=staff, now=world.now)
        world.work()
        assert [(row.payment, row.cents) for row in unmet.waiting()] == parts
        (queue,) = (one for one in work.queues(staff, now=world.now) if "money was spent" in one.title)
        assert len(queue.rows) == 2

    def test_what_comes_back_can_be_spent_again(self, till: Till, world: World) -> None:
        alice = world.customer()
        payment = ask(till, world, alice, 5_000)
        till.pay(payment, person.REFUND_FAILS)
        till.deliver()
        world.work()
        payment.refresh_from_db()
        self.give(payment, 5_000, world)
        world.work()
        assert funds.balance(alice.account) == 0
        world.advance(minutes=5)
        till.deliver()
        world.work()
        assert funds.balance(alice.account) == 5_000
        till.booked()

    def test_a_credit_notes_money_too(self, till: Till, world: World) -> None:
        """What a credit note freed can be spent, or refunded to where it came from, but not both."""
        payment = till.buy(world.customer())
        staff = world.staff("billing")
        invoices.credit(Invoice.objects.get(), None, reason="x", once="c", actor=staff, now=world.now)
        refunds.give_back(payment, payment.amount_cents, reason="x", key="r", actor=staff, now=world.now)
        assert funds.balance(payment.account) == 0
        assert FundsCredit.objects.get().left_cents == 0


class TestByProgram:
    """(lago-api#5870: a top-up asked for twice by a program is one)"""

    def test_the_same_key_is_one_top_up(self, till: Till, world: World) -> None:
        alice = world.customer()
        till.buy(alice, keep=True)
        membership = Membership.objects.get(user=alice.user, account=alice.account)
        _row, token = tokens.issue(
            membership, name="script", scopes=["pay"], lives=None, actor=alice.actor, now=world.now
        )
        headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": "key-1"}
        body = {"amount_cents": 2_500, "method": PaymentMethod.objects.get().pk}
        first, second = (
            Client(headers=headers).post("/api/v1/funds/top-ups", body, content_type="application/json")
            for _ in range(2)
        )
        assert (first.status_code, first.json()) == (202, second.json())
        assert second.headers["Idempotency-Replayed"] == "true"
        assert (TopUp.objects.count(), TopUp.objects.get().payments.count()) == (1, 1)
        operations.run_due()
        answer = Client(headers=headers).get("/api/v1/funds")
        assert answer.json() == {"balance_cents": 2_500, "owed_cents": 0}
