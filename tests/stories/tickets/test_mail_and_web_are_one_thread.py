"""A customer writes by mail or web, staff answers: one thread, nothing twice, nothing lost (TIC-1, TIC-3)."""

from email.message import EmailMessage

import pytest

from panel.core.errors import RuleViolation
from tests.support.world import Customer, World
from tickets import conversation, doubts, mailbox, return_address, rules, selectors
from tickets.conversation import File
from tickets.letters import parse
from tickets.models import Message, Ticket

pytestmark = pytest.mark.django_db


@pytest.fixture
def world(db: None) -> World:
    return World()


@pytest.fixture
def alice(world: World) -> Customer:
    return world.customer()


def opened(world: World, alice: Customer, **more: object) -> Ticket:
    fields = {"department": "support", "title": "Slow", "body": "Since Monday.", "via": "web", "actor": alice.actor}
    return conversation.open_ticket(alice.account, now=world.now, **(fields | more))  # type: ignore[arg-type]


def letter(sender: str, to: str, subject: str = "Hello", body: str = "Words.", **headers: str) -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"], mail["Message-ID"] = sender, to, subject, "<one@customer.example>"
    for name, value in headers.items():
        mail[name.replace("_", "-")] = value
    mail.set_content(body)
    return mail


def test_a_request_has_a_number_a_time_and_waits_for_staff(world: World, alice: Customer) -> None:
    ticket = opened(world, alice)
    assert ticket.number.startswith("REQ-")
    assert (ticket.opened_at, ticket.waiting_since, ticket.state) == (world.now, world.now, "open")
    assert list(selectors.queue(world.staff("support"))) == [ticket]


def test_staffs_answer_is_mailed_and_the_answer_to_it_lands_in_the_thread(world: World, alice: Customer) -> None:
    ticket = opened(world, alice)
    world.advance(hours=1)
    conversation.reply(ticket, "Have you restarted it?", actor=world.staff("support"), via="web", now=world.now)
    ticket.refresh_from_db()
    assert (ticket.state, ticket.waiting_since, ticket.first_answered_at) == ("waiting_customer", None, world.now)
    (mail,) = world.mails("ticket_reply")
    assert "Have you restarted it?" in mail.content.body
    assert mail.content.reply_to == return_address.of(ticket)

    world.advance(hours=1)
    body = "Yes.\n\nOn Mon, 2 Mar 2026 at 10:00, Support wrote:\n> Have you restarted it?\n"
    raw = letter(alice.user.email, mail.content.reply_to, f"Re: {mail.content.subject}", body).as_bytes()
    for _ in range(2):
        assert mailbox.receive(parse(raw), parse(raw).recipients, now=world.now) == ticket
    lines = selectors.thread(ticket, staff=False)
    assert [line.message.via for line in lines] == ["web", "web", "mail"]
    assert lines[-1].text == "Yes."
    assert "Have you restarted it?" in lines[-1].quoted
    ticket.refresh_from_db()
    assert (ticket.state, ticket.waiting_since) == ("waiting_staff", world.now)


def test_a_customers_new_mail_opens_a_request_in_the_mailboxs_department(world: World, alice: Customer) -> None:
    raw = letter(alice.user.email, "billing@clause.example", "Invoice").as_bytes()
    for _ in range(2):
        ticket = mailbox.receive(parse(raw), ["billing@clause.example"], now=world.now)
    assert Ticket.objects.get() == ticket
    assert (ticket.department, ticket.account) == ("billing", alice.account)


@pytest.mark.parametrize("headers", [{}, {"Auto_Submitted": "auto-replied"}])
def test_a_strangers_or_a_machines_mail_opens_nothing(world: World, alice: Customer, headers: dict[str, str]) -> None:
    sender = alice.user.email if headers else "stranger@else.example"
    raw = letter(sender, "support@clause.example", **headers).as_bytes()
    with pytest.raises(mailbox.NobodysMail):
        mailbox.receive(parse(raw), ["support@clause.example"], now=world.now)
    assert Ticket.objects.count() == 0


def test_a_guessed_return_address_leads_nowhere(world: World, alice: Customer) -> None:
    ticket = opened(world, alice)
    true = return_address.of(ticket)
    assert return_address.numbers_in([true.upper()]) == [ticket.number]
    for wrong in (
        true.replace(".", ".x", 1),
        true.replace("req-", "req-2", 1),
        "support+@x.example",
        "support@x.example",
    ):
        assert return_address.numbers_in([wrong]) == []


