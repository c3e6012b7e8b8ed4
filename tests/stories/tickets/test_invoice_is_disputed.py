"""As a customer I dispute an invoice, and nothing happens to it until it is decided; what is granted is credited, what
is refused counts from its due date again (TIC-6, OPR-10, TIC-3)."""

from email.message import EmailMessage

import pytest
from django.core import mail as outbox

from invoicing.accounting import ledger
from invoicing.chasing import suspending
from invoicing.contesting import contesting
from invoicing.contesting.contest_rules import WhyNot
from invoicing.models import ClockStop, Contest, Invoice, Reminder, Suspension
from invoicing.subscribing import kinds as services
from panel import terms
from panel.core.errors import RuleViolation
from tests.support.owing import SWEEPS, days, owe_overage, transfer
from tests.support.shop import Shop
from tests.support.world import Customer, World, paris
from tickets import contests, kinds, mailbox
from tickets.letters import parse
from tickets.models import Ticket

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice(world: World, shop: Shop) -> Customer:
    return world.customer()


@pytest.fixture
def owed(world: World, shop: Shop, alice: Customer) -> Invoice:
    """Issued on Thursday 2026-04-02 and due on that day: EUR 5.90 for the period, EUR 13.00 for traffic."""
    (invoice,) = owe_overage(world, shop, alice)
    return invoice


def dispute(world: World, alice: Customer, invoice: Invoice, wanted: list[int] | None = None) -> Contest:
    return contests.open_contest(invoice, wanted, why="I was not there.", actor=alice.actor, via="web", now=world.now)


def request(contest: Contest) -> Ticket:
    return Ticket.objects.get(number=contest.reference)


def test_it_is_a_request_that_staff_owes_a_decision_within_five_working_days(
    world: World, alice: Customer, owed: Invoice
) -> None:
    contest = dispute(world, alice, owed, [0, 1300])
    ticket = request(contest)
    assert (ticket.department, ticket.kind, ticket.waiting_since) == ("billing", contests.KIND, world.now)
    # Friday, then Tuesday to Friday: Monday 6 April is Easter Monday
    assert contest.due_at == paris("2026-04-11 00:00")
    assert contest.last_day.isoformat() == "2026-04-10"
    assert (contest.wanted, contest.wanted_cents) == ([0, 1300], 1300)
    (mail,) = world.mails("contest_received")
    assert "10 April 2026" in mail.content.body
    with pytest.raises(RuleViolation):
        dispute(world, alice, owed)
    assert Ticket.objects.count() == 1


def test_nothing_happens_to_it_while_it_is_undecided(world: World, alice: Customer, owed: Invoice) -> None:
    dispute(world, alice, owed)
    days(world, 40)
    owed.refresh_from_db()
    assert owed.contested_at is not None
    assert not Reminder.objects.filter(invoice=owed).exists()
    assert not Suspension.objects.filter(invoice=owed).exists()
    assert not Invoice.objects.filter(kind="statement").exists()
    assert not kinds.get(contests.KIND).settled(Ticket.objects.get())


def test_what_it_had_led_to_ends(world: World, alice: Customer, owed: Invoice) -> None:
    days(world, 16)
    row = Suspension.objects.get()
    suspending.confirm(row.pk, reason="unpaid", actor=world.staff("billing"), now=world.now)
    dispute(world, alice, owed)
    assert Suspension.objects.get().state == "lifted"


def test_granted_in_part_it_is_credited_and_the_rest_counts_from_the_due_date(
    world: World, alice: Customer, owed: Invoice
) -> None:
    contest = dispute(world, alice, owed, [0, 1300])
    world.advance(days=10, sweeps=SWEEPS)
    staff = world.staff("billing")
    done = contests.decide(contest, [0, 1000], reason="Half was ours.", refund=False, actor=staff, now=world.now)
    owed.refresh_from_db()
    assert (done.state, done.granted_cents, owed.credited_cents, owed.contested_at) == ("partly", 1000, 1200, None)
    assert done.credit_note is not None
    assert done.credit_note.reason == "Half was ours."
    assert [line.net_cents for line in done.credit_note.lines.all()] == [1000]
    assert request(contest).state == "closed"
    (mail,) = world.mails("contest_decided")
    assert all(words in mail.content.body for words in ("in part", "Half was ours.", done.credit_note.number))
    with pytest.raises(RuleViolation, match="decided"):
        contests.decide(contest, [0, 100], reason="again", refund=False, actor=staff, now=world.now)
    with pytest.raises(RuleViolation, match="decided on this once"):
        dispute(world, alice, owed)
    assert ledger.total() == 0


