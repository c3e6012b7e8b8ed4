"""As a provider I invoice a down payment, and later the whole less that: price and VAT are asked once (INV-2)."""

from decimal import Decimal
from itertools import count

import pytest

from invoicing.accounting import ledger
from invoicing.issuing import deducting, invoices
from invoicing.models import Invoice, InvoiceLine
from invoicing.paying import settlement
from invoicing.selling_by_hand import down_payments
from panel.accounts.models import Account
from panel.core.actors import Actor
from panel.core.errors import RuleViolation
from tests.stories.invoicing.test_every_document_is_an_einvoice import PARIS_VAT, SIREN, said, sound, written
from tests.support import pdf
from tests.support.crowd import at_once
from tests.support.shop import Shop
from tests.support.world import Customer, World

pytestmark = pytest.mark.django_db


@pytest.fixture
def company(world: World, shop: Shop) -> Customer:
    return world.customer("Alice", siren=SIREN, vat_number=PARIS_VAT)


@pytest.fixture
def sam(world: World, company: Customer) -> Actor:
    return world.staff("billing")


def asked(world: World, company: Customer, sam: Actor, cents: int = 30_000, once: str = "1") -> Invoice:
    return down_payments.ask(
        company.account, "Migration of a shop, 30 %", cents, reference="Q2026-7", once=once, actor=sam, now=world.now
    )


def paid(world: World, shop: Shop, company: Customer, invoice: Invoice) -> Invoice:
    payment = shop.payment(shop.order(company))
    payment.amount_cents = invoice.total_cents
    payment.save(update_fields=["amount_cents"])
    with settlement.transaction.atomic():
        entry = settlement.received(payment, now=world.now)
        settlement.pay(invoice.pk, payment.amount_cents, means="card", entry=entry, now=world.now)
    invoice.refresh_from_db()
    return invoice


def finished(world: World, down: Invoice, sam: Actor, hours: str = "20", once: str = "1") -> Invoice:
    return down_payments.finish(
        down, "Migration of a shop", Decimal(hours), Decimal("50.00"), once=once, actor=sam, now=world.now
    )


def test_price_and_vat_are_asked_once(world: World, shop: Shop, company: Customer, sam: Actor) -> None:
    """EUR 300 ahead of EUR 1,000: 360 with VAT, then 840."""
    down = paid(world, shop, company, asked(world, company, sam))
    assert (down.net_cents, down.vat_cents, down.total_cents, down.state) == (30_000, 6_000, 36_000, "paid")
    assert (ledger.balance(ledger.SALES), ledger.balance(ledger.DOWN_PAYMENTS)) == (0, -30_000)
    world.advance(days=20)
    final = finished(world, down, sam)
    assert (final.net_cents, final.vat_cents, final.total_cents) == (70_000, 14_000, 84_000)
    assert [line.net_cents for line in final.lines.all()] == [100_000, -30_000]
    assert (ledger.balance(ledger.SALES), ledger.balance(ledger.DOWN_PAYMENTS)) == (-100_000, 0)
    assert (ledger.balance(ledger.VAT), ledger.total()) == (-20_000, 0)


@pytest.mark.paper
def test_both_are_einvoices_of_their_kind(world: World, shop: Shop, company: Customer, sam: Actor) -> None:
    down = paid(world, shop, company, asked(world, company, sam))
    first = written(world, down)
    sound(first)
    assert "<ram:TypeCode>386</ram:TypeCode>" in said(first)
    assert "Down-payment invoice" in pdf.text(first["pdf"])
    final = finished(world, down, sam)
    last = written(world, final)
    sound(last)
    for text in (
        "<ram:TypeCode>380</ram:TypeCode>", "<ram:ID>S4</ram:ID>",
        f"<ram:IssuerAssignedID>{down.number}</ram:IssuerAssignedID>",
    ):  # fmt: skip
        assert text in said(last), text
    assert f"Down payment of 2 March 2026 deducted, invoice {down.number}" in pdf.text(last["pdf"]).replace("\n", " ")


