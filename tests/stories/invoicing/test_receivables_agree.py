"""What the books say a customer owes and has with us is what the invoices and the funds say; where it is not, staff
reads it once, until it is gone (INV-11)."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import transaction
from django.test import Client

from invoicing.accounting import ledger, receivables, reconciling
from invoicing.issuing import invoices
from invoicing.models import Invoice, MoneyDifference, Order, OrderState
from invoicing.paying import disputes
from invoicing.selling_by_hand import writing_off
from invoicing.subscribing import ordering
from panel.accounts.models import User
from panel.console import work
from tests.support.owing import SWEEPS, transfer
from tests.support.personas import logged_in
from tests.support.shop import Shop
from tests.support.till import Till, open_till
from tests.support.world import Customer, World

pytestmark = pytest.mark.django_db
COMPARE = ["invoicing.compare_balances"]


@pytest.fixture
def till(world: World, shop: Shop, settings: Any) -> Iterator[Till]:
    with open_till(world, shop, settings) as opened:
        yield opened


@pytest.fixture
def alice(world: World, shop: Shop) -> Customer:
    return world.customer()


def found(world: World) -> list[tuple[str, int | None, int | None]]:
    world.advance(hours=1, sweeps=COMPARE)
    rows = MoneyDifference.objects.filter(resolved_at=None).order_by("pk")
    return list(rows.values_list("kind", "expected_cents", "found_cents"))


def book(world: World, alice: Customer, code: str, cents: int, ref: str) -> None:
    """An entry that belongs to nothing."""
    with transaction.atomic():
        ledger.post(
            "astray", ref, [ledger.debit(code, cents), ledger.credit(ledger.LOSSES, cents)], now=world.now,
            account=alice.account,
        )  # fmt: skip


def test_an_ordinary_year_agrees(world: World, shop: Shop, alice: Customer) -> None:
    """Open, paid in part, paid too much, credited, written off in part."""
    shop.buy(alice)
    for share in (0, 200, 900):
        world.advance(days=31, sweeps=SWEEPS)
        newest = Invoice.objects.latest("pk")
        if share:
            transfer(world, newest, share)
        assert receivables.of(alice.account.pk) == []
    first = Invoice.objects.order_by("pk")[0]
    invoices.credit(first, [100], reason="a gesture", now=world.now, actor=world.staff("billing"))
    assert ledger.funds(alice.account) > 0
    due = Invoice.objects.filter(state="overdue").order_by("pk")[0]
    writing_off.write_off(due, reason="lost", now=world.now, actor=world.staff("billing"))
    assert receivables.of(alice.account.pk) == []
    assert found(world) == []


def test_money_that_belongs_to_no_invoice_is_no_difference(till: Till, world: World, alice: Customer) -> None:
    """A payment for an order that was cancelled meanwhile waits on the account, and goes back."""
    for late in (till.shop.order(alice), till.shop.order(alice)):
        payment = till.start(late, alice, key=f"pay:{late.reference}")
        till.pay(payment)
        Order.objects.filter(pk=late.pk).update(state=OrderState.CANCELLED)
    gone = till.shop.order(alice)
    Order.objects.filter(pk=gone.pk).update(state=OrderState.CANCELLED)
    waits = till.shop.payment(gone)
    with transaction.atomic():
        assert ordering.paid(gone, waits, now=world.now) is None
    assert ledger.balance(ledger.CUSTOMERS, alice.account) == -waits.amount_cents
    assert receivables.of(alice.account.pk) == []
    till.deliver()
    world.work()
    assert found(world) == []


def test_a_dispute_leaves_both_sides_even(till: Till, world: World, alice: Customer) -> None:
    payment = till.buy(alice)
    said = {"ref": "dp_1", "state": "open", "amount_cents": payment.amount_cents, "reason": "fraudulent",
            "at": world.now.isoformat(), "respond_by": ""}  # fmt: skip
    disputes.conclude(payment.pk, [said], now=world.now)
    assert Invoice.objects.get().due_cents == payment.amount_cents
    assert found(world) == []
    disputes.conclude(payment.pk, [{**said, "state": "won"}], now=world.now)
    assert found(world) == []


def test_each_difference_is_told_once_until_it_is_gone(
    world: World, shop: Shop, alice: Customer, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.CLAUSE_REQUIRE_STAFF_MFA = False
    monkeypatch.setattr("panel.core.clock.now", lambda: world.now)
    shop.buy(alice)
    shop.buy(world.customer("Bob"))
    book(world, alice, ledger.CUSTOMERS, 7, "one")
    book(world, alice, ledger.FUNDS, -5, "two")
    expected = [("receivables_differ", 0, 7), ("funds_differ", 0, 5)]
    for _ in range(3):
        assert found(world) == expected
    assert MoneyDifference.objects.count() == 2
    reconciling.keep([], now=world.now)
    assert len(reconciling.open_ones()) == 2, "the comparison with the provider does not end them"
    billing = world.staff("billing")
    assert [queue.total for queue in work.queues(billing, now=world.now) if "reconciliation" in queue.url] == [2]
    console: Client = logged_in(User.objects.get(pk=billing.user_id))
    page = console.get("/ops/ledger/reconciliation/").content.decode()
    assert "The books say other than what is due on invoices" in page
    assert alice.account.reference in page
    book(world, alice, ledger.CUSTOMERS, -7, "three")
    book(world, alice, ledger.FUNDS, 5, "four")
    assert found(world) == []
    assert MoneyDifference.objects.filter(resolved_at__isnull=False).count() == 2


def test_many_accounts_cost_the_same_queries(
    world: World, shop: Shop, alice: Customer, django_assert_num_queries: Any
) -> None:
    for who in (alice, world.customer("Bob"), world.customer("Carl")):
        shop.buy(who)
    with django_assert_num_queries(4):
        assert receivables.differences() == []
