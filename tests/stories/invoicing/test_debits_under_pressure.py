"""However many press the button at once, a debit is in one file, an invoice in one live debit, a credit booked once
(invariant 23, INV-11)."""

import threading
import time
from collections.abc import Callable
from datetime import date
from typing import Any
from unittest.mock import patch

import pytest
from django.db import IntegrityError, transaction

from invoicing.accounting import ledger
from invoicing.banking import bank_files
from invoicing.debiting import batches, debits, instead, mandate_signing
from invoicing.funding import funds, topping_up
from invoicing.models import BankFile, Debit, DebitBatch, Invoice, Payment
from invoicing.paying import collecting, payments
from panel.core import operations
from panel.core.actors import SYSTEM
from panel.core.errors import RuleViolation
from panel.core.models import Operation
from tests.support.crowd import at_once, locks, together
from tests.support.debiting import OTHER_IBAN, RENEWED, debited, drawn_up, handed, report, signed, statement
from tests.support.shop import Shop
from tests.support.world import World

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]
UNTIL = date(2026, 4, 16)


def announced(world: World, shop: Shop, count: int) -> None:
    for number in range(count):
        customer = world.customer(f"Alice{number}")
        shop.buy(customer)
        signed(world, customer)
    world.advance(days=31, sweeps=RENEWED)
    world.work()


def test_eight_files_at_once_hold_each_debit_once(world: World, shop: Shop) -> None:
    announced(world, shop, 6)
    staff = world.staff("billing")
    made = together([
        lambda key=f"k{n // 2}": batches.make(key=key, until=UNTIL, actor=staff, now=world.now)  # type: ignore[misc]
        for n in range(8)
    ], may_refuse=True)  # fmt: skip
    files = {one.pk for one in made if isinstance(one, DebitBatch)}
    assert len(files) == 1
    assert sum(batch.count for batch in DebitBatch.objects.all()) == Debit.objects.filter(state="placed").count() == 6


def test_withdrawn_or_in_a_file_never_both(world: World, shop: Shop) -> None:
    announced(world, shop, 6)
    staff = world.staff("billing")
    rows = list(Debit.objects.select_related("mandate"))
    deeds: list[Callable[[], Any]] = [
        lambda row=row: debits.end_mandate(row.mandate, "cancelled", now=world.now)  # type: ignore[misc]
        for row in rows
    ]
    deeds.insert(2, lambda: batches.make(key="k", until=UNTIL, actor=staff, now=world.now))
    together(deeds, may_refuse=True)
    for row in Debit.objects.all():
        assert (row.state, row.batch_id is None) in {("withdrawn", True), ("placed", False)}
    for batch in DebitBatch.objects.all():  # what was revoked stops the file
        with pytest.raises(RuleViolation):
            batches.hand_over(batch, actor=staff, now=world.now)


def test_the_database_refuses_a_second_live_debit_of_an_invoice(world: World, shop: Shop) -> None:
    _alice, invoice, debit = debited(world, shop)
    other = Payment.objects.create(
        reference="PAY-99999999", account=invoice.account, invoice=invoice, key="x", amount_cents=100, state="failed",
        provider="sepa_file", created_at=world.now,
    )  # fmt: skip
    with pytest.raises(IntegrityError, match="one_live_debit_per_invoice"), transaction.atomic():
        Debit.objects.create(
            payment=other, account=invoice.account, invoice=invoice, mandate=debit.mandate, cents=100, debit_on=UNTIL,
            terms_version=debit.terms_version, announced_at=world.now,
        )  # fmt: skip