def test_refused_it_costs_interest_from_the_due_date_on(world: World, alice: Customer, owed: Invoice) -> None:
    contest = dispute(world, alice, owed)
    days(world, 35)
    assert not Invoice.objects.filter(kind="statement").exists()
    done = contests.decide(
        contest, [0, 0], reason="The meter is right.", refund=False, actor=world.staff("billing"), now=world.now
    )
    assert (done.state, done.credit_note) == ("refused", None)
    days(world, 1)
    (statement,) = Invoice.objects.filter(kind="statement")
    interest = next(line for line in statement.lines.all() if line.code == "late:interest")
    assert interest.evidence["stretches"][0]["first"] == "2026-04-03"  # the day after the due date
    assert "remain to be paid" in world.mails("contest_decided")[0].content.body


def test_a_paid_one_is_given_back_to_the_funds(world: World, alice: Customer, owed: Invoice) -> None:
    transfer(world, owed)
    contest = dispute(world, alice, owed)
    staff = world.staff("billing")
    done = contests.decide(contest, contest.wanted, reason="Ours.", refund=False, actor=staff, now=world.now)
    assert done.state == "accepted"
    assert ledger.funds(alice.account) == owed.total_cents


def test_withdrawn_it_counts_again_and_is_not_disputed_anew(world: World, alice: Customer, owed: Invoice) -> None:
    contest = dispute(world, alice, owed)
    contests.withdraw(contest, actor=alice.actor, now=world.now)
    owed.refresh_from_db()
    assert (owed.contested_at, request(contest).state) == (None, "closed")
    with pytest.raises(RuleViolation):
        contests.withdraw(contest, actor=alice.actor, now=world.now)
    days(world, 2)
    assert Reminder.objects.filter(invoice=owed).exists()
    for wanted in (None, [0, 1300], [590, 0]):
        with pytest.raises(RuleViolation, match="took it back"):
            dispute(world, alice, owed, wanted)
    assert (Contest.objects.count(), Ticket.objects.count()) == (1, 1)
    assert not ClockStop.objects.filter(invoice=owed, until=None).exists()


def test_a_suspension_is_lifted_by_a_dispute_once(world: World, alice: Customer, owed: Invoice) -> None:
    """Disputed, withdrawn, suspended again, disputed again: what it was about stays suspended, and can be asked about
    in an ordinary request (TIC-6)."""
    billing = world.staff("billing")

    def suspended() -> str:
        days(world, 16)
        row = Suspension.objects.get()
        suspending.confirm(row.pk, reason="unpaid", actor=billing, now=world.now)
        return Suspension.objects.get().state

    assert suspended() == "applied"
    contests.withdraw(dispute(world, alice, owed), actor=alice.actor, now=world.now)
    assert suspended() == "applied"
    with pytest.raises(RuleViolation, match="took it back"):
        dispute(world, alice, owed)
    ticket = received(world, letter(alice, f"Facture {owed.number}"), signed=True)
    assert (ticket.kind, Suspension.objects.get().state) == (kinds.PLAIN, "applied")
    with pytest.raises(RuleViolation, match="took it back"):
        contests.make_contest(ticket, owed, actor=billing, now=world.now)
    assert Suspension.objects.get().state == "applied"


def test_a_line_that_was_never_disputed_still_can_be(world: World, alice: Customer, owed: Invoice) -> None:
    contests.withdraw(dispute(world, alice, owed, [0, 1]), actor=alice.actor, now=world.now)
    assert contesting.open_to_dispute(owed) == [590, 0]
    with pytest.raises(RuleViolation, match="took it back"):
        dispute(world, alice, owed, [590, 1299])
    second = dispute(world, alice, owed)
    assert (second.wanted, contesting.standing(owed, at=world.now).why_not) == ([590, 0], WhyNot.OPEN)
    contests.withdraw(second, actor=alice.actor, now=world.now)
    assert contesting.standing(owed, at=world.now).why_not is WhyNot.TAKEN_BACK


@pytest.mark.parametrize("wanted", [[0, 0], [0, 1301], [-1, 0], [1300]])
def test_no_more_than_the_invoice_asks_and_not_nothing(
    world: World, alice: Customer, owed: Invoice, wanted: list[int]
) -> None:
    with pytest.raises(RuleViolation):
        dispute(world, alice, owed, wanted)
    assert (Ticket.objects.count(), Contest.objects.count()) == (0, 0)


