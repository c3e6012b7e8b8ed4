"""As a customer I order a VPS, pay it, and have a subscription and a numbered invoice (SUB-1..3, SUB-5, INV-1..3)."""

from datetime import date

import pytest
from django.core import mail
from django.db import transaction

from invoicing.accounting import ledger
from invoicing.documents import InvoiceDocument
from invoicing.models import Entry, Invoice, NumberSeries, Order, Subscription
from invoicing.offering import catalogue, pricing
from invoicing.subscribing import ordering
from panel.accounts.models import Acceptance
from panel.core import files
from panel.core.errors import RuleViolation
from panel.core.models import Event
from tests.support.shop import Shop
from tests.support.world import World

pytestmark = pytest.mark.django_db


def test_the_preview_is_what_is_ordered_and_invoiced(world: World, shop: Shop) -> None:
    alice = world.customer()
    package = catalogue.package("vps-m")
    preview = pricing.quote(alice.account, package, "month", {"vps-address": 2}, now=world.now)
    assert [(line.code, line.net) for line in preview.lines] == [("vps-m", 1190), ("vps-address", 400)]
    assert (preview.totals.net, preview.totals.vat, preview.totals.total) == (1590, 318, 1908)

    subscription = shop.buy(alice, "vps-m", addresses=2)
    (invoice,) = shop.invoices(alice)
    assert (invoice.net_cents, invoice.vat_cents, invoice.total_cents) == (1590, 318, 1908)
    assert (subscription.period_start, subscription.period_end) == (date(2026, 3, 2), date(2026, 4, 2))
    assert subscription.options.get().quantity == 2
    assert shop.service.done == [("provision", subscription.reference)]


def test_the_first_invoice_is_numbered_paid_and_in_the_books(world: World, shop: Shop) -> None:
    alice = world.customer()
    order = shop.order(alice)
    assert not NumberSeries.objects.exists(), "an order uses no number before it is paid"
    with transaction.atomic():
        ordering.paid(order, shop.payment(order), now=world.now)
    (invoice,) = shop.invoices(alice)
    assert (invoice.number, invoice.state, invoice.due_cents) == ("F2026-000001", "paid", 0)
    assert ledger.balance(ledger.CUSTOMERS, alice.account) == 0
    assert ledger.balance(ledger.CLEARING) == 708
    assert ledger.balance(ledger.SALES) == -590
    assert ledger.balance(ledger.VAT) == -118
    assert ledger.total() == 0


def test_the_pdf_is_rendered_once_mailed_and_kept(world: World, shop: Shop) -> None:
    alice = world.customer()
    shop.buy(alice)
    world.work()
    (invoice,) = shop.invoices(alice)
    assert invoice.pdf is not None
    content = files.read(invoice.pdf)
    assert content.startswith(b"%PDF-")
    (sent,) = [message for message in mail.outbox if invoice.number in message.subject]
    assert sent.to == [alice.account.billing_email]
    ((name, attached, kind),) = sent.attachments
    assert (name, attached, kind) == (f"{invoice.number}.pdf", content, "application/pdf")
    kept = invoice.pdf_id
    world.advance(days=1)
    invoice.refresh_from_db()
    assert invoice.pdf_id == kept


def test_the_document_has_what_the_law_asks_for(world: World, shop: Shop) -> None:
    """INV-2: seller, buyer, number, dates, lines, VAT by rate, and the mentions of a business invoice."""
    alice = world.customer(siren="552100554", vat_number="FR96552100554")
    shop.buy(alice, "vps-s")
    document = InvoiceDocument.from_dict(shop.invoices(alice)[0].document)
    assert document.number == "F2026-000001"
    assert document.issued_on == document.due_on == "2026-03-02"
    assert any("732 829 320" in fact for fact in document.seller.facts)
    assert any("FR44732829320" in fact for fact in document.seller.facts)
    assert document.customer.facts == ("SIREN 552 100 554", "VAT FR96552100554")
    (line,) = document.lines
    assert (line.description, line.unit_price, line.net_cents) == ("VPS S - web-1", "5.9", 590)
    assert line.detail == "From 2 Mar 2026 to 1 Apr 2026"
    assert [(group.net_cents, group.vat_cents) for group in document.vat] == [(590, 118)]
    said = " ".join(document.mentions)
    assert "3 times the legal interest" in said
    assert "EUR\u00a040.00" in said
    assert "No discount" in said


