"""Reports by mail and form: kept, acknowledged, matched by the time of the offence; few start a clock (ABU-1)."""

from datetime import datetime, timedelta
from ipaddress import ip_network

import pytest
from django.test import override_settings

from abuse import intake, reporters
from abuse.forms import ReportForm
from abuse.models import Case, CourtesyCount, Report
from abuse.reports import Category, Confidence, Precision, ReportDraft, Source, Span
from panel.core.errors import RuleViolation
from panel.core.models import Event
from servers.addressing import holdings
from servers.models import Address, AddressHolding, Server
from tests.support.desk import Desk, steps
from tests.support.machines import first_ip, server_of
from tests.support.world import Customer, World

pytestmark = pytest.mark.django_db


def only(received: intake.Received) -> Report:
    (report,) = received.reports
    report.refresh_from_db()
    return report


def test_a_trusted_reporters_notice_opens_a_case_and_is_acknowledged(
    world: World, desk: Desk, alice: Customer, server: Server
) -> None:
    report = only(desk.report(first_ip(server)))
    assert (report.state, report.proof, report.reporter) == ("joined", "token", desk.reporter)
    assert report.case is not None
    assert report.case.account == alice.account
    assert report.body.original is not None
    assert len(world.mails("abuse_receipt")) == 1


@pytest.mark.parametrize("trusted", [True, False])
def test_an_unproven_or_unknown_reporter_waits_for_staff(
    world: World, desk: Desk, server: Server, trusted: bool
) -> None:
    reporters.trust(desk.reporter, trusted=trusted, actor=desk.staff, now=world.now)
    report = only(desk.report(first_ip(server), to="abuse@clause.example" if trusted else None))
    assert (report.state, report.why, report.case) == ("waiting", "unknown_reporter", None)
    assert Case.objects.count() == 0
    world.advance(days=30, sweeps=["abuse.escalate"])
    assert Case.objects.count() == 0


def test_staff_accepts_and_then_the_clock_starts(world: World, desk: Desk, server: Server) -> None:
    report = only(desk.report(first_ip(server), to="abuse@clause.example"))
    world.advance(hours=5)
    (holding,) = holdings.holders_between(first_ip(server), world.now, world.now)
    case = intake.accept(report.pk, holding=holding, category="copyright", actor=desk.staff, now=world.now)
    world.work()
    case.refresh_from_db()
    assert (case.t0, case.opened_by) == (world.now, "person")
    with pytest.raises(RuleViolation):
        intake.dismiss(report.pk, reason="no", actor=desk.staff, now=world.now)


def test_staff_dismisses_and_the_reporter_is_told(world: World, desk: Desk, server: Server) -> None:
    report = only(desk.report(first_ip(server), to="abuse@clause.example"))
    intake.dismiss(report.pk, reason="A test file of our own.", actor=desk.staff, now=world.now)
    report.refresh_from_db()
    assert report.state == "dismissed"
    (mail,) = world.mails("abuse_decision")
    assert "A test file of our own." in mail.content.body


def test_a_reporter_mostly_wrong_waits_for_staff(world: World, desk: Desk, server: Server) -> None:
    desk.reporter.dismissed, desk.reporter.accepted = 3, 2
    desk.reporter.save()
    assert only(desk.report(first_ip(server))).why == "unknown_reporter"


def test_the_very_same_report_twice_is_one(world: World, desk: Desk, server: Server) -> None:
    at = world.now
    first = only(desk.report(first_ip(server), report_id="same", at=at))
    world.advance(hours=3)
    second = only(desk.report(first_ip(server), report_id="same", at=at))
    assert (second.pk, second.copies) == (first.pk, 2)
    assert Case.objects.count() == 1
    assert len(world.mails("abuse_opened")) == 1


def test_a_further_report_joins_the_open_case_and_moves_no_deadline(world: World, desk: Desk, server: Server) -> None:
    case = desk.case(server)
    due = case.due_at
    world.advance(hours=30)
    report = only(desk.report(first_ip(server)))
    assert report.case == case
    case.refresh_from_db()
    assert (case.due_at, case.reports.count()) == (due, 2)
    assert len(world.mails("abuse_opened")) == 1
    world.advance(hours=18, seconds=1, sweeps=["abuse.escalate"])
    assert steps(case) == [("deactivate", "effective")]


