"""As staff I make a file of debits for our bank, once, and take its answers in: only what the bank has booked is paid,
what it refuses or gives back is owed again and told (INV-5, INV-7, INV-11)."""

from datetime import date
from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction

from invoicing import selectors
from invoicing.accounting import ledger, reconciling
from invoicing.banking import bank_files
from invoicing.debiting import batches, debit_rules, debits, outcomes
from invoicing.issuing import invoices
from invoicing.issuing.invoices import Billed
from invoicing.models import (
    BankFile,
    BankReceipt,
    Debit,
    DebitBatch,
    Dispute,
    Invoice,
    InvoiceKind,
    Payment,
    PaymentMethod,
    RejectionNotice,
)
from invoicing.paying import payments
from invoicing.rules import Line
from invoicing.selling_by_hand import repaying
from invoicing.taxing.tax_rules import NOT_SUBJECT, outside_scope
from panel.core.actors import Actor
from panel.core.errors import RuleViolation
from tests.support.bank_statement import statement as transfers
from tests.support.debiting import debited, handed, in_file, many_sent, report, statement, take
from tests.support.owing import transfer
from tests.support.shop import Shop
from tests.support.world import Customer, World

pytestmark = pytest.mark.django_db
DAY = date(2026, 4, 16)


@pytest.fixture
def billing(world: World) -> Actor:
    return world.staff("billing")


def sent(world: World, shop: Shop, billing: Actor) -> tuple[Customer, Invoice, Debit]:
    """A debit that the bank has, on the day it was announced for."""
    alice, invoice, debit = debited(world, shop)
    handed(world, billing, DAY)
    world.advance(days=14)
    debit.refresh_from_db()
    return alice, invoice, debit


def now_is(invoice: Invoice, debit: Debit) -> tuple[str, str, str]:
    invoice.refresh_from_db()
    debit.refresh_from_db()
    return invoice.state, debit.state, Payment.objects.get(pk=debit.payment_id).state


def agrees(world: World) -> None:
    """The books say what the payments say."""
    world.advance(hours=2)
    ours = {*Payment.objects.filter(provider="sepa_file").values_list("reference", flat=True),
            *Invoice.objects.values_list("number", flat=True)}  # fmt: skip
    with reconciling.Listed([]) as nothing:
        assert [one for one in reconciling.compare(nothing, now=world.now) if one.ref in ours] == []
    assert ledger.total() == 0


def test_while_its_debit_waits_for_the_bank_an_invoice_is_not_overdue(world: World, shop: Shop, billing: Actor) -> None:
    """The file is handed over days late: that is none of the customer's doing (INV-14)."""
    _alice, invoice, debit = debited(world, shop)
    batches.make(key="k", until=DAY, actor=billing, now=world.now)
    world.advance(days=18, sweeps=["invoicing.renew"])
    assert now_is(invoice, debit) == ("open", "placed", "new")