def test_a_consumer_is_not_threatened_with_business_costs(world: World, shop: Shop) -> None:
    bob = world.customer("Bob", kind="consumer", company="")
    shop.buy(bob)
    document = InvoiceDocument.from_dict(shop.invoices(bob)[0].document)
    assert "recovery" not in " ".join(document.mentions)
    assert document.customer.name == "Bob"


def test_told_twice_it_happens_once(world: World, shop: Shop) -> None:
    alice = world.customer()
    order = shop.order(alice)
    payment = shop.payment(order)
    first = ordering.paid(order, payment, now=world.now)
    world.advance(hours=1)
    assert ordering.paid(order, payment, now=world.now) == first
    assert Invoice.objects.count() == Subscription.objects.count() == 1
    assert Entry.objects.filter(kind="payment").count() == 1


def test_the_same_key_places_one_order(world: World, shop: Shop) -> None:
    alice = world.customer()
    assert shop.order(alice, key="double click") == shop.order(alice, key="double click")
    assert Order.objects.count() == 1


def test_what_was_accepted_is_kept_with_the_order(world: World, shop: Shop) -> None:
    """SUB-2, ACC-1: documents, version, instant, address, person."""
    alice = world.customer()
    order = shop.order(alice)
    proof = Acceptance.objects.get(subject_type="invoicing.order", subject_id=order.pk)
    assert (proof.user, proof.ip, proof.at) == (alice.user, "192.0.2.7", world.now)
    assert "terms-of-subscription" in [row["document"] for row in proof.documents]


def test_unticked_conditions_are_refused(world: World, shop: Shop) -> None:
    alice = world.customer()
    with pytest.raises(RuleViolation) as refused:
        ordering.place(
            alice.account, "vps-s", "month", {}, accepted=["privacy-policy"], actor=alice.actor, key="k", now=world.now
        )
    assert refused.value.field == "accept"
    assert not Order.objects.exists()


@pytest.mark.parametrize(
    ("package", "interval", "addresses", "field"),
    [("vps-xxl", "month", 0, "package"), ("vps-s", "week", 0, "interval"), ("vps-s", "month", 99, "vps-address")],
)
def test_what_is_not_on_sale_is_refused_with_its_field(
    world: World, shop: Shop, package: str, interval: str, addresses: int, field: str
) -> None:
    with pytest.raises(RuleViolation) as refused:
        shop.order(world.customer(), package, interval, addresses=addresses)
    assert refused.value.field == field


def test_an_order_waits_for_the_confirmed_address(world: World, shop: Shop) -> None:
    """ACC-2."""
    alice = world.customer()
    alice.user.confirmed_at = None
    alice.user.save(update_fields=["confirmed_at"])
    with pytest.raises(RuleViolation) as refused:
        shop.order(alice)
    assert refused.value.rule == "ACC-2"


def test_a_sold_out_service_cannot_be_ordered(world: World, shop: Shop) -> None:
    """SUB-4."""
    shop.service.sold_out = True
    with pytest.raises(RuleViolation) as refused:
        shop.order(world.customer())
    assert refused.value.rule == "SUB-4"


def test_a_new_price_does_not_touch_a_placed_order(world: World, shop: Shop) -> None:
    alice = world.customer()
    order = shop.order(alice)
    catalogue.package("vps-s").prices.create(interval="month", amount_cents=990, valid_from=world.now)
    ordering.paid(order, shop.payment(order), now=world.now)
    assert shop.invoices(alice)[0].net_cents == 590
    assert shop.order(world.customer("Bob")).net_cents == 990


def test_the_journal_tells_the_story(world: World, shop: Shop) -> None:
    alice = world.customer()
    shop.buy(alice)
    told = Event.objects.filter(account_id=alice.account.pk).values_list("kind", flat=True)
    assert set(told) >= {
        "invoicing.order.placed", "invoicing.order.paid", "invoicing.subscription.started", "invoicing.invoice.issued",
        "invoicing.invoice.paid",
    }  # fmt: skip
