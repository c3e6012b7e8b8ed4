"""As a provider I claim what late payment costs a business, on a statement of its own outside VAT, to the cent; never
of a private person, nor while a rejected means has its 30 days (INV-8, INV-7, TIC-6, invariant 21)."""

from datetime import date
from decimal import Decimal

import pytest
from django.db import transaction

from invoicing.accounting import ledger
from invoicing.chasing import late, pausing
from invoicing.chasing.late_rules import HalfYear
from invoicing.documents import InvoiceDocument
from invoicing.issuing import invoices, parties
from invoicing.issuing.invoices import Billed
from invoicing.models import Invoice, LateInvoice, Payment, RejectionNotice
from invoicing.paying import disputes
from invoicing.rules import Wanted, priced
from invoicing.selling_by_hand import manual_sales
from invoicing.taxing import tax_rules
from panel import terms
from panel.core.actors import SYSTEM
from panel.core.calendars import days_later
from panel.core.due import SWEEPS as ALL
from tests.support.owing import SWEEPS, collect, take_back, transfer
from tests.support.shop import Shop
from tests.support.world import Customer, World, paris

pytestmark = pytest.mark.django_db


@pytest.fixture
def world() -> World:
    return World("2026-01-31 09:00")


@pytest.fixture
def alice(world: World, shop: Shop) -> Customer:
    return world.customer()


def owe(world: World, customer: Customer, once: str = "one") -> Invoice:
    """EUR 1,000.00, VAT included, due today."""
    version = terms.current(world.now)
    treatment = parties.vat_treatment(customer.account, version, now=world.now)
    assert treatment.rate == Decimal(20)
    line = priced(Wanted("service", "A year of care", 83_333), treatment)
    return invoices.issue(
        customer.account, [Billed(line)], once=once, terms_version=version.name, treatment=treatment, now=world.now,
        actor=SYSTEM,
    )  # fmt: skip


def until(world: World, day: str) -> None:
    world.until(paris(f"{day} 09:00"), sweeps=SWEEPS)


def statements(customer: Customer) -> list[Invoice]:
    return list(Invoice.objects.filter(account=customer.account, kind="statement").order_by("pk"))


def lines(statement: Invoice) -> list[tuple[str, int]]:
    return list(statement.lines.values_list("code", "net_cents"))


def pay(world: World, invoice: Invoice) -> None:
    invoice.refresh_from_db()
    transfer(world, invoice)
    world.sweep("invoicing.dun")


def test_paid_ten_days_late_interest_and_forty_euros(world: World, alice: Customer) -> None:
    invoice = owe(world, alice)
    until(world, "2026-02-10")
    assert statements(alice) == []
    pay(world, invoice)
    (made,) = statements(alice)
    # 1,000.00 x 3 x 2.62 % x 10 / 365 = 2.1534...
    assert lines(made) == [("late:interest", 215), ("late:recovery", 4000)]
    assert (made.number, made.vat_cents, made.total_cents) == ("L2026-000001", 0, 4215)
    assert f"{made.due_on}" == "2026-02-17"  # five working days
    assert ledger.balance(ledger.LATE_PAYMENT) == -4215
    assert ledger.balance(ledger.CUSTOMERS, alice.account) == 4215
    assert invoices.verify() == []


def test_a_statement_is_no_invoice_and_says_what_it_rests_on(world: World, alice: Customer) -> None:
    invoice = owe(world, alice)
    until(world, "2026-02-10")
    pay(world, invoice)
    world.work()
    (made,) = statements(alice)
    document = InvoiceDocument.from_dict(made.document)
    assert (document.process, document.kind, made.channel) == ("", "statement", "OUTOFSCOPE")
    assert "10 days at 7.86 % on EUR\u00a01,000.00" in document.lines[0].description
    assert any("not an invoice" in mention for mention in document.mentions)
    made.refresh_from_db()
    assert made.pdf is not None
    (told,) = world.mails("statement_issued")
    assert "L2026-000001" in told.content.body
    assert world.failed_operations() == []


def test_unpaid_it_is_stated_every_thirty_days_and_adds_up_to_one_reckoning(world: World, alice: Customer) -> None:
    invoice = owe(world, alice)
    for day in ("2026-03-01", "2026-03-02", "2026-03-15", "2026-03-31", "2026-04-01"):
        until(world, day)
    assert [lines(made) for made in statements(alice)] == [
        [("late:interest", 646), ("late:recovery", 4000)],  # 30 days: 6.4602...
        [("late:interest", 646)],  # 60 days, 12.9205..., less 6.46
    ]
    pay(world, invoice)
    # 60 days: 12.9205... rounded once is 12.92, all of it stated
    assert sum(made.lines.get(code="late:interest").net_cents for made in statements(alice)) == 1292
    until(world, "2026-06-01")
    assert len(statements(alice)) == 2


