"""As the provider I look at an order before it goes on where something speaks against it; as a customer I am told, and
get my money back when it is refused (SUB-4, SUB-3)."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core import mail

from invoicing.accounting import ledger
from invoicing.models import (
    AccountStanding,
    Dispute,
    Invoice,
    MailDomain,
    NumberSeries,
    Order,
    OrderReview,
    OrderState,
    Payment,
    Refund,
    ReviewState,
    Subscription,
)
from invoicing.paying import payments
from invoicing.reviewing import deciding
from invoicing.selling_by_hand import writing_off
from panel.accounts import restrictions
from panel.accounts.models import Restriction
from panel.core.actors import SYSTEM
from panel.core.errors import RuleViolation
from panel.core.models import Event
from tests.support import bank as person
from tests.support.owing import owe_overage
from tests.support.shop import Shop
from tests.support.till import Till, open_till
from tests.support.world import Customer, World

pytestmark = pytest.mark.django_db
GERMAN_CARD = "4000 0027 6000 0016"


@pytest.fixture
def till(world: World, shop: Shop, settings: Any) -> Iterator[Till]:
    with open_till(world, shop, settings) as opened:
        yield opened


@pytest.fixture
def table(tmp_path: Path, settings: Any) -> None:
    """The operator's table of connections: the shop's usual one is French, 198.51.100.0/24 is not."""
    file = tmp_path / "countries.csv"
    file.write_text("192.0.2.0,192.0.2.255,FR\n198.51.100.0,198.51.100.255,NL\n")
    settings.CLAUSE_IP_COUNTRIES = str(file)


def review_of(order: Order) -> OrderReview:
    return OrderReview.objects.get(order=order, state=ReviewState.WAITING)


def paid_with(till: Till, world: World, alice: Customer, number: str = GERMAN_CARD) -> tuple[Order, Payment]:
    """Ordered and paid by a card that was issued elsewhere."""
    payment = till.buy(alice, number)
    order = Order.objects.get(payments=payment)
    return order, payment


class TestWhatHoldsAnOrder:
    def test_an_ordinary_order_is_not_held(self, world: World, shop: Shop, table: None) -> None:
        order = shop.order(world.customer())
        assert order.state == OrderState.AWAITING_PAYMENT
        assert not OrderReview.objects.exists()
        assert order.risk["connection_country"] == "FR"
        assert order.risk["card_country"] == "", "nobody has paid: the card's country is not known, and not guessed"

    def test_a_connection_from_another_country(self, world: World, shop: Shop, table: None) -> None:
        alice = world.customer()
        order = shop.order(alice, ip="198.51.100.7")
        assert (order.state, review_of(order).reasons) == (OrderState.HELD, ["connection_country"])
        assert review_of(order).evidence["connection_country"] == "NL"

    def test_an_unknown_connection_holds_nothing(self, world: World, shop: Shop, table: None) -> None:
        assert shop.order(world.customer(), ip="203.0.113.7").state == OrderState.AWAITING_PAYMENT

    def test_a_foreign_telephone_alone_is_shown_and_holds_nothing(self, world: World, shop: Shop) -> None:
        order = shop.order(world.customer(phone="+49 40 123456"))
        assert order.state == OrderState.AWAITING_PAYMENT
        assert order.risk["telephone_country"] == "DE"

    def test_a_throw_away_address(self, world: World, shop: Shop) -> None:
        alice = world.customer()
        alice.account.billing_email = "x@eu.yopmail.com"
        alice.account.save(update_fields=["billing_email"])
        order = shop.order(alice)
        assert review_of(order).reasons == ["disposable_mail"]
        MailDomain.objects.create(domain="yopmail.com", disposable=False, said_at=world.now)
        assert shop.order(alice).state == OrderState.AWAITING_PAYMENT, "what staff says of a domain comes first"

    def test_many_orders_in_a_short_time(self, world: World, shop: Shop) -> None:
        alice = world.customer()
        shop.buy(alice)  # no longer a new account: its limits would come first
        world.advance(hours=25)
        states = [shop.order(alice).state for _ in range(6)]
        assert states == [OrderState.AWAITING_PAYMENT] * 5 + [OrderState.HELD]
        world.advance(hours=23, minutes=59)
        assert shop.order(alice).state == OrderState.HELD
        world.advance(minutes=2)
        assert shop.order(alice).state == OrderState.AWAITING_PAYMENT, "the six are a day old, one is left"

    def test_a_competitor(self, world: World, shop: Shop) -> None:
        alice = world.customer()
        AccountStanding.objects.create(account=alice.account, competitor=True, changed_at=world.now)
        assert review_of(shop.order(alice)).reasons == ["competitor"]

    def test_misuse(self, world: World, shop: Shop) -> None:
        alice = world.customer()
        restrictions.restrict(
            alice.account, scope=Restriction.Scope.ADDRESS, rule="ABU-3", statement="x", author=SYSTEM, now=world.now,
            key="story",
        )  # fmt: skip
        assert review_of(shop.order(alice)).reasons == ["misuse"]

    def test_a_running_dispute(self, world: World, shop: Shop) -> None:
        alice = world.customer()
        payment = shop.payment(shop.order(alice))
        Dispute.objects.create(
            payment=payment, account=alice.account, provider_ref="dp_1", amount_cents=708, returned_cents=708,
            loss_cents=0, opened_at=world.now,
        )  # fmt: skip
        assert review_of(shop.order(alice)).reasons == ["dispute"]

    def test_a_debt_that_was_written_off(self, world: World, shop: Shop) -> None:
        alice = world.customer()
        (owed,) = owe_overage(world, shop, alice)
        writing_off.write_off(owed, reason="gone", now=world.now, actor=world.staff("billing"))
        assert review_of(shop.order(alice)).reasons == ["debt"]


class TestHeldBeforeItIsPaid:
    @pytest.fixture
    def order(self, world: World, shop: Shop, table: None) -> Order:
        return shop.order(world.customer(), ip="198.51.100.7")

    def test_the_customer_is_told_until_when(self, world: World, order: Order) -> None:
        review = review_of(order)
        assert review.due_at == world.now + timedelta(hours=24)
        world.work()
        (sent,) = mail.outbox
        assert order.reference in sent.subject
        assert "nothing to pay before the answer" in sent.body
        assert sent.body.count("2026-03-03 09:00 CET") == 1

    def test_it_cannot_be_paid(self, till: Till, world: World, order: Order) -> None:
        with pytest.raises(RuleViolation):
            payments.pay_order(order, return_url="http://x/", keep=False, key="k", actor=SYSTEM, now=world.now)
        world.advance(days=5, sweeps=["invoicing.expire"])
        order.refresh_from_db()
        assert order.state == OrderState.HELD, "it waits for us, so it does not expire"

    def test_accepted_it_can_be_paid_and_is_not_held_again(self, till: Till, world: World, order: Order) -> None:
        world.advance(days=5)
        deciding.accept(review_of(order).pk, actor=world.staff("billing"), now=world.now)
        order.refresh_from_db()
        assert order.state == OrderState.AWAITING_PAYMENT
        world.advance(days=1, sweeps=["invoicing.expire"])
        alice = Customer(order.placed_by, order.account)
        till.pay(till.start(order, alice))
        till.deliver()
        world.work()
        order.refresh_from_db()
        assert order.state == OrderState.PAID
        assert [row.state for row in OrderReview.objects.all()] == ["accepted"]

    def test_accepted_but_the_card_is_another_matter(self, till: Till, world: World, order: Order) -> None:
        deciding.accept(review_of(order).pk, actor=world.staff("billing"), now=world.now)
        order.refresh_from_db()
        till.pay(till.start(order, Customer(order.placed_by, order.account)), GERMAN_CARD)
        till.deliver()
        world.work()
        assert review_of(order).reasons == ["card_country"]

    def test_refused_it_leaves_nothing_and_says_why(self, world: World, order: Order) -> None:
        with pytest.raises(RuleViolation) as missing:
            deciding.refuse(review_of(order).pk, why="other", actor=SYSTEM, now=world.now)
        assert missing.value.field == "words"
        deciding.refuse(
            review_of(order).pk, why="identity", words="Send us a copy of your K-bis.", actor=world.staff("billing"),
            now=world.now,
        )  # fmt: skip
        world.work()
        order.refresh_from_db()
        assert (order.state, order.cancel_reason) == (OrderState.CANCELLED, "declined")
        assert not NumberSeries.objects.exists()
        assert not Refund.objects.exists()
        body = mail.outbox[-1].body
        assert "We could not confirm who is ordering." in body
        assert "K-bis" in body
        told = Event.objects.get(kind="invoicing.order.refused")
        assert (told.rule, told.data["why"]) == ("SUB-4", "identity")

    def test_a_french_customer_reads_french(self, world: World, shop: Shop, table: None) -> None:
        alice = world.customer()
        alice.account.language = "fr"
        alice.account.save(update_fields=["language"])
        order = shop.order(alice, ip="198.51.100.7")
        deciding.refuse(review_of(order).pk, why="unavailable", actor=world.staff("billing"), now=world.now)
        world.work()
        assert "Le service n’est pas disponible." in mail.outbox[-1].body

    def test_the_customer_withdraws_it(self, world: World, order: Order) -> None:
        payments.cancel_order(order, actor=SYSTEM, now=world.now)
        order.refresh_from_db()
        assert (order.state, order.cancel_reason) == (OrderState.CANCELLED, "withdrawn")
        assert OrderReview.objects.get().state == ReviewState.WITHDRAWN


class TestHeldWithItsMoney:
    def test_nothing_is_provided_or_numbered(self, till: Till, world: World, shop: Shop) -> None:
        alice = world.customer()
        order, payment = paid_with(till, world, alice)
        review = review_of(order)
        assert (order.state, review.reasons, review.payment) == (OrderState.HELD, ["card_country"], payment)
        assert payment.card_country == "DE"
        assert not Subscription.objects.exists()
        assert not NumberSeries.objects.exists()
        assert shop.service.done == []
        assert ledger.balance(ledger.CUSTOMERS, alice.account) == -order.total_cents
        assert till.booked() == order.total_cents, "the money is in the books, and not given back"

    @pytest.mark.parametrize(
        ("number", "postcode", "reasons"),
        [("4242 4242 4242 4242", "75002", []), ("4242 4242 4242 4242", "13001", ["card_postcode"]),
         ("4000 0000 0000 0036", "75002", ["card_postcode"]), ("4000 0000 0000 0028", "75002", [])],
        ids=["the same", "another", "not the holder's", "the street, shown only"],
    )  # fmt: skip
    def test_the_address_given_with_the_card_is_compared(
        self, till: Till, world: World, number: str, postcode: str, reasons: list[str]
    ) -> None:
        alice = world.customer()
        alice.account.postcode = "75002"
        alice.account.save()
        payment = till.start(till.shop.order(alice), alice)
        till.pay(payment, number, line1="1 rue de la Paix", postal_code=postcode)
        till.deliver()
        world.work()
        payment.refresh_from_db()
        found = OrderReview.objects.filter(order=payment.order)
        assert [one.reasons for one in found] == ([reasons] if reasons else [])
        assert payment.street_check == ("fail" if number.endswith("28") else "pass")

    def test_accepted_it_goes_on_as_if_it_had_never_been_held(self, till: Till, world: World, shop: Shop) -> None:
        alice = world.customer()
        order, payment = paid_with(till, world, alice)
        world.advance(hours=20)
        deciding.accept(review_of(order).pk, actor=world.staff("billing"), now=world.now)
        order.refresh_from_db()
        invoice = Invoice.objects.get()
        assert (order.state, invoice.state, invoice.number) == (OrderState.PAID, "paid", "F2026-000001")
        assert shop.service.done == [("provision", Subscription.objects.get().reference)]
        assert ledger.balance(ledger.CUSTOMERS, alice.account) == 0
        assert not Refund.objects.exists()
        for _ in range(2):
            finding = payments.Finding("succeeded", payment.provider_ref or "", payment.amount_cents)
            payments.conclude(payment.pk, finding, now=world.now)
        assert Subscription.objects.count() == 1
        till.booked()

    def test_refused_the_money_goes_back_once(self, till: Till, world: World, shop: Shop) -> None:
        alice = world.customer()
        order, _payment = paid_with(till, world, alice)
        review = review_of(order)
        deciding.refuse(review.pk, why="payment", actor=world.staff("billing"), now=world.now)
        with pytest.raises(RuleViolation):
            deciding.refuse(review.pk, why="payment", actor=world.staff("billing"), now=world.now)
        with pytest.raises(RuleViolation):
            deciding.accept(review.pk, actor=world.staff("billing"), now=world.now)
        world.work()
        refund = Refund.objects.get()
        assert (refund.state, refund.amount_cents) == ("succeeded", order.total_cents)
        assert till.booked() == 0
        assert ledger.balance(ledger.CUSTOMERS, alice.account) == 0
        assert not NumberSeries.objects.exists()
        assert "goes back in full" in mail.outbox[-1].body

    def test_withdrawn_the_money_goes_back(self, till: Till, world: World) -> None:
        alice = world.customer()
        order, _payment = paid_with(till, world, alice)
        payments.cancel_order(order, actor=alice.actor, now=world.now)
        world.work()
        assert Refund.objects.get().state == "succeeded"
        assert till.booked() == 0

    def test_what_the_bank_took_back_cannot_be_accepted(self, till: Till, world: World) -> None:
        order, payment = paid_with(till, world, world.customer())
        Payment.objects.filter(pk=payment.pk).update(disputed_cents=payment.amount_cents)
        with pytest.raises(RuleViolation, match="taken back"):
            deciding.accept(review_of(order).pk, actor=world.staff("billing"), now=world.now)
        deciding.refuse(review_of(order).pk, why="payment", actor=world.staff("billing"), now=world.now)
        assert not Refund.objects.exists(), "what the bank has taken is not given back a second time"

    def test_a_card_of_the_customers_country_is_not_held(self, till: Till, world: World) -> None:
        order, _payment = paid_with(till, world, world.customer(), person.GOOD)
        assert order.state == OrderState.PAID


def test_staff_is_reminded_once_before_the_promise_ends(world: World, shop: Shop, table: None) -> None:
    staff = world.staff("billing")
    world.staff("infrastructure")
    order = shop.order(world.customer(), ip="198.51.100.7")
    world.advance(hours=19, minutes=59, sweeps=["invoicing.review"])
    assert not world.mails("review_near")
    world.advance(minutes=1, sweeps=["invoicing.review"])
    (sent,) = world.mails("review_near")
    assert sent.content.to.endswith("@staff.example")
    assert order.reference in sent.content.subject
    world.advance(hours=10, sweeps=["invoicing.review"])
    assert len(world.mails("review_near")) == 1
    deciding.accept(review_of(order).pk, actor=staff, now=world.now)
    assert world.sweep("invoicing.review").done == 0
