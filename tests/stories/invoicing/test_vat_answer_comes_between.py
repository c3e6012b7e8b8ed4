"""As a company I order at 0 %, and the register says no before I have paid: nothing is issued at 0 % on a no, I see the
new total where I have not paid, and a person looks where I have (INV-10, SUB-4)."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.test import Client

from invoicing.accounting import ledger
from invoicing.funding import topping_up
from invoicing.models import Invoice, Order, OrderReview, OrderState, PaymentState, Refund
from invoicing.paying import payments
from invoicing.reviewing import deciding
from invoicing.subscribing import ordering
from invoicing.taxing import vat_checks
from invoicing.vies import simulated
from invoicing.vies.simulated import SimulatedVies, running
from panel.accounts import profile
from panel.accounts.models import Account
from panel.core.errors import RuleViolation
from tests.support.shop import Shop
from tests.support.till import Till, open_till
from tests.support.world import Customer, World

pytestmark = pytest.mark.django_db
NUMBER = "DE136695976"


@pytest.fixture
def register() -> Iterator[SimulatedVies]:
    office = running()
    office.calm()
    yield office
    office.calm()


@pytest.fixture
def till(world: World, shop: Shop, settings: Any) -> Iterator[Till]:
    with open_till(world, shop, settings) as opened:
        yield opened


def proved(world: World, days: int = 35) -> Customer:
    """A German company whose last yes is `days` old: it still counts, and is asked for again with the next order."""
    customer = world.customer("Lukas", country="DE", vat_number=NUMBER)
    world.work()
    Account.objects.filter(pk=customer.account.pk).update(vat_valid_at=world.now - timedelta(days=days))
    customer.account.refresh_from_db()
    return customer


def paid(shop: Shop, order: Order, world: World) -> Any:
    with transaction.atomic():
        return ordering.paid(order, shop.payment(order), now=world.now)


def agrees(invoice: Invoice) -> bool:
    """0 % by reverse charge stands on a yes, and on nothing else."""
    reversed_ = invoice.lines.all()[0].vat_code == "AE"
    return reversed_ == (invoice.vat_evidence["checks"].get("answer") == "valid" and invoice.vat_evidence["kind"] ==
                         "business")  # fmt: skip


def test_a_no_before_the_payment_shows_the_new_total(
    world: World, shop: Shop, register: SimulatedVies, client: Client
) -> None:
    lukas = proved(world)
    register.mood(simulated.INVALID, number=NUMBER)
    order = shop.order(lukas)
    assert (order.vat_cents, order.quotation["treatment"]["code"]) == (0, "AE")
    world.work()  # the register answers
    order.refresh_from_db()
    assert (order.vat_cents, order.quotation["treatment"]["code"]) == (112, "S")
    assert order.total_cents == order.net_cents + 112
    client.force_login(lukas.user)
    page = client.get(f"/services/orders/{order.reference}/")
    assert "The VAT of this order has changed" in page.content.decode()
    assert paid(shop, order, world) is not None
    (invoice,) = shop.invoices(lukas)
    assert (invoice.vat_cents, agrees(invoice)) == (112, True)


def test_a_no_after_the_payment_began_holds_the_order(
    world: World, shop: Shop, register: SimulatedVies, till: Till
) -> None:
    lukas = proved(world)
    register.mood(simulated.INVALID, number=NUMBER)
    order = shop.order(lukas)
    payment = till.start(order, lukas)
    world.work(kinds=[vat_checks.ASK])
    till.pay(payment, "4000 0027 6000 0016")  # a German card: nothing else speaks against the order
    till.deliver()
    world.work()
    order.refresh_from_db()
    assert (order.state, Invoice.objects.count()) == (OrderState.HELD, 0)
    review = OrderReview.objects.get()
    assert review.reasons == ["vat"]
    with pytest.raises(RuleViolation, match="VAT"):
        deciding.accept(review.pk, actor=world.staff("billing"), now=world.now)
    deciding.refuse(review.pk, why="payment", actor=world.staff("billing"), now=world.now)
    world.work()
    assert Refund.objects.get().amount_cents == payment.amount_cents == order.net_cents
    assert ledger.total() == 0


def test_a_yes_meanwhile_lets_the_held_order_go_on(world: World, shop: Shop, register: SimulatedVies) -> None:
    lukas = proved(world)
    order = shop.order(lukas)
    payment = shop.payment(order)
    Account.objects.filter(pk=lukas.account.pk).update(vat_valid_at=None)
    with transaction.atomic():
        assert ordering.paid(order, payment, now=world.now) is None
    vat_checks.heard(lukas.account.pk, NUMBER, "valid", consultation="W1", now=world.now)
    deciding.accept(OrderReview.objects.get().pk, actor=world.staff("billing"), now=world.now)
    (invoice,) = shop.invoices(lukas)
    assert (invoice.vat_cents, invoice.total_cents, agrees(invoice)) == (0, payment.amount_cents, True)


def test_a_yes_after_the_payment_began_leaves_the_tax_in_the_funds(
    world: World, shop: Shop, register: SimulatedVies
) -> None:
    lukas = world.customer("Lukas", country="DE", vat_number=NUMBER)
    order = shop.order(lukas)
    assert order.vat_cents == 112
    payment = shop.payment(order)
    payment.state = PaymentState.WAITING
    payment.save(update_fields=["state"])
    world.work()
    order.refresh_from_db()
    assert order.vat_cents == 112, "what is being paid does not move under the payer's hands"
    payment.state = PaymentState.SUCCEEDED
    payment.save(update_fields=["state"])
    with transaction.atomic():
        ordering.paid(order, payment, now=world.now)
    (invoice,) = shop.invoices(lukas)
    assert (invoice.vat_cents, invoice.due_cents, agrees(invoice)) == (0, 0, True)
    assert ledger.funds(lukas.account) == 112
    assert ledger.total() == 0


def test_a_proof_that_grew_too_old_is_seen_before_paying(world: World, shop: Shop, register: SimulatedVies) -> None:
    lukas = proved(world, days=43)
    register.mood("MS_UNAVAILABLE")
    order = shop.order(lukas)
    world.advance(days=2)
    with pytest.raises(RuleViolation, match="VAT"):
        payments.pay_order(order, key="p", actor=lukas.actor, now=world.now, return_url="https://shop/")
    order.refresh_from_db()
    assert order.vat_cents == 112
    assert payments.pay_order(
        order, key="p", actor=lukas.actor, now=world.now, return_url="https://shop/"
    ).amount_cents == order.total_cents  # fmt: skip


def test_funds_never_pay_what_was_not_shown(world: World, shop: Shop, register: SimulatedVies) -> None:
    lukas = proved(world)
    order = shop.order(lukas)
    Account.objects.filter(pk=lukas.account.pk).update(vat_valid_at=None)
    with pytest.raises(RuleViolation, match="VAT"):
        topping_up.pay_order(order, actor=lukas.actor, now=world.now)
    order.refresh_from_db()
    assert (order.state, order.vat_cents) == (OrderState.AWAITING_PAYMENT, 112)


def test_a_move_while_a_person_looks(world: World, shop: Shop, register: SimulatedVies) -> None:
    lukas = proved(world, days=1)
    shop_order = shop.order(lukas)
    values = {"kind": "consumer", "country": "DE", "vat_number": "", "siren": ""}
    profile.change_tax_identity(lukas.account.pk, values, actor=world.staff("billing"), now=world.now)
    assert paid(shop, shop_order, world) is None
    assert OrderReview.objects.get().reasons == ["vat"]
    assert not Invoice.objects.exists()
