"""As staff I take the bank's file in: what names its invoice is paid, what names none waits for me, and nothing is lost
or counted twice (INV-11)."""

import re
from datetime import timedelta

import pytest

from invoicing.accounting import ledger
from invoicing.banking import bank_files, bank_rules
from invoicing.funding import funds
from invoicing.models import BankFile, BankReceipt, Invoice, ManualPayment
from invoicing.selling_by_hand import writing_off
from panel.core.actors import Actor
from panel.core.errors import RuleViolation
from tests.support import debiting, owing
from tests.support.bank_statement import statement
from tests.support.shop import Shop
from tests.support.world import Customer, World

pytestmark = pytest.mark.django_db


@pytest.fixture
def billing(world: World) -> Actor:
    return world.staff("billing")


def renewed(world: World, shop: Shop, package: str = "vps-l") -> tuple[Customer, Invoice]:
    alice = world.customer()
    shop.buy(alice, package)
    world.advance(days=31, sweeps=["invoicing.renew"])
    return alice, Invoice.objects.filter(account=alice.account).latest("pk")


def take(world: World, billing: Actor, raw: bytes, name: str = "march.xml") -> BankFile:
    return debiting.take(world, billing, raw, name)[0]


@pytest.mark.parametrize("wording", ["{number}", "Facture {plain} merci", "{rf}", "rf {number}", "INV {lower}"])
def test_what_names_its_invoice_is_paid(world: World, shop: Shop, billing: Actor, wording: str) -> None:
    _alice, invoice = renewed(world, shop)
    number = invoice.number
    text = wording.format(
        number=number, plain=number.replace("-", ""), rf=bank_rules.structured(number), lower=number.lower()
    )
    row = take(world, billing, statement((invoice.total_cents, text)))
    invoice.refresh_from_db()
    assert (invoice.state, row.receipts_new) == ("paid", 1)
    assert BankReceipt.objects.get().state == "matched"
    assert ledger.balance(ledger.BANK) == invoice.total_cents
    assert invoice.settlements.get().means == "transfer"


def late(world: World, shop: Shop) -> Invoice:
    """A statement of what late payment cost."""
    _alice, invoice = renewed(world, shop)
    owing.days(world, 10)
    invoice.refresh_from_db()
    owing.transfer(world, invoice)
    world.sweep("invoicing.dun")
    return Invoice.objects.get(kind="statement")


@pytest.mark.parametrize("wording", ["{number}", "{rf}", "releve {plain}"])
def test_a_late_payment_statement_is_paid_by_transfer(world: World, shop: Shop, billing: Actor, wording: str) -> None:
    """Its page gives the IBAN and this reference."""
    owed = late(world, shop)
    number = owed.number
    text = wording.format(number=number, plain=number.replace("-", ""), rf=bank_rules.structured(number))
    take(world, billing, statement((owed.total_cents, text)))
    owed.refresh_from_db()
    assert (owed.state, BankReceipt.objects.get().state) == ("paid", "matched")


def test_staff_matches_a_transfer_with_a_statement(world: World, shop: Shop, billing: Actor) -> None:
    owed = late(world, shop)
    take(world, billing, statement((owed.total_cents, "thank you")))
    bank_files.match(BankReceipt.objects.get(), owed.number.lower(), actor=billing, now=world.now)
    owed.refresh_from_db()
    assert owed.state == "paid"


def test_a_transfer_for_what_was_given_up_is_matched(world: World, shop: Shop, billing: Actor) -> None:
    alice, invoice = renewed(world, shop)
    writing_off.write_off(invoice, reason="no trace", now=world.now, actor=billing)
    take(world, billing, statement((500, invoice.number)))
    assert BankReceipt.objects.get().state == "matched"
    assert funds.balance(alice.account) == 0
    assert ledger.balance(ledger.LOSSES) == invoice.total_cents - 500


def test_the_same_transfer_is_booked_once(world: World, shop: Shop, billing: Actor) -> None:
    """The file again, and another file that tells of the same transfer."""
    _alice, invoice = renewed(world, shop)
    raw = statement((1_000, invoice.number))
    assert debiting.take(world, billing, raw, "a.xml")[1] is True
    assert debiting.take(world, billing, raw, "b.xml")[1] is False
    overlapping = take(world, billing, statement((1_000, invoice.number), (500, invoice.number)))
    assert (overlapping.receipts_found, overlapping.receipts_new) == (2, 1)
    invoice.refresh_from_db()
    assert (invoice.paid_cents, ledger.balance(ledger.BANK), ManualPayment.objects.count()) == (1_500, 1_500, 2)


def test_too_much_goes_to_the_funds(world: World, shop: Shop, billing: Actor) -> None:
    alice, invoice = renewed(world, shop)
    take(world, billing, statement((invoice.total_cents + 250, invoice.number)))
    assert funds.balance(alice.account) == 250


