"""As billing staff I take back what I recorded or matched wrongly, and a cheque that bounced: the books mirror it, the
invoice is owed and chased again, the transfer waits to be matched anew (INV-6, INV-7, INV-11)."""

from datetime import timedelta

import pytest
from django.test import Client

from invoicing.accounting import ledger, ledger_selectors, receivables, statements
from invoicing.banking import bank_files
from invoicing.funding import funds
from invoicing.issuing import invoices
from invoicing.models import BankReceipt, ClockStop, Entry, Invoice, ManualPayment
from invoicing.selling_by_hand import giving_up, manual_sales, taking_back, unmet
from panel.accounts import approvals
from panel.accounts.models import User
from panel.core.actors import Actor
from panel.core.calendars import paris_date
from panel.core.errors import RuleViolation
from panel.core.models import Event
from tests.pages.test_api import Program, token_of
from tests.support import debiting, owing
from tests.support.bank_statement import statement
from tests.support.personas import logged_in
from tests.support.shop import Shop
from tests.support.world import Customer, World

pytestmark = pytest.mark.django_db


@pytest.fixture
def sam(world: World) -> Actor:
    return world.staff("billing")


def due(world: World, shop: Shop, name: str = "Alice") -> tuple[Customer, Invoice]:
    alice = world.customer(name)
    shop.buy(alice, "vps-l")
    world.advance(days=31, sweeps=owing.SWEEPS)
    return alice, Invoice.objects.filter(account=alice.account).latest("pk")


def came(world: World, invoice: Invoice, cents: int, sam: Actor, on_it: bool = True) -> ManualPayment:
    return manual_sales.record_payment(
        invoice.account, cents, means="cheque", reference="CHQ 7", received_on=paris_date(world.now),
        invoice=invoice if on_it else None, now=world.now, actor=sam,
    )  # fmt: skip


def back(world: World, payment: ManualPayment, sam: Actor) -> None:
    taking_back.ask(payment, reason="it bounced", actor=sam, now=world.now)
    world.work()
    world.work()


def test_a_cheque_that_bounced_is_owed_again_and_its_mirror_is_booked(world: World, shop: Shop, sam: Actor) -> None:
    alice, invoice = due(world, shop)
    payment = came(world, invoice, invoice.total_cents + 250, sam)
    assert (funds.balance(alice.account), ledger.balance(ledger.BANK)) == (250, payment.cents)
    back(world, payment, sam)
    invoice.refresh_from_db()
    assert (invoice.state, invoice.due_cents, invoice.paid_at) == ("open", invoice.total_cents, None)
    assert (funds.balance(alice.account), ledger.balance(ledger.BANK)) == (0, 0)
    assert ledger.balance(ledger.CUSTOMERS, alice.account) == invoice.total_cents
    assert receivables.of(alice.account.pk) == []
    mirror = Entry.objects.get(kind="taken_back")
    before = Entry.objects.get(kind="manual_payment").postings.values_list("ledger_account__code", "cents")
    assert {(code, -cents) for code, cents in before} == set(
        mirror.postings.values_list("ledger_account__code", "cents")
    )
    assert {one.name for one in ledger_selectors.sources(mirror)} == {invoice.number, "Cheque CHQ 7"}
    today = paris_date(world.now)
    said = [(one.movement.kind, one.movement.ref) for one in statements.of(alice.account, today, today).rows]
    assert ("taken_back", "CHQ 7") in said
    (told,) = world.mails("payment_taken_back")
    assert (invoice.number in told.content.body, "bounced" in told.content.body) == (True, False)
    (row,) = Program(token_of(alice)).get("/received").json()["items"]
    assert (row["reference"], row["taken_back_on"]) == ("CHQ 7", today.isoformat())
    assert not Event.objects.filter(data__icontains="bounced").exists()
    with pytest.raises(RuleViolation, match="already"):
        back(world, payment, sam)


def test_it_can_be_recorded_anew_under_the_same_reference_once(world: World, shop: Shop, sam: Actor) -> None:
    """1,000 was typed for 100."""
    _alice, invoice = due(world, shop)
    wrong = came(world, invoice, 1_000, sam)
    back(world, wrong, sam)
    right = came(world, invoice, 100, sam)
    assert (right.pk != wrong.pk, came(world, invoice, 100, sam).pk) == (True, right.pk)
    invoice.refresh_from_db()
    assert (invoice.paid_cents, ledger.balance(ledger.BANK)) == (100, 100)
    with pytest.raises(RuleViolation):
        came(world, invoice, 1_000, sam)


def test_its_days_count_as_for_what_a_bank_took_back(world: World, shop: Shop, sam: Actor) -> None:
    """While it was thought paid it was not late; after that it is chased."""
    _alice, invoice = due(world, shop)
    owing.days(world, 3)
    invoice.refresh_from_db()
    payment = came(world, invoice, invoice.due_cents, sam)
    paid_at = world.now
    world.advance(days=10)
    back(world, payment, sam)
    stop = ClockStop.objects.get(invoice=invoice, because="paid")
    assert (stop.since, stop.until) == (paid_at, world.now)
    owing.days(world, 2)
    invoice.refresh_from_db()
    assert invoice.state == "overdue"


