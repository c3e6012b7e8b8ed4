"""As a provider I charge a fee once, with its rule and cause; a credit note gives it back (ABU-3, ABU-10, ABU-11)."""

import pytest

from invoicing.accounting import ledger
from invoicing.chasing import pausing
from invoicing.issuing import charging, invoices
from invoicing.models import Charge, Invoice, Order, Payment, PaymentMethod, PaymentState
from invoicing.paying import payments, settlement
from invoicing.paying.payments import Finding
from panel import terms
from panel.core.errors import RuleViolation
from tests.support.shop import Shop
from tests.support.world import Customer, World

pytestmark = pytest.mark.django_db


def charge(world: World, customer: Customer, because: Order, once: str = "CASE-7KQ2M9X4:ABU-3") -> Charge:
    version = terms.current(world.now)
    return charging.charge(
        customer.account, version.copyright.address_fee, description_key="address_deactivated", because=because,
        rule="ABU-3", once=once, terms_version=version.name, now=world.now,
    )  # fmt: skip


@pytest.fixture
def alice(world: World, shop: Shop) -> Customer:
    return world.customer()


@pytest.fixture
def cause(shop: Shop, alice: Customer) -> Order:
    return shop.order(alice)


def test_one_line_with_vat_its_rule_and_its_cause(world: World, alice: Customer, cause: Order) -> None:
    made = charge(world, alice, cause)
    line = made.invoice.lines.get()
    fee = terms.version(made.terms_version).copyright.address_fee
    assert (line.rule, line.net_cents, line.vat_rate) == ("ABU-3", fee, 20)
    assert (made.invoice.net_cents, made.invoice.vat_cents) == (9000, 1800)
    assert line.evidence["case"] == cause.reference
    assert made.invoice.document["lines"][0]["rule"] == "ABU-3"
    assert cause.reference in made.invoice.document["lines"][0]["detail"]


def test_a_repeat_charges_nothing(world: World, alice: Customer, cause: Order) -> None:
    first = charge(world, alice, cause)
    world.advance(hours=5)
    assert charge(world, alice, cause) == first
    assert Invoice.objects.count() == 1
    assert ledger.balance(ledger.CUSTOMERS, alice.account) == 10800


def test_reversed_it_is_credited_in_full_once(world: World, alice: Customer, cause: Order) -> None:
    made = charge(world, alice, cause)
    staff = world.staff("abuse")
    note = charging.reverse(made.once, reason="The complaint was accepted.", actor=staff, now=world.now)
    world.advance(hours=1)
    assert charging.reverse(made.once, reason="again", actor=staff, now=world.now) == note
    assert (note.number, note.credits, note.total_cents) == ("A2026-000001", made.invoice, made.invoice.total_cents)
    made.invoice.refresh_from_db()
    assert made.invoice.state == "credited"
    assert ledger.balance(ledger.CUSTOMERS, alice.account) == 0
    assert ledger.balance(ledger.SALES) == ledger.balance(ledger.VAT) == 0
    world.work()
    (told,) = world.mails("credit_note_issued")
    assert "The complaint was accepted." in told.content.body


def test_what_was_paid_goes_to_funds_and_pays_the_next_invoice(
    world: World, shop: Shop, alice: Customer, cause: Order
) -> None:
    """INV-6: funds pay an invoice when it is issued, before any other means."""
    made = charge(world, alice, cause)
    payment = shop.payment(cause)
    payment.amount_cents = made.invoice.total_cents
    payment.save(update_fields=["amount_cents"])
    entry = settlement.received(payment, now=world.now)
    settlement.pay(made.invoice.pk, payment.amount_cents, means="card", entry=entry, now=world.now)
    assert Invoice.objects.get().state == "paid"
    charging.reverse(made.once, reason="accepted", actor=world.staff("abuse"), now=world.now)
    assert ledger.funds(alice.account) == 10800
    again = charge(world, alice, cause, once="another")
    assert (again.invoice.state, again.invoice.due_cents) == ("paid", 0)
    assert ledger.funds(alice.account) == 0
    assert ledger.balance(ledger.CUSTOMERS, alice.account) == 0
    assert "funds" in again.invoice.document["settlement"][0]