def test_unknown_references_wait_for_a_person(world: World, shop: Shop, billing: Actor) -> None:
    alice, invoice = renewed(world, shop)
    mistyped = bank_rules.structured(invoice.number).replace("RF", "RF0", 1)[:4] + invoice.number.replace("-", "")
    take(world, billing, statement((100, "thank you"), (200, "F2026-999999"), (300, mistyped),
                                   (400, f"{invoice.number} and F2026-000001")))  # fmt: skip
    receipts = list(BankReceipt.objects.order_by("cents"))
    assert [row.state for row in receipts] == ["waiting"] * 4
    assert [row.why for row in receipts] == ["nameless", "unknown", "nameless", "several"]
    assert receipts[0].explained == "It names no invoice."
    assert ledger.balance(ledger.BANK) == 0
    bank_files.match(receipts[0], invoice.number, actor=billing, now=world.now)
    bank_files.match(receipts[1], alice.account.reference, actor=billing, now=world.now)
    bank_files.set_aside(receipts[2], "Interest of the bank", now=world.now)
    invoice.refresh_from_db()
    assert (invoice.paid_cents, funds.balance(alice.account), ledger.balance(ledger.BANK)) == (100, 200, 300)
    with pytest.raises(RuleViolation):
        bank_files.match(receipts[0], invoice.number, actor=billing, now=world.now)
    with pytest.raises(RuleViolation):
        bank_files.match(receipts[3], "nobody", actor=billing, now=world.now)
    with pytest.raises(RuleViolation):
        bank_files.set_aside(receipts[3], "  ", now=world.now)


def test_an_invoice_that_is_paid_already_waits(world: World, shop: Shop, billing: Actor) -> None:
    _alice, invoice = renewed(world, shop)
    take(world, billing, statement((invoice.total_cents, invoice.number)))
    take(world, billing, statement((invoice.total_cents, invoice.number), prefix="TWICE"))
    assert BankReceipt.objects.filter(state="waiting").count() == 1


@pytest.mark.parametrize(
    "raw",
    [
        b"not xml", b"<a/>", b'<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>',
        statement((100, "x")).replace(b"camt.053.001.02", b"pain.001.001.03"),
        statement((100, "x")).replace(b">1.00<", b">1.005<"), statement((100, "x")).replace(b">1.00<", b">many<"),
        statement((100, "x")).replace(b"2026-03-02", b"yesterday"),
        statement((100, "x"), iban="DE89370400440532013000"),
    ],
)  # fmt: skip
def test_a_wrong_file_is_refused_in_words_and_keeps_nothing(world: World, billing: Actor, raw: bytes) -> None:
    with pytest.raises(RuleViolation) as refused:
        take(world, billing, raw)
    assert refused.value.field == "file"
    assert not BankFile.objects.exists()


def test_debits_and_other_currencies_are_left_alone(world: World, billing: Actor) -> None:
    assert take(world, billing, statement((100, "x"), way="DBIT")).receipts_found == 0
    assert take(world, billing, statement((100, "x"), currency="CHF")).receipts_found == 0


def test_a_file_of_tomorrow_waits(world: World, shop: Shop, billing: Actor) -> None:
    """A booking day that is still to come is a question for a person, not money."""
    _alice, invoice = renewed(world, shop)
    day = (world.now + timedelta(days=3)).date()
    take(world, billing, statement((100, invoice.number), day=day))
    assert BankReceipt.objects.get().state == "waiting"


BATCH = """<NtryDtls><TxDtls><Refs><AcctSvcrRef>B1</AcctSvcrRef></Refs><Amt Ccy="EUR">10.00</Amt><RmtInf>
<Ustrd>one</Ustrd></RmtInf></TxDtls><TxDtls><Refs><AcctSvcrRef>B1</AcctSvcrRef></Refs><Amt Ccy="EUR">5.00</Amt><RmtInf>
<Ustrd>two</Ustrd></RmtInf></TxDtls></NtryDtls>"""


def test_each_transfer_of_a_batch_is_kept(world: World, billing: Actor) -> None:
    """A bank may give every transfer of a batch the batch's own reference."""
    raw = re.sub("<NtryDtls>.*</NtryDtls>", BATCH, statement((1_500, "-")).decode(), flags=re.DOTALL).encode()
    row = take(world, billing, raw)
    assert (row.receipts_found, row.receipts_new) == (2, 2)
    assert sorted(BankReceipt.objects.values_list("cents", flat=True)) == [500, 1_000]


def test_alike_transfers_without_a_name_are_two(world: World, billing: Actor) -> None:
    raw = re.sub("<AcctSvcrRef>.*?</AcctSvcrRef>", "", statement((500, "rent"), (500, "rent")).decode()).encode()
    row = take(world, billing, raw)
    assert (row.receipts_found, row.receipts_new) == (2, 2)
    assert take(world, billing, raw + b" ", "again.xml").receipts_new == 0


def test_two_bookings_under_one_name_are_refused(world: World, billing: Actor) -> None:
    raw = statement((500, "a"), (600, "b")).replace(b"BK1", b"BK0")
    with pytest.raises(RuleViolation, match="same reference"):
        take(world, billing, raw)
    assert not BankFile.objects.exists()
