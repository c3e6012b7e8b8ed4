"""As a customer who forgets I am reminded on the days the terms name, each time once, and never of what is paid, being
paid or contested (INV-14, TIC-6)."""

from datetime import timedelta

import pytest

from invoicing.chasing import dunning_selectors, pausing
from invoicing.models import Invoice, Payment, PaymentState, Reminder
from panel.core import due
from tests.support.owing import SWEEPS, days, owe_overage, transfer
from tests.support.shop import Shop
from tests.support.world import Customer, World

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice(world: World, shop: Shop) -> Customer:
    return world.customer()


@pytest.fixture
def invoice(world: World, shop: Shop, alice: Customer) -> Invoice:
    """A renewal of 2 April, due at once, that nobody pays: Alice keeps no card."""
    shop.buy(alice)
    world.advance(days=31, sweeps=SWEEPS)
    return Invoice.objects.latest("pk")


def sent(world: World) -> list[str]:
    """The reminders mailed, by their tone."""
    names = ("reminder_first", "reminder_again", "reminder_last")
    mails = sorted((mail for name in names for mail in world.mails(name)), key=lambda mail: mail.pk)
    return [mail.template.removeprefix("reminder_") for mail in mails]


def test_on_the_first_the_seventh_and_the_twelfth_day(world: World, invoice: Invoice) -> None:
    found = []
    for day in range(1, 20):
        days(world, 1)
        found += [(day, tone) for tone in sent(world)[len(found) :]]
    assert found == [(1, "first"), (7, "again"), (12, "last")]
    assert [(row.stage, row.days_late) for row in Reminder.objects.all()] == [(1, 1), (2, 7), (3, 12)]


def test_each_once_however_often_it_is_looked_at(world: World, invoice: Invoice) -> None:
    """FOSSBilling#3726: one reminder was sent four times."""
    for _ in range(30):
        world.advance(hours=6, sweeps=SWEEPS)
        world.sweep("invoicing.dun")
    assert sent(world) == ["first", "again"]


def test_after_a_gap_of_the_clock_only_the_last_one_is_sent(world: World, invoice: Invoice) -> None:
    world.advance(days=13, sweeps=SWEEPS)
    days(world, 5)
    assert sent(world) == ["last"]


def test_nothing_once_it_is_paid(world: World, invoice: Invoice) -> None:
    days(world, 2)
    transfer(world, invoice)
    days(world, 12)  # what the delay cost is a claim of its own, and may be reminded of (INV-8)
    assert [row.stage for row in Reminder.objects.filter(invoice=invoice)] == [1]


def test_nothing_while_the_bank_has_the_payment(world: World, invoice: Invoice) -> None:
    payment = Payment.objects.create(
        reference="PAY-1", account=invoice.account, invoice=invoice, key="k", state=PaymentState.PROCESSING,
        amount_cents=invoice.due_cents, provider="story", created_at=world.now,
    )  # fmt: skip
    days(world, 3)
    assert sent(world) == []
    Payment.objects.filter(pk=payment.pk).update(state=PaymentState.FAILED)
    days(world, 1)
    assert sent(world) == ["first"]


def test_days_in_which_it_was_contested_do_not_count(world: World, invoice: Invoice) -> None:
    days(world, 4)
    pausing.stop(invoice, pausing.DISPUTE, now=world.now)
    days(world, 10)
    assert sent(world) == ["first"]
    pausing.go_on(invoice, pausing.DISPUTE, now=world.now)
    days(world, 2)
    assert sent(world) == ["first"]  # 3 days before, and the day on which it went on makes 4: the seventh comes later
    days(world, 1)
    assert sent(world) == ["first", "again"]


def test_two_causes_must_both_be_settled(world: World, invoice: Invoice) -> None:
    pausing.stop(invoice, pausing.DISPUTE, now=world.now)
    pausing.stop(invoice, pausing.CASE, now=world.now)
    pausing.go_on(invoice, pausing.CASE, now=world.now)
    days(world, 3)
    assert sent(world) == []
    pausing.go_on(invoice, pausing.DISPUTE, now=world.now)
    invoice.refresh_from_db()
    assert invoice.contested_at is None


def test_the_last_one_says_what_follows_in_the_customers_language(world: World, shop: Shop) -> None:
    """SRV-6: unpaid overage may lead to suspension from the 16th day on."""
    luc = world.customer("Luc")
    luc.account.language = "fr"
    luc.account.save(update_fields=["language"])
    owe_overage(world, shop, luc)
    days(world, 12)
    (mail,) = world.mails("reminder_last", luc.account)
    assert "dernière relance" in mail.content.subject
    assert "suspendus à partir du 18 avril 2026 (SRV-6)" in mail.content.body
    assert "40,00" in mail.content.body


def test_the_page_says_what_is_next_and_a_dry_run_changes_nothing(
    world: World, alice: Customer, invoice: Invoice
) -> None:
    world.advance(days=1, sweeps=["invoicing.renew"])
    would = due.SWEEPS["invoicing.dun"].run(world.now, dry_run=True).would
    assert would == [f"remind of {invoice.number}, stage 1"]
    assert sent(world) == []
    (row,) = dunning_selectors.described(list(dunning_selectors.late(alice.actor)), now=world.now)
    assert [(step.kind, step.on, step.stage) for step in row.steps] == [
        ("reminder", invoice.due_on + timedelta(days=late), stage) for stage, late in ((1, 1), (2, 7), (3, 12))
    ] + [("suspension", invoice.due_on + timedelta(days=31), 0)]  # SUB-8
    found = dunning_selectors.totals(world.staff("billing"))
    owed = invoice.due_cents
    assert {stage: (one.count, one.cents) for stage, one in found.items()} == {
        "": (1, owed), "due": (1, owed), "reminded": (0, 0), "contested": (0, 0),
    }  # fmt: skip
    world.sweep("invoicing.dun")
    assert dunning_selectors.totals(world.staff("billing"))["reminded"].count == 1
    assert not dunning_selectors.late(world.customer("Bob").actor).exists()