class TestFile:
    def test_what_stands_in_it(self, world: World, shop: Shop, billing: Actor) -> None:
        _alice, invoice, debit = debited(world, shop)
        batch = batches.make(key="k", until=DAY, actor=billing, now=world.now)
        amount = f"{invoice.total_cents // 100}.{invoice.total_cents % 100:02d}"
        assert in_file(batch) == [(debit.payment.reference, amount, "2026-04-16")]
        raw = batches.content(batch).decode()
        for said in ("<SeqTp>RCUR</SeqTp>", "CORE", debit.mandate.reference, "FR7630006000011234567890189",
                     f"<MsgId>{batch.reference}</MsgId>", debit_rules.group(batch.reference, DAY),
                     invoice.number, "<DtOfSgntr>2026-03-02</DtOfSgntr>"):  # fmt: skip
            assert said in raw
        assert (batch.count, batch.total_cents) == (1, invoice.total_cents)

    def test_pressed_twice_made_once(self, world: World, shop: Shop, billing: Actor) -> None:
        debited(world, shop)
        first = batches.make(key="k", until=DAY, actor=billing, now=world.now)
        assert batches.make(key="k", until=DAY, actor=billing, now=world.now) == first
        with pytest.raises(RuleViolation):
            batches.make(key="other", until=DAY, actor=billing, now=world.now)
        assert DebitBatch.objects.count() == 1

    def test_a_file_is_frozen(self, world: World, shop: Shop, billing: Actor) -> None:
        debited(world, shop)
        batch = batches.make(key="k", until=DAY, actor=billing, now=world.now)
        for column, value in (("sha256", "0" * 64), ("total_cents", 1)):
            with pytest.raises(IntegrityError), transaction.atomic():
                DebitBatch.objects.filter(pk=batch.pk).update(**{column: value})

    def test_the_dry_run_says_what_stays_out_and_why(self, world: World, shop: Shop, billing: Actor) -> None:
        _alice, invoice, _debit = debited(world, shop)
        debited(world, shop)
        transfer(world, invoice)
        found = {one.debit.invoice_id: one.hindrance for one in batches.candidates(date(2026, 6, 1), now=world.now)}
        assert found.pop(invoice.pk) == "settled"
        assert "" in found.values()
        batch = batches.make(key="k", until=date(2026, 6, 1), actor=billing, now=world.now)
        assert invoice.pk not in batch.debits.values_list("invoice", flat=True)

    def test_a_notice_that_has_not_left_holds_it(self, world: World, shop: Shop, billing: Actor) -> None:
        _alice, _invoice, debit = debited(world, shop)
        notice = debit.notices.get()
        type(notice.mail).objects.filter(pk=notice.mail_id).update(accepted_at=None)
        assert [one.hindrance for one in batches.candidates(DAY, now=world.now)] == ["untold"]
        with pytest.raises(RuleViolation):
            batches.make(key="k", until=DAY, actor=billing, now=world.now)

    def test_a_notice_that_never_leaves_is_sent_anew_to_the_present_address(
        self, world: World, shop: Shop, billing: Actor
    ) -> None:
        alice, invoice, debit = debited(world, shop)
        notice = debit.notices.get()
        type(notice.mail).objects.filter(pk=notice.mail_id).update(accepted_at=None)
        world.advance(days=13, sweeps=["invoicing.debits"])
        assert debit.notices.count() == 1, "the day it named can still be kept"
        type(alice.account).objects.filter(pk=alice.account.pk).update(billing_email="books@example.net")
        world.advance(days=1, sweeps=["invoicing.debits"])
        debit.refresh_from_db()
        assert (debit.state, debit.debit_on, debit.notices.count()) == ("announced", date(2026, 4, 30), 2)
        assert world.mails("debit_notice", alice.account)[-1].content.to == "books@example.net"
        assert in_file(handed(world, billing, debit.debit_on))[0][2] == "2026-04-30"
        assert now_is(invoice, debit) == ("open", "sent", "processing")

    def test_uploaded_in_time_and_marked_on_the_day_of_the_debit(
        self, world: World, shop: Shop, billing: Actor
    ) -> None:
        """The bank has it since yesterday: made anew, it would debit the customer twice."""
        _alice, invoice, debit = debited(world, shop)
        world.advance(days=13)
        batch = batches.make(key="k", until=DAY, actor=billing, now=world.now)
        world.advance(days=1, sweeps=["invoicing.debits"])
        batches.hand_over(batch, actor=billing, now=world.now)
        world.work()
        assert now_is(invoice, debit) == ("open", "sent", "processing")

    def test_paid_before_it_is_handed_over_the_file_is_made_anew(
        self, world: World, shop: Shop, billing: Actor
    ) -> None:
        _alice, invoice, debit = debited(world, shop)
        batch = batches.make(key="k", until=DAY, actor=billing, now=world.now)
        transfer(world, invoice)
        with pytest.raises(RuleViolation, match=invoice.number):
            batches.hand_over(batch, actor=billing, now=world.now)
        batches.discard(batch, reason="paid by transfer", actor=billing, now=world.now)
        world.sweep("invoicing.debits")
        assert now_is(invoice, debit) == ("paid", "withdrawn", "cancelled")

    def test_handed_over_is_not_paid(self, world: World, shop: Shop, billing: Actor) -> None:
        _alice, invoice, debit = sent(world, shop, billing)
        assert now_is(invoice, debit) == ("open", "sent", "processing")
        assert ledger.balance(ledger.BANK) == 0
        with pytest.raises(RuleViolation):
            batches.discard(DebitBatch.objects.get(), reason="x", actor=billing, now=world.now)