def test_a_credit_told_by_eight_files_at_once_is_booked_once(world: World, shop: Shop) -> None:
    _alice, invoice, debit = debited(world, shop)
    staff = world.staff("billing")
    handed(world, staff, UNTIL)
    world.advance(days=14)
    debit.refresh_from_db()
    raw = statement([debit], day=UNTIL)
    together([
        lambda tail=b"\n" * (n // 2): bank_files.take_in(raw + tail, name="x", actor=staff, now=world.now)  # type: ignore[misc]
        for n in range(8)
    ])  # fmt: skip
    at_once(lambda: operations.run_due(world.now, kinds=["bank.file"]), 4)
    world.work()
    invoice.refresh_from_db()
    assert (invoice.state, ledger.balance(ledger.BANK), Invoice.objects.count()) == ("paid", invoice.total_cents, 2)


def test_the_payments_of_a_file_are_locked_before_the_file(world: World, shop: Shop) -> None:
    """As the bank's answers do: who hands over and who takes an answer in do not wait for each other."""
    announced(world, shop, 2)
    staff = world.staff("billing")
    batch = batches.make(key="a", until=UNTIL, actor=staff, now=world.now)
    wanted = ["invoicing_payment", "invoicing_debitbatch"]
    assert locks(lambda: batches.discard(batch, reason="wrong day", actor=staff, now=world.now))[:2] == wanted
    again = batches.make(key="b", until=UNTIL, actor=staff, now=world.now)
    raw = statement(list(Debit.objects.select_related("payment").order_by("pk")), day=UNTIL)
    assert locks(lambda: batches.hand_over(again, actor=staff, now=world.now))[:2] == wanted
    world.advance(days=14)
    bank_files.take_in(raw, name="x", actor=staff, now=world.now)
    found = locks(lambda: operations.run_due(world.now, kinds=["bank.file"]))
    assert found.index("invoicing_payment") < found.index("invoicing_debitbatch")


def test_announced_payments_are_locked_before_the_account_and_the_mandate(world: World, shop: Shop) -> None:
    """As by who pays from the funds: nobody who signs or ends a mandate waits for them crosswise."""
    alice, _invoice, debit = debited(world, shop)
    new = drawn_up(world, alice, OTHER_IBAN, debit.mandate)
    found = locks(lambda: mandate_signing.sign(
        new, name="Camille Martin", sha256=new.pdf_sha256, default=True, actor=alice.actor, ip=None, now=world.now
    ))  # fmt: skip
    assert found[:3] == ["invoicing_payment", "accounts_account", "invoicing_mandate"]
    world.work()
    new.refresh_from_db()
    found = locks(lambda: debits.end_mandate(new, "cancelled", now=world.now))
    assert found[:2] == ["invoicing_payment", "invoicing_mandate"]
    assert set(Debit.objects.values_list("state", flat=True)) == {"withdrawn"}


def test_two_tabs_and_the_file_at_the_same_instant(world: World, shop: Shop) -> None:
    """Each invoice is in the file, or is paid at one page; never both, never two pages."""
    announced(world, shop, 6)
    staff = world.staff("billing")
    rows = list(Debit.objects.select_related("invoice"))
    deeds: list[Callable[[], Any]] = [
        lambda row=row, tab=tab: instead.pay(  # type: ignore[misc]
            row.invoice, key=f"{row.pk}-{tab}", actor=SYSTEM, now=world.now, return_url="http://testserver/"
        )
        for row in rows for tab in range(2)
    ]  # fmt: skip
    deeds.insert(3, lambda: batches.make(key="k", until=UNTIL, actor=staff, now=world.now))
    done = together(deeds, may_refuse=True)
    assert all(isinstance(one, tuple | DebitBatch | RuleViolation) for one in done)
    for row in Debit.objects.select_related("invoice"):
        live = list(row.invoice.payments.filter(state__in=payments.LIVE).values_list("provider", flat=True))
        assert (row.state, len(live), live[0] == "sepa_file") in {("withdrawn", 1, False), ("placed", 1, True)}
    for batch in DebitBatch.objects.all():
        batches.hand_over(batch, actor=staff, now=world.now)  # nothing in it was paid otherwise


def test_paid_from_the_funds_in_two_tabs_and_by_a_file(world: World, shop: Shop) -> None:
    announced(world, shop, 4)
    staff = world.staff("billing")
    rows = list(Debit.objects.select_related("invoice__account"))
    with transaction.atomic():
        for row in rows:
            funds.put_in(row.account, 2 * row.cents, source=ledger.BANK, kind="top_up", ref=f"{row.pk}", now=world.now)
    deeds: list[Callable[[], Any]] = [
        lambda row=row: instead.pay_from_funds(row.invoice, actor=SYSTEM, now=world.now)  # type: ignore[misc]
        for row in rows * 2
    ]  # fmt: skip
    deeds.insert(2, lambda: batches.make(key="k", until=UNTIL, actor=staff, now=world.now))
    together(deeds, may_refuse=True)
    for row in Debit.objects.select_related("invoice", "account"):
        left = 2 * row.cents if row.state == "placed" else row.cents
        assert (ledger.funds(row.account), row.invoice.due_cents) == (left, left - row.cents)


def test_paid_from_the_funds_while_the_rest_is_collected(world: World, shop: Shop) -> None:
    """The funds do not reach: what is left is announced anew, which locks the mandate. Who collects the same invoice in
    that instant holds the mandate and waits for the invoice."""
    announced(world, shop, 1)
    row = Debit.objects.select_related("invoice__account").get()
    with transaction.atomic():
        funds.put_in(row.account, 400, source=ledger.BANK, kind="top_up", ref="gift", now=world.now)
    asked, started = threading.Event(), threading.Event()
    spent = topping_up.pay_invoice

    def slowly(*given: Any, **named: Any) -> int:
        cents = spent(*given, **named)  # holds the invoice
        asked.set()
        started.wait(10)
        time.sleep(0.5)  # the other has asked for what it needs by now
        return cents

    def collect() -> Any:
        asked.wait(10)
        started.set()
        invoice = Invoice.objects.select_related("account").get(pk=row.invoice_id)
        return collecting.collect_now(invoice, "pressed", now=world.now)

    with patch.object(topping_up, "pay_invoice", slowly):
        together([lambda: instead.pay_from_funds(row.invoice, actor=SYSTEM, now=world.now), collect])
    invoice = Invoice.objects.get(pk=row.invoice_id)
    assert invoice.paid_cents == 400
    live = Debit.objects.filter(invoice=invoice, state="announced")
    assert [one.cents for one in live] == [invoice.due_cents]


def test_two_files_that_name_the_same_debits_in_another_order(world: World, shop: Shop) -> None:
    """Refused in one order by the one, in the other by the other: neither blocks the other."""
    announced(world, shop, 8)
    staff = world.staff("billing")
    batch = handed(world, staff, UNTIL)
    rows = list(Debit.objects.select_related("payment").order_by("pk"))
    for order in (rows, rows[::-1]):
        raw = report(batch, *((one, "AM04") for one in order))
        bank_files.take_in(raw, name="x", actor=staff, now=world.now)
    at_once(lambda: operations.run_due(world.now, kinds=["bank.file"]), 2)
    assert not operations.run_due(world.now, kinds=["bank.file"]), "neither had to be tried again"
    assert set(Operation.objects.filter(kind="bank.file").values_list("state", flat=True)) == {"done"}
    assert set(Debit.objects.exclude(state="announced").values_list("state", flat=True)) == {"refused"}
    assert sum(BankFile.objects.values_list("receipts_new", flat=True)) == 8