def test_part_payments_lower_what_bears_interest(world: World, alice: Customer) -> None:
    invoice = owe(world, alice)
    until(world, "2026-02-10")
    transfer(world, invoice, 60_000)
    until(world, "2026-02-20")
    pay(world, invoice)
    # 10 days on 1,000.00 and 10 on 400.00: 2.1534... + 0.8613... = 3.0148...
    assert lines(statements(alice)[0])[0] == ("late:interest", 301)


def test_on_the_due_date_it_is_in_time(world: World, alice: Customer) -> None:
    pay(world, owe(world, alice))
    until(world, "2026-04-01")
    assert statements(alice) == []


@pytest.mark.parametrize(
    ("came", "claimed"),
    [(date(2026, 1, 31), []), (date(2026, 2, 10), [("late:interest", 215), ("late:recovery", 4000)])],
    ids=["in time", "ten days late"],
)
def test_a_transfer_counts_from_its_value_date(
    world: World, alice: Customer, came: date, claimed: list[tuple[str, int]]
) -> None:
    """Invariant 21: what the bank had on a day was paid on that day, whenever somebody wrote it down."""
    invoice = owe(world, alice)
    until(world, "2026-02-14")
    manual_sales.record_payment(
        alice.account, 100_000, means="transfer", reference="VIR 1", received_on=came, invoice=invoice,
        now=world.now, actor=world.staff("billing"),
    )  # fmt: skip
    until(world, "2026-02-15")
    assert [line for made in statements(alice) for line in lines(made)] == claimed
    assert LateInvoice.objects.get().closed_at is not None
    until(world, "2026-04-15")
    assert len(statements(alice)) == (1 if claimed else 0)


class TestTakenBack:
    """A bank takes back what was paid: it is late from then on, not from the day on which it had been due."""

    def test_paid_in_time(self, world: World, alice: Customer) -> None:
        payment = collect(world, owe(world, alice))
        until(world, "2026-03-14")
        take_back(world, payment)
        until(world, "2026-03-15")
        assert (len(world.mails("reminder_first")), len(world.mails("reminder_last"))) == (1, 0)
        until(world, "2026-04-12")
        assert statements(alice) == []
        until(world, "2026-04-13")
        assert [lines(made) for made in statements(alice)] == [[("late:interest", 646), ("late:recovery", 4000)]]

    def test_paid_late(self, world: World, alice: Customer) -> None:
        invoice = owe(world, alice)
        until(world, "2026-02-10")
        invoice.refresh_from_db()
        payment = collect(world, invoice)
        until(world, "2026-03-14")
        assert lines(statements(alice)[0]) == [("late:interest", 215), ("late:recovery", 4000)]
        take_back(world, payment)
        until(world, "2026-04-12")
        assert len(statements(alice)) == 1
        until(world, "2026-04-13")
        assert lines(statements(alice)[1]) == [("late:interest", 646)]  # 40 days, 8.6136..., less 2.15


def test_a_private_person_owes_neither(world: World, shop: Shop) -> None:
    bob = world.customer("Bob", kind="consumer", company="")
    invoice = owe(world, bob)
    until(world, "2026-04-01")
    pay(world, invoice)
    assert statements(bob) == []


def test_a_half_year_without_rate_holds_the_interest_and_staff_is_told(world: World, alice: Customer) -> None:
    world.now = paris("2026-06-20 09:00")
    invoice = owe(world, alice)
    until(world, "2026-07-10")
    pay(world, invoice)
    assert [lines(made) for made in statements(alice)] == [[("late:recovery", 4000)]]
    assert (LateInvoice.objects.get().held_for, late.held()) == ("2026-2", 1)
    assert late.missing_rate(world.now) == HalfYear(2026, 2)
    staff = world.staff("billing")
    late.set_rate(HalfYear(2026, 2), Decimal("3.00"), source="an order", actor=staff, now=world.now)
    world.advance(hours=1, sweeps=SWEEPS)
    # 10 days at 7.86 % and 10 at 9.00 % on 1,000.00: 2.1534... + 2.4657... = 4.6191...
    assert lines(statements(alice)[1]) == [("late:interest", 462)]
    assert (late.held(), late.missing_rate(world.now)) == (0, None)
    world.advance(days=40, sweeps=SWEEPS)
    assert len(statements(alice)) == 2


def test_nothing_is_added_while_it_is_contested_and_then_it_counts_from_the_due_date(
    world: World, alice: Customer
) -> None:
    """TIC-6."""
    invoice = owe(world, alice)
    until(world, "2026-02-05")
    with transaction.atomic():
        pausing.stop(invoice, pausing.DISPUTE, now=world.now)
    until(world, "2026-03-10")
    assert statements(alice) == []
    pausing.go_on(invoice, pausing.DISPUTE, now=world.now)
    until(world, "2026-03-17")
    assert lines(statements(alice)[0])[0] == ("late:interest", 969)  # all 45 days