class TestCredited:
    def test_booked_by_the_bank_it_is_paid(self, world: World, shop: Shop, billing: Actor) -> None:
        _alice, invoice, debit = sent(world, shop, billing)
        file, _new = take(world, billing, statement([debit], day=DAY))
        assert now_is(invoice, debit) == ("paid", "collected", "succeeded")
        assert ledger.balance(ledger.BANK) == invoice.total_cents
        assert (invoice.settlements.get().means, file.receipts_new) == ("sepa", 1)
        assert BankReceipt.objects.get().state == "matched"
        agrees(world)

    def test_told_again_nothing_changes(self, world: World, shop: Shop, billing: Actor) -> None:
        """The same file, another file of it, and the day's statement with the sum of the group."""
        _alice, invoice, debit = sent(world, shop, billing)
        group = debit_rules.group(debit.batch.reference if debit.batch else "", DAY)
        files = (
            statement([debit], day=DAY), statement([debit], day=DAY) + b"\n",
            statement(day=DAY, group=group, group_cents=debit.cents),
        )  # fmt: skip
        for raw in (*files, *files):
            take(world, billing, raw)
        assert now_is(invoice, debit) == ("paid", "collected", "succeeded")
        assert ledger.balance(ledger.BANK) == invoice.total_cents
        assert set(BankReceipt.objects.values_list("state", flat=True)) == {"matched"}
        agrees(world)

    def test_the_sum_of_a_group(self, world: World, shop: Shop, billing: Actor) -> None:
        _alice, one, first = debited(world, shop)
        bob = world.customer("Bob")
        shop.buy(bob)
        second = Debit.objects.create(
            payment=Payment.objects.create(
                reference="PAY-22222222", account=bob.account, invoice=Invoice.objects.latest("pk"), key="x",
                amount_cents=500, provider="sepa_file", created_at=world.now,
            ),
            account=bob.account, invoice=Invoice.objects.latest("pk"), mandate=first.mandate, cents=500, debit_on=DAY,
            terms_version=first.terms_version, announced_at=world.now,
        )  # fmt: skip
        batch = handed(world, billing, DAY)
        Debit.objects.filter(pk=second.pk).update(state="sent", batch=batch)
        group = debit_rules.group(batch.reference, DAY)
        take(world, billing, statement(day=DAY, group=group, group_cents=first.cents))
        assert BankReceipt.objects.get().why == "debit_differs"
        assert now_is(one, first)[1] == "sent"
        world.advance(days=14)
        take(world, billing, statement(day=date(2026, 4, 17), group=group, group_cents=first.cents + 500))
        assert now_is(one, first)[:2] == ("paid", "collected")
        second.refresh_from_db()
        assert second.state == "collected"

    def test_another_amount_waits_for_a_person(self, world: World, shop: Shop, billing: Actor) -> None:
        _alice, invoice, debit = sent(world, shop, billing)
        raw = statement([debit], day=DAY).replace(f">{debit.cents // 100}.{debit.cents % 100:02d}<".encode(), b">1.00<")
        take(world, billing, raw)
        assert (BankReceipt.objects.get().state, BankReceipt.objects.get().why) == ("waiting", "debit_differs")
        assert now_is(invoice, debit)[1] == "sent"
        assert ledger.balance(ledger.BANK) == 0

    def test_a_transfer_that_names_the_invoice_is_still_a_transfer(
        self, world: World, shop: Shop, billing: Actor
    ) -> None:
        _alice, invoice, debit = sent(world, shop, billing)
        take(world, billing, transfers((invoice.total_cents, invoice.number), day=DAY))
        take(world, billing, statement([debit], day=DAY))
        assert now_is(invoice, debit) == ("paid", "collected", "succeeded")
        assert ledger.funds(debit.account) == invoice.total_cents  # paid twice: the second waits in the funds
        agrees(world)

    def test_a_person_says_so_with_proof(self, world: World, shop: Shop, billing: Actor) -> None:
        _alice, invoice, debit = sent(world, shop, billing)
        for proof, day in (("", DAY), ("x", date(2026, 4, 15)), ("x", date(2026, 4, 17))):
            with pytest.raises(RuleViolation):
                outcomes.say_collected(debit, proof=proof, day=day, actor=billing, now=world.now)
        outcomes.say_collected(debit, proof="statement 41, line 7", day=DAY, actor=billing, now=world.now)
        assert now_is(invoice, debit) == ("paid", "collected", "succeeded")
        take(world, billing, statement([debit], day=DAY))
        assert ledger.balance(ledger.BANK) == invoice.total_cents
        assert BankReceipt.objects.get().state == "matched"
        agrees(world)