class TestDeemedAccepted:
    """OPR-10: another operator's terms, 15 days after it was made available."""

    @pytest.fixture(autouse=True)
    def _numbered(self, monkeypatch: pytest.MonkeyPatch, owed: Invoice) -> None:
        version = terms.version(owed.terms_version)
        assert version.contests.accepted_days is None  # reckoned, so that it is put back afterwards
        monkeypatch.setitem(version.table, "OPR-10", {"source": "002", "accepted_days": 15})  # type: ignore[arg-type]
        monkeypatch.delitem(version.__dict__, "contests")

    def test_until_the_end_of_the_fifteenth_day(self, world: World, alice: Customer, owed: Invoice) -> None:
        last = paris("2026-04-18 00:00")
        assert contesting.standing(owed, at=world.now).until == last
        world.now = last
        dispute(world, alice, owed)

    def test_after_it_never(self, world: World, alice: Customer, owed: Invoice) -> None:
        world.until(paris("2026-04-18 00:01"))
        assert contesting.standing(owed, at=world.now).accepted
        with pytest.raises(RuleViolation, match="deemed accepted"):
            dispute(world, alice, owed)


# --- by mail ---------------------------------------------------------------------------------------------------------


def letter(alice: Customer, subject: str, body: str = "It is wrong.", **headers: str) -> bytes:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"], mail["Message-ID"] = (
        alice.user.email, "billing@clause.example", subject, "<one@customer.example>",
    )  # fmt: skip
    for name, value in headers.items():
        mail[name.replace("_", "-")] = value
    mail.set_content(body)
    return mail.as_bytes()


def received(world: World, raw: bytes, *, to: str = "billing", signed: bool = False) -> Ticket:
    return mailbox.receive(parse(raw), [f"{to}@clause.example"], now=world.now, signed=lambda _letter: signed)


def test_a_signed_mail_to_billing_that_names_it_disputes_it(world: World, alice: Customer, owed: Invoice) -> None:
    raw = letter(alice, f"Facture {owed.number.lower()}")
    for _ in range(2):
        ticket = received(world, raw, signed=True)
    contest = Contest.objects.get()
    assert (contest.reference, contest.wanted_cents, ticket.kind) == (ticket.number, 1890, contests.KIND)


def test_an_answer_to_the_mail_that_brought_it_disputes_it(world: World, alice: Customer, owed: Invoice) -> None:
    world.work()
    sent = next(mail for mail in outbox.outbox if owed.number in mail.subject)
    ticket = received(world, letter(alice, "Re: your invoice", In_Reply_To=sent.extra_headers["Message-ID"]))
    assert Contest.objects.get().reference == ticket.number
    again = letter(alice, "Re: your invoice", "One more thing.", In_Reply_To=sent.extra_headers["Message-ID"])
    assert received(world, again.replace(b"<one@", b"<two@")) == ticket
    assert ticket.messages.count() == 2


@pytest.mark.parametrize(
    ("to", "signed", "subject"),
    [("billing", False, "{number}"), ("support", True, "{number}"), ("billing", True, "No number"),
     ("billing", True, "F2026-999999")],
)  # fmt: skip
def test_any_other_mail_is_an_ordinary_request(
    world: World, alice: Customer, owed: Invoice, to: str, signed: bool, subject: str
) -> None:
    ticket = received(world, letter(alice, subject.format(number=owed.number)), to=to, signed=signed)
    assert (ticket.kind, Contest.objects.count()) == (kinds.PLAIN, 0)


def test_a_strangers_number_is_nobodys_dispute(world: World, shop: Shop, alice: Customer, owed: Invoice) -> None:
    mallory = world.customer("Mallory")
    ticket = received(world, letter(mallory, owed.number), signed=True)
    assert (ticket.account, ticket.kind, Contest.objects.count()) == (mallory.account, kinds.PLAIN, 0)


def test_who_may_not_see_invoices_disputes_none_by_mail(world: World, alice: Customer, owed: Invoice) -> None:
    contact = world.contact(alice, ["tickets"])
    assert received(world, letter(contact, owed.number), signed=True).kind == kinds.PLAIN


def test_staff_makes_a_dispute_of_an_ordinary_request_as_of_when_it_came(
    world: World, alice: Customer, owed: Invoice
) -> None:
    ticket = received(world, letter(alice, owed.number))
    world.advance(days=4)
    staff = world.staff("billing")
    contest = contests.make_contest(ticket, owed, actor=staff, now=world.now)
    ticket.refresh_from_db()
    assert (ticket.kind, contest.reference, contest.opened_at) == (contests.KIND, ticket.number, world.now)
    assert contest.due_at == paris("2026-04-11 00:00")  # five working days from when it came
    other = owe_overage(world, Shop(world, services._kinds["vps"]), world.customer("Bob"))[0]  # type: ignore[arg-type]
    plain = received(world, letter(alice, "Else").replace(b"<one@", b"<six@"))
    with pytest.raises(RuleViolation):
        contests.make_contest(plain, other, actor=staff, now=world.now)
