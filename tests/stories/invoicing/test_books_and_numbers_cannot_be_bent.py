"""As an auditor I find numbers without gap, documents nobody changes, and books that balance (INV-2, INV-11)."""

from collections.abc import Callable

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from invoicing.accounting import ledger
from invoicing.issuing import invoices, parties
from invoicing.issuing.invoices import Billed
from invoicing.models import Entry, Invoice, InvoiceLine, LedgerAccount, NumberSeries, Posting
from invoicing.rules import Wanted, priced
from panel import terms
from panel.core import triggers
from panel.core.actors import SYSTEM
from tests.support.shop import Shop
from tests.support.world import Customer, World, paris

pytestmark = pytest.mark.django_db


def issue(world: World, customer: Customer, once: str, cents: int = 1000) -> Invoice:
    version = terms.current(world.now)
    treatment = parties.vat_treatment(customer.account, version, now=world.now)
    line = priced(Wanted("x", "A thing", cents), treatment)
    return invoices.issue(
        customer.account, [Billed(line)], once=once, terms_version=version.name, treatment=treatment, now=world.now,
        actor=SYSTEM,
    )  # fmt: skip


def refuses(deed: Callable[[], object]) -> bool:
    """Whether the database itself refuses, at the latest where a transaction ends."""
    try:
        with transaction.atomic():
            deed()
            connection.check_constraints()
    except (DatabaseError, IntegrityError):
        return True
    return False


def test_numbers_are_gapless_when_transactions_roll_back(world: World, shop: Shop) -> None:
    alice = world.customer()
    for turn in range(6):
        try:
            with transaction.atomic():
                issue(world, alice, f"turn {turn}")
                if turn % 2:
                    raise RuntimeError("something else in this transaction failed")
        except RuntimeError:
            pass
    assert list(Invoice.objects.order_by("pk").values_list("number", flat=True)) == [
        "F2026-000001", "F2026-000002", "F2026-000003"
    ]  # fmt: skip
    assert invoices.verify() == []


def test_a_year_begins_at_one_and_dates_never_go_back(world: World, shop: Shop) -> None:
    alice = world.customer()
    world.now = paris("2026-12-31 23:59")
    last = issue(world, alice, "last of the year")
    world.now = paris("2027-01-01 00:00")
    first = issue(world, alice, "first of the year")
    world.now = paris("2026-12-30 10:00")
    late = issue(world, alice, "a clock that was set back")
    assert (last.number, first.number, late.number) == ("F2026-000001", "F2027-000001", "F2027-000002")
    assert late.issued_at == first.issued_at
    assert invoices.verify() == []


def test_the_same_cause_is_issued_once(world: World, shop: Shop) -> None:
    alice = world.customer()
    assert issue(world, alice, "once") == issue(world, alice, "once")
    assert NumberSeries.objects.get().last_number == 1


CONTENT = ("number", "total_cents", "net_cents", "issued_on", "due_on", "hash", "document", "account_id", "reason")


@pytest.mark.parametrize("column", CONTENT)
def test_an_issued_document_refuses_change(world: World, shop: Shop, column: str) -> None:
    invoice = issue(world, world.customer(), "x")
    other = {"document": {}, "account_id": world.customer().account.pk}.get(column, getattr(invoice, column))
    if isinstance(other, int) and column.endswith("cents"):
        other += 1
    assert refuses(lambda: Invoice.objects.filter(pk=invoice.pk).update(**{column: other}))


def test_documents_and_lines_cannot_be_deleted_or_added_to(world: World, shop: Shop) -> None:
    invoice = issue(world, world.customer(), "x")
    line = invoice.lines.get()
    assert refuses(lambda: Invoice.objects.filter(pk=invoice.pk)._raw_delete("default"))
    assert refuses(lambda: InvoiceLine.objects.filter(pk=line.pk)._raw_delete("default"))
    assert refuses(lambda: InvoiceLine.objects.filter(pk=line.pk).update(net_cents=1))
    line.pk, line.position = None, 9
    assert refuses(lambda: line.save(force_insert=True)), "a line added later breaks the sum"


def test_an_invoice_whose_lines_do_not_add_up_is_refused(world: World, shop: Shop) -> None:
    invoice = issue(world, world.customer(), "x")
    row = Invoice.objects.get(pk=invoice.pk)
    row.pk, row.number, row.position, row.once = None, "F2026-000002", 2, "y"
    row.previous_hash, row.hash, row.unlisted_id = row.hash, "f" * 64, row.net_cents
    assert refuses(lambda: row.save(force_insert=True))


def test_the_pdf_is_set_once(world: World, shop: Shop) -> None:
    invoice = issue(world, world.customer(), "x")
    world.work()
    assert refuses(lambda: Invoice.objects.filter(pk=invoice.pk).update(pdf=None))


def test_an_altered_document_breaks_the_chain(world: World, shop: Shop) -> None:
    alice = world.customer()
    one = issue(world, alice, "1")
    issue(world, alice, "2")
    assert invoices.verify() == []
    triggers.drop(connection)
    Invoice.objects.filter(pk=one.pk).update(document={**one.document, "total_cents": 1})
    triggers.install(connection)
    assert invoices.verify() == [f"{one.number} was altered, or what stands before it"]


def test_the_books_refuse_an_unbalanced_entry(world: World, shop: Shop) -> None:
    def unbalanced() -> None:
        ledger.post("test", "1", [ledger.debit(ledger.BANK, 100), ledger.credit(ledger.SALES, 99)], now=world.now)

    assert refuses(unbalanced)
    assert not Entry.objects.exists()


def test_the_books_refuse_change_deletion_and_later_postings(world: World, shop: Shop) -> None:
    with transaction.atomic():
        entry = ledger.post(
            "test", "1", [ledger.debit(ledger.BANK, 100), ledger.credit(ledger.SALES, 100)], now=world.now
        )
    assert entry is not None
    bank = LedgerAccount.objects.get(code=ledger.BANK)
    assert refuses(lambda: Posting.objects.filter(entry=entry).update(cents=5))
    assert refuses(lambda: Posting.objects.filter(entry=entry)._raw_delete("default"))
    assert refuses(lambda: Entry.objects.filter(pk=entry.pk).update(ref="2"))
    assert refuses(lambda: Entry.objects.filter(pk=entry.pk)._raw_delete("default"))
    assert refuses(lambda: Posting.objects.create(entry=entry, ledger_account=bank, cents=1))
    assert ledger.total() == 0


def test_a_fact_is_booked_once_and_never_otherwise(world: World, shop: Shop) -> None:
    def legs(cents: int) -> list[ledger.Leg]:
        return [ledger.debit(ledger.BANK, cents), ledger.credit(ledger.SALES, cents)]

    with transaction.atomic():
        first = ledger.post("test", "1", legs(100), now=world.now)
        assert ledger.post("test", "1", legs(100), now=world.now) == first
    with pytest.raises(ledger.Contradiction), transaction.atomic():
        ledger.post("test", "1", legs(200), now=world.now)
    assert Posting.objects.count() == 2