class TestRefused:
    def test_no_money_it_is_told_and_announced_again(self, world: World, shop: Shop, billing: Actor) -> None:
        alice, invoice, debit = sent(world, shop, billing)
        take(world, billing, report(DebitBatch.objects.get(), (debit, "AM04")))
        assert now_is(invoice, debit) == ("open", "refused", "failed")
        assert debit.code == "AM04"
        body = world.mails("payment_refused", alice.account)[0].content.body
        assert "the account does not hold enough" in body
        assert "19 April 2026" in body
        world.advance(days=3, sweeps=["payments.collect"])
        again = Debit.objects.latest("pk")
        assert (again.state, again.debit_on) == ("announced", date(2026, 5, 4))
        assert PaymentMethod.objects.get().removed_at is None
        agrees(world)

    def test_for_good_the_mandate_ends_with_some_and_stays_with_others(
        self, world: World, shop: Shop, billing: Actor
    ) -> None:
        """One file, a reason each; none is announced again."""
        ends = {"AC01": "the account number is wrong", "AC04": "the account is closed",
                "MD01": "there is no valid mandate", "SL01": "has blocked our debits"}  # fmt: skip
        codes = [*ends, "AC06", "MS02", "MD07", "RR01"]
        rows = many_sent(world, shop, billing, DAY, len(codes))
        take(world, billing, report(DebitBatch.objects.get(), *zip(rows, codes, strict=True)))
        for debit, code in zip(rows, codes, strict=True):
            debit.mandate.refresh_from_db()
            assert (debit.mandate.state == "refused") == (code in {*ends, "MD07"}), code
            assert ends.get(code, "") in world.mails("payment_refused", debit.account)[0].content.body
            if code in ends:
                assert RejectionNotice.objects.filter(account=debit.account, ended_at=None).count() == 1
        world.advance(days=10, sweeps=["payments.collect"])
        assert Debit.objects.count() == len(codes)

    def test_through_no_fault_of_the_customer_staff_looks(self, world: World, shop: Shop, billing: Actor) -> None:
        alice, invoice, debit = sent(world, shop, billing)
        take(world, billing, report(DebitBatch.objects.get(), (debit, "BE05")))
        assert now_is(invoice, debit) == ("open", "refused", "failed")
        assert [op.payload["why"] for op in world.failed_operations()] == ["our_fault"]
        assert not world.mails("payment_refused", alice.account)
        assert not RejectionNotice.objects.exists()
        world.advance(days=10, sweeps=["payments.collect", "invoicing.renew"])
        assert Debit.objects.count() == 1  # not by itself: first it must be mended
        assert now_is(invoice, debit)[0] == "open", "what is our fault makes nobody late"
        debits.collect_again(debit, now=world.now)
        assert Debit.objects.latest("pk").state == "announced"
        with pytest.raises(RuleViolation):
            debits.collect_again(debit, now=world.now)

    def test_what_the_payer_refused_is_not_collected_again_by_hand(
        self, world: World, shop: Shop, billing: Actor
    ) -> None:
        _alice, _invoice, debit = sent(world, shop, billing)
        take(world, billing, report(DebitBatch.objects.get(), (debit, "MS02")))
        with pytest.raises(RuleViolation):
            debits.collect_again(debit, now=world.now)

    def test_told_twice_it_happens_once(self, world: World, shop: Shop, billing: Actor) -> None:
        alice, _invoice, debit = sent(world, shop, billing)
        raw = report(DebitBatch.objects.get(), (debit, "AM04"))
        assert [take(world, billing, one)[1] for one in (raw, raw, raw + b"\n")] == [True, False, True]
        assert len(world.mails("payment_refused", alice.account)) == 1
        assert BankFile.objects.count() == 2

    @pytest.mark.parametrize("by_group", [True, False])
    def test_the_whole_file(self, world: World, shop: Shop, billing: Actor, by_group: bool) -> None:
        _alice, invoice, debit = sent(world, shop, billing)
        batch = DebitBatch.objects.get()
        group = debit_rules.group(batch.reference, DAY) if by_group else ""
        take(world, billing, report(batch, whole="FF01", group=group))
        assert now_is(invoice, debit) == ("open", "refused", "failed")
        assert [(one.receipts_new, one.receipts_found) for one in BankFile.objects.all()] == [(1, 1)]

    def test_unknown_ones_go_to_the_staffs_queue(self, world: World, shop: Shop, billing: Actor) -> None:
        _alice, invoice, debit = sent(world, shop, billing)
        raw = report(DebitBatch.objects.get(), (debit, "AM04"))
        take(world, billing, raw.replace(debit.payment.reference.encode(), b"PAY-00000000"))
        assert [op.payload["why"] for op in world.failed_operations()] == ["unknown"]
        assert now_is(invoice, debit)[1] == "sent"

    @pytest.mark.parametrize(
        ("raw", "words"),
        [(b"<Document", "not an XML file"), (b"pain", "not an XML file"),
         (b'<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.002.001.03"/>', "does not name the file"),
         (b'<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.002.xyz"/>', "no status report")],
    )  # fmt: skip
    def test_a_broken_file_says_what_is_wrong(self, world: World, billing: Actor, raw: bytes, words: str) -> None:
        with pytest.raises(RuleViolation, match=words):
            bank_files.take_in(raw, name="x", actor=billing, now=world.now)
        assert not BankFile.objects.exists()


