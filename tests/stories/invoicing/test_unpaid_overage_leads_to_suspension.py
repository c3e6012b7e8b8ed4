"""As a provider I may suspend who leaves overage unpaid for 15 days, or any other fee for 30, and end what stays unpaid
30 days more; a person decides, and paying ends it at once (SRV-6, SUB-8, ACC-13, ABU-12, invariant 24)."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from invoicing.chasing import pausing, suspending, terminating
from invoicing.issuing import invoices
from invoicing.models import Invoice, Payment, Suspension, Termination
from panel import terms
from panel.accounts import approvals, restrictions
from panel.accounts.models import Approval, Restriction
from panel.core.errors import RuleViolation
from panel.core.models import ClockGap
from tests.support.owing import SWEEPS, collect, days, owe_overage, take_back, transfer
from tests.support.shop import Shop
from tests.support.world import Customer, World, paris

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice(world: World, shop: Shop) -> Customer:
    return world.customer()


@pytest.fixture
def invoice(world: World, shop: Shop, alice: Customer) -> Invoice:
    """Due on 2 April: a month's renewal with 10 GB of overage, unpaid."""
    return owe_overage(world, shop, alice)[0]


@pytest.fixture
def automatic(monkeypatch: pytest.MonkeyPatch) -> None:
    """A version whose switch lets the clock act."""
    version = terms.versions("say_digital")[-1]
    table = {**version.table, "automatic": {**version.table["automatic"], "SRV-6": True}}
    changed = replace(version, table=table)
    monkeypatch.setattr("panel.terms.version", lambda name: changed)


def state(invoice: Invoice) -> str:
    return str(Suspension.objects.get(invoice=invoice).state)


def blocked(customer: Customer) -> bool:
    return restrictions.blocking(customer.account.pk, "use_service") is not None


def test_proposed_on_the_sixteenth_day_and_not_before(world: World, invoice: Invoice, alice: Customer) -> None:
    world.until(paris("2026-04-17 23:59"), sweeps=["invoicing.renew", "invoicing.dun"])
    assert not Suspension.objects.exists()
    world.until(paris("2026-04-18 00:05"), sweeps=["invoicing.renew", "invoicing.dun"])
    row = Suspension.objects.get()
    assert (row.rule, row.state, str(row.due_on)) == ("SRV-6", "proposed", "2026-04-18")
    assert not blocked(alice)  # a person decides


def test_a_person_suspends_with_a_reason_and_the_customer_is_told_why(
    world: World, invoice: Invoice, alice: Customer
) -> None:
    days(world, 16)
    row, staff = Suspension.objects.get(), world.staff("billing")
    with pytest.raises(RuleViolation):
        suspending.confirm(row.pk, reason=" ", actor=staff, now=world.now)
    suspending.confirm(row.pk, reason="No answer to three reminders.", actor=staff, now=world.now)
    made = Restriction.objects.get()
    assert (made.rule, made.author_id, made.evidence["invoice"]) == ("SRV-6", staff.user_id, invoice.number)
    assert blocked(alice)
    (told,) = world.mails("suspended_unpaid")
    assert invoice.number in told.content.body
    with pytest.raises(RuleViolation):
        suspending.confirm(row.pk, reason="again", actor=staff, now=world.now)


def test_paying_lifts_it_in_the_same_instant(world: World, invoice: Invoice, alice: Customer) -> None:
    """Paymenter#854: the payment came and the service stayed suspended."""
    days(world, 16)
    suspending.confirm(Suspension.objects.get().pk, reason="unpaid", actor=world.staff("billing"), now=world.now)
    transfer(world, invoice, 100)
    assert blocked(alice)  # a part is not all
    invoice.refresh_from_db()
    transfer(world, invoice)
    assert (blocked(alice), state(invoice)) == (False, "lifted")
    assert len(world.mails("suspension_lifted")) == 1
    days(world, 3)
    assert (blocked(alice), state(invoice)) == (False, "lifted")


def test_a_credit_note_lifts_it_too(world: World, invoice: Invoice, alice: Customer) -> None:
    days(world, 16)
    suspending.confirm(Suspension.objects.get().pk, reason="unpaid", actor=world.staff("billing"), now=world.now)
    invoices.credit(invoice, None, reason="our mistake", now=world.now, actor=world.staff("billing"))
    assert not blocked(alice)


def test_what_is_paid_before_the_decision_cannot_be_suspended(world: World, invoice: Invoice) -> None:
    days(world, 16)
    row = Suspension.objects.get()
    transfer(world, invoice)
    assert state(invoice) == "withdrawn"
    with pytest.raises(RuleViolation):
        suspending.confirm(row.pk, reason="unpaid", actor=world.staff("billing"), now=world.now)
    assert not Restriction.objects.exists()


