"""As a program with a token I can do what my person may on the pages, and no more; errors are problems; repeats are
safe."""

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from ninja.responses import NinjaJSONEncoder

from abuse.models import Report
from invoicing.models import Family, Order, Package
from invoicing.offering import catalogue
from panel.accounts import tokens
from panel.accounts.middleware import neighbourhood
from panel.accounts.models import ApiToken, Membership
from panel.api import idempotency, limits
from panel.api.v1 import api
from panel.core import clock
from panel.core.models import RequestKey
from servers.models import ServerAction
from servers.providers.simulated.control import Control
from tests.support.machines import server_of, simulated_place
from tests.support.personas import scene
from tests.support.world import Customer, World

pytestmark = pytest.mark.django_db
API = "/api/v1"


@pytest.fixture(autouse=True)
def _fresh_limits() -> None:
    cache.clear()


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Control]:
    with simulated_place(tmp_path) as control:
        yield control


def token_of(person: Customer, *scopes: str, lives: timedelta | None = None) -> str:
    membership = Membership.objects.get(user=person.user, account=person.account)
    _row, text = tokens.issue(
        membership,
        name="script",
        scopes=scopes or sorted(membership.granted()),
        lives=lives,
        actor=person.actor,
        now=clock.now(),
    )
    return text


class Program:
    """A client with a token."""

    def __init__(self, token: str = "") -> None:
        self.client = Client(headers={"Authorization": f"Bearer {token}"} if token else {})

    def get(self, path: str) -> Any:
        return self.client.get(API + path)

    def post(self, path: str, body: Any, key: str = "") -> Any:
        headers = {"Idempotency-Key": key} if key else {}
        return self.client.post(API + path, json.dumps(body), content_type="application/json", headers=headers)


def problem(response: Any, status: int, kind: str) -> dict[str, Any]:
    assert response.status_code == status, response.content
    assert response["Content-Type"] == "application/problem+json"
    body: dict[str, Any] = response.json()
    assert body["status"] == status
    assert body["type"] == f"urn:clause:problem:{kind}"
    assert body["title"]
    return body


# --- the contract ---------------------------------------------------------------------------------------------------
def test_the_committed_contract_is_the_code() -> None:
    """A change of the API is seen in review; this writes the contract anew:

    python manage.py export_openapi_schema --api panel.api.v1.api --indent 2 --output docs/openapi.json
    """
    written = json.loads((Path(settings.BASE_DIR) / "docs" / "openapi.json").read_text(encoding="utf-8"))
    assert json.loads(json.dumps(api.get_openapi_schema(), cls=NinjaJSONEncoder)) == written


def test_the_documentation_comes_from_here() -> None:
    page = Client().get(f"{API}/docs")
    assert page.status_code == 200
    shown = page.content.decode()
    assert all(path in shown for path in api.get_openapi_schema()["paths"])
    assert all(f'id="object-{name}"' in shown for name in re.findall(r'href="#object-([^"]+)"', shown))
    assert "data:" not in page["Content-Security-Policy"]


# --- who may --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("token", ["", "clause_nothing_here", "Basic abc", "clause_"])
def test_without_a_valid_token_nothing_is_told(token: str) -> None:
    answer = Program(token).get("/servers")
    problem(answer, 401, "token")
    assert answer["WWW-Authenticate"].startswith("Bearer")


def test_a_session_is_no_token() -> None:
    alice, client = World().customer(), Client()
    client.force_login(alice.user)
    problem(client.get(f"{API}/servers"), 401, "token")


def test_scopes_limit_a_token_and_permissions_limit_its_scopes() -> None:
    world = World()
    alice = world.customer()
    problem(Program(token_of(alice, "see")).get("/invoices"), 403, "permission")
    assert Program(token_of(alice, "see", "pay")).get("/invoices").status_code == 200
    contact = world.contact(alice, ["see", "pay"])
    program = Program(token_of(contact, "see", "pay"))
    assert program.get("/invoices").status_code == 200
    Membership.objects.filter(user=contact.user).update(permissions=["see"])
    problem(program.get("/invoices"), 403, "permission")


