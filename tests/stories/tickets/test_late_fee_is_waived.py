"""As a business that paid late I ask within five working days for a late fee to be cancelled or lowered; staff decides,
and the credit note follows (INV-9)."""

import pytest
from django.core import mail as outbox

from invoicing.accounting import ledger
from invoicing.contesting import contesting
from invoicing.models import Invoice, InvoiceLine
from panel.core.errors import RuleViolation
from tests.support.owing import SWEEPS, days, owe_overage, transfer
from tests.support.shop import Shop
from tests.support.world import Customer, World, paris
from tickets import contests, mailbox
from tickets.letters import parse

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice(world: World, shop: Shop) -> Customer:
    return world.customer()


@pytest.fixture
def statement(world: World, shop: Shop, alice: Customer) -> Invoice:
    """Made on Monday 2026-04-13: EUR 18.90 net, EUR 22.68 with VAT, was due on 2 April and paid on the 13th. Interest
    22.68 x 7.86 % x 11 / 365 = 0.0537..., that is EUR 0.05, and EUR 40 of recovery costs."""
    (invoice,) = owe_overage(world, shop, alice)
    days(world, 11)
    transfer(world, Invoice.objects.get(pk=invoice.pk))
    world.advance(hours=1, sweeps=SWEEPS)
    made = Invoice.objects.get(kind="statement")
    assert [line.net_cents for line in made.lines.all()] == [5, 4000]
    return made


def ask(world: World, alice: Customer, statement: Invoice, wanted: list[int] | None = None) -> str:
    contest = contests.open_contest(
        statement, wanted, why="Your mail never came.", actor=alice.actor, via="web", now=world.now
    )
    return str(contest.reference)


def test_it_can_be_asked_for_until_the_end_of_the_fifth_working_day(
    world: World, alice: Customer, statement: Invoice
) -> None:
    assert contesting.standing(statement, at=world.now).until == paris("2026-04-21 00:00")  # Monday the 20th
    world.until(paris("2026-04-21 00:00"))
    ask(world, alice, statement)


def test_after_that_it_is_too_late_and_the_reason_is_told(world: World, alice: Customer, statement: Invoice) -> None:
    world.until(paris("2026-04-21 00:01"))
    with pytest.raises(RuleViolation, match="time to ask for a waiver"):
        ask(world, alice, statement)


def test_cancelled_it_is_credited_and_told(world: World, alice: Customer, statement: Invoice) -> None:
    ask(world, alice, statement)
    contest = contesting.standing(statement, at=world.now).newest
    assert contest is not None
    done = contests.decide(
        contest, contest.wanted, reason="As you were never told.", refund=False, actor=world.staff("billing"),
        now=world.now,
    )  # fmt: skip
    statement.refresh_from_db()
    assert (done.state, statement.state, statement.due_cents) == ("accepted", "credited", 0)
    assert done.credit_note is not None
    assert done.credit_note.series.prefix != Invoice.objects.filter(kind="invoice")[0].series.prefix
    (mail,) = world.mails("contest_decided")
    assert "waive the late fee" in mail.content.body
    days(world, 60)
    late = InvoiceLine.objects.filter(evidence__late_invoice=statement.lines.all()[0].evidence["late_invoice"])
    assert late.filter(invoice__kind="statement").count() == 2  # it is not claimed again
    assert ledger.total() == 0


def test_a_discount_of_one_line(world: World, alice: Customer, statement: Invoice) -> None:
    ask(world, alice, statement, [0, 4000])
    contest = contesting.standing(statement, at=world.now).newest
    assert contest is not None
    contests.decide(contest, [0, 2000], reason="Half.", refund=False, actor=world.staff("billing"), now=world.now)
    statement.refresh_from_db()
    assert (statement.credited_cents, statement.due_cents) == (2000, 2005)
    assert InvoiceLine.objects.filter(invoice__credits=statement).get().code == "late:recovery"


def test_an_answer_to_the_mail_of_the_statement_asks_for_it(world: World, alice: Customer, statement: Invoice) -> None:
    world.work()
    (sent,) = world.mails("statement_issued")
    assert sent.content.reply_to == "billing@" + sent.content.reply_to.partition("@")[2]
    named = next(mail for mail in outbox.outbox if statement.number in mail.subject).extra_headers["Message-ID"]
    raw = (
        f"From: {alice.user.email}\nTo: {sent.content.reply_to}\nSubject: Re: late\nMessage-ID: <w@customer.example>\n"
        f"In-Reply-To: {named}\n\nPlease cancel it.\n"
    ).encode()
    ticket = mailbox.receive(parse(raw), [sent.content.reply_to], now=world.now)
    assert contests.of(ticket) == contesting.standing(statement, at=world.now).newest