class TestRejectedMeans:
    def told(self, world: World, invoice: Invoice) -> None:
        """The means was refused repeatedly, and the customer is told today (INV-7)."""
        payment = Payment.objects.create(
            reference="PAY-1", account=invoice.account, invoice=invoice, key="collect:1", state="failed",
            amount_cents=invoice.total_cents, provider="story", created_at=world.now, decline_code="expired_card",
        )  # fmt: skip
        RejectionNotice.objects.create(
            account=invoice.account, invoice=invoice, payment=payment, told_at=world.now,
            replace_by=days_later(world.now, 30), terms_version=invoice.terms_version,
        )  # fmt: skip

    def test_what_is_paid_within_the_thirty_days_costs_nothing(self, world: World, alice: Customer) -> None:
        invoice = owe(world, alice)
        until(world, "2026-02-05")
        self.told(world, invoice)
        until(world, "2026-03-06")
        pay(world, invoice)
        until(world, "2026-04-20")
        assert statements(alice) == []

    def test_after_them_it_is_reckoned_from_the_due_date(self, world: World, alice: Customer) -> None:
        invoice = owe(world, alice)
        until(world, "2026-02-05")
        self.told(world, invoice)
        until(world, "2026-03-07")
        assert statements(alice) == []  # the last of the 30 days
        until(world, "2026-03-17")
        assert lines(statements(alice)[0]) == [("late:interest", 969), ("late:recovery", 4000)]  # 45 days


class TestDisputedCard:
    """What a bank took back and a dispute won counts as paid on the day it was first paid."""

    def decided(self, world: World, payment: Payment, *states: str) -> None:
        for state in states:
            told = {"ref": f"dp:{payment.reference}", "state": state, "amount_cents": payment.amount_cents,
                    "reason": "", "at": world.now.isoformat(), "respond_by": ""}  # fmt: skip
            disputes.conclude(payment.pk, [told], now=world.now)

    def test_paid_in_time_and_won_it_costs_nothing(self, world: World, alice: Customer) -> None:
        invoice = owe(world, alice)
        payment = collect(world, invoice)
        first = world.now
        until(world, "2026-02-10")
        self.decided(world, payment, "open")
        until(world, "2026-04-20")
        assert statements(alice) == [], "undecided, nothing is claimed"
        self.decided(world, payment, "won")
        invoice.refresh_from_db()
        assert (invoice.state, invoice.paid_at) == ("paid", first)
        until(world, "2026-06-01")
        assert statements(alice) == []

    def test_paid_late_and_won_it_costs_the_days_until_the_first_payment(self, world: World, alice: Customer) -> None:
        invoice = owe(world, alice)
        until(world, "2026-02-10")
        payment = collect(world, invoice)
        self.decided(world, payment, "open")
        until(world, "2026-04-20")
        self.decided(world, payment, "won")
        until(world, "2026-04-21")
        assert [lines(made) for made in statements(alice)] == [[("late:interest", 215), ("late:recovery", 4000)]]

    def test_lost_it_is_reckoned_from_the_day_the_bank_took_it(self, world: World, alice: Customer) -> None:
        invoice = owe(world, alice)
        payment = collect(world, invoice)
        until(world, "2026-02-10")
        self.decided(world, payment, "open")
        until(world, "2026-03-01")
        self.decided(world, payment, "lost")
        until(world, "2026-03-12")
        assert [lines(made) for made in statements(alice)] == [[("late:interest", 646), ("late:recovery", 4000)]]

    def test_won_after_it_was_paid_otherwise_costs_nothing(self, world: World, alice: Customer) -> None:
        invoice = owe(world, alice)
        payment = collect(world, invoice)
        until(world, "2026-02-10")
        self.decided(world, payment, "open")
        until(world, "2026-03-01")
        invoice.refresh_from_db()
        transfer(world, invoice)
        self.decided(world, payment, "won")
        until(world, "2026-06-01")
        assert statements(alice) == []

    def test_taken_again_later_the_days_before_are_none_of_lateness(self, world: World, alice: Customer) -> None:
        invoice = owe(world, alice)
        payment = collect(world, invoice)
        first = world.now
        until(world, "2026-02-10")
        self.decided(world, payment, "open", "won")
        until(world, "2026-03-10")
        told = {"ref": "second", "state": "lost", "amount_cents": payment.amount_cents, "reason": "",
                "at": world.now.isoformat(), "respond_by": ""}  # fmt: skip
        disputes.conclude(payment.pk, [told], now=world.now)
        assert (first, world.now) in set(invoice.stops.values_list("since", "until"))


def test_a_dry_run_says_what_it_would_claim(world: World, alice: Customer) -> None:
    invoice = owe(world, alice)
    until(world, "2026-02-10")
    invoice.refresh_from_db()
    transfer(world, invoice)
    would = ALL["invoicing.dun"].run(world.now, dry_run=True).would
    assert would == [f"claim 4215 cents for {invoice.number}"]
    assert statements(alice) == []


def test_it_is_outside_vat() -> None:
    treatment = tax_rules.outside_scope("FR")
    assert (treatment.code, treatment.rate) == ("O", 0)