def test_a_token_ends_when_revoked_expired_or_its_person_leaves() -> None:
    world = World()
    alice = world.customer()
    short = token_of(alice, "see", lives=timedelta(seconds=-1))
    problem(Program(short).get("/servers"), 401, "token")
    revoked = token_of(alice, "see")
    tokens.revoke(ApiToken.objects.order_by("-pk")[0], actor=alice.actor, now=clock.now())
    problem(Program(revoked).get("/servers"), 401, "token")
    contact = world.contact(alice, ["see"])
    theirs = token_of(contact, "see")
    Membership.objects.filter(user=contact.user).delete()
    problem(Program(theirs).get("/servers"), 401, "token")
    mine = token_of(alice, "see")
    alice.user.is_active = False
    alice.user.save()
    problem(Program(mine).get("/servers"), 401, "token")


def test_another_accounts_objects_do_not_exist(cloud: Control) -> None:
    world = World()
    server = server_of(world, world.customer("Alice"))
    mallory = Program(token_of(world.customer("Mallory")))
    problem(mallory.get(f"/servers/{server.reference}"), 404, "missing")
    problem(mallory.post(f"/servers/{server.reference}/power", {"action": "stop"}), 404, "missing")
    assert mallory.get("/servers").json()["items"] == []
    assert not ServerAction.objects.filter(verb="stop").exists()


# --- errors ---------------------------------------------------------------------------------------------------------
def test_every_error_is_a_problem(cloud: Control) -> None:
    world = World()
    alice = world.customer()
    program, server = Program(token_of(alice)), server_of(world, alice)
    problem(program.get("/nothing/here"), 404, "missing")
    problem(program.client.delete(f"{API}/servers"), 405, "method")
    body = problem(program.post(f"/servers/{server.reference}/power", {"action": "explode"}), 422, "validation")
    assert body["errors"][0]["field"].endswith("action")
    broken = program.client.post(f"{API}/servers/{server.reference}/power", "{", content_type="application/json")
    problem(broken, 400, "request")
    program.post(f"/servers/{server.reference}/power", {"action": "stop"})
    busy = problem(program.post(f"/servers/{server.reference}/power", {"action": "start"}), 409, "rule")
    assert busy["detail"]


def test_a_fault_is_told_without_its_inside(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    program = Program(token_of(World().customer()))

    def broken(*args: object, **kwargs: object) -> None:
        raise ZeroDivisionError("the inside")

    monkeypatch.setattr("panel.core.keyset.page", broken)
    body = problem(program.get("/servers"), 500, "fault")
    assert "inside" not in json.dumps(body)
    assert "the inside" in caplog.text


# --- limits ---------------------------------------------------------------------------------------------------------
def test_the_limit_is_told_and_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "TOKEN", limits.Limit("token", 2, 3600))
    alice = World().customer()
    program, other = Program(token_of(alice, "see")), Program(token_of(alice, "see"))
    first = program.get("/servers")
    assert (first["RateLimit-Limit"], first["RateLimit-Remaining"]) == ("2", "1")
    program.get("/servers")
    refused = program.get("/servers")
    problem(refused, 429, "limit")
    assert 0 < int(refused["Retry-After"]) <= 3600
    assert other.get("/servers").status_code == 200


def test_guessing_tokens_is_slowed_down(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "STRANGER", limits.Limit("stranger", 3, 3600))
    answers = [Program(f"clause_{number:08x}_guess").get("/servers").status_code for number in range(5)]
    assert answers == [401, 401, 401, 429, 429]


def test_neighbours_in_one_ipv6_network_are_one_stranger() -> None:
    assert neighbourhood("2001:db8::1") == neighbourhood("2001:db8::ffff")
    assert neighbourhood("2001:db8:0:1::1") != neighbourhood("2001:db8::1")


