"""As staff of billing I find in My work what only a person can do about money that has come or is to be collected:
nothing of it is forgotten while customers are told otherwise (INV-5, INV-11)."""

from datetime import date

import pytest

from invoicing.banking import bank_files
from invoicing.debiting import batches
from invoicing.models import BankReceipt
from panel.console import work
from panel.console.work import Queue
from panel.core.actors import Actor
from tests.support.bank_statement import statement as transfers
from tests.support.debiting import debited, statement, take
from tests.support.shop import Shop
from tests.support.world import World, paris

pytestmark = pytest.mark.django_db
DAY = date(2026, 4, 16)


@pytest.fixture
def billing(world: World) -> Actor:
    return world.staff("billing")


def queue(world: World, actor: Actor, title: str) -> Queue:
    (found,) = (one for one in work.queues(actor, now=world.now) if one.title == title)
    return found


def waits(world: World, actor: Actor, title: str) -> list[tuple[str, str]]:
    found = queue(world, actor, title)
    assert found.total == len(found.rows)
    return [(row.title, row.url) for row in found.rows]


FILE, HAND, SILENT, MATCH = (
    "Direct debits that need a file", "Files to hand to the bank", "Direct debits without the bank's word",
    "Bank transfers to match",
)  # fmt: skip


def test_a_debit_is_brought_to_the_bank_and_followed(world: World, shop: Shop, billing: Actor) -> None:
    """From its announcement to the bank's word it stands in one queue at a time, and in none while nobody need act."""
    _alice, invoice, debit = debited(world, shop)
    world.until(paris("2026-04-13 09:00"))
    assert waits(world, billing, FILE) == [], "three banking days ahead there is time"
    world.until(paris("2026-04-14 09:00"))
    assert waits(world, billing, FILE) == [(invoice.number, "/ops/debits/?until=2026-04-16")]
    assert queue(world, billing, FILE).rows[0].due == paris("2026-04-16 00:00")
    batch = batches.make(key="k", until=DAY, actor=billing, now=world.now)
    assert waits(world, billing, FILE) == []
    assert waits(world, billing, HAND) == [(batch.reference, f"/ops/debits/files/{batch.reference}/")]
    assert queue(world, billing, HAND).tone == "warn"
    world.until(paris("2026-04-16 09:00"))
    assert queue(world, billing, HAND).tone == "bad", "its day has come"
    batches.hand_over(batch, actor=billing, now=world.now)
    world.until(paris("2026-04-20 09:00"))
    assert (waits(world, billing, HAND), waits(world, billing, SILENT)) == ([], [])
    world.until(paris("2026-04-21 09:00"))
    assert waits(world, billing, SILENT) == [(invoice.number, f"/ops/debits/{debit.pk}/")]
    take(world, billing, statement([debit], day=DAY))
    assert waits(world, billing, SILENT) == []


def test_a_debit_whose_notice_has_not_left_asks_for_no_file(world: World, shop: Shop, billing: Actor) -> None:
    _alice, _invoice, debit = debited(world, shop)
    world.until(paris("2026-04-15 09:00"))
    notice = debit.notices.get()
    type(notice.mail).objects.filter(pk=notice.mail_id).update(accepted_at=None)
    assert waits(world, billing, FILE) == []


def test_a_transfer_that_names_nothing_waits_until_a_person_says_whose_it_is(
    world: World, shop: Shop, billing: Actor
) -> None:
    alice = world.customer()
    shop.buy(alice)
    world.advance(days=31, sweeps=["invoicing.renew"])
    (invoice,) = (one for one in shop.invoices(alice) if one.state == "open")
    take(world, billing, transfers((invoice.total_cents, "thank you"), (200, "interest")))
    first, second = BankReceipt.objects.order_by("pk")
    assert [url for _title, url in waits(world, billing, MATCH)] == [f"/ops/bank/{one.pk}/" for one in (first, second)]
    assert "It names no invoice." in queue(world, billing, MATCH).rows[0].note
    bank_files.match(first, invoice.number, actor=billing, now=world.now)
    bank_files.set_aside(second, "interest of the bank", now=world.now)
    assert waits(world, billing, MATCH) == []
    assert all(one.title != MATCH for one in work.queues(world.staff("support"), now=world.now))