def test_notes_are_staffs_alone_and_change_nothing(world: World, alice: Customer) -> None:
    ticket = opened(world, alice)
    conversation.reply(ticket, "A known case", actor=world.staff(), via="web", now=world.now, internal=True)
    ticket.refresh_from_db()
    assert (ticket.state, len(selectors.thread(ticket, staff=False)), len(selectors.thread(ticket, staff=True))) == (
        "open",
        1,
        2,
    )
    assert world.mails("ticket_reply") == []


def test_closed_it_opens_again_by_writing(world: World, alice: Customer) -> None:
    ticket = opened(world, alice)
    staff = world.staff()
    conversation.close(ticket, actor=staff, now=world.now)
    conversation.close(ticket, actor=staff, now=world.now)
    assert Ticket.objects.get().closed_at == world.now
    conversation.reply(ticket, "Not yet.", actor=alice.actor, via="web", now=world.now)
    assert (Ticket.objects.get().state, Ticket.objects.get().closed_at) == ("waiting_staff", None)


@pytest.mark.parametrize("changes", [{"body": "  "}, {"title": "\0"}, {"attachments": [File("a", "b", b"")] * 11}])
def test_what_cannot_be_kept_is_refused_and_nothing_is_left(
    world: World, alice: Customer, changes: dict[str, object]
) -> None:
    with pytest.raises(RuleViolation):
        opened(world, alice, **changes)
    assert (Ticket.objects.count(), Message.objects.count()) == (0, 0)


def test_a_file_too_large_for_the_thread_still_lets_the_mail_count(world: World, alice: Customer) -> None:
    mail = letter(alice.user.email, "support@clause.example")
    mail.add_attachment(b"x" * (rules.MAX_FILE_BYTES + 1), maintype="application", subtype="zip", filename="big.zip")
    mail.add_attachment(b"small", maintype="application", subtype="zip", filename="small.zip")
    ticket = mailbox.receive(parse(mail.as_bytes()), ["support@clause.example"], now=world.now)
    assert [file.name for file in ticket.messages.get().attachments.all()] == ["small.zip"]


def test_a_mail_that_proves_nothing_is_staffs_to_judge(world: World, alice: Customer) -> None:
    """TIC-3: From and a number in the subject can be written by anybody; such a mail changes nothing by itself."""
    ticket, staff = opened(world, alice), world.staff("support")
    conversation.close(ticket, actor=staff, now=world.now)
    raw = letter(alice.user.email, "support@clause.example", f"Re: [{ticket.number}] Slow", "Send me the keys.")
    for _ in range(2):
        assert mailbox.receive(parse(raw.as_bytes()), ["support@clause.example"], now=world.now) == ticket
    kept = Message.objects.get(ticket=ticket, via="mail")
    ticket.refresh_from_db()
    assert (kept.internal, kept.author, ticket.state, ticket.waiting_since) == (True, None, "closed", world.now)
    assert alice.user.email in kept.author_name
    assert len(selectors.thread(ticket, staff=False)) == 1

    doubts.deny(kept.pk, actor=staff, now=world.now)
    ticket.refresh_from_db()
    assert (ticket.state, ticket.waiting_since, len(selectors.thread(ticket, staff=False))) == ("closed", None, 1)
    with pytest.raises(RuleViolation):
        doubts.vouch(kept.pk, actor=staff, now=world.now)


def test_staff_vouches_for_such_a_mail_and_it_is_the_customers_answer(world: World, alice: Customer) -> None:
    ticket, staff = opened(world, alice), world.staff("support")
    conversation.reply(ticket, "Have you restarted it?", actor=staff, via="web", now=world.now)
    raw = letter(alice.user.email, "support@clause.example", f"[{ticket.number}]", "Yes.").as_bytes()
    mailbox.receive(parse(raw), ["support@clause.example"], now=world.now)
    world.advance(hours=1)
    doubts.vouch(Message.objects.get(via="mail").pk, actor=staff, now=world.now)
    ticket.refresh_from_db()
    assert (ticket.state, ticket.waiting_since is None) == ("waiting_staff", False)
    assert [line.text for line in selectors.thread(ticket, staff=False)][-1] == "Yes."