class TestGivenBack:
    def test_within_eight_weeks_it_is_owed_again(self, world: World, shop: Shop, billing: Actor) -> None:
        """The bank's own charge is on top of it and is none of the customer's debt."""
        alice, invoice, debit = sent(world, shop, billing)
        take(world, billing, statement([debit], day=DAY))
        world.advance(days=40)
        raw = statement(back=[(debit, "MD06")], day=date(2026, 5, 26), charge=350)
        for one in (raw, raw, raw + b"\n"):
            take(world, billing, one)
        assert now_is(invoice, debit)[:2] == ("open", "returned")
        assert (invoice.due_cents, ledger.balance(ledger.BANK)) == (invoice.total_cents, 0)
        assert ledger.balance(ledger.CUSTOMERS, alice.account) == invoice.total_cents
        assert (Dispute.objects.get().state, Dispute.objects.get().reason) == ("lost", "MD06")
        mails = world.mails("payment_returned", alice.account)
        assert len(mails) == 1
        assert "the debit was contested at the bank" in mails[0].content.body
        world.advance(days=30, sweeps=["payments.collect", "invoicing.debits"])
        assert Debit.objects.count() == 1  # never debited a second time by itself

    def test_credited_and_given_back_in_one_file(self, world: World, shop: Shop, billing: Actor) -> None:
        _alice, invoice, debit = sent(world, shop, billing)
        take(world, billing, statement([debit], back=[(debit, "AM04")], day=DAY))
        assert now_is(invoice, debit)[:2] == ("open", "returned")
        assert ledger.balance(ledger.BANK) == 0
        agrees(world)

    def test_the_return_is_heard_of_first(self, world: World, shop: Shop, billing: Actor) -> None:
        """(invariant 7: in any order the result is the same, the sum of the group included)"""
        _alice, invoice, debit = sent(world, shop, billing)
        take(world, billing, statement(back=[(debit, "AM04")], day=DAY))
        assert now_is(invoice, debit) == ("open", "returned", "failed")
        group = debit_rules.group(debit.batch.reference if debit.batch else "", DAY)
        take(world, billing, statement(day=DAY, group=group, group_cents=debit.cents))
        assert BankReceipt.objects.get().state == "matched"
        assert ledger.balance(ledger.BANK) == 0
        agrees(world)

    def test_credited_what_was_collected_stays_in_the_funds(self, world: World, shop: Shop, billing: Actor) -> None:
        """No provider sends it back: it pays the next invoice, or staff transfers it."""
        alice, invoice, debit = sent(world, shop, billing)
        take(world, billing, statement([debit], day=DAY))
        nets = [line.net_cents for line in invoice.lines.all()]
        repaying.credit(invoice, nets, reason="x", refund=True, key="k", actor=billing, now=world.now)
        assert ledger.funds(alice.account) == invoice.total_cents
        agrees(world)

    def test_disowned_after_a_year_the_mandate_ends(self, world: World, shop: Shop, billing: Actor) -> None:
        _alice, invoice, debit = sent(world, shop, billing)
        take(world, billing, statement([debit], day=DAY))
        assert debit_rules.contestable_until(debit.debit_on) == date(2027, 5, 16)
        world.advance(days=390)
        take(world, billing, statement(back=[(debit, "MD01")], day=date(2027, 5, 11)))
        debit.mandate.refresh_from_db()
        assert (now_is(invoice, debit)[1], debit.mandate.state) == ("returned", "refused")

    def test_one_of_nobody_goes_to_the_staffs_queue(self, world: World, shop: Shop, billing: Actor) -> None:
        _alice, invoice, debit = sent(world, shop, billing)
        raw = statement(back=[(debit, "AC04")], day=DAY)
        take(world, billing, raw.replace(debit.payment.reference.encode(), b"OTHER-1"))
        assert [op.payload["why"] for op in world.failed_operations()] == ["unknown"]
        assert now_is(invoice, debit)[1] == "sent"

    def test_a_person_says_so(self, world: World, shop: Shop, billing: Actor) -> None:
        _alice, invoice, debit = sent(world, shop, billing)
        outcomes.say_refused(debit, code="AC04", proof="letter of 16 April", day=DAY, actor=billing, now=world.now)
        assert now_is(invoice, debit) == ("open", "refused", "failed")
        with pytest.raises(RuleViolation):
            outcomes.say_collected(debit, proof="x", day=DAY, actor=billing, now=world.now)


