"""As staff I mark a file as handed over although something in it may no longer be collected: the bank has it already,
and nothing of it is collected twice (INV-5, OPR-3)."""

from datetime import date

import pytest

from invoicing.accounting import ledger
from invoicing.contesting import contesting
from invoicing.debiting import batches, debits
from invoicing.models import Debit
from panel.core.errors import RuleViolation
from tests.support.debiting import debited, report, signed, statement, take
from tests.support.owing import transfer
from tests.support.shop import Shop
from tests.support.world import World

pytestmark = pytest.mark.django_db
DAY = date(2026, 4, 16)


@pytest.mark.parametrize("how", ["paid", "ended", "contested"])
def test_what_the_bank_has_already_is_never_released(world: World, shop: Shop, how: str) -> None:
    """Uploaded yesterday, marked today: what happened in between comes too late for the file."""
    billing, bob = world.staff("billing"), world.customer("Bob")
    shop.buy(bob)
    signed(world, bob)
    alice, invoice, debit = debited(world, shop)
    second = Debit.objects.select_related("invoice").get(account=bob.account)
    batch = batches.make(key="k", until=DAY, actor=billing, now=world.now)
    if how == "paid":
        transfer(world, invoice)
    elif how == "ended":
        debits.end_mandate(debit.mandate, "cancelled", now=world.now)
    else:
        contesting.ask(invoice, None, reference="R", asked_at=world.now, actor=alice.actor, now=world.now)
    assert [one.debit for one in batches.stopped(batch, now=world.now)] == [debit]
    with pytest.raises(RuleViolation, match="has it already"):
        batches.hand_over(batch, actor=billing, now=world.now)
    for _ in range(2):
        batches.hand_over(batch, actor=billing, now=world.now, already=True)
    world.work()
    world.sweep("invoicing.debits")
    assert set(Debit.objects.values_list("state", "payment__state")) == {("sent", "processing")}
    (waits,) = world.failed_operations()
    assert (waits.kind, waits.payload["why"]) == ("debits.judge", "recall")
    assert debit.payment.reference in waits.payload["what"]
    with pytest.raises(RuleViolation):
        batches.make(key="again", until=date(2026, 6, 1), actor=billing, now=world.now)
    assert Debit.objects.filter(invoice=invoice).count() == 1
    world.advance(days=14)
    take(world, billing, statement([debit, second], day=DAY))
    invoice.refresh_from_db()
    assert (invoice.state, ledger.funds(alice.account)) == ("paid", debit.cents if how == "paid" else 0)


@pytest.mark.parametrize("since", ["announced", "withdrawn", "in another file"])
def test_from_a_file_that_was_discarded_staff_looks(world: World, shop: Shop, since: str) -> None:
    """The bank had the file after all: it may collect the rest of it, beside the file that takes its place."""
    billing = world.staff("billing")
    _alice, _invoice, debit = debited(world, shop)
    batch = batches.make(key="k", until=DAY, actor=billing, now=world.now)
    answer = report(batch, (debit, "AM04"))
    batches.discard(batch, reason="never uploaded", actor=billing, now=world.now)
    if since == "withdrawn":
        debits.withdraw(debit, now=world.now)
    elif since == "in another file":
        batches.make(key="k2", until=DAY, actor=billing, now=world.now)
    before = Debit.objects.values_list("state", "payment__state", "invoice__state").get()
    for _ in range(2):
        take(world, billing, answer)
    assert Debit.objects.values_list("state", "payment__state", "invoice__state").get() == before
    (op,) = world.failed_operations()
    assert (op.payload["why"], op.subject_id) == ("not_with_the_bank", debit.pk)
    assert debit.payment.reference in op.last_error


def test_of_a_whole_file_that_was_discarded_staff_looks(world: World, shop: Shop) -> None:
    billing = world.staff("billing")
    debited(world, shop)
    batch = batches.make(key="k", until=DAY, actor=billing, now=world.now)
    batches.discard(batch, reason="never uploaded", actor=billing, now=world.now)
    take(world, billing, report(batch, whole="FF01"))
    assert [op.payload["why"] for op in world.failed_operations()] == ["not_with_the_bank"]