# --- servers --------------------------------------------------------------------------------------------------------
def test_servers_come_in_pages(cloud: Control) -> None:
    world = World()
    alice = world.customer()
    names = [server_of(world, alice, name=f"web-{number}").name for number in range(3)]
    program = Program(token_of(alice, "see"))
    first = program.get("/servers?limit=2").json()
    rest = program.get(f"/servers?limit=2&cursor={first['next']}").json()
    assert [row["name"] for row in first["items"] + rest["items"]] == names[::-1]
    assert rest["next"] is None
    assert first["items"][0]["simulated"] is True


def test_power_is_asked_once_per_key(cloud: Control) -> None:
    world = World()
    alice = world.customer()
    server, program = server_of(world, alice), Program(token_of(alice))
    path = f"/servers/{server.reference}/power"
    first = program.post(path, {"action": "stop"}, key="k-1")
    assert first.status_code == 202
    world.advance(seconds=30)
    program.post(path, {"action": "start"}, key="k-2")
    world.advance(seconds=30)
    again = program.post(path, {"action": "stop"}, key="k-1")
    assert again.json() == first.json()
    assert again["Idempotency-Replayed"] == "true"
    assert ServerAction.objects.filter(verb="stop").count() == 1
    problem(program.post(path, {"action": "reboot"}, key="k-1"), 422, "idempotency")


def test_a_key_belongs_to_its_account(cloud: Control) -> None:
    world = World()
    alice, bob = world.customer("Alice"), world.customer("Bob")
    for person in (alice, bob):
        server = server_of(world, person, name="web")
        answer = Program(token_of(person)).post(f"/servers/{server.reference}/power", {"action": "stop"}, key="same")
        assert answer.status_code == 202


def test_an_answer_is_repeated_only_to_who_may_ask(cloud: Control) -> None:
    world = World()
    alice = world.customer()
    server = server_of(world, alice)
    path, body = f"/servers/{server.reference}/power", {"action": "stop"}
    assert Program(token_of(alice)).post(path, body, key="k-1").status_code == 202
    problem(Program(token_of(alice, "see")).post(path, body, key="k-1"), 403, "permission")


def test_answers_are_forgotten_after_two_days(cloud: Control) -> None:
    world = World()
    alice = world.customer()
    server, program = server_of(world, alice), Program(token_of(alice))
    program.post(f"/servers/{server.reference}/power", {"action": "stop"}, key="k-1")
    now = clock.now()
    for days, left in ((1, 1), (3, 0)):
        assert idempotency.forget(now + timedelta(days=days), dry_run=True).would == [f"forget {1 - left} answers"]
        idempotency.forget(now + timedelta(days=days))
        assert RequestKey.objects.count() == left


# --- the catalogue --------------------------------------------------------------------------------------------------
def test_what_has_no_price_hides_nothing_else(cloud: Control) -> None:
    world = World()
    catalogue.install_catalogue()
    program = Program(token_of(world.customer()))
    program.get("/packages")  # the token's first use is noted
    with CaptureQueriesContext(connection) as few:
        before = program.get("/packages").json()
    family = Family.objects.get()
    for code in ("none", "yearly", "more", "most"):
        made = Package.objects.create(family=family, code=code, name=code, name_fr=code, service_kind="vps")
        if code != "none":
            made.prices.create(interval="year", amount_cents=100, valid_from=clock.now())
    with CaptureQueriesContext(connection) as many:
        answer = program.get("/packages")
    assert answer.status_code == 200
    new = {one["code"]: one["prices_cents"] for one in answer.json() if one not in before}
    assert new == {code: {"year": 100} for code in ("yearly", "more", "most")}
    assert set(before[0]["prices_cents"]) == {"month", "year"}
    assert len(many) == len(few)


# --- orders ---------------------------------------------------------------------------------------------------------
@pytest.fixture
def shop(cloud: Control) -> None:
    catalogue.install_catalogue()


def test_an_order_costs_what_its_preview_said_and_is_placed_once(shop: None) -> None:
    program = Program(token_of(World().customer()))
    code = program.get("/packages").json()[0]["code"]
    wish = {"package": code, "interval": "month", "options": {"vps-address": 1}}
    price = program.post("/orders/preview", wish).json()
    assert price["total_cents"] == price["net_cents"] + price["vat_cents"]
    order = {**wish, "settings": {"name": "api-1"}, "accepted": price["accept"]}
    first = program.post("/orders", order, key="order-1")
    assert first.status_code == 201, first.content
    assert first.json()["total_cents"] == price["total_cents"]
    assert program.post("/orders", order, key="order-1").json() == first.json()
    assert Order.objects.count() == 1
    assert program.get(f"/orders/{first.json()['reference']}").json()["state"] == "awaiting_payment"


