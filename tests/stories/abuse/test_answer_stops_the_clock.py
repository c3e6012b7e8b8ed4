"""The customer answers, by web or mail: the clock stands until a person has judged it (ABU-9)."""

import re
from datetime import timedelta

import pytest
from django.core import mail as outbox

from abuse import authenticity, decisions
from abuse.models import Case, Pause
from invoicing.issuing import charging
from panel.core.errors import RuleViolation
from servers.models import Server
from tests.support.desk import Desk, blocked, fees, steps
from tests.support.machines import first_ip
from tests.support.world import Customer, World
from tickets import conversation, doubts, selectors
from tickets.models import Message, Ticket

pytestmark = pytest.mark.django_db
SWEEP = ("abuse.escalate",)


def answer(world: World, case: Case, who: Customer, words: str = "We removed it.") -> None:
    conversation.reply(case.ticket, words, actor=who.actor, via="web", now=world.now)


def test_an_answer_at_exactly_48_hours_is_in_time(world: World, desk: Desk, alice: Customer, server: Server) -> None:
    case = desk.case(server)
    assert case.t0 is not None
    world.until(case.t0 + timedelta(hours=48))
    answer(world, case, alice)
    world.advance(seconds=1, sweeps=SWEEP)
    world.advance(days=300, sweeps=SWEEP)
    case.refresh_from_db()
    assert (case.state, case.due_at, steps(case)) == ("answered", None, [])
    assert Ticket.objects.get(pk=case.ticket_id).waiting_since is not None


def test_a_second_too_late_the_step_comes_and_the_later_ones_stop(
    world: World, desk: Desk, alice: Customer, server: Server
) -> None:
    case = desk.case(server)
    world.advance(hours=48, seconds=1)
    answer(world, case, alice)
    world.advance(seconds=30, sweeps=SWEEP)
    assert steps(case) == [("deactivate", "effective")]
    world.advance(days=300, sweeps=SWEEP)
    case.refresh_from_db()
    assert (case.state, steps(case)) == ("answered", [("deactivate", "effective")])


def test_a_refused_answer_leaves_at_least_24_hours_once_and_says_so(
    world: World, desk: Desk, alice: Customer, server: Server
) -> None:
    case = desk.case(server)
    world.advance(hours=47)
    answer(world, case, alice)
    world.advance(hours=20, sweeps=SWEEP)
    decisions.refuse(case.pk, actor=desk.staff, reason="The file is still there.", now=world.now)
    world.work()
    case.refresh_from_db()
    assert (case.state, case.due_at) == ("running", world.now + timedelta(hours=24))
    (mail,) = world.mails("abuse_refused", case.account)
    assert "The file is still there." in mail.content.body
    assert "ABU-3" in mail.content.body
    world.advance(hours=24, sweeps=SWEEP)
    assert steps(case) == []
    world.advance(seconds=1, sweeps=SWEEP)
    assert steps(case) == [("deactivate", "effective")]


def test_accepted_the_case_is_closed_and_never_comes_back(
    world: World, desk: Desk, alice: Customer, server: Server
) -> None:
    case = desk.case(server)
    answer(world, case, alice)
    decisions.accept(case.pk, actor=desk.staff, reason="Thank you, it is gone.", now=world.now)
    world.advance(days=30, sweeps=SWEEP)
    case.refresh_from_db()
    assert (case.state, case.due_at, steps(case)) == ("resolved", None, [])
    assert case.closed_at is not None
    assert len(world.mails("abuse_resolved", case.account)) == 1
    assert len(world.mails("abuse_decision")) == 1
    with pytest.raises(RuleViolation):
        decisions.accept(case.pk, actor=desk.staff, reason="again", now=world.now)


def test_an_answer_by_mail_counts_from_its_arrival(world: World, desk: Desk, alice: Customer, server: Server) -> None:
    case = desk.case(server)
    world.advance(hours=47)
    received = desk.answer_by_mail(case, alice.user.email)
    assert received.ticket is not None
    case.refresh_from_db()
    assert case.state == "answered"
    pause = Pause.objects.get(case=case)
    assert (pause.since, pause.message and pause.message.author_id) == (world.now, alice.user.pk)


