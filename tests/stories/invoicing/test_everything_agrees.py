"""The provider, the books, the invoices and the services agree; where they do not, staff reads what and since when."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext

from invoicing.accounting import ledger, reconciling, reconciling_rules
from invoicing.accounting.reconciling_rules import ChargeFact
from invoicing.issuing import invoices
from invoicing.models import Entry, Invoice, MoneyDifference, Order, Pack, Payment
from invoicing.paying import refunds
from invoicing.selling_by_hand import repaying
from invoicing.subscribing import kinds
from panel.accounts.models import User
from panel.console import work
from panel.core.actors import SYSTEM
from panel.core.models import Operation
from servers.kinds import VpsKind
from tests.support import relay
from tests.support.personas import logged_in
from tests.support.relay import EVER
from tests.support.shop import Shop
from tests.support.till import Till, open_till
from tests.support.world import World

pytestmark = pytest.mark.django_db


@pytest.fixture
def till(world: World, shop: Shop, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Till]:
    settings.CLAUSE_REQUIRE_STAFF_MFA = False
    monkeypatch.setattr("panel.core.clock.now", lambda: world.now)
    monkeypatch.setattr(
        type(shop.service), "progress", lambda self, row: kinds.Progress(ready=row.reference not in self.used)
    )
    with open_till(world, shop, settings) as opened:
        yield opened


@pytest.fixture
def console(world: World) -> Client:
    return logged_in(User.objects.get(pk=world.staff("billing").user_id))


def compared(till: Till) -> list[tuple[str, str]]:
    till.sync()
    till.world.advance(hours=1, sweeps=["invoicing.compare"])
    assert not till.world.failed_operations()
    return list(reconciling.open_ones().values_list("kind", "ref"))


def test_a_healthy_day_is_empty_after_a_refund_too(till: Till, world: World, console: Client) -> None:
    alice = world.customer()
    for _ in range(2):
        till.buy(alice)
    invoice = Invoice.objects.order_by("pk")[0]
    repaying.credit(
        invoice, [200], reason="a gesture", refund=True, key="k", actor=world.staff("billing"), now=world.now
    )
    world.work()
    world.advance(hours=1)
    assert compared(till) == []
    assert Operation.objects.filter(kind="payments.compare").order_by("-pk")[0].result["compared"] == 2
    assert "Everything agrees" in console.get("/ops/ledger/reconciliation/").content.decode()


def test_each_fault_is_named_until_it_is_gone(till: Till, world: World, shop: Shop, console: Client) -> None:
    """A payment that forgot its success, one the provider does not know, an order that was paid and never delivered, a
    service delivered unpaid, an entry nobody paid."""
    alice = world.customer()
    payments = [till.buy(alice) for _ in range(4)]
    world.advance(hours=1)
    Payment.objects.filter(pk=payments[0].pk).update(state="processing")
    Payment.objects.filter(pk=payments[1].pk).update(provider_ref="pi_elsewhere")
    shop.service.used[payments[2].order.subscription.reference] = 1  # type: ignore[index, union-attr]
    Order.objects.filter(pk=payments[3].order_id).update(state="awaiting_payment")
    with transaction.atomic():
        legs = [ledger.debit(ledger.CLEARING, 5), ledger.credit(ledger.CUSTOMERS, 5)]
        ledger.post("payment", "PAY-NOWHERE", legs, now=world.now, account=alice.account)
    first, second, third, fourth = payments
    assert set(compared(till)) == {
        ("charge_not_recorded", first.reference), ("booked_without_payment", first.reference),
        ("payment_without_charge", second.reference),
        ("paid_unprovisioned", third.order.reference if third.order else ""),
        ("provisioned_unpaid", fourth.order.reference if fourth.order else ""),
        ("booked_without_payment", "PAY-NOWHERE"),
    }  # fmt: skip
    page = console.get("/ops/ledger/reconciliation/").content.decode()
    assert "Something does not agree" in page
    assert "Paid, but nothing is delivered" in page
    billing = world.staff("billing")
    assert [queue.total for queue in work.queues(billing, now=world.now) if "reconciliation" in queue.url] == [6]
    Payment.objects.filter(pk=first.pk).update(state="succeeded")
    assert ("charge_not_recorded", first.reference) not in compared(till)
    assert MoneyDifference.objects.filter(resolved_at=world.now).count() == 2


def test_a_pack_is_delivered_with_its_payment(till: Till, world: World, shop: Shop) -> None:
    """It has no subscription; used up, expired or credited it was delivered all the same (OPR-9)."""
    alice = world.customer()
    relay.messages(world)
    relay.pack(500)
    relay.pack(50, 300)
    bought = [till.buy(alice, package=code, interval="once").order for code in ("pack-500", "pack-50")]
    Pack.objects.filter(order=bought[1]).update(closing="expired", closed_at=world.now)
    world.advance(hours=1)
    assert [order.state for order in bought if order] == ["paid", "paid"]
    assert compared(till) == []
    found = {one.reference: one for one in reconciling.gather(None, since=EVER, until=world.now).orders}
    assert [found[order.reference].delivered for order in bought if order] == [True, True]


def test_what_is_compared_is_read_in_a_fixed_number_of_queries(
    till: Till, world: World, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many customers; and of a document no more than its amounts."""
    relay.messages(world)
    relay.pack(500)

    def grown() -> list[str]:
        alice = world.customer()
        till.buy(alice)
        shop.buy(alice, "sms")
        shop.buy_pack(alice, "pack-500")
        world.advance(hours=2)
        with monkeypatch.context() as real, CaptureQueriesContext(connection) as asked:
            real.setitem(kinds._kinds, "vps", VpsKind())
            reconciling_rules.differences(reconciling.gather(set(), since=EVER, until=world.now))
        return [one["sql"] for one in asked.captured_queries]

    few = grown()
    for _ in range(3):
        many = grown()
    assert len(many) == len(few)
    assert not any('"document"' in sql or '"quotation"' in sql for sql in many)