def test_long_keys_that_begin_alike_are_two_orders(shop: None) -> None:
    program = Program(token_of(World().customer()))
    price = program.post("/orders/preview", {"package": "vps-s"}).json()
    order = {"package": "vps-s", "settings": {"name": "api-1"}, "accepted": price["accept"]}
    for end in "ab":
        assert program.post("/orders", order, key="k" * 100 + end).status_code == 201
    assert Order.objects.count() == 2


def test_an_order_without_acceptance_is_refused_and_stays_refused(shop: None) -> None:
    program = Program(token_of(World().customer()))
    order = {"package": "vps-s", "settings": {"name": "api-1"}}
    for _ in range(2):
        body = problem(program.post("/orders", order, key="order-1"), 422, "rule")
        assert (body["rule"], body["field"]) == ("SUB-2", "accept")
    assert not Order.objects.exists()


def test_an_order_is_paid_only_with_an_own_card(shop: None) -> None:
    world = World()
    program = Program(token_of(world.customer()))
    price = program.post("/orders/preview", {"package": "vps-s"}).json()
    order = program.post("/orders", {"package": "vps-s", "settings": {"name": "a"}, "accepted": price["accept"]}).json()
    body = problem(program.post(f"/orders/{order['reference']}/pay", {"method": 1}), 422, "rule")
    assert body["field"] == "method"
    assert program.get("/payment-methods").json() == []