def test_a_mail_read_late_that_had_arrived_in_time_undoes_the_step(
    world: World, desk: Desk, alice: Customer, server: Server
) -> None:
    case = desk.case(server)
    assert case.t0 is not None
    world.advance(hours=48, seconds=1, sweeps=SWEEP)
    assert blocked(server) == {first_ip(server)}
    assert fees(case) == [("ABU-3", 9000)]
    world.advance(minutes=10)
    desk.answer_by_mail(case, alice.user.email, arrived=case.t0 + timedelta(hours=47, minutes=59))
    world.work()
    case.refresh_from_db()
    assert blocked(server) == set()
    assert (case.state, steps(case), fees(case)) == ("answered", [("deactivate", "overtaken")], [])

    decisions.refuse(case.pk, actor=desk.staff, reason="Still there.", now=world.now)
    world.advance(hours=24, seconds=1, sweeps=SWEEP)
    assert steps(case) == [("deactivate", "overtaken"), ("deactivate", "effective")]
    assert fees(case) == [("ABU-3", 9000)]


@pytest.mark.parametrize("header", [{"Auto_Submitted": "auto-replied"}, {"Precedence": "bulk"}, {"Return_Path": "<>"}])
def test_a_vacation_reply_answers_nothing(
    world: World, desk: Desk, alice: Customer, server: Server, header: dict[str, str]
) -> None:
    case = desk.case(server)
    desk.answer_by_mail(case, alice.user.email, body="I am on holiday.", **header)
    case.refresh_from_db()
    assert case.state == "running"
    world.advance(hours=48, seconds=1, sweeps=SWEEP)
    assert steps(case) == [("deactivate", "effective")]


def test_staffs_own_words_and_notes_answer_nothing(world: World, desk: Desk, server: Server) -> None:
    case = desk.case(server)
    conversation.reply(case.ticket, "Please hurry.", actor=desk.staff, via="web", now=world.now)
    conversation.reply(case.ticket, "Known spammer?", actor=desk.staff, via="web", now=world.now, internal=True)
    case.refresh_from_db()
    assert case.state == "running"


def test_the_same_mail_twice_is_one_message(world: World, desk: Desk, alice: Customer, server: Server) -> None:
    case = desk.case(server)
    for _ in range(2):
        desk.answer_by_mail(case, alice.user.email, X_Same="1")
    raw = desk.letter(sender=alice.user.email, to="abuse@clause.example", subject=f"Re: [{case.ticket.number}]")
    for _ in range(2):
        desk.receive(raw.as_bytes(), "abuse@clause.example")
    ticket = Ticket.objects.get(pk=case.ticket_id)
    assert ticket.messages.filter(author_kind="customer").count() == 3


def test_a_strangers_mail_with_the_number_in_its_subject_is_no_answer(world: World, desk: Desk, server: Server) -> None:
    case = desk.case(server)
    raw = desk.letter(sender="stranger@else.example", to="abuse@clause.example", subject=f"[{case.ticket.number}]")
    received = desk.receive(raw.as_bytes(), "abuse@clause.example")
    assert (received.ticket, received.reports[0].state) == (None, "waiting")
    case.refresh_from_db()
    assert case.state == "running"


def test_contesting_during_the_suspension_stops_the_seven_days_and_holds_the_fee(
    world: World, desk: Desk, alice: Customer, server: Server
) -> None:
    case = desk.case(server)
    world.advance(hours=48, seconds=1, sweeps=SWEEP)
    world.advance(hours=24, sweeps=SWEEP)
    world.advance(seconds=5)
    world.advance(days=3)
    answer(world, case, alice, "This was not us.")
    assert Pause.objects.get(case=case).reason == "complaint"
    world.advance(days=60, sweeps=SWEEP)
    assert [rung for rung, _ in steps(case)] == ["deactivate", "suspend"]
    charge = charging.find(f"{case.reference}:ABU-3")
    assert charge is not None
    decisions.refuse(case.pk, actor=desk.staff, reason="The evidence stands.", now=world.now)
    case.refresh_from_db()
    assert case.due_at is not None
    assert timedelta(days=3, hours=23) < case.due_at - world.now < timedelta(days=4, hours=2)


