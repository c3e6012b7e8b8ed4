"""A claim that was given up and is paid after all is no loss, as far as it came in; who was given up is claimed nothing
for being late, and nothing is given up while it may still be paid (INV-8, INV-11)."""

import pytest

from invoicing.accounting import ledger, ledger_selectors, receivables, statements
from invoicing.issuing import invoices
from invoicing.models import Entry, Invoice, LateInvoice, Payment, WriteOff
from invoicing.selling_by_hand import manual_sales, writing_off
from panel.accounts import approvals
from panel.core.actors import Actor
from panel.core.calendars import paris_date
from panel.core.errors import RuleViolation
from tests.support.owing import SWEEPS, days, transfer
from tests.support.shop import Shop
from tests.support.world import Customer, World

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice(world: World, shop: Shop) -> Customer:
    return world.customer()


@pytest.fixture
def sam(world: World) -> Actor:
    return world.staff("billing")


def due(world: World, shop: Shop, alice: Customer) -> Invoice:
    """A renewal that nobody paid."""
    shop.buy(alice)
    world.advance(days=31, sweeps=SWEEPS)
    return Invoice.objects.latest("pk")


def given_up(world: World, invoice: Invoice, sam: Actor) -> Invoice:
    row = writing_off.write_off(invoice, reason="no trace", now=world.now, actor=sam)
    assert row.state == WriteOff.State.DONE
    invoice.refresh_from_db()
    return invoice


def came(world: World, alice: Customer, invoice: Invoice, cents: int, sam: Actor, reference: str = "VIR 1") -> None:
    manual_sales.record_payment(
        alice.account, cents, means="transfer", reference=reference, received_on=paris_date(world.now), invoice=invoice,
        now=world.now, actor=sam,
    )  # fmt: skip
    invoice.refresh_from_db()


def by_means(invoice: Invoice) -> dict[str, int]:
    found: dict[str, int] = {}
    for one in invoice.settlements.all():
        found[one.means] = found.get(one.means, 0) + one.cents
    return found


def test_what_comes_in_is_no_loss_and_only_the_rest_goes_to_the_funds(
    world: World, shop: Shop, alice: Customer, sam: Actor
) -> None:
    invoice = given_up(world, due(world, shop, alice), sam)
    total = invoice.total_cents
    came(world, alice, invoice, 300, sam)
    assert (invoice.state, invoice.due_cents, invoice.paid_at) == ("written_off", 0, None)
    assert by_means(invoice) == {"write_off": total - 300, "transfer": 300}
    assert (ledger.balance(ledger.LOSSES), ledger.funds(alice.account)) == (total - 300, 0)
    came(world, alice, invoice, total - 300 + 50, sam, "VIR 2")
    assert by_means(invoice) == {"write_off": 0, "transfer": total}
    assert (invoice.state, invoice.paid_at) == ("paid", world.now)
    assert (ledger.balance(ledger.LOSSES), ledger.funds(alice.account)) == (0, 50)
    assert ledger.balance(ledger.CUSTOMERS, alice.account) == 0
    assert receivables.of(alice.account.pk) == []
    today = paris_date(world.now)
    moved = [row.movement for row in statements.of(alice.account, today, today).rows]
    assert [(one.ref, one.cents) for one in moved if one.kind == "no_loss"] == [("VIR 1", 300), ("VIR 2", total - 300)]
    behind = ledger_selectors.sources(Entry.objects.filter(kind="no_loss").earliest("pk"))
    assert {one.name for one in behind} == {invoice.number, "Bank transfer VIR 1"}


def test_a_credit_note_over_what_was_given_up_makes_nobody_richer(
    world: World, shop: Shop, alice: Customer, sam: Actor
) -> None:
    invoice = due(world, shop, alice)
    came(world, alice, invoice, 300, sam)
    given_up(world, invoice, sam)
    invoices.credit(invoice, None, reason="never delivered", now=world.now, actor=sam)
    invoice.refresh_from_db()
    assert (invoice.state, ledger.balance(ledger.LOSSES), ledger.funds(alice.account)) == ("credited", 0, 300)
    assert receivables.of(alice.account.pk) == []


def test_who_was_given_up_is_claimed_nothing_for_being_late(
    world: World, shop: Shop, alice: Customer, sam: Actor
) -> None:
    invoice = due(world, shop, alice)
    days(world, 10)
    assert LateInvoice.objects.filter(invoice=invoice).exists()
    assert given_up(world, invoice, sam).state == "written_off"
    world.advance(days=40, sweeps=["invoicing.dun"])
    assert not Invoice.objects.filter(kind="statement").exists()
    came(world, alice, invoice, 300, sam)
    world.advance(days=40, sweeps=["invoicing.dun"])
    assert not Invoice.objects.filter(kind="statement").exists()


def test_what_was_paid_late_bears_interest_and_what_was_given_up_none(
    world: World, shop: Shop, alice: Customer, sam: Actor
) -> None:
    """Half came 10 days late, half never: only the half that came is the principal, for its 10 days."""
    invoice = due(world, shop, alice)
    days(world, 10)
    invoice.refresh_from_db()
    half = invoice.total_cents // 2
    transfer(world, invoice, half)
    came_on = paris_date(world.now)
    given_up(world, invoice, sam)
    world.advance(days=5, sweeps=["invoicing.dun"])
    line = Invoice.objects.get(kind="statement").lines.get(code="late:interest")
    stretches = line.evidence["stretches"]
    assert {one["principal_cents"] for one in stretches} == {half}
    assert sum(one["days"] for one in stretches) == (came_on - invoice.due_on).days


def under_way(world: World, invoice: Invoice) -> Payment:
    return Payment.objects.create(
        reference="PAY-1", account=invoice.account, invoice=invoice, key="story", state="processing",
        amount_cents=invoice.due_cents, provider="story", created_at=world.now,
    )  # fmt: skip


def test_nothing_is_given_up_while_it_may_still_be_paid(world: World, shop: Shop, alice: Customer, sam: Actor) -> None:
    invoice = due(world, shop, alice)
    payment = under_way(world, invoice)
    with pytest.raises(RuleViolation, match="under way"):
        writing_off.write_off(invoice, reason="no trace", now=world.now, actor=sam)
    assert not WriteOff.objects.exists()
    Payment.objects.filter(pk=payment.pk).update(state="failed")
    given_up(world, invoice, sam)


def test_nor_when_the_second_person_agrees_meanwhile(
    world: World, shop: Shop, alice: Customer, sam: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing_off, "threshold", lambda _invoice: 0)
    invoice = due(world, shop, alice)
    row = writing_off.write_off(invoice, reason="no trace", now=world.now, actor=sam)
    assert row.approval is not None
    under_way(world, invoice)
    approvals.vote(row.approval.pk, agrees=True, actor=world.staff("billing", name="Ann"), now=world.now)
    world.work()
    row.refresh_from_db()
    invoice.refresh_from_db()
    assert (row.state, ledger.balance(ledger.LOSSES)) == ("refused", 0)
    assert invoice.due_cents == invoice.total_cents