def test_a_subscription_is_changed_and_ended_as_its_previews_said(
    cloud: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = scene()
    monkeypatch.setattr("panel.core.clock.now", lambda: made.world.now)
    program, stranger = Program(token_of(made.owner)), Program(token_of(made.stranger))
    (row,) = program.get("/subscriptions").json()["items"]
    path = f"/subscriptions/{row['reference']}"
    wish = {"options": {"vps-address": 1}}
    seen = program.post(f"{path}/change/preview", wish).json()
    assert (seen["refusal"], seen["to_pay"]["net_cents"], seen["each_period"]["net_cents"]) == ("", 200, 790)
    problem(stranger.post(f"{path}/change", wish), 404, "missing")
    problem(Program(token_of(made.owner, "see")).post(f"{path}/change", wish), 403, "permission")
    for _ in range(2):
        changed = program.post(f"{path}/change", wish, key="change-1").json()
    assert (changed["options"], changed["period_cents"]) == ({"vps-address": 1}, 790)
    assert len(program.get("/invoices").json()["items"]) == 2
    end = program.post(f"{path}/end/preview", {"when": "now", "keeps_code": True}).json()
    assert end["to_pay"]["net_cents"] == 148
    planned = program.post(f"{path}/end", {}).json()
    assert planned["ends_on"] == end["term"]
    assert program.post(f"{path}/keep", {}).json()["ends_on"] is None
    assert program.post(f"{path}/end", {"when": "now"}).json()["state"] == "terminated"


def test_an_order_is_withdrawn_and_an_invoice_paid(cloud: Control, monkeypatch: pytest.MonkeyPatch) -> None:
    made = scene()
    monkeypatch.setattr("panel.core.clock.now", lambda: made.world.now)
    program = Program(token_of(made.owner))
    cancelled = program.post(f"/orders/{made.order.reference}/cancel", {}, key="cancel-1")
    assert (cancelled.status_code, cancelled.json()["state"]) == (202, "cancelled")
    problem(program.post(f"/orders/{made.order.reference}/cancel", {}), 409, "rule")
    problem(program.post(f"/invoices/{made.invoice.number}/pay", {"method": made.means.pk}), 409, "rule")
    path = f"/subscriptions/{made.subscription.reference}"
    program.post(f"{path}/end", {"when": "now", "migration": True})
    newest = program.get("/invoices").json()["items"][0]
    assert newest["due_cents"] > 0
    paid = program.post(f"/invoices/{newest['number']}/pay", {"method": made.means.pk}, key="pay-1")
    assert (paid.status_code, paid.json()["amount_cents"]) == (202, newest["due_cents"])
    problem(program.post(f"/invoices/{newest['number']}/pay", {"method": 999}), 422, "rule")


# --- invoices, cases, reports ---------------------------------------------------------------------------------------
def test_invoices_with_their_lines_and_document(cloud: Control) -> None:
    made = scene()
    program = Program(token_of(made.owner))
    listed = program.get("/invoices").json()["items"]
    assert [row["number"] for row in listed] == [made.invoice.number]
    full = program.get(f"/invoices/{made.invoice.number}").json()
    assert full["total_cents"] == made.invoice.total_cents
    assert sum(line["net_cents"] for line in full["lines"]) == full["net_cents"]
    document = program.get(f"/invoices/{made.invoice.number}/pdf")
    assert document["Content-Type"] == "application/pdf"
    assert document.content.startswith(b"%PDF")
    stranger = Program(token_of(made.stranger))
    problem(stranger.get(f"/invoices/{made.invoice.number}/pdf"), 404, "missing")


def test_a_case_is_seen_and_answered_and_its_clock_stops(cloud: Control) -> None:
    made = scene()
    program = Program(token_of(made.owner))
    assert [row["reference"] for row in program.get("/cases").json()["items"]] == [made.case.reference]
    before = program.get(f"/cases/{made.case.reference}").json()
    assert before["due_at"] is not None
    assert before["messages"]
    answer = {"text": "The file is gone, and this is how it got there."}
    problem(Program(token_of(made.stranger)).post(f"/cases/{made.case.reference}/answer", answer), 404, "missing")
    problem(
        Program(token_of(made.owner, "see")).post(f"/cases/{made.case.reference}/answer", answer), 403, "permission"
    )
    first = program.post(f"/cases/{made.case.reference}/answer", answer, key="answer-1")
    assert first.status_code == 201, first.content
    program.post(f"/cases/{made.case.reference}/answer", answer, key="answer-1")
    after = program.get(f"/cases/{made.case.reference}").json()
    assert [line["text"] for line in after["messages"]].count(answer["text"]) == 1
    assert after["messages"][-1]["author"] == "customer"


REPORT = {
    "category": "copyright", "address": "203.0.113.77", "happened_at": "2026-03-01T10:00:00+01:00",
    "good_faith": True,
    "explanation": "A film of ours is offered for download there.", "work": "The film",
    "reporter_email": "a@rights.example", "reporter_name": "A",
}  # fmt: skip


def test_anybody_may_report_and_no_clock_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Program().post("/reports", REPORT)
    assert made.status_code == 201, made.content
    row = Report.objects.get()
    assert made.json()[0]["reference"] == row.reference
    assert (row.channel, row.category, row.case, row.good_faith) == ("api", "copyright", None, True)
    body = problem(Program().post("/reports", REPORT | {"good_faith": False}), 422, "rule")
    assert body["field"] == "good_faith"
    for wrong in ({"address": "not an address"}, {"happened_at": "2026-03-01T10:00:00"}, {"explanation": "short"}):
        problem(Program().post("/reports", REPORT | wrong), 422, "validation")
    for mailbox in ("a@b@c.example", "a b@rights.example", "a@rights..example", "a@rights.example\nBcc: x@y.example"):
        problem(Program().post("/reports", REPORT | {"reporter_email": mailbox}), 422, "validation")
    problem(Program().post("/reports", REPORT | {"work": "The\0film"}), 400, "request")
    monkeypatch.setattr(limits, "REPORTS", limits.Limit("reports-few", 1, 3600))
    Program().post("/reports", REPORT | {"address": "203.0.113.78"})
    refused = Program().post("/reports", REPORT | {"address": "203.0.113.79"})
    problem(refused, 429, "limit")
    assert Report.objects.count() == 2