def test_of_what_is_compared_some_is_held_at_a_time(
    till: Till, world: World, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Five sales, two by two: the provider's list is never all there, nor is any table; of a payment no more is read
    than its amounts. The faults are found all the same."""
    for _ in range(5):
        till.buy(world.customer())
    monkeypatch.setattr(reconciling, "AT_ONCE", 2)
    told = [ChargeFact(one.provider_ref or "", True, one.amount_cents) for one in Payment.objects.order_by("-pk")[:4]]
    held, most = 0, 0

    def listed() -> Iterator[ChargeFact]:
        nonlocal held, most
        for one in told:
            held += 1
            most = max(most, held)
            yield one

    def of_charges(some: Any, payments: Any) -> Any:
        nonlocal held
        held -= len(some)
        return usual(some, payments)

    usual = reconciling_rules.of_charges
    monkeypatch.setattr(reconciling_rules, "of_charges", of_charges)
    world.advance(hours=2)
    lost, unpaid = Payment.objects.order_by("pk")[0], Order.objects.order_by("-pk")[0]
    Order.objects.filter(pk=unpaid.pk).update(state="awaiting_payment")
    with CaptureQueriesContext(connection) as asked, reconciling.Listed(listed()) as all_of_it:
        found = reconciling.compare(all_of_it, now=world.now)
    assert {(one.kind, one.ref) for one in found} == {
        ("payment_without_charge", lost.reference), ("provisioned_unpaid", unpaid.reference)
    }  # fmt: skip
    assert (most, all_of_it.count) == (2, 4)
    read = [one["sql"].partition(" FROM ") for one in asked.captured_queries]
    assert not any('"return_url"' in columns for columns, _from, _rest in read)
    of_tables = [
        rest for _columns, _from, rest in read if rest.startswith(('"invoicing_payment"', '"invoicing_order"'))
    ]
    assert all("LIMIT 2" in rest or " IN (" in rest for rest in of_tables)


def test_an_old_payment_is_judged_by_its_refund_alone(till: Till, world: World) -> None:
    """The provider's list does not reach back to it: that it is not there says nothing."""
    payment = till.buy(world.customer())
    invoices.credit(Invoice.objects.get(), None, reason="x", now=world.now, actor=SYSTEM)
    world.now += reconciling.LOOK_BACK + timedelta(days=8)
    refunds.give_back(payment, 300, reason="x", key="k", actor=SYSTEM, now=world.now)
    world.now += timedelta(hours=2)
    with reconciling.Listed([]) as nothing:
        found = reconciling.compare(nothing, now=world.now)
    assert [(one.kind, one.ref, one.expected, one.found) for one in found] == [
        ("refund_differs", payment.reference, 300, 0)
    ]


def test_what_is_just_being_paid_is_no_difference(till: Till, world: World) -> None:
    till.buy(world.customer())
    Payment.objects.update(state="processing")
    till.sync()
    world.sweep("invoicing.compare")
    world.work()
    assert not MoneyDifference.objects.exists()


def test_any_balance_leads_to_the_entries_and_to_what_they_were_made_of(
    till: Till, world: World, console: Client
) -> None:
    alice, bob = world.customer(), world.customer("Bob")
    till.buy(alice)
    till.buy(bob)
    chart = console.get("/ops/ledger/").content.decode()
    assert "411000 Customers" in chart
    assert "EUR\u00a014.16" in chart  # twice 7.08 on its way from the provider
    page = console.get(f"/ops/ledger/accounts/706000/?account={alice.account.reference}").content.decode()
    assert "No match" in page  # sales are nobody's
    page = console.get(f"/ops/ledger/accounts/411000/?account={alice.account.reference}&kind=invoice").content.decode()
    mine, other = Invoice.objects.get(account=alice.account), Invoice.objects.get(account=bob.account)
    assert mine.number in page
    assert other.number not in page
    entry = Entry.objects.get(kind="invoice", ref=mine.number)
    detail = console.get(f"/ops/ledger/entries/{entry.pk}/").content.decode()
    assert f"/ops/invoices/{mine.number}/" in detail
    assert f"Invoice {mine.number} issued" in detail
