"""As staff I say that the bank has a file of thousands, or take its answer in, and the page answers at once: what
follows is done debit by debit, I see how far it is, what cannot be done waits for me, the rest not (INV-5, INV-11)."""

from datetime import date
from typing import Any
from unittest.mock import patch

import pytest
from django.test import Client

from invoicing.accounting import ledger
from invoicing.banking import bank_files
from invoicing.debiting import batches, debit_rules
from invoicing.debiting import debits as single
from invoicing.models import BankFile, BankReceipt, Debit, DebitBatch, Mandate
from invoicing.paying import payments
from panel.accounts.models import User
from panel.console import work
from panel.core import clock, keyset, operations
from panel.core.actors import Actor
from tests.support.debiting import RENEWED, report, signed, statement, take
from tests.support.personas import logged_in, second_factor
from tests.support.shop import Shop
from tests.support.world import World

pytestmark = pytest.mark.django_db
DAY = date(2026, 4, 16)


@pytest.fixture
def billing(world: World) -> Actor:
    return world.staff("billing")


@pytest.fixture
def console(world: World, billing: Actor, monkeypatch: pytest.MonkeyPatch) -> Client:
    monkeypatch.setattr(clock, "now", lambda: world.now)
    user = User.objects.get(pk=billing.user_id)
    second_factor(user)
    return logged_in(user)


@pytest.fixture
def batch(world: World, shop: Shop, billing: Actor) -> DebitBatch:
    """A file with the debits of three customers."""
    for number in range(3):
        alice = world.customer(f"Alice{number}")
        shop.buy(alice)
        signed(world, alice)
    world.advance(days=31, sweeps=RENEWED)
    return batches.make(key="k", until=DAY, actor=billing, now=world.now)


def states() -> list[tuple[str, str]]:
    return list(Debit.objects.order_by("pk").values_list("state", "payment__state"))


def debits() -> list[Debit]:
    return list(Debit.objects.select_related("payment").order_by("pk"))


def failing_once(pk: int) -> Any:
    """`payments.conclude` that cannot conclude one payment the first time."""
    real, failed = payments.conclude, list[int]()

    def conclude(payment_id: int, *given: Any, **named: Any) -> Any:
        if payment_id == pk and not failed:
            failed.append(payment_id)
            raise ValueError("it is not to be")
        return real(payment_id, *given, **named)

    return patch.object(payments, "conclude", conclude)


def test_handed_over_the_page_answers_at_once_and_shows_how_far_it_is(
    world: World, console: Client, batch: DebitBatch
) -> None:
    url = f"/ops/debits/files/{batch.reference}/"
    for _ in range(2):
        assert console.post(f"{url}send/").status_code == 302
    batch.refresh_from_db()
    assert (batch.state, states()) == ("sent", [("placed", "new")] * 3)
    assert "3 debits are left" in console.get(url).content.decode()
    world.work()
    assert states() == [("sent", "processing")] * 3
    assert "being marked as with the bank" not in console.get(url).content.decode()
    assert set(Mandate.objects.values_list("last_used_on", flat=True)) == {DAY}


