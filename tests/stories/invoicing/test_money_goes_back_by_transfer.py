"""As billing staff I record that our bank sent money back to a customer: out of their funds, never more than they hold,
seen again on the bank's statement (INV-6, INV-11)."""

from datetime import date, timedelta
from typing import Any

import pytest
from django.test import Client

from invoicing.accounting import exports, ledger, ledger_selectors, receivables, statements
from invoicing.funding import funds
from invoicing.models import BankFile, BankReceipt, Entry, PaidBack
from invoicing.selling_by_hand import manual_sales, paying_back
from invoicing.taxing.report_rules import Span
from panel.accounts.models import User
from panel.core.actors import Actor
from panel.core.calendars import paris_date
from panel.core.errors import RuleViolation
from tests.pages.test_api import Program, token_of
from tests.support import debiting
from tests.support.bank_statement import statement
from tests.support.personas import logged_in
from tests.support.shop import Shop
from tests.support.world import Customer, World

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice(world: World, shop: Shop) -> Customer:
    return world.customer()


@pytest.fixture
def sam(world: World) -> Actor:
    return world.staff("billing")


def paid_in(world: World, alice: Customer, sam: Actor, cents: int = 1_000) -> None:
    manual_sales.record_payment(
        alice.account, cents, means="transfer", reference="VIR 1", received_on=paris_date(world.now), invoice=None,
        now=world.now, actor=sam,
    )  # fmt: skip


def sent(world: World, alice: Customer, sam: Actor, cents: int = 400, **changes: Any) -> PaidBack:
    facts = {"paid_on": paris_date(world.now), "reference": "BACK 17", "iban_last4": "0189", "reason": "closed"}
    return paying_back.record(alice.account, cents, **(facts | changes), now=world.now, actor=sam)  # type: ignore[arg-type]


def test_it_leaves_the_funds_and_the_bank_once(world: World, alice: Customer, sam: Actor) -> None:
    paid_in(world, alice, sam)
    first = sent(world, alice, sam)
    assert sent(world, alice, sam) == first
    assert (funds.balance(alice.account), ledger.balance(ledger.BANK)) == (600, 600)
    entry = Entry.objects.get(kind="paid_back")
    assert dict(entry.postings.values_list("ledger_account__code", "cents")) == {"419100": 400, "512000": -400}
    assert receivables.of(alice.account.pk) == []
    today = paris_date(world.now)
    said = {one.movement.ref: one.movement.cents for one in statements.of(alice.account, today, today).rows}
    assert said == {"VIR 1": -1_000, "BACK 17": 400}
    (mail,) = world.mails("funds_paid_back")
    assert ("BACK 17" in mail.content.body, "0189" in mail.content.body) == (True, True)
    (row,) = Program(token_of(alice)).get("/paid-back").json()["items"]
    assert (row["reference"], row["amount_cents"], row["iban_last4"]) == ("BACK 17", 400, "0189")
    assert [one.name for one in ledger_selectors.sources(entry)] == ["Paid back by transfer, BACK 17"]
    written = exports.fec(Span(today, today + timedelta(days=1))).content.decode()
    assert any(line.startswith("BQ") and "BACK 17" in line for line in written.splitlines())


@pytest.mark.parametrize(
    ("cents", "changes"),
    [(1_001, {}), (0, {}), (100, {"reason": " "}), (100, {"reference": " "}), (100, {"iban_last4": "89"}),
     (100, {"iban_last4": "01-9"}), (100, {"paid_on": date(2026, 3, 3)})],
    ids=["more than was paid in", "nothing", "no reason", "no reference", "short", "no IBAN", "tomorrow"],
)  # fmt: skip
def test_what_cannot_be_recorded(
    world: World, alice: Customer, sam: Actor, cents: int, changes: dict[str, Any]
) -> None:
    paid_in(world, alice, sam)
    with pytest.raises(RuleViolation):
        sent(world, alice, sam, cents, **changes)
    assert (funds.balance(alice.account), PaidBack.objects.count()) == (1_000, 0)


def test_another_transfer_needs_another_reference(world: World, alice: Customer, sam: Actor) -> None:
    paid_in(world, alice, sam)
    sent(world, alice, sam)
    with pytest.raises(RuleViolation, match="recorded already"):
        sent(world, alice, sam, 500)
    assert funds.balance(alice.account) == 600


def seen(world: World, sam: Actor, cents: int, text: str, prefix: str = "BK") -> BankFile:
    raw = statement((cents, text), way="DBIT", prefix=prefix)
    return debiting.take(world, sam, raw, f"{prefix}.xml")[0]


def test_the_banks_statement_shows_it(world: World, alice: Customer, sam: Actor) -> None:
    """Another amount, or another name, is another transfer; a rent that we pay is none of it."""
    paid_in(world, alice, sam)
    row = sent(world, alice, sam)
    for place, (cents, text) in enumerate([(399, "back 17"), (400, "rent")]):
        seen(world, sam, cents, text, f"A{place}")
    row.refresh_from_db()
    assert (row.bank_ref, row.seen_on) == ("", None)
    file = seen(world, sam, 400, "virement back17 merci", "B")
    row.refresh_from_db()
    assert (row.bank_ref, row.seen_on) == ("2026-03-02 B0", date(2026, 3, 2))
    assert (file.receipts_found, BankReceipt.objects.count(), ledger.balance(ledger.BANK)) == (0, 0, 600)


def test_one_line_of_the_bank_shows_one_transfer(world: World, alice: Customer, sam: Actor) -> None:
    paid_in(world, alice, sam)
    rows = [sent(world, alice, sam, 300, reference=name) for name in ("BACK 1", "BACK 12")]
    seen(world, sam, 300, "BACK 12", "A")
    assert [PaidBack.objects.get(pk=row.pk).bank_ref for row in rows] == ["", "2026-03-02 A0"]
    seen(world, sam, 300, "BACK 1", "B")
    assert [PaidBack.objects.get(pk=row.pk).bank_ref for row in rows] == ["2026-03-02 B0", "2026-03-02 A0"]


def test_its_page_records_it_and_the_reconciliation_shows_what_the_bank_has_not(
    world: World, alice: Customer, sam: Actor, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.CLAUSE_REQUIRE_STAFF_MFA = False
    monkeypatch.setattr("panel.core.clock.now", lambda: world.now)
    paid_in(world, alice, sam)
    console: Client = logged_in(User.objects.get(pk=sam.user_id))
    page = f"/ops/customers/{alice.account.reference}/paid-back/"
    given = {
        "amount": "4.00",
        "paid_on": "2026-03-02",
        "reference": "BACK 17",
        "iban_last4": "0189",
        "reason": "closed",
    }
    assert console.post(page, given | {"amount": "10.01"}).status_code == 422
    assert "BACK 17" in console.post(page, given, follow=True).content.decode()
    assert "BACK 17" in console.get("/ops/ledger/reconciliation/").content.decode()
    seen(world, sam, 400, "BACK 17")
    assert "BACK 17" not in console.get("/ops/ledger/reconciliation/").content.decode()
