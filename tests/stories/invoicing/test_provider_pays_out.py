"""As the accountant I find the provider's payouts and fees in the books, matched with the bank's lines (INV-11)."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from invoicing.accounting import exports, ledger, reconciling
from invoicing.banking import bank_files
from invoicing.gateways.fake import balance
from invoicing.models import BankReceipt, Entry, Invoice, MoneyDifference, Payment, Payout, PayoutLine
from invoicing.paying import webhooks
from invoicing.paying_out import payouts
from invoicing.selling_by_hand import repaying
from invoicing.subscribing import kinds
from invoicing.taxing.report_rules import Span
from panel.accounts.models import User
from panel.core.errors import RuleViolation
from panel.core.models import Event
from tests.support.bank_statement import statement
from tests.support.personas import logged_in
from tests.support.shop import Shop
from tests.support.till import Till, open_till
from tests.support.world import World

pytestmark = pytest.mark.django_db

PAID = 708  # a month of the smallest package, VAT included
FEE = 36  # of a card payment of 7.08: 1.5 % and 25 cents


@pytest.fixture
def till(world: World, shop: Shop, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Till]:
    settings.CLAUSE_REQUIRE_STAFF_MFA = False
    monkeypatch.setattr("panel.core.clock.now", lambda: world.now)
    monkeypatch.setattr(type(shop.service), "progress", lambda self, row: kinds.Progress(ready=True))
    with open_till(world, shop, settings) as opened:
        yield opened


@pytest.fixture
def console(world: World) -> Client:
    return logged_in(User.objects.get(pk=world.staff("billing").user_id))


def sold(till: Till, number: int = 1) -> list[Payment]:
    """Paid by card, and two days ago by now: the provider may pay it out."""
    paid = [till.buy(till.world.customer()) for _ in range(number)]
    till.world.advance(days=2)
    return paid


def told(till: Till) -> None:
    till.deliver()
    till.world.work()
    assert not till.world.failed_operations()


def books() -> dict[str, int]:
    codes = (ledger.CLEARING, ledger.TRANSIT, ledger.BANK, ledger.BANK_COSTS)
    assert ledger.total() == 0
    return {code: ledger.balance(code) for code in codes}


def bank_says(world: World, text: str, cents: int, prefix: str = "BK") -> BankReceipt:
    raw = statement((cents, text), day=world.now.date(), prefix=prefix)
    bank_files.take_in(raw, name="statement.xml", actor=world.staff("billing"), now=world.now)
    world.work(kinds=["bank.file"])
    return BankReceipt.objects.get(bank_ref__endswith=f"{prefix}0")


def compared(world: World) -> list[tuple[str, str]]:
    world.advance(hours=1, sweeps=["invoicing.compare"])
    return list(reconciling.open_ones().values_list("kind", "ref"))


def test_from_the_cards_to_the_bank(till: Till, world: World) -> None:
    """Six payments of 7.08, 1.20 of one given back, another taken back by a bank, which costs 20.00."""
    first, second, *_more = sold(till, 6)
    invoice = Invoice.objects.order_by("pk")[0]
    repaying.credit(invoice, [100], reason="x", refund=True, key="k", actor=world.staff("billing"), now=world.now)
    world.work()
    till.bank.control("dispute", payment=second.provider_ref)
    till.deliver()
    world.work()
    held = till.booked()
    assert held == 6 * PAID - 120 - PAID
    ref = till.pay_out()
    till.deliver()
    world.work()
    payout = Payout.objects.get(provider_ref=ref)
    fees = 6 * FEE + 2_000
    assert (payout.state, payout.fee_cents, payout.amount_cents) == ("paid", fees, held - fees)
    assert books() == {ledger.CLEARING: 0, ledger.TRANSIT: held - fees, ledger.BANK: 0, ledger.BANK_COSTS: fees}
    receipt = bank_says(world, "STRIPE PAYOUT", held - fees)
    assert (receipt.state, receipt.payout) == ("matched", payout)
    assert books() == {ledger.CLEARING: 0, ledger.TRANSIT: 0, ledger.BANK: held - fees, ledger.BANK_COSTS: fees}
    world.advance(days=1)
    till.sync()
    assert compared(world) == []
    assert payout.lines.filter(source=first.provider_ref).get().fee_cents == FEE


def test_the_accountants_file_has_it_in_the_journal_of_the_bank(till: Till, world: World) -> None:
    sold(till)
    ref = till.pay_out()
    told(till)
    bank_says(world, f"STRIPE {ref}", PAID - FEE)
    content = exports.fec(Span(date(2026, 3, 1), date(2026, 4, 1))).content.decode()
    rows = [line.split("\t") for line in content.splitlines() if ref in line]
    found = [(row[0], row[4], row[11], row[12]) for row in rows]
    assert found == [
        ("BQ", "580000", "6,72", "0,00"), ("BQ", "627800", "0,36", "0,00"), ("BQ", "511700", "0,00", "7,08"),
        ("BQ", "512000", "6,72", "0,00"), ("BQ", "580000", "0,00", "6,72"),
    ]  # fmt: skip


def test_twice_late_and_out_of_order_it_is_booked_once(till: Till, world: World) -> None:
    sold(till)
    till.pay_out()
    parcels = till.parcels()
    assert len(parcels) > 2
    for parcel in [*reversed(parcels), *parcels]:
        webhooks.receive(parcel.body, {"Stripe-Signature": parcel.signature}, now=world.now)
        world.work()
    assert Entry.objects.filter(kind="payout").count() == 1
    assert PayoutLine.objects.count() == 1
    assert books()[ledger.TRANSIT] == PAID - FEE


def test_messages_that_are_lost_are_found_by_asking(till: Till, world: World) -> None:
    sold(till)
    world.advance(sweeps=["payments.reconcile"])
    till.bank.control("weather", seed=1, never=1.0)
    till.pay_out()
    assert till.parcels() == []
    world.advance(minutes=5, sweeps=["payments.reconcile"])
    assert books()[ledger.TRANSIT] == PAID - FEE


def test_one_that_is_due_and_not_told_is_asked_for(till: Till, world: World) -> None:
    """Only its beginning was told, and the provider lists its messages no more."""
    sold(till)
    till.sync()
    till.bank.control("payout")
    told(till)
    assert Payout.objects.get().state == "moving"
    assert books()[ledger.TRANSIT] == 0
    world.advance(days=2)
    till.sync()
    till.bank.store.sql("DELETE FROM objects WHERE kind = 'event'")
    world.advance(sweeps=["payments.reconcile"])
    assert books()[ledger.TRANSIT] == PAID - FEE


def test_one_of_which_nothing_was_ever_told_is_named_and_made_good(till: Till, world: World) -> None:
    sold(till)
    ref = till.pay_out()
    till.bank.store.sql("DELETE FROM objects WHERE kind = 'event'")
    till.bank.store.sql("DELETE FROM deliveries")
    world.advance(days=1)
    till.sync()
    assert compared(world) == [("payout_not_booked", ref)]
    assert books()[ledger.TRANSIT] == PAID - FEE
    assert compared(world) == []


def test_the_banks_file_may_come_first(till: Till, world: World) -> None:
    sold(till)
    till.pay_out()
    receipt = bank_says(world, "STRIPE PAYOUT", PAID - FEE)
    assert receipt.state == "waiting"
    told(till)
    receipt.refresh_from_db()
    assert receipt.state == "matched"
    assert books() == {
        ledger.CLEARING: 0, ledger.TRANSIT: 0, ledger.BANK: PAID - FEE, ledger.BANK_COSTS: FEE,
    }  # fmt: skip


def test_a_line_that_names_nobody_is_matched_by_hand(till: Till, world: World, console: Client) -> None:
    """And one that names the provider, of an amount that nothing awaited has, says so."""
    sold(till)
    ref = till.pay_out()
    told(till)
    receipt = bank_says(world, "VIREMENT SEPA RECU", PAID - FEE)
    stranger = bank_says(world, "STRIPE", 999, prefix="X")
    assert (receipt.state, stranger.state) == ("waiting", "waiting")
    assert "names the payment provider" in console.get(f"/ops/bank/{stranger.pk}/").content.decode()
    assert ref not in console.get(f"/ops/bank/{stranger.pk}/").content.decode(), "its amount is another"
    assert ref in console.get(f"/ops/bank/{receipt.pk}/").content.decode()
    with pytest.raises(RuleViolation):
        bank_files.match_payout(stranger, Payout.objects.get(), actor=world.staff("billing"), now=world.now)
    assert console.post(f"/ops/bank/{receipt.pk}/", {"payout": ref}).status_code == 302
    receipt.refresh_from_db()
    assert receipt.payout == Payout.objects.get()
    assert books()[ledger.BANK] == PAID - FEE
    assert ref in console.get("/ops/bank/?state=matched").content.decode()


def test_two_of_the_same_amount_wait_for_a_person(till: Till, world: World) -> None:
    sold(till)
    first = till.pay_out()
    sold(till)
    second = till.pay_out()
    told(till)
    assert bank_says(world, "STRIPE", PAID - FEE).state == "waiting"
    named = bank_says(world, f"STRIPE {second}", PAID - FEE, prefix="X")
    assert named.payout == Payout.objects.get(provider_ref=second)
    assert Payout.objects.get(provider_ref=first).arrived_on is None


def test_without_files_a_person_says_that_the_bank_shows_it(till: Till, world: World, console: Client) -> None:
    sold(till)
    ref = till.pay_out()
    told(till)
    page = f"/ops/payouts/{ref}/"
    tomorrow = (world.now + timedelta(days=1)).date()
    assert console.post(page, {"day": tomorrow.isoformat()}).status_code == 422
    assert console.post(page, {"day": world.now.date().isoformat()}).status_code == 302
    assert console.post(page, {"day": world.now.date().isoformat()}).status_code == 422
    assert books()[ledger.BANK] == PAID - FEE
    assert Event.objects.filter(kind="invoicing.payout.arrived").count() == 1


@pytest.mark.parametrize("when", ["before it was paid", "after it was paid", "after the bank had shown it"])
def test_one_that_comes_back_is_paid_out_again(till: Till, world: World, when: str) -> None:
    sold(till)
    till.sync()
    ref = str(till.bank.control("payout")["payout"])
    if when != "before it was paid":
        world.advance(days=2)
        till.sync()
    if when == "after the bank had shown it":
        told(till)
        payouts.arrived(Payout.objects.get(), world.now.date(), actor=world.staff("billing"), now=world.now)
    till.bank.control("payout", fail=ref)
    till.deliver()
    world.work()
    assert [op.kind for op in world.failed_operations()] == ["payouts.failed"]
    assert Payout.objects.get().state == "failed"
    assert books() == {ledger.CLEARING: PAID - FEE, ledger.TRANSIT: 0, ledger.BANK: 0, ledger.BANK_COSTS: FEE}
    with pytest.raises(RuleViolation):
        payouts.arrived(Payout.objects.get(), world.now.date(), actor=world.staff("billing"), now=world.now)
    again = till.pay_out()
    till.deliver()
    world.work()
    assert books() == {ledger.CLEARING: 0, ledger.TRANSIT: PAID - FEE, ledger.BANK: 0, ledger.BANK_COSTS: FEE}
    assert bank_says(world, f"STRIPE {again}", PAID - FEE).state == "matched"
    world.advance(days=1)
    till.sync()
    assert compared(world) == []


def test_each_difference_between_a_payout_and_the_books_is_named(till: Till, world: World, console: Client) -> None:
    """A payment that the books do not know, one of another amount, a payout that is not the sum of its parts."""
    unknown, other, _right = sold(till, 3)
    ref = till.pay_out()
    told(till)
    lines = {line.source: line for line in PayoutLine.objects.all()}
    strange, larger = lines[str(unknown.provider_ref)], lines[str(other.provider_ref)]
    PayoutLine.objects.filter(pk=strange.pk).update(source="pi_strange")
    PayoutLine.objects.filter(pk=larger.pk).update(gross_cents=PAID + 1)
    assert set(compared(world)) == {
        ("payout_line_unknown", "pi_strange"), ("payout_line_differs", str(other.provider_ref)),
        ("payout_differs", ref),
    }  # fmt: skip
    row = MoneyDifference.objects.get(kind="payout_line_differs")
    assert (row.expected_cents, row.found_cents) == (PAID, PAID + 1)
    assert f"/ops/payouts/{ref}/" in console.get("/ops/ledger/reconciliation/").content.decode()


def test_what_the_provider_calls_by_no_known_name_waits_to_be_explained(till: Till, world: World) -> None:
    sold(till)
    with till.bank.store.transaction():
        balance.move(till.bank.store, "adjustment", "other_adjustment", {"id": "adj_1"}, 500)
    moved = till.bank.store.where("balance_transaction", source="adj_1")[0]["id"]
    till.pay_out()
    told(till)
    assert ledger.balance(ledger.SUSPENSE) == -500
    assert books()[ledger.CLEARING] == 0
    assert compared(world) == [("payout_line_unknown", moved)]


def test_the_pages_ask_as_often_however_much_there_is(till: Till, world: World, console: Client) -> None:
    def asked() -> list[int]:
        sold(till, 2)
        ref = till.pay_out()
        told(till)
        counts = []
        for page in ("/ops/payouts/", f"/ops/payouts/{ref}/"):
            with CaptureQueriesContext(connection) as queries:
                assert ref in console.get(page).content.decode()
            counts.append(len(queries))
        world.advance(days=1)
        with CaptureQueriesContext(connection) as queries:
            assert reconciling.compare(None, now=world.now) == []
        return [*counts, len(queries)]

    console.get("/ops/payouts/")
    few = asked()
    sold(till, 4)
    asked()
    assert asked() == few
    assert "With the provider" in console.get("/ops/payouts/?show=awaited").content.decode()