def test_staff_pauses_and_resumes_with_exactly_what_was_left(world: World, desk: Desk, server: Server) -> None:
    case = desk.case(server)
    world.advance(hours=40)
    decisions.pause(case.pk, actor=desk.staff, reason="We look ourselves.", now=world.now)
    world.advance(hours=10, sweeps=SWEEP)
    decisions.resume(case.pk, actor=desk.staff, now=world.now)
    case.refresh_from_db()
    assert case.due_at == world.now + timedelta(hours=8)
    with pytest.raises(RuleViolation):
        decisions.resume(case.pk, actor=desk.staff, now=world.now)


def test_a_mail_that_only_its_subject_ties_to_the_case_stops_no_clock_before_staff_vouched(
    world: World, desk: Desk, alice: Customer, server: Server
) -> None:
    """Anybody can write a From and a number. Vouched for, it counts from when it came: the step after it is undone."""
    case = desk.case(server)
    owner, number = alice.user.email, case.ticket.number
    world.advance(hours=40)
    mail = desk.letter(sender=owner, to="abuse@clause.example", subject=f"Re: [{number}] notice", body="We removed it.")
    received = desk.receive(mail.as_bytes(), "abuse@clause.example")
    assert received.ticket == case.ticket
    case.refresh_from_db()
    assert case.state == "running"
    kept = Message.objects.get(ticket=case.ticket, via="mail")
    assert (kept.internal, kept.doubt) == (True, "asked")
    assert case.ticket in selectors.queue(desk.staff)
    world.advance(hours=8, seconds=1, sweeps=SWEEP)
    assert (steps(case), fees(case)) == ([("deactivate", "effective")], [("ABU-3", 9000)])

    doubts.vouch(kept.pk, actor=desk.staff, now=world.now)
    world.work()
    case.refresh_from_db()
    assert (case.state, steps(case), fees(case)) == ("answered", [("deactivate", "overtaken")], [])
    assert blocked(server) == set()
    assert "We removed it." in [line.text for line in selectors.thread(case.ticket, staff=False)]
    with pytest.raises(RuleViolation):
        doubts.deny(kept.pk, actor=desk.staff, now=world.now)


def test_a_mail_signed_by_the_senders_domain_is_an_answer(
    world: World, desk: Desk, alice: Customer, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = desk.case(server)
    mail = desk.letter(sender=alice.user.email, to="abuse@clause.example", subject=case.ticket.number, body="Removed.")
    monkeypatch.setattr(authenticity, "signed_domain", lambda letter, resolver: letter.sender.partition("@")[2])
    desk.receive(mail.as_bytes(), "abuse@clause.example")
    case.refresh_from_db()
    assert case.state == "answered"


def test_a_mail_that_answers_the_notice_itself_is_an_answer_whatever_address_it_went_to(
    world: World, desk: Desk, alice: Customer, server: Server
) -> None:
    """In-Reply-To names a mail that only its receiver has read; a guessed one names nothing."""
    case = desk.case(server)
    notice = next(sent for sent in outbox.outbox if case.reference in sent.subject).extra_headers["Message-ID"]
    forged = re.sub(r"\.[a-z2-7]{16}@", ".aaaaaaaaaaaaaaaa@", notice)
    assert forged != notice
    for reference, state in ((forged, "running"), (notice, "answered")):
        mail = desk.letter(sender="me@elsewhere.example", to="abuse@clause.example", subject="Re: notice",
                           body="It is gone.", In_Reply_To=reference)  # fmt: skip
        desk.receive(mail.as_bytes(), "abuse@clause.example")
        case.refresh_from_db()
        assert case.state == state
