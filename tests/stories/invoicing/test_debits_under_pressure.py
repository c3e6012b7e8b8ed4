"""However many press the button at once, a debit is in one file, an invoice in one live debit, a credit booked once
(invariant 23, INV-11)."""

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from invoicing.accounting import ledger
from invoicing.banking import bank_files
from invoicing.debiting import batches, debits
from invoicing.models import Debit, DebitBatch, Invoice, Payment
from panel.core.errors import RuleViolation
from tests.support.crowd import together
from tests.support.debiting import RENEWED, debited, handed, signed, statement
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
    ], may_refuse=True)  # fmt: skip
    invoice.refresh_from_db()
    assert (invoice.state, ledger.balance(ledger.BANK), Invoice.objects.count()) == ("paid", invoice.total_cents, 2)