def test_the_same_entry_settles_once(world: World, shop: Shop, alice: Customer, cause: Order) -> None:
    made = charge(world, alice, cause)
    payment = shop.payment(cause)
    entry = settlement.received(payment, now=world.now)
    for _ in range(2):
        settlement.pay(made.invoice.pk, payment.amount_cents, means="card", entry=entry, now=world.now)
    assert Invoice.objects.get().paid_cents == payment.amount_cents


def test_parts_can_be_credited_and_never_more_than_the_invoice(world: World, alice: Customer, cause: Order) -> None:
    """FOSSBilling#4079: an item was credited twice."""
    invoice = charge(world, alice, cause).invoice
    staff = world.staff("billing")
    half = invoices.credit(invoice, [4501], reason="a gesture", once="half", now=world.now, actor=staff)
    rest = invoices.credit(invoice, None, reason="the rest", once="rest", now=world.now, actor=staff)
    assert half.net_cents + rest.net_cents == invoice.net_cents
    assert half.vat_cents + rest.vat_cents == invoice.vat_cents
    with pytest.raises(RuleViolation):
        invoices.credit(invoice, [1], reason="too much", once="more", now=world.now, actor=staff)
    assert ledger.balance(ledger.CUSTOMERS, alice.account) == 0


def test_a_credit_note_needs_a_reason(world: World, alice: Customer, cause: Order) -> None:
    invoice = charge(world, alice, cause).invoice
    with pytest.raises(RuleViolation) as refused:
        invoices.credit(invoice, None, reason=" ", once="x", now=world.now, actor=world.staff("billing"))
    assert refused.value.field == "reason"


def test_nothing_charged_nothing_reversed(world: World, alice: Customer) -> None:
    with pytest.raises(RuleViolation):
        charging.reverse("never", reason="x", actor=world.staff("abuse"), now=world.now)


def test_a_contested_fee_is_not_overdue_nor_collected(world: World, alice: Customer, cause: Order) -> None:
    """INV-1."""
    made = charge(world, alice, cause)
    charging.contest(made.once, now=world.now)
    world.advance(days=3, sweeps=["invoicing.renew"])
    made.invoice.refresh_from_db()
    assert made.invoice.state == "open"
    charging.settle_contest(made.once, now=world.now)
    world.advance(minutes=1, sweeps=["invoicing.renew"])
    made.invoice.refresh_from_db()
    assert made.invoice.state == "overdue"


def test_each_contest_that_is_refused_leads_to_its_own_collection(world: World, alice: Customer, cause: Order) -> None:
    """INV-1: a card that refused after the first contest is asked again after the second; nothing else collects."""
    made = charge(world, alice, cause)
    PaymentMethod.objects.create(
        account=alice.account, provider="stripe", ref="pm_1", kind="card", brand="visa", last4="4242", exp_month=12,
        exp_year=2030, is_default=True, added_at=world.now,
    )  # fmt: skip
    charging.settle_contest(made.once, now=world.now)
    assert not Payment.objects.exists()  # it was not contested
    for number in (1, 2):
        charging.contest(made.once, now=world.now)
        charging.settle_contest(made.once, now=world.now)
        charging.settle_contest(made.once, now=world.now)
        assert Payment.objects.filter(invoice=made.invoice).count() == number
        asked = Payment.objects.latest("pk")
        payments.conclude(asked.pk, Finding(PaymentState.FAILED, decline_code="card_declined"), now=world.now)
        world.advance(days=1)
    charging.contest(made.once, now=world.now)
    pausing.stop(made.invoice, pausing.DISPUTE, now=world.now)
    charging.settle_contest(made.once, now=world.now)
    assert Payment.objects.count() == 2  # still disputed otherwise