def test_after_a_closed_case_a_new_one_opens_that_names_it(world: World, desk: Desk, server: Server) -> None:
    from abuse import decisions

    case = desk.case(server)
    decisions.accept(case.pk, actor=desk.staff, reason="Gone.", now=world.now)
    world.advance(days=2)
    again = desk.case(server)
    assert (again.repeats, again.state) == (case, "running")


def test_it_is_about_who_held_the_address_at_the_time(
    world: World, desk: Desk, alice: Customer, server: Server
) -> None:
    """Edge case 10: the later holder gets nothing."""
    ip, during = first_ip(server), world.now
    holding = AddressHolding.objects.get(address__ip=ip)
    world.advance(hours=1)
    holding.until = world.now
    holding.save()
    bob = world.customer("Bob")
    other = server_of(world, bob, name="bob")
    Address.objects.filter(pk=holding.address_id).update(state="held")
    theirs = AddressHolding.objects.create(
        address=holding.address, server=other, ordered_with=other, account=bob.account, is_first=False, since=world.now
    )
    world.advance(hours=1)
    report = only(desk.report(ip, at=during))
    assert report.case is not None
    assert report.case.account == alice.account
    world.work()
    world.advance(hours=48, seconds=1, sweeps=["abuse.escalate"])
    step = report.case.steps.get()
    assert (step.state, step.held_because) == ("held", "not_held")
    assert holdings.current_holding(holding.address) == theirs
    assert not Address.objects.get(pk=holding.address_id).blocked


def test_a_gap_several_holders_or_a_foreign_address_wait(world: World, desk: Desk, server: Server) -> None:
    ip = first_ip(server)
    held = AddressHolding.objects.get(address__ip=ip)
    before = held.since - timedelta(hours=2)
    assert only(desk.report(ip, at=before)).why == "gap"
    assert only(desk.report(ip, at=world.now, first_seen=before.isoformat())).why == "gap"
    assert only(desk.report(ip, at=world.now + timedelta(days=2))).why == "future"
    foreign = only(desk.report("192.0.2.200"))
    assert (foreign.state, foreign.why) == ("unmatched", "never_ours")
    assert "none of ours" in world.mails("abuse_decision")[0].content.body
    for never in (ip, str(ip_network(f"{ip}/24", strict=False))):
        with override_settings(CLAUSE_NEVER_BLOCK=["2001:db8::/32", never]):
            assert only(desk.report(ip)).why == "protected"


def test_an_unreadable_mail_is_kept_and_staff_reads_it(world: World, desk: Desk, server: Server) -> None:
    raw = desk.letter(sender="someone@else.example", to="abuse@clause.example", subject="Hello", body="It is bad.")
    report = only(desk.receive(raw.as_bytes(), "abuse@clause.example"))
    assert (report.state, report.why, report.source_ip) == ("waiting", "unread", None)
    assert report.body.explanation.strip() == "It is bad."
    intake.name_source(report.pk, ip=first_ip(server), happened=world.now, actor=desk.staff, now=world.now)
    (holding,) = holdings.holders_between(first_ip(server), world.now, world.now)
    case = intake.accept(report.pk, holding=holding, category="general", actor=desk.staff, now=world.now)
    assert case.kind == "general"


def test_one_notice_about_two_customers_makes_two_cases_each_with_its_own_words(
    world: World, desk: Desk, alice: Customer, server: Server
) -> None:
    """Edge case 12: no customer sees another's address."""
    bob = world.customer("Bob")
    other = server_of(world, bob, name="bob")
    one, two = first_ip(server), first_ip(other)
    lines = ["Copyright notice", f"Source: {one}", f"Source: {two}", f"Date: {world.now.isoformat()}"]
    body = "\n".join([*lines, f"log {one} a.mkv", f"log {two} b.mkv"])
    raw = desk.letter(sender="x@else.example", to="abuse@clause.example", subject="Notice", body=body)
    made = desk.receive(raw.as_bytes(), "abuse@clause.example").reports
    assert [report.source_ip for report in made] == [one, two]
    for report, holder in zip(made, (server, other), strict=True):
        (holding,) = holdings.holders_between(first_ip(holder), world.now, world.now)
        case = intake.accept(report.pk, holding=holding, category="copyright", actor=desk.staff, now=world.now)
        words = case.ticket.messages.get().body
        assert first_ip(holder) in words
        assert ({one, two} - {first_ip(holder)}).pop() not in words


