"""As a customer I am told the day of a debit, and once more when nobody kept it; I am not made to hold the money ready
again and again for a file that nobody makes: then a person decides (INV-5, OPR-3, invariant 23)."""

from datetime import date

import pytest

from invoicing.debiting import batches, debits
from invoicing.models import Debit, Invoice
from panel.accounts.models import User
from panel.console import work
from panel.core import clock
from panel.core.actors import Actor
from tests.support.debiting import debited, in_file
from tests.support.personas import logged_in, second_factor
from tests.support.shop import Shop
from tests.support.world import Customer, World, paris

pytestmark = pytest.mark.django_db
TENDED = ("invoicing.debits",)
PASSED, FILE = "Direct debits whose days passed", "Direct debits that need a file"


@pytest.fixture
def billing(world: World) -> Actor:
    return world.staff("billing")


def told(world: World, alice: Customer) -> int:
    return len(world.mails("debit_notice", alice.account))


def waits(world: World, actor: Actor, title: str) -> list[str]:
    (found,) = (one for one in work.queues(actor, now=world.now) if one.title == title)
    return [row.title for row in found.rows]


def forgotten(world: World, shop: Shop) -> tuple[Customer, Invoice, Debit]:
    """Told the 16th and then the 30th of April; it is the 4th of May and nobody made a file."""
    alice, invoice, debit = debited(world, shop)
    world.until(paris("2026-04-16 09:00"), sweeps=TENDED)
    world.until(paris("2026-05-04 09:00"), sweeps=TENDED)
    debit.refresh_from_db()
    return alice, invoice, debit


def test_its_day_is_moved_once_and_then_staff_is_asked(world: World, shop: Shop, billing: Actor) -> None:
    alice, invoice, debit = debited(world, shop)
    assert (told(world, alice), debit.debit_on) == (1, date(2026, 4, 16))
    world.until(paris("2026-04-16 09:00"), sweeps=TENDED)
    debit.refresh_from_db()
    assert (told(world, alice), debit.debit_on) == (2, date(2026, 4, 30)), "fourteen days after the new notice"
    assert waits(world, billing, PASSED) == []
    world.until(paris("2026-04-29 09:00"), sweeps=TENDED)
    assert waits(world, billing, FILE) == [invoice.number]
    world.until(paris("2026-07-30 09:00"), sweeps=TENDED)
    debit.refresh_from_db()
    assert (told(world, alice), debit.debit_on, debit.state) == (2, date(2026, 4, 30), "announced")
    assert waits(world, billing, PASSED) == [invoice.number]
    assert waits(world, billing, FILE) == [], "no file made now reaches its day"
    invoice.refresh_from_db()
    assert invoice.state == "open", "that nobody made the file is no fault of the customer"


def test_no_file_holds_it_before_it_is_announced_again(
    world: World, shop: Shop, billing: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, invoice, debit = forgotten(world, shop)
    monkeypatch.setattr(clock, "now", lambda: world.now)
    user = User.objects.get(pk=billing.user_id)
    second_factor(user)
    client = logged_in(user)
    (one,) = batches.candidates(date(2026, 6, 1), now=world.now)
    assert (one.hindrance, batches.DebitBatch.objects.count()) == ("missed", 0)
    page = client.get("/ops/debits/").content.decode()
    assert "Announce them again" in page
    for _ in range(2):
        assert client.post("/ops/debits/announce/", {"key": "k"}).status_code == 302
    assert told(world, alice) == 2, "the page answers at once"
    world.work()
    debit.refresh_from_db()
    assert (told(world, alice), debit.debit_on) == (3, date(2026, 5, 18))
    assert waits(world, billing, PASSED) == []
    assert "Announce them again" not in client.get("/ops/debits/").content.decode()
    batch = batches.make(key="k", until=date(2026, 5, 18), actor=billing, now=world.now)
    assert in_file(batch)[0][2] == "2026-05-18"
    assert batch.debits.get().invoice == invoice


def test_announced_again_and_forgotten_again_it_waits_again(world: World, shop: Shop, billing: Actor) -> None:
    alice, invoice, _debit = forgotten(world, shop)
    debits.announce_missed(key="k", now=world.now)
    world.work()
    world.until(paris("2026-07-30 09:00"), sweeps=TENDED)
    assert told(world, alice) == 3
    assert waits(world, billing, PASSED) == [invoice.number]
