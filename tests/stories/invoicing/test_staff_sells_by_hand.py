"""Billing staff draws up an invoice, records a transfer or a cheque, and gives a claim up (INV-2, INV-6, INV-11)."""

from datetime import date
from decimal import Decimal

import pytest

from invoicing.accounting import ledger, ledger_selectors
from invoicing.models import DraftInvoice, Entry, Invoice, NumberSeries, WriteOff
from invoicing.selling_by_hand import manual_sales, writing_off
from panel.accounts import approvals
from panel.core.actors import Actor
from panel.core.errors import RuleViolation
from panel.core.models import Event
from tests.support.shop import Shop
from tests.support.world import Customer, World

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice(world: World, shop: Shop) -> Customer:
    return world.customer()


@pytest.fixture
def sam(world: World) -> Actor:
    return world.staff("billing")


def drawn_up(world: World, alice: Customer, sam: Actor, price: str = "80.40") -> DraftInvoice:
    draft = manual_sales.draw_up(alice.account, reference="PO-4471", now=world.now, actor=sam)
    manual_sales.add_line(draft, "Advice", quantity=Decimal("2.5"), unit_price=Decimal(price), unit="h")
    return draft


def issued(world: World, alice: Customer, sam: Actor, price: str = "80.40") -> Invoice:
    return manual_sales.issue(drawn_up(world, alice, sam, price), now=world.now, actor=sam)


def paid_in(
    world: World, alice: Customer, sam: Actor, cents: int, invoice: Invoice | None, **changes: object
) -> object:
    facts = {"means": "transfer", "reference": "VIR 1", "received_on": date(2026, 3, 2)} | changes
    return manual_sales.record_payment(
        alice.account,
        cents,
        invoice=invoice,
        now=world.now,
        actor=sam,
        **facts,  # type: ignore[arg-type]
    )


def test_what_is_previewed_is_issued_once(world: World, alice: Customer, sam: Actor) -> None:
    """2.5 h at 80.40 = 201.00, VAT 40.20, 241.20 in all; the preview has no number and uses none."""
    draft = drawn_up(world, alice, sam)
    seen = manual_sales.preview(draft, now=world.now)
    assert (seen.kind, seen.number, seen.total_cents) == ("pro_forma", "", 24120)
    assert not NumberSeries.objects.exists()
    first = manual_sales.issue(draft, now=world.now, actor=sam)
    draft.refresh_from_db()
    assert manual_sales.issue(draft, now=world.now, actor=sam) == first
    assert (first.net_cents, first.vat_cents, first.total_cents) == (20100, 4020, 24120)
    assert first.document["reference"] == "PO-4471"
    assert [line["net_cents"] for line in first.document["lines"]] == [line.net_cents for line in seen.lines]
    with pytest.raises(RuleViolation):
        manual_sales.add_line(draft, "More", quantity=Decimal(1), unit_price=Decimal(1))


def test_a_draft_can_be_changed_and_thrown_away(world: World, alice: Customer, sam: Actor) -> None:
    draft = drawn_up(world, alice, sam)
    manual_sales.remove_line(draft, draft.lines.get().pk)
    with pytest.raises(RuleViolation):
        manual_sales.issue(draft, now=world.now, actor=sam)
    manual_sales.discard(draft, now=world.now)
    with pytest.raises(RuleViolation):
        manual_sales.issue(draft, now=world.now, actor=sam)
    assert not Invoice.objects.exists()
    assert not Entry.objects.exists()


@pytest.mark.parametrize("means", ["transfer", "cheque"])
def test_a_payment_is_recorded_once_and_what_is_beyond_waits_in_the_funds(
    world: World, alice: Customer, sam: Actor, means: str
) -> None:
    invoice = issued(world, alice, sam)
    for _ in range(2):
        paid_in(world, alice, sam, 25000, invoice, means=means)
    invoice.refresh_from_db()
    assert (invoice.state, invoice.paid_cents) == ("paid", 24120)
    entries = Entry.objects.filter(kind__in=("manual_payment", "to_funds"))
    behind = [{str(source.row) for source in ledger_selectors.sources(entry)} for entry in entries]
    assert behind == [{f"{means} VIR 1", invoice.number}, {f"{means} VIR 1"}]
    assert ledger.balance(ledger.BANK) == 25000
    assert ledger.funds(alice.account) == 880
    assert ledger.balance(ledger.CUSTOMERS, alice.account) == 0
    with pytest.raises(RuleViolation):
        paid_in(world, alice, sam, 24999, invoice, means=means)