def test_a_transfer_of_another_customer_is_matched_anew(world: World, shop: Shop, sam: Actor) -> None:
    alice, invoice = due(world, shop)
    bob, other = due(world, shop, "Bob")
    debiting.take(world, sam, statement((invoice.total_cents, other.number)))
    receipt = BankReceipt.objects.get()
    assert receipt.account_id == bob.account.pk
    assert receipt.payment is not None
    back(world, receipt.payment, sam)
    receipt.refresh_from_db()
    assert (receipt.state, receipt.account, receipt.payment) == ("waiting", None, None)
    assert receipt.explained == "It was matched before, and that was taken back."
    bank_files.match(receipt, invoice.number, actor=sam, now=world.now)
    invoice.refresh_from_db()
    assert (invoice.state, Invoice.objects.get(pk=other.pk).paid_cents) == ("paid", 0)
    assert ledger.balance(ledger.BANK) == invoice.total_cents
    for one in (alice, bob):
        assert receivables.of(one.account.pk) == []


def test_money_that_was_spent_from_the_funds_stays(world: World, shop: Shop, sam: Actor) -> None:
    alice = world.customer()
    shop.buy(alice, "vps-l")
    first = Invoice.objects.get()
    payment = came(world, first, 1_000, sam, on_it=False)
    world.advance(days=31, sweeps=owing.SWEEPS)
    assert funds.balance(alice.account) == 0
    with pytest.raises(RuleViolation, match="spent from the funds meanwhile"):
        back(world, payment, sam)
    assert not Entry.objects.filter(kind="taken_back").exists()
    newest = Invoice.objects.latest("pk")
    invoices.credit(newest, None, reason="a gesture", now=world.now, actor=sam)
    back(world, payment, sam)
    assert Entry.objects.filter(kind="taken_back").count() == 1
    assert receivables.of(alice.account.pk) == []


def test_what_a_credit_note_moved_to_the_funds_is_taken_from_there(world: World, shop: Shop, sam: Actor) -> None:
    alice, invoice = due(world, shop)
    payment = came(world, invoice, invoice.total_cents, sam)
    invoices.credit(invoice, None, reason="a gesture", now=world.now, actor=sam)
    assert funds.balance(alice.account) == payment.cents
    back(world, payment, sam)
    assert funds.balance(alice.account) == 0
    assert receivables.of(alice.account.pk) == []


def test_a_large_one_needs_another_person(world: World, shop: Shop, sam: Actor) -> None:
    """Beyond EUR 500, as for write-offs."""
    alice, invoice = due(world, shop)
    assert giving_up.threshold(alice.account, world.now) == 50_000
    payment = came(world, invoice, 50_001, sam)
    back(world, payment, sam)
    assert not manual_sales.is_taken_back(payment)
    with pytest.raises(RuleViolation, match="another person"):
        back(world, payment, sam)
    approvals.vote(
        taking_back.asked(payment).get().pk, agrees=True, actor=world.staff("billing", name="Ann"), now=world.now
    )
    world.work()
    assert manual_sales.is_taken_back(payment)
    assert (funds.balance(alice.account), ledger.balance(ledger.BANK)) == (0, 0)


def test_it_is_not_taken_back_when_it_was_spent_before_the_second_person_agreed(
    world: World, shop: Shop, sam: Actor
) -> None:
    alice, invoice = due(world, shop)
    payment = came(world, invoice, 50_001, sam)
    back(world, payment, sam)
    world.advance(days=31, sweeps=owing.SWEEPS)
    world.advance(days=1)
    approvals.vote(
        taking_back.asked(payment).get().pk, agrees=True, actor=world.staff("billing", name="Ann"), now=world.now
    )
    world.work()
    assert not manual_sales.is_taken_back(payment)
    assert Event.objects.filter(kind="invoicing.manual_payment.not_taken_back").count() == 1
    assert [(row.received, row.cents) for row in unmet.waiting()] == [(payment, 50_001)]
    assert receivables.of(alice.account.pk) == []


def test_its_page_takes_it_back(
    world: World, shop: Shop, sam: Actor, settings: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.CLAUSE_REQUIRE_STAFF_MFA = False  # type: ignore[attr-defined]
    monkeypatch.setattr("panel.core.clock.now", lambda: world.now + timedelta(minutes=1))
    _alice, invoice = due(world, shop)
    payment = came(world, invoice, 300, sam)
    console: Client = logged_in(User.objects.get(pk=sam.user_id))
    page = f"/ops/received/{payment.pk}/"
    assert console.post(page, {"reason": " "}).status_code == 422
    assert console.post(page, {"reason": "it bounced"}, follow=True).status_code == 200
    assert "This payment was taken back." in console.get(page).content.decode()
