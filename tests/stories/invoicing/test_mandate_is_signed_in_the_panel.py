"""As a customer I give my account number, read the mandate, sign it, and end it when I like; I am told of each debit
before it happens (INV-5, OPR-3)."""

from datetime import date
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from invoicing.contesting import contesting
from invoicing.debiting import debits, mandate_signing, mandates
from invoicing.gateways import Method
from invoicing.models import Debit, DebitNotice, Invoice, Mandate, PaymentMethod
from invoicing.paying import means
from panel.core import files
from panel.core.errors import RuleViolation
from tests.support.debiting import IBAN, OTHER_IBAN, RENEWED, debited, drawn_up, signed
from tests.support.pdf import text
from tests.support.shop import Shop
from tests.support.world import Customer, World

pytestmark = pytest.mark.django_db
DELIVER = ["core.deliver"]


def card(world: World, alice: Customer, ref: str) -> PaymentMethod:
    kept = means.keep(alice.account, Method(ref, "card", "visa", "4242", exp_month=12, exp_year=2030), now=world.now)
    world.work(kinds=DELIVER)
    return kept


def collected_by(invoice: Invoice) -> list[tuple[str, str]]:
    """The means and the state of each payment of an invoice, oldest first."""
    return list(invoice.payments.order_by("pk").values_list("method__kind", "state"))


class TestSigning:
    def test_what_is_kept_as_proof(self, world: World) -> None:
        alice = world.customer()
        made = signed(world, alice)
        assert (made.state, made.signed_name, made.signed_ip) == ("active", "Camille Martin", "192.0.2.9")
        assert (made.signed_at, made.signed_by) == (world.now, alice.user)
        assert len(made.signed_sha256) == 64
        method = PaymentMethod.objects.get()
        assert (method.is_default, method.mandate_reference, method.last4) == (True, made.reference, "0189")
        assert len(world.mails("mandate_signed", alice.account)) == 1

    def test_the_paper_says_what_the_scheme_wants(self, world: World) -> None:
        made = drawn_up(world, world.customer())
        content, name = mandates.document(made) or (b"", "")
        words = " ".join(text(content).split())
        for said in (made.reference, "FR72ZZZ123456", "FR76 3000 6000 0112 3456 7890 189", "Camille Martin", "8 weeks"):
            assert said in words
        assert name == f"{made.reference}.pdf"

    def test_the_account_number_is_nowhere_in_clear(self, world: World) -> None:
        made = signed(world, world.customer())
        with connection.cursor() as cursor:
            cursor.execute("SELECT iban, document FROM invoicing_mandate")
            stored = " ".join(str(value) for value in cursor.fetchone())
        assert "30006000" not in stored
        assert made.pdf is not None
        assert b"%PDF" not in files.read(made.pdf)
        assert Mandate.objects.get().iban == IBAN.replace(" ", "")

    @pytest.mark.parametrize(
        ("iban", "field"),
        [("FR76 3000 6000 0112 3456 7890 188", "iban"), ("FR76 3000", "iban"), ("", "iban"),
         ("BR18 0036 0305 0000 1000 9795 493C 1", "iban")],
    )  # fmt: skip
    def test_a_wrong_number_is_told_at_its_field(self, world: World, iban: str, field: str) -> None:
        alice = world.customer()
        with pytest.raises(RuleViolation) as refused:
            mandates.draw_up(alice.account, iban=iban, holder="C", actor=alice.actor, now=world.now)
        assert refused.value.field == field
        assert not Mandate.objects.exists()

    def test_only_the_paper_that_was_read(self, world: World) -> None:
        alice = world.customer()
        made = drawn_up(world, alice)
        for name, digest in (("Camille", "0" * 64), ("  ", made.pdf_sha256)):
            with pytest.raises(RuleViolation):
                mandate_signing.sign(
                    made, name=name, sha256=digest, default=True, actor=alice.actor, ip=None, now=world.now
                )
        assert not PaymentMethod.objects.exists()

    def test_a_signature_is_not_changed(self, world: World) -> None:
        made = signed(world, world.customer())
        for column in ("signed_name", "iban", "reference"):
            with pytest.raises(IntegrityError), transaction.atomic():
                Mandate.objects.filter(pk=made.pk).update(**{column: "x"})

    def test_drawn_up_twice_one_waits(self, world: World) -> None:
        alice = world.customer()
        first, second = drawn_up(world, alice), drawn_up(world, alice, OTHER_IBAN)
        first.refresh_from_db()
        assert (first.state, second.state) == ("cancelled", "draft")

    def test_none_is_offered_without_a_creditor_identifier(self, world: World, settings: Any) -> None:
        settings.CLAUSE_SEPA = {**settings.CLAUSE_SEPA, "creditor_id": ""}
        alice = world.customer()
        with pytest.raises(RuleViolation):
            mandates.draw_up(alice.account, iban=IBAN, holder="C", actor=alice.actor, now=world.now)