def test_money_that_pays_nothing_yet_pays_the_next_invoice(world: World, alice: Customer, sam: Actor) -> None:
    paid_in(world, alice, sam, 30000, None)
    assert ledger.funds(alice.account) == 30000
    assert issued(world, alice, sam).state == "paid"
    assert ledger.funds(alice.account) == 5880


@pytest.mark.parametrize(
    ("cents", "changes"),
    [(0, {}), (-5, {}), (100, {"reference": " "}), (100, {"received_on": date(2026, 3, 3)})],
    ids=["nothing", "negative", "no reference", "tomorrow"],
)
def test_what_cannot_be_recorded(
    world: World, alice: Customer, sam: Actor, cents: int, changes: dict[str, object]
) -> None:
    with pytest.raises(RuleViolation):
        paid_in(world, alice, sam, cents, None, **changes)
    assert not Entry.objects.exists()


def test_another_customers_invoice_is_refused(world: World, alice: Customer, sam: Actor) -> None:
    with pytest.raises(RuleViolation):
        paid_in(world, world.customer("Bob"), sam, 100, issued(world, alice, sam))


def test_a_small_claim_is_written_off_by_one_person(world: World, alice: Customer, sam: Actor) -> None:
    """Up to EUR 500.00 inclusive: 416.66 net and 83.33 VAT would be 499.99."""
    invoice = issued(world, alice, sam, price="166.664")  # 416.66 + 83.33
    assert invoice.total_cents == 49999
    paid_in(world, alice, sam, 9999, invoice)
    row = writing_off.write_off(invoice, reason="insolvent", now=world.now, actor=sam)
    assert (row.state, row.cents, row.approval) == ("done", 40000, None)
    invoice.refresh_from_db()
    assert invoice.due_cents == 0
    assert ledger.balance(ledger.LOSSES) == 40000
    assert ledger.balance(ledger.DOUBTFUL) == 0
    assert ledger.balance(ledger.CUSTOMERS, alice.account) == 0
    assert ledger.total() == 0
    assert not Event.objects.filter(data__icontains="insolvent").exists()


def test_a_large_claim_needs_another_person(world: World, alice: Customer, sam: Actor) -> None:
    """Beyond EUR 500."""
    invoice = issued(world, alice, sam, price="166.668")  # 416.67 + 83.33 = 500.00
    exact = writing_off.write_off(invoice, reason="no trace", now=world.now, actor=sam)
    assert (invoice.total_cents, exact.state) == (50000, "done")
    larger = issued(world, alice, sam, price="166.672")  # 416.68 + 83.34 = 500.02
    row = writing_off.write_off(larger, reason="no trace", now=world.now, actor=sam)
    assert row.state == "asked"
    assert row.approval is not None
    with pytest.raises(RuleViolation):
        approvals.vote(row.approval.pk, agrees=True, actor=sam, now=world.now)
    with pytest.raises(RuleViolation):
        writing_off.write_off(larger, reason="again", now=world.now, actor=sam)
    world.work()
    assert ledger.balance(ledger.LOSSES) == 50000
    approvals.vote(row.approval.pk, agrees=True, actor=world.staff("billing", name="Ann"), now=world.now)
    world.work()
    assert ledger.balance(ledger.LOSSES) == 50000 + 50002
    assert Invoice.objects.get(pk=larger.pk).due_cents == 0


@pytest.mark.parametrize("end", ["refused", "paid"])
def test_a_claim_that_is_refused_or_paid_meanwhile_is_no_loss(
    world: World, alice: Customer, sam: Actor, end: str
) -> None:
    invoice = issued(world, alice, sam, price="400")
    row = writing_off.write_off(invoice, reason="no trace", now=world.now, actor=sam)
    assert row.approval is not None
    if end == "paid":
        paid_in(world, alice, sam, invoice.total_cents, invoice)
    ann = world.staff("billing", name="Ann")
    approvals.vote(row.approval.pk, agrees=end == "paid", actor=ann, now=world.now, reason="ask again")
    world.work()
    assert WriteOff.objects.get().state == "refused"
    assert ledger.balance(ledger.LOSSES) == 0
    assert Invoice.objects.get().due_cents == (0 if end == "paid" else 120000)
