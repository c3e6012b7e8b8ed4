"""Pages say the panel's words: people by name, values as they are written elsewhere, "log in" and "e-mail"."""

import html
import re

import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse

from panel.core import operations
from panel.core.models import Operation
from servers.rules import Verb
from servers.verbs import power
from tests.support.desk import Desk
from tests.support.machines import server_of, simulated_place
from tests.support.personas import logged_in, staff
from tests.support.world import World
from tickets import conversation

pytestmark = pytest.mark.django_db
NOT_OURS = re.compile(r"\b(sign(ed|ing)?[ -](in|out)|emails?)\b", re.IGNORECASE)
UNSEEN = re.compile(r"<(script|style|svg)\b.*?</\1>|<[^>]+>", re.DOTALL)


def read(client: Client, path: str) -> str:
    """What a person reads of a page."""
    page = client.get(path)
    assert page.status_code == 200, path
    return " ".join(html.unescape(UNSEEN.sub(" ", page.content.decode())).split())


def test_the_pages_of_allauth_use_our_words() -> None:
    alice = World().customer()
    inside, outside = logged_in(alice.user, alice.account), Client()
    names = ("account_logout", "account_email", "account_change_password", "mfa_index", "usersessions_list",
             "account_reauthenticate", "mfa_list_webauthn")  # fmt: skip
    pages = {name: read(inside, reverse(name)) for name in names}
    names = ("account_login", "account_signup", "account_reset_password", "account_reset_password_done",
             "account_email_verification_sent", "account_inactive", "account_reset_password_from_key_done")  # fmt: skip
    pages |= {name: read(outside, reverse(name)) for name in names}
    pages["account_confirm_email"] = read(outside, reverse("account_confirm_email", args=["MQ:none"]))
    found = {name: words for name, text in pages.items() if (words := [hit[0] for hit in NOT_OURS.finditer(text)])}
    assert found == {}
    assert "Are you sure you want to log out?" in pages["account_logout"]


def test_the_logs_of_a_server_and_a_request_name_the_person(tmp_path: object) -> None:
    world = World()
    alice, ada = world.customer("Alice"), world.staff("support", name="Ada Operator")
    console = logged_in(staff(world, "administrator"))
    with simulated_place(tmp_path):  # type: ignore[arg-type]
        server = server_of(world, alice)
        power.request(server, Verb.REBOOT, actor=alice.actor, now=world.now)
        for page in (f"/servers/{server.reference}/", f"/ops/servers/{server.reference}/"):
            client = console if page.startswith("/ops/") else logged_in(alice.user, alice.account)
            log = re.findall(r'<ol class="timeline.*?</ol>', client.get(page).content.decode(), re.DOTALL)
            assert alice.user.name in "".join(log), page
    ticket = conversation.open_ticket(
        alice.account, department="support", title="Slow", body="Since Monday.", actor=alice.actor, via="web",
        now=world.now,
    )  # fmt: skip
    conversation.close(ticket, actor=ada, now=world.now)
    log = read(console, f"/ops/tickets/{ticket.number}/").partition("What happened")[2]
    assert "Ada Operator" in log
    assert alice.user.name in log


def test_an_operations_values_are_shown_as_json(db: None) -> None:
    world = World()
    with transaction.atomic():
        op = operations.enqueue("test.none", key="one", now=world.now, payload={"payment": 7, "why": None})
    Operation.objects.filter(pk=op.pk).update(state="failed", finished_at=world.now)
    page = html.unescape(logged_in(staff(world, "administrator")).get(f"/ops/operations/{op.pk}/").content.decode())
    assert '{\n  "payment": 7,\n  "why": null\n}' in page
    assert "None" not in page


def test_the_dashboard_says_a_restriction_in_one_sentence_and_unfolds_its_statement(tmp_path: object) -> None:
    """ACC-13: what is restricted is said at a glance; every field of the statement of reasons is one press away."""
    world = World()
    alice, desk = world.customer("Alice"), Desk(world)
    with simulated_place(tmp_path):  # type: ignore[arg-type]
        case = desk.case(server_of(world, alice))
        world.advance(hours=48, seconds=1, sweeps=("abuse.escalate",))
    page = logged_in(alice.user, alice.account).get("/").content.decode()
    assert f"<p>IP address {case.address.ip} is deactivated</p>" in page
    folded = page.partition("Read the statement of reasons</summary>")[2].partition("</details>")[0]
    assert "TOS 6.6" in folded
    assert "Your remedies" in folded


def test_what_staff_notes_among_itself_is_not_told_to_the_customer() -> None:
    world = World()
    alice, ada = world.customer("Alice"), world.staff("support")
    ticket = conversation.open_ticket(
        alice.account, department="support", title="Slow", body="Since Monday.", actor=alice.actor, via="web",
        now=world.now,
    )  # fmt: skip
    conversation.reply(ticket, "A known case.", actor=ada, via="web", now=world.now, internal=True)
    conversation.assign(ticket, user_id=ada.user_id, actor=ada, now=world.now)
    conversation.reply(ticket, "We look.", actor=ada, via="web", now=world.now)
    page = read(logged_in(alice.user, alice.account), "/")
    assert "Answer sent" in page
    assert [word for word in ("note", "taken over") if word in page.partition("Recent activity")[2]] == []