class TestNotice:
    def test_told_fourteen_days_ahead_and_due_then(self, world: World, shop: Shop) -> None:
        """Issued on 2 April 2026: 14 days later is the 16th, a Thursday."""
        alice, invoice, debit = debited(world, shop)
        assert (invoice.issued_on, debit.debit_on) == (date(2026, 4, 2), date(2026, 4, 16))
        assert invoice.due_on == debit.debit_on
        assert (debit.state, debit.payment.state, debit.cents) == ("announced", "new", invoice.total_cents)
        mail = world.mails("debit_notice", alice.account)[0]
        assert "16 April 2026" in mail.content.body
        assert debit.mandate.reference in mail.content.body
        assert "FR72ZZZ123456" in mail.content.body
        notice = DebitNotice.objects.get()
        assert (notice.debit_on, notice.cents, notice.mail) == (debit.debit_on, debit.cents, mail)

    def test_nobody_is_reminded_before_the_day(self, world: World, shop: Shop) -> None:
        alice, invoice, _debit = debited(world, shop)
        for _ in range(14):
            world.advance(days=1, sweeps=["invoicing.renew", "invoicing.dun", "invoicing.debits"])
        invoice.refresh_from_db()
        assert invoice.state == "open"
        assert not world.mails("reminder_first", alice.account)

    def test_a_day_that_was_missed_is_announced_anew(self, world: World, shop: Shop) -> None:
        """No file was made by the 15th: the 16th cannot be kept."""
        alice, _invoice, debit = debited(world, shop)
        world.advance(days=13, sweeps=["invoicing.debits"])
        debit.refresh_from_db()
        assert debit.debit_on == date(2026, 4, 16)
        world.advance(days=1, sweeps=["invoicing.debits"])
        debit.refresh_from_db()
        assert debit.debit_on == date(2026, 4, 30)
        assert len(world.mails("debit_notice", alice.account)) == 2
        world.sweep("invoicing.debits")
        assert DebitNotice.objects.count() == 2

    def test_paid_in_the_meantime_it_is_withdrawn(self, world: World, shop: Shop) -> None:
        from tests.support.owing import transfer

        _alice, invoice, debit = debited(world, shop)
        transfer(world, invoice)
        world.sweep("invoicing.debits")
        debit.refresh_from_db()
        debit.payment.refresh_from_db()
        assert (debit.state, debit.payment.state) == ("withdrawn", "cancelled")

    def test_paid_in_part_the_rest_is_announced(self, world: World, shop: Shop) -> None:
        from tests.support.owing import transfer

        _alice, invoice, _debit = debited(world, shop)
        transfer(world, invoice, 400)
        world.sweep("invoicing.debits")
        assert list(Debit.objects.order_by("pk").values_list("state", "cents")) == [
            ("withdrawn", invoice.total_cents), ("announced", invoice.total_cents - 400),
        ]  # fmt: skip