def test_a_form_report_needs_good_faith_and_waits_for_staff(world: World, desk: Desk, server: Server) -> None:
    draft = ReportDraft(
        Category.COPYRIGHT, (Source(first_ip(server)),), Span(world.now, world.now, Precision.MINUTE),
        Confidence.LIKELY, reporter_email="a@b.example", reporter_name="A", explanation="My film is offered there.",
    )  # fmt: skip
    with pytest.raises(RuleViolation):
        intake.submit(draft, channel="form", good_faith=False, now=world.now)
    (report,) = intake.submit(draft, channel="form", good_faith=True, now=world.now)
    assert (report.state, report.why, report.good_faith) == ("waiting", "unknown_reporter", True)
    (again,) = intake.submit(draft, channel="form", good_faith=True, now=world.now)
    assert again.pk == report.pk


def test_an_automatic_reply_gets_no_receipt_so_that_none_goes_round_in_circles(world: World, desk: Desk) -> None:
    mail = desk.letter(
        sender="desk@rights.example", to="abuse@clause.example", subject="Re: We received your report",
        body="We have received your message.", Auto_Submitted="auto-replied",
    )  # fmt: skip
    assert only(desk.receive(mail.as_bytes(), "abuse@clause.example")).state == "waiting"
    assert world.mails("abuse_receipt") == []


def test_whoever_forges_a_sender_cannot_fill_that_mailbox(world: World, desk: Desk, server: Server) -> None:
    """Backscatter: at most five mails a day to an address that proved nothing, and a hundred to a domain."""

    def strangers_mail(sender: str) -> Report:
        body = f"Copyright notice\nSource: 192.0.2.200\nDate: {world.now.isoformat()}"
        mail = desk.letter(sender=sender, to="abuse@clause.example", subject="Notice", body=body)
        return only(desk.receive(mail.as_bytes(), "abuse@clause.example"))

    def sent(to: str) -> int:
        return sum(mail.content.to == to for kind in ("abuse_receipt", "abuse_decision") for mail in world.mails(kind))

    reports = [strangers_mail("victim@else.example") for _ in range(6)]  # a receipt and a "not ours" each
    assert [report.state for report in reports] == ["unmatched"] * 6
    assert sent("victim@else.example") == 5
    kept_back = Event.objects.filter(kind="abuse.report.not_answered")
    assert kept_back.count() == 7
    strangers_mail("other@else.example")
    assert sent("other@else.example") == 2
    CourtesyCount.objects.filter(sent=7).update(sent=99)  # the domain
    strangers_mail("third@else.example")
    assert sent("third@else.example") == 1
    desk.report("192.0.2.200")  # proven: always answered
    assert sent("notices@rights.example") == 2
    world.advance(days=1)
    strangers_mail("victim@else.example")
    assert sent("victim@else.example") == 7
    assert CourtesyCount.objects.filter(day=world.now.date()).count() == 2
    world.advance(days=3, sweeps=["abuse.forget"])
    assert not CourtesyCount.objects.exists()


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+10:00", "9999-12-31T23:59:59+00:00"])
def test_a_time_that_no_clock_shows_is_no_time(world: World, server: Server, moment: str) -> None:
    when = datetime.fromisoformat(moment)
    draft = ReportDraft(
        Category.COPYRIGHT, (Source(first_ip(server)),), Span(when, when, Precision.SECOND, moment),
        Confidence.CERTAIN, reporter_email="somebody@example.org", explanation="They share my film.",
    )  # fmt: skip
    (report,) = intake.submit(draft, channel="api", good_faith=True, now=world.now)
    report.refresh_from_db()
    assert (report.happened_from, report.why, report.body.written_time) == (None, "no_time", moment)


@pytest.mark.parametrize("moment", ["0001-01-01T00:00", "9999-12-31T23:59"])
def test_the_form_refuses_such_a_time(moment: str) -> None:
    form = ReportForm({"moment": moment, "zone": "Asia/Tokyo"})
    assert "moment" in form.errors