def test_it_is_taken_off_once(world: World, shop: Shop, company: Customer, sam: Actor) -> None:
    down = paid(world, shop, company, asked(world, company, sam))
    final = finished(world, down, sam)
    assert finished(world, down, sam) == final
    again = finished(world, down, sam, once="2")
    assert (again.net_cents, deducting.left(down)) == (100_000, {})
    with pytest.raises(RuleViolation):
        invoices.credit(down, None, reason="twice", now=world.now, actor=sam)


def test_only_a_paid_down_payment_is_taken_off(world: World, company: Customer, sam: Actor) -> None:
    down = asked(world, company, sam)
    with pytest.raises(RuleViolation, match="paid"):
        finished(world, down, sam)
    assert Invoice.objects.count() == 1


def test_the_whole_is_not_less_than_its_part(world: World, shop: Shop, company: Customer, sam: Actor) -> None:
    down = paid(world, shop, company, asked(world, company, sam))
    with pytest.raises(RuleViolation) as refused:
        finished(world, down, sam, hours="5")
    assert refused.value.field == "unit_price"
    with pytest.raises(RuleViolation):
        asked(world, company, sam, cents=0, once="nothing")


@pytest.mark.paper
def test_the_final_invoice_can_be_credited_whole(world: World, shop: Shop, company: Customer, sam: Actor) -> None:
    """A credit note is always possible, also over a line that took something off; the down payment is then free
    again."""
    down = paid(world, shop, company, asked(world, company, sam))
    final = finished(world, down, sam)
    note = invoices.credit(final, None, reason="Wrong hours", now=world.now, actor=sam)
    assert (note.net_cents, note.vat_cents, note.total_cents) == (70_000, 14_000, 84_000)
    assert [line.net_cents for line in note.lines.all()] == [100_000, -30_000]
    sound(written(world, note))
    assert sum(deducting.left(down).values()) == 30_000
    assert (ledger.balance(ledger.SALES), ledger.balance(ledger.DOWN_PAYMENTS)) == (0, -30_000)
    right = finished(world, down, sam, hours="18", once="2")
    assert right.net_cents == 60_000


def test_more_than_a_rate_asked_is_never_given_back(world: World, shop: Shop, company: Customer, sam: Actor) -> None:
    """Line by line it would fit: 1,000 of the work, though only 700 were asked at that rate."""
    final = finished(world, paid(world, shop, company, asked(world, company, sam)), sam)
    with pytest.raises(RuleViolation, match="more than the invoice"):
        invoices.credit(final, [100_000, 0], reason="too much", now=world.now, actor=sam)
    with pytest.raises(RuleViolation):
        invoices.credit(final, [0, -30_000], reason="asks for more", now=world.now, actor=sam)
    part = invoices.credit(final, [70_000, 0], reason="The work", now=world.now, actor=sam)
    assert part.total_cents == 84_000
    assert InvoiceLine.objects.filter(invoice=part).count() == 1


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_six_final_invoices_at_once_take_it_off_once(
    world: World, shop: Shop, company: Customer, sam: Actor
) -> None:  # fmt: skip
    down = paid(world, shop, company, asked(world, company, sam))
    number = count(1)
    at_once(lambda: finished(world, down, sam, once=f"rush-{next(number)}"), 6)
    finals = Invoice.objects.filter(once__startswith="final:")
    assert sorted(finals.values_list("net_cents", flat=True)) == [70_000, *[100_000] * 5]
    assert (deducting.left(down), ledger.balance(ledger.DOWN_PAYMENTS), invoices.verify()) == ({}, 0, [])


def test_a_vat_that_changed_in_between_is_said_before_the_price_is_paid_twice(
    world: World, shop: Shop, company: Customer, sam: Actor
) -> None:
    """Asked ahead with 20 %, then the buyer's sales carry none: nothing of it could be taken off."""
    down = paid(world, shop, company, asked(world, company, sam))
    Account.objects.filter(pk=company.account.pk).update(country="CH", vat_number="", siren="")
    with pytest.raises(RuleViolation, match="credit it first"):
        finished(world, Invoice.objects.get(pk=down.pk), sam)
    assert Invoice.objects.filter(account=company.account, kind="invoice").count() == 1