def test_while_it_is_contested_there_is_no_ground_and_its_days_do_not_count(world: World, invoice: Invoice) -> None:
    days(world, 10)
    pausing.stop(invoice, pausing.DISPUTE, now=world.now)
    days(world, 10)
    assert not Suspension.objects.exists()
    pausing.go_on(invoice, pausing.DISPUTE, now=world.now)
    days(world, 5)
    assert not Suspension.objects.exists()
    days(world, 2)
    assert state(invoice) == "proposed"


def test_contested_afterwards_it_is_withdrawn_and_comes_back_when_that_was_refused(
    world: World, invoice: Invoice, alice: Customer
) -> None:
    days(world, 16)
    suspending.confirm(Suspension.objects.get().pk, reason="unpaid", actor=world.staff("billing"), now=world.now)
    pausing.stop(invoice, pausing.DISPUTE, now=world.now)
    assert (state(invoice), blocked(alice)) == ("lifted", False)
    pausing.go_on(invoice, pausing.DISPUTE, now=world.now)
    days(world, 1)
    assert (state(invoice), blocked(alice)) == ("proposed", False)


def test_spared_once_it_is_not_proposed_again(world: World, invoice: Invoice) -> None:
    days(world, 16)
    suspending.refuse(
        Suspension.objects.get().pk, reason="Pays on Monday.", actor=world.staff("billing"), now=world.now
    )
    days(world, 5)
    assert state(invoice) == "refused"


def test_taken_back_by_the_bank_after_weeks_it_has_its_fifteen_days(world: World, invoice: Invoice) -> None:
    payment = collect(world, invoice)
    days(world, 42)
    take_back(world, payment)
    world.until(paris("2026-05-28 23:59"), sweeps=SWEEPS)
    assert not Suspension.objects.exists()
    world.until(paris("2026-05-29 00:05"), sweeps=SWEEPS)
    assert state(invoice) == "proposed"


def test_what_the_bank_is_collecting_is_no_ground(world: World, invoice: Invoice) -> None:
    days(world, 15)
    payment = Payment.objects.create(
        reference="PAY-1", account=invoice.account, invoice=invoice, key="k", state="processing", provider="story",
        amount_cents=invoice.due_cents, created_at=world.now,
    )  # fmt: skip
    days(world, 2)
    assert not Suspension.objects.exists()
    Payment.objects.filter(pk=payment.pk).update(state="failed")
    days(world, 1)
    assert state(invoice) == "proposed"


@pytest.mark.parametrize(("left", "grounds"), [(0, 0), (1, 1)], ids=["all of it credited", "a cent left"])
def test_overage_that_was_credited_is_no_ground(world: World, invoice: Invoice, left: int, grounds: int) -> None:
    nets = [line.net_cents - left if line.rule == "SRV-5" else 0 for line in invoice.lines.all()]
    invoices.credit(invoice, nets, reason="our mistake", now=world.now, actor=world.staff("billing"))
    days(world, 17)
    assert Suspension.objects.count() == grounds