class TestEnd:
    def test_cancelled_nothing_more_is_collected(self, world: World, shop: Shop) -> None:
        alice, _invoice, debit = debited(world, shop)
        debits.end_mandate(debit.mandate, "cancelled", now=world.now)
        debit.refresh_from_db()
        assert debit.state == "withdrawn"
        assert not PaymentMethod.objects.filter(removed_at=None).exists()
        assert len(world.mails("mandate_ended", alice.account)) == 1
        world.advance(days=31, sweeps=RENEWED)
        assert Debit.objects.count() == 1

    @pytest.mark.parametrize("how", ["cancelled", "expired", "refused"])
    def test_what_it_was_to_pay_is_collected_from_the_next_means_once(self, world: World, shop: Shop, how: str) -> None:
        alice, invoice, debit = debited(world, shop)
        debits.end_mandate(debit.mandate, how, now=world.now)
        world.work(kinds=DELIVER)
        assert collected_by(invoice) == [("sepa", "cancelled")]
        first = card(world, alice, "pm_1")
        world.work(kinds=DELIVER)
        assert collected_by(invoice) == [("sepa", "cancelled"), ("card", "new")]
        means.make_default(first, actor=alice.actor, now=world.now)  # told again
        world.work(kinds=DELIVER)
        assert len(collected_by(invoice)) == 2
        assert sum(invoice.payments.filter(state="new").values_list("amount_cents", flat=True)) == invoice.due_cents

    def test_with_another_default_means_it_is_collected_from_that_at_once(self, world: World, shop: Shop) -> None:
        alice, invoice, debit = debited(world, shop)
        means.make_default(card(world, alice, "pm_1"), actor=alice.actor, now=world.now)
        world.work(kinds=DELIVER)
        assert collected_by(invoice) == [("sepa", "new")], "what is announced goes its way"
        debits.end_mandate(debit.mandate, "cancelled", now=world.now)
        world.work(kinds=DELIVER)
        assert collected_by(invoice) == [("sepa", "cancelled"), ("card", "new")]
        world.sweep("invoicing.debits")
        world.sweep("payments.collect")
        assert len(collected_by(invoice)) == 2

    def test_contested_it_is_not_collected_from_another_means(self, world: World, shop: Shop) -> None:
        alice, invoice, debit = debited(world, shop)
        means.make_default(card(world, alice, "pm_1"), actor=alice.actor, now=world.now)
        contesting.ask(invoice, None, reference="R", asked_at=world.now, actor=alice.actor, now=world.now)
        debits.end_mandate(debit.mandate, "cancelled", now=world.now)
        world.work(kinds=DELIVER)
        assert collected_by(invoice) == [("sepa", "cancelled")]

    def test_another_account_is_another_mandate_and_another_notice(self, world: World, shop: Shop) -> None:
        alice, invoice, debit = debited(world, shop)
        new = signed(world, alice, OTHER_IBAN, replaces=debit.mandate)
        debit.mandate.refresh_from_db()
        assert (debit.mandate.state, new.state) == ("replaced", "active")
        latest = Debit.objects.latest("pk")
        assert (latest.mandate, latest.invoice, latest.state) == (new, invoice, "announced")
        assert new.reference in world.mails("debit_notice", alice.account)[-1].content.body

    def test_thirty_six_idle_months_end_it(self, world: World) -> None:
        """Signed on 2 March 2026: the last day is 1 March 2029."""
        from tests.support.world import paris

        alice = world.customer()
        made = signed(world, alice)
        world.until(paris("2029-03-01 23:00"), sweeps=["invoicing.debits"])
        made.refresh_from_db()
        assert made.state == "active"
        world.advance(hours=2, sweeps=["invoicing.debits"])
        made.refresh_from_db()
        assert made.state == "expired"
        assert len(world.mails("mandate_ended", alice.account)) == 1
        assert Invoice.objects.count() == 0