def test_of_all_that_are_announced_some_are_held_at_a_time(
    world: World, billing: Actor, batch: DebitBatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two by two, the sweep finds all of them whose day cannot be kept, and announces each again."""
    batches.discard(batch, reason="Not wanted.", actor=billing, now=world.now)
    held = []

    def judged(rows: Any, **how: Any) -> Any:
        held.append(len(rows))
        return usual(rows, **how)

    usual = single.judged
    monkeypatch.setattr(keyset, "AT_ONCE", 2)
    monkeypatch.setattr(single, "judged", judged)
    world.now = world.now.replace(month=4, day=16)
    days = {row.pk: row.debit_on for row in debits()}
    assert world.sweep("invoicing.debits").done == len(days) == 3
    assert held == [2, 1]
    assert all(row.debit_on > days[row.pk] for row in debits())


def test_one_that_fails_stops_no_other_and_is_tried_again(world: World, billing: Actor, batch: DebitBatch) -> None:
    first = debits()[0]
    batches.hand_over(batch, actor=billing, now=world.now)
    with failing_once(first.payment_id):
        world.work()
        assert states() == [("placed", "new"), *[("sent", "processing")] * 2]
        world.advance(minutes=1)
    assert states() == [("sent", "processing")] * 3


def test_what_cannot_be_done_waits_for_staff(world: World, billing: Actor, batch: DebitBatch) -> None:
    batches.hand_over(batch, actor=billing, now=world.now)
    with patch.object(payments, "conclude", side_effect=ValueError("it is not to be")):
        for _ in range(batches.Sent.max_attempts):
            world.advance(hours=2)
    (row,) = world.failed_operations()
    assert (row.kind, row.subject_id) == ("debits.sent", batch.pk)
    assert "3 of 3" in row.last_error
    assert sum(queue.total for queue in work.queues(world.staff(), now=world.now) if queue.url == "/ops/operations/")
    operations.retry(row.pk, now=world.now)
    world.work()
    assert states() == [("sent", "processing")] * 3


def test_a_sum_of_the_bank_pays_each_debit_once(world: World, billing: Actor, batch: DebitBatch) -> None:
    batches.hand_over(batch, actor=billing, now=world.now)
    world.advance(days=14)
    total = sum(one.cents for one in debits())
    raw = statement(day=DAY, group=debit_rules.group(batch.reference, DAY), group_cents=total)
    with failing_once(debits()[1].payment_id):
        take(world, billing, raw)
        assert BankReceipt.objects.get().state == "matched"
        assert [state for state, _payment in states()] == ["collected", "sent", "collected"]
        take(world, billing, raw + b"\n")
        world.advance(minutes=1)
    assert states() == [("collected", "succeeded")] * 3
    assert ledger.balance(ledger.BANK) == total
    assert not world.failed_operations()


def test_a_sum_for_a_file_that_nobody_marked(world: World, billing: Actor, batch: DebitBatch) -> None:
    """The bank has it, or it could not have paid."""
    world.advance(days=14)
    total = sum(one.cents for one in debits())
    take(world, billing, statement(day=DAY, group=debit_rules.group(batch.reference, DAY), group_cents=total))
    batch.refresh_from_db()
    assert (batch.state, states()) == ("sent", [("collected", "succeeded")] * 3)
    assert set(Mandate.objects.values_list("last_used_on", flat=True)) == {DAY}


def test_a_file_of_the_bank_is_taken_in_entry_by_entry(
    world: World, console: Client, billing: Actor, batch: DebitBatch
) -> None:
    batches.hand_over(batch, actor=billing, now=world.now)
    world.advance(days=14)
    rows = debits()
    bank_files.take_in(statement(rows, day=DAY), name="x.xml", actor=billing, now=world.now)
    assert "Being taken in" in console.get("/ops/bank/").content.decode()
    with failing_once(rows[1].payment_id):
        world.work()
        assert (BankFile.objects.get().receipts_new, [state for state, _payment in states()]) == (
            2, ["collected", "sent", "collected"],
        )  # fmt: skip
        world.advance(minutes=1)
    assert (BankFile.objects.get().receipts_new, states()) == (3, [("collected", "succeeded")] * 3)
    assert "Being taken in" not in console.get("/ops/bank/").content.decode()


@pytest.mark.parametrize("by_group", [False, True])
def test_refused_as_a_whole_and_told_so_again(world: World, billing: Actor, batch: DebitBatch, by_group: bool) -> None:
    """The same refusal in another file (another digest) is no debit of strangers, and changes nothing."""
    batches.hand_over(batch, actor=billing, now=world.now)
    world.advance(days=1)
    group = debit_rules.group(batch.reference, DAY) if by_group else ""
    raw = report(batch, whole="AM04", group=group)
    first = take(world, billing, raw)[0]
    mails = len(world.mails("payment_refused"))
    again = take(world, billing, raw + b"\n")[0]
    assert (first.receipts_new, again.receipts_new) == (3, 0)
    assert {state for state, _payment in states()[:3]} == {"refused"}
    assert not world.failed_operations(), "it was judged none of ours"
    assert len(world.mails("payment_refused")) == mails


def test_refused_as_a_whole_after_it_was_credited_waits_for_a_person(
    world: World, billing: Actor, batch: DebitBatch
) -> None:
    batches.hand_over(batch, actor=billing, now=world.now)
    world.advance(days=14)
    take(world, billing, statement(debits()[:1], day=DAY))
    for tail in (b"", b"\n"):
        take(world, billing, report(batch, whole="AM04") + tail)
    waits = world.failed_operations()
    assert {row.payload["why"] for row in waits} == {"said_only"}
    assert [state for state, _payment in states()[:3]] == ["collected", "refused", "refused"]