class TestAnyOtherFee:
    """A renewal without overage, whose owner never gave a means of payment: due on 2 April."""

    @pytest.fixture
    def renewal(self, world: World, shop: Shop, alice: Customer) -> Invoice:
        shop.buy(alice)
        shop.buy(alice)
        world.advance(days=31, sweeps=SWEEPS)
        return Invoice.objects.filter(account=alice.account, state="open").earliest("pk")

    def test_proposed_on_the_thirty_first_day_after_the_last_reminder(self, world: World, renewal: Invoice) -> None:
        world.until(paris("2026-05-02 23:59"), sweeps=SWEEPS)
        assert not Suspension.objects.exists()
        assert "03/05/2026" in world.mails("reminder_last")[0].content.body.replace("3 May 2026", "03/05/2026")
        world.until(paris("2026-05-03 00:05"), sweeps=SWEEPS)
        row = Suspension.objects.get(invoice=renewal)
        assert (row.rule, row.state, str(row.due_on)) == ("SUB-8", "proposed", "2026-05-03")

    def test_without_the_last_reminder_there_is_no_ground(self, world: World, renewal: Invoice) -> None:
        world.advance(days=40, sweeps=["invoicing.renew"])
        assert not suspending.decide(world.now, dry_run=True).would

    def suspended(self, world: World, renewal: Invoice) -> None:
        world.until(paris("2026-04-15 09:00"), sweeps=SWEEPS)
        world.until(paris("2026-05-03 09:00"), sweeps=SWEEPS)
        for row in Suspension.objects.all():
            word = suspending.confirm if row.invoice == renewal else suspending.refuse
            word(row.pk, reason="No answer.", actor=world.staff("billing"), now=world.now)

    def test_still_unpaid_thirty_days_later_a_person_ends_the_services_of_their_choice(
        self, world: World, renewal: Invoice, alice: Customer
    ) -> None:
        self.suspended(world, renewal)
        world.until(paris("2026-06-02 23:59"), sweeps=SWEEPS)
        assert not Termination.objects.exists()
        world.until(paris("2026-06-03 00:05"), sweeps=SWEEPS)
        row, staff = Termination.objects.get(), world.staff("billing")
        unpaid, other = terminating.running(alice.account.pk)
        for services, reason in (([], "unpaid"), ([unpaid.reference], " ")):
            with pytest.raises(RuleViolation):
                terminating.end(row.pk, services, reason=reason, actor=staff, now=world.now)
        terminating.end(row.pk, [unpaid.reference], reason="No answer at all.", actor=staff, now=world.now)
        unpaid.refresh_from_db()
        assert (unpaid.state, unpaid.end_rule) == ("terminated", "SUB-8")
        assert renewal.number in unpaid.end_reason
        assert list(terminating.running(alice.account.pk)) == [other]
        world.advance(days=40, sweeps=SWEEPS)
        assert [one.state for one in Termination.objects.all()] == ["ended"]  # once for each suspension

    def test_while_a_payment_is_with_the_bank_nothing_is_proposed_or_ended(
        self, world: World, renewal: Invoice, alice: Customer
    ) -> None:
        """A debit takes days: who has told their bank to pay is not cut off meanwhile."""
        self.suspended(world, renewal)
        facts: dict[str, Any] = {"account": alice.account, "invoice": renewal, "amount_cents": renewal.due_cents}
        asked = Payment.objects.create(
            **facts, reference="PAY-UNDERWAY", key="under-way", state="processing", provider="story",
            created_at=world.now,
        )  # fmt: skip
        world.until(paris("2026-06-03 00:05"), sweeps=SWEEPS)
        assert not Termination.objects.exists()
        Payment.objects.filter(pk=asked.pk).update(state="failed")
        world.sweep("invoicing.dun")
        row, staff = Termination.objects.get(), world.staff("billing")
        services = [one.reference for one in terminating.running(alice.account.pk)]
        Payment.objects.filter(pk=asked.pk).update(state="processing")
        with pytest.raises(RuleViolation, match="under way"):
            terminating.end(row.pk, services, reason="unpaid", actor=staff, now=world.now)
        assert len(terminating.running(alice.account.pk)) == 2
        Payment.objects.filter(pk=asked.pk).update(state="failed")
        terminating.end(row.pk, services, reason="unpaid", actor=staff, now=world.now)
        assert not terminating.running(alice.account.pk).exists()

    def test_paid_before_the_decision_nothing_is_ended(self, world: World, renewal: Invoice, alice: Customer) -> None:
        self.suspended(world, renewal)
        world.until(paris("2026-06-03 00:05"), sweeps=SWEEPS)
        row = Termination.objects.get()
        transfer(world, renewal)
        services = [one.reference for one in terminating.running(alice.account.pk)]
        with pytest.raises(RuleViolation):
            terminating.end(row.pk, services, reason="unpaid", actor=world.staff("billing"), now=world.now)
        row.refresh_from_db()
        assert (row.state, len(terminating.running(alice.account.pk))) == ("withdrawn", 2)


class TestByTheClock:
    def test_the_switch_lets_it_act(self, automatic: None, world: World, invoice: Invoice, alice: Customer) -> None:
        days(world, 15)
        assert not blocked(alice)
        days(world, 1)
        assert (state(invoice), blocked(alice)) == ("applied", True)

    def test_what_fell_due_while_the_clock_stood_waits_for_two_persons_and_a_day(
        self, automatic: None, world: World, invoice: Invoice, alice: Customer
    ) -> None:
        days(world, 14)
        ClockGap.objects.create(since=world.now, until=world.now + timedelta(days=3))
        world.advance(days=3, sweeps=["invoicing.renew", "invoicing.dun"])
        assert (state(invoice), blocked(alice)) == ("held", False)
        release(world)
        assert (state(invoice), len(world.mails("suspension_released"))) == ("proposed", 1)
        world.advance(hours=24, sweeps=["invoicing.dun"])
        assert not blocked(alice)
        world.advance(minutes=1, sweeps=["invoicing.dun"])
        assert (state(invoice), blocked(alice)) == ("applied", True)

    def test_more_than_ten_at_once_wait(self, automatic: None, world: World, shop: Shop) -> None:
        """ABU-12."""
        found = owe_overage(world, shop, *(world.customer(f"C{number}") for number in range(11)))
        days(world, 16)
        assert {state(one) for one in found} == {"held"}
        assert Approval.objects.filter(kind="invoicing.brake").count() == 1
        transfer(world, found[0])
        assert state(found[0]) == "withdrawn"


def release(world: World) -> None:
    asked: Any = Approval.objects.get(kind="invoicing.brake")
    for name in ("Sam", "Nora"):
        approvals.vote(asked.pk, agrees=True, actor=world.staff("billing", name=name), now=world.now)
    world.work()
