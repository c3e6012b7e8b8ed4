"""Pages of the abuse desk and of requests: they open for whom they are for, and nobody sees another's."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from socket import AF_INET, SOCK_DGRAM, socket
from time import monotonic

import pytest
from django.core.cache import cache
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from abuse import intake, views
from abuse.models import Case, Report
from domains.dns.resolver import DnsResolver
from panel.accounts.models import User
from panel.core import clock
from servers.models import Server
from tests.support.desk import Desk, steps
from tests.support.machines import first_ip, server_of, simulated_place
from tests.support.world import Customer, World
from tickets import conversation
from tickets.models import Attachment, Ticket

pytestmark = pytest.mark.django_db


@pytest.fixture
def world(db: None, monkeypatch: pytest.MonkeyPatch) -> World:
    world = World()
    monkeypatch.setattr(clock, "now", lambda: world.now)
    return world


@pytest.fixture
def desk(world: World, settings: object) -> Desk:
    settings.CLAUSE_REQUIRE_STAFF_MFA = False  # type: ignore[attr-defined]
    return Desk(world)


@pytest.fixture
def alice(world: World) -> Customer:
    return world.customer("Alice")


@pytest.fixture
def server(tmp_path: Path, world: World, alice: Customer) -> Iterator[Server]:
    with simulated_place(tmp_path):
        yield server_of(world, alice)


def browser(user_id: int | None) -> Client:
    client = Client()
    if user_id:
        client.force_login(User.objects.get(pk=user_id))
    return client


def test_the_dashboard_leads_to_the_requests_that_await_a_reply(world: World, alice: Customer) -> None:
    for title in ("Which disk?", "Thank you"):
        made = conversation.open_ticket(
            alice.account, department="support", title=title, body="?", actor=alice.actor, via="web", now=world.now
        )
        if title == "Which disk?":
            conversation.reply(made, "Which one?", actor=world.staff("support"), via="web", now=world.now)
    client = browser(alice.user.pk)
    path = reverse("tickets:ticket_list") + "?show=yours"
    assert f'href="{path}"' in client.get("/").content.decode()
    shown = client.get(path).content.decode()
    assert ("Which disk?" in shown, "Thank you" in shown) == (True, False)


def customer_urls(case: Case, ticket: Ticket) -> list[str]:
    return [
        reverse("tickets:ticket_list"), reverse("tickets:ticket_new"), reverse("abuse:case_list"),
        reverse("tickets:ticket_detail", args=[ticket.number]), reverse("abuse:case_detail", args=[case.reference]),
    ]  # fmt: skip


def staff_urls(case: Case, ticket: Ticket, report: Report) -> list[str]:
    return [
        reverse("abuse_staff:case_list"), reverse("abuse_staff:case_list") + "?show=held&q=x&kind=copyright",
        reverse("abuse_staff:case_detail", args=[case.reference]), reverse("abuse_staff:report_list"),
        reverse("abuse_staff:report_list") + "?show=all", reverse("abuse_staff:report_detail", args=[report.pk]),
        reverse("abuse_staff:reporter_list"), reverse("tickets_staff:ticket_list"),
        reverse("tickets_staff:ticket_detail", args=[ticket.number]),
    ]  # fmt: skip


def a_request(world: World, who: Customer) -> Ticket:
    return conversation.open_ticket(
        who.account, department="support", title="It is slow", body="Since Monday.", actor=who.actor, via="web",
        now=world.now,
    )  # fmt: skip


def test_every_page_opens_for_whom_it_is_for_and_for_nobody_else(
    world: World, desk: Desk, alice: Customer, server: Server
) -> None:
    case = desk.case(server)
    waiting = desk.report(first_ip(server), to="abuse@clause.example").reports[0]
    ticket = a_request(world, alice)
    bob, blind = world.customer("Bob"), world.contact(alice, ["pay"])
    owner, other, limited = (browser(one.user.pk) for one in (alice, bob, blind))
    staff, nobody = browser(desk.staff.user_id), Client()

    for url in customer_urls(case, ticket):
        own = case.reference in url or ticket.number in url
        assert owner.get(url).status_code == 200, url
        assert other.get(url).status_code == (404 if own else 200), url
        assert limited.get(url).status_code == 403, url
        assert nobody.get(url).status_code == 302, url
    for url in staff_urls(case, ticket, waiting):
        assert staff.get(url).status_code == 200, url
        assert owner.get(url).status_code == 403, url
        assert nobody.get(url).status_code == 302, url


@pytest.mark.parametrize("language", ["en", "fr"])
def test_pages_hold_in_every_state_of_a_case(
    world: World, desk: Desk, alice: Customer, server: Server, language: str
) -> None:
    case = desk.case(server)
    User.objects.filter(pk=alice.user.pk).update(language=language)
    owner, staff = browser(alice.user.pk), browser(desk.staff.user_id)
    own, theirs = (reverse(f"{name}:case_detail", args=[case.reference]) for name in ("abuse", "abuse_staff"))

    def both() -> str:
        assert staff.get(theirs).status_code == 200
        page = owner.get(own)
        assert page.status_code == 200
        return page.content.decode()

    assert "ABU-3" in both()
    world.advance(hours=48, seconds=1, sweeps=["abuse.escalate"])
    assert "90.00" in both().replace(",", ".")
    assert owner.post(own, {"body": "It is gone."}).status_code == 302
    both()
    decide = reverse("abuse_staff:case_decide", args=[case.reference, "refuse"])
    assert staff.post(decide, {"reason": "No."}).status_code == 302
    both()
    for verb in ("pause", "resume", "reverse"):
        url = reverse("abuse_staff:case_decide", args=[case.reference, verb])
        assert staff.post(url, {"reason": "Because."}).status_code == 302
        both()
    case.refresh_from_db()
    assert (case.state, steps(case)) == ("reversed", [("deactivate", "undone")])


def test_a_decision_that_cannot_be_is_refused_with_its_reason(world: World, desk: Desk, server: Server) -> None:
    case = desk.case(server)
    staff = browser(desk.staff.user_id)
    url = reverse("abuse_staff:case_decide", args=[case.reference, "refuse"])
    page = staff.post(url, {"reason": "No."}, follow=True)
    assert "There is no answer to judge." in page.content.decode()
    support = browser(world.staff("support").user_id)
    assert support.post(url, {"reason": "No."}).status_code == 403


def form(server: Server, **changes: str) -> dict[str, str]:
    return {
        "category": "copyright", "ip": first_ip(server), "moment": "2026-03-02T07:15", "zone": "UTC",
        "explanation": "My film is offered there without a licence.", "name": "A. Author", "email": "a@author.example",
        "good_faith": "on",
    } | changes  # fmt: skip


def test_anybody_reports_without_an_account(world: World, server: Server) -> None:
    visitor = Client()
    assert visitor.get("/report/").status_code == 200
    page = visitor.post("/report/", form(server))
    report = Report.objects.get()
    assert report.reference in page.content.decode()
    assert (report.state, report.channel, report.good_faith) == ("waiting", "form", True)
    assert len(world.mails("abuse_receipt")) == 1


def test_a_name_server_that_never_answers_holds_no_page_up(
    world: World, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Anybody may name any host in a link: the question for it is bounded to a fraction of a second."""
    with socket(AF_INET, SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        asks = partial(DnsResolver, ["127.0.0.1"], port=silent.getsockname()[1])
        monkeypatch.setattr(views, "DnsResolver", asks)
        began = monotonic()
        page = Client().post("/report/", form(server, ip="", url="https://slow.example/film"))
    assert monotonic() - began < 4  # unbounded, the two questions take five seconds each
    assert page.status_code == 422
    assert "could not be looked up just now" in page.content.decode()
    assert Report.objects.count() == 0


def test_a_whole_ipv6_network_counts_as_one_reporter(world: World, server: Server) -> None:
    """Whoever has one IPv6 address has 2^64 of them."""
    cache.clear()
    for number in range(views.REPORTS_PER_HOUR):
        page = Client(REMOTE_ADDR=f"2001:db8:7::{number + 1:x}").post("/report/", form(server, reference=str(number)))
        assert page.status_code == 200
    refused = Client(REMOTE_ADDR="2001:db8:7::ffff").post("/report/", form(server))
    assert (refused.status_code, "Too many reports" in refused.content.decode()) == (422, True)
    assert Client(REMOTE_ADDR="2001:db8:8::1").post("/report/", form(server)).status_code == 200
    cache.clear()


@pytest.mark.parametrize(
    "changes",
    [{"good_faith": ""}, {"explanation": "bad"}, {"ip": "999.1.1.1"}, {"ip": ""}, {"moment": "yesterday"},
     {"website": "x"}, {"email": ""}],
)  # fmt: skip
def test_an_incomplete_report_is_shown_again_with_what_was_typed(
    world: World, server: Server, changes: dict[str, str]
) -> None:
    page = Client().post("/report/", form(server, **changes))
    assert page.status_code == 422
    assert Report.objects.count() == 0
    assert "A. Author" in page.content.decode()


def test_staff_reads_accepts_and_dismisses_reports(world: World, desk: Desk, server: Server) -> None:
    staff = browser(desk.staff.user_id)
    raw = desk.letter(sender="x@else.example", to="abuse@clause.example", subject="Hm", body="Something is wrong.")
    unread = desk.receive(raw.as_bytes(), "abuse@clause.example").reports[0]
    url = reverse("abuse_staff:report_detail", args=[unread.pk])
    moment = world.now.strftime("%Y-%m-%dT%H:%M:%S")
    assert staff.post(url, {"verb": "source", "ip": first_ip(server), "moment": moment}).status_code == 302
    holding = server.holdings.get()
    assert staff.post(url, {"verb": "accept", "holding": "999999", "category": "spam"}).status_code == 422
    assert staff.post(url, {"verb": "accept", "holding": holding.pk, "category": "spam"}).status_code == 302
    assert Case.objects.get().kind == "spam"
    other = desk.report(first_ip(server), to="abuse@clause.example").reports[0]
    url = reverse("abuse_staff:report_detail", args=[other.pk])
    assert staff.post(url, {"verb": "dismiss", "reason": "No."}).status_code == 302
    assert Report.objects.get(pk=other.pk).state == "dismissed"


def test_reporters_are_known_trusted_and_given_an_address(world: World, desk: Desk) -> None:
    staff = browser(desk.staff.user_id)
    url = reverse("abuse_staff:reporter_list")
    wrong = {"email": "a@b.example", "name": "B", "domain": "other.example"}
    assert staff.post(url, wrong).status_code == 422
    assert staff.post(url, wrong | {"domain": "b.example", "trusted": "on"}).status_code == 302
    page = staff.post(reverse("abuse_staff:reporter_change", args=[desk.reporter.pk]), {"verb": "address"})
    assert "abuse+" in page.content.decode()


def test_a_request_is_opened_answered_noted_and_closed(world: World, desk: Desk, alice: Customer) -> None:
    owner, staff = browser(alice.user.pk), browser(desk.staff.user_id)
    file = SimpleUploadedFile("<b>log.html", b"<script>alert(1)</script>", "text/html")
    sent = owner.post(
        reverse("tickets:ticket_new"),
        {"department": "support", "title": "Slow", "body": "Since Monday.", "attachments": file},
    )
    ticket = Ticket.objects.get()
    assert sent.status_code == 302
    theirs = reverse("tickets_staff:ticket_detail", args=[ticket.number])
    assert staff.post(theirs, {"body": "Is it a bot?", "internal": "on"}).status_code == 302
    assert staff.post(theirs, {"body": "We look."}).status_code == 302
    assert staff.post(reverse("tickets_staff:ticket_take", args=[ticket.number])).status_code == 302
    own = owner.get(reverse("tickets:ticket_detail", args=[ticket.number])).content.decode()
    assert "We look." in own
    assert "Is it a bot?" not in own
    download = owner.get(reverse("tickets:attachment", args=[Attachment.objects.get().pk]))
    assert download["Content-Type"] == "application/octet-stream"
    assert download["Content-Disposition"].startswith("attachment")
    assert owner.post(reverse("tickets:ticket_close", args=[ticket.number])).status_code == 302
    ticket.refresh_from_db()
    assert ticket.state == "closed"
    assert owner.post(reverse("tickets:ticket_detail", args=[ticket.number]), {"body": "Again."}).status_code == 302
    ticket.refresh_from_db()
    assert ticket.state == "waiting_staff"


def test_an_attachment_is_nobody_elses(world: World, desk: Desk, alice: Customer) -> None:
    ticket = a_request(world, alice)
    conversation.reply(
        ticket, "Secret note", actor=desk.staff, via="web", now=world.now, internal=True,
        attachments=[conversation.File("a.txt", "text/plain", b"x")],
    )  # fmt: skip
    url = reverse("tickets:attachment", args=[Attachment.objects.get().pk])
    assert browser(alice.user.pk).get(url).status_code == 404
    assert browser(world.customer("Bob").user.pk).get(url).status_code == 404
    assert browser(desk.staff.user_id).get(url).status_code == 200
    assert intake.Report.objects.count() == 0