def test_a_contested_invoice_is_not_debited(world: World, shop: Shop, billing: Actor) -> None:
    from invoicing.chasing import pausing

    _alice, invoice, debit = debited(world, shop)
    with transaction.atomic():
        pausing.stop(invoice, pausing.DISPUTE, now=world.now)
    assert [one.hindrance for one in batches.candidates(DAY, now=world.now)] == ["contested"]
    world.sweep("invoicing.debits")
    assert now_is(invoice, debit)[1] == "withdrawn"
    assert not debits.announced().exists()


def test_a_stated_late_payment_is_not_debited(world: World, shop: Shop) -> None:
    """It would be announced and then withdrawn: it is not even offered (INV-8)."""
    alice, owed, _debit = debited(world, shop)
    mandate = PaymentMethod.objects.get()
    recovery = Line("late:recovery", "Recovery", Decimal(1), Decimal(40), 4_000, vat_code=NOT_SUBJECT)
    with transaction.atomic():
        stated = invoices.issue(
            alice.account, [Billed(recovery)], once="late", kind=InvoiceKind.STATEMENT, now=world.now,
            terms_version=owed.terms_version, treatment=outside_scope("FR"), actor=alice.actor,
        )  # fmt: skip
    with pytest.raises(RuleViolation) as refused:
        payments.pay_invoice(stated, key="k", method=mandate, actor=alice.actor, now=world.now)
    assert (refused.value.rule, refused.value.field) == ("INV-8", "method")
    assert not Debit.objects.filter(invoice=stated).exists()
    assert list(selectors.means_for(owed)) == [mandate]
    assert list(selectors.means_for(stated)) == []
