"""The customer disputes an invoice on its page and by a program, staff decides on theirs; each page says why and until
when."""

import json

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from invoicing.models import Contest, Invoice, Transmission
from panel import terms
from panel.accounts import tokens
from panel.accounts.models import Membership
from tests.support.owing import owe_overage
from tests.support.personas import logged_in, staff
from tests.support.shop import Shop
from tests.support.world import Customer, World
from tickets import contests, conversation
from tickets.models import Ticket

pytestmark = pytest.mark.django_db


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    cache.clear()
    made = World("2026-03-02 09:00")
    monkeypatch.setattr("panel.core.clock.now", lambda: made.now)
    return made


@pytest.fixture
def alice(world: World, shop: Shop) -> Customer:
    return world.customer()


@pytest.fixture
def owed(world: World, shop: Shop, alice: Customer) -> Invoice:
    (invoice,) = owe_overage(world, shop, alice)
    return invoice


@pytest.fixture
def page(alice: Customer) -> Client:
    return logged_in(alice.user, alice.account)


def text(client: Client, path: str) -> str:
    response = client.get(path)
    assert response.status_code == 200, response
    return str(response.content.decode())


def test_from_the_invoices_page_to_the_decision(world: World, alice: Customer, owed: Invoice, page: Client) -> None:
    path = f"/billing/invoices/{owed.number}/"
    assert f"{path}dispute/" in text(page, path)
    assert "within 5 working days" in text(page, f"{path}dispute/")
    wrong = page.post(f"{path}dispute/", {"what": "part", "line-0": "0", "line-1": "13.01", "why": "No."})
    assert (wrong.status_code, Contest.objects.count()) == (422, 0)
    sent = page.post(f"{path}dispute/", {"what": "part", "line-0": "0", "line-1": "13.00", "why": "I was away."})
    contest = Contest.objects.get()
    assert sent["Location"] == f"/support/{contest.reference}/"
    shown = text(page, sent["Location"])
    assert "I was away." in shown
    assert "Withdraw" in shown
    assert f"{sent['Location']}close/" not in shown
    assert "Disputed" in text(page, path)
    assert "disputed already" in text(page, f"{path}dispute/")

    billing = logged_in(staff(world, "billing"))
    assert owed.number in text(billing, "/ops/")
    request = f"/ops/tickets/{contest.reference}/"
    assert f"{request}decide/" in text(billing, request)
    said = {"what": "part", "line-0": "0", "line-1": "0", "reason": "No."}
    assert billing.post(f"{request}decide/", said).status_code == 422
    assert billing.post(f"{request}decide/", said | {"what": "all", "reason": ""}).status_code == 422
    assert billing.post(f"{request}decide/", said | {"what": "all", "reason": "Right you are."}).status_code == 302
    owed.refresh_from_db()
    assert owed.credited_cents == 1560
    assert "Right you are." in text(page, sent["Location"])
    assert "Accepted" in text(page, path)
    assert billing.get(f"{request}decide/").status_code == 302
    assert "Right you are." in text(billing, f"/ops/invoices/{owed.number}/")


def test_who_may_pay_but_sees_no_requests_follows_it_on_the_invoice(
    world: World, alice: Customer, owed: Invoice
) -> None:
    carl = world.contact(alice, ["see", "pay"])
    client, path = logged_in(carl.user, alice.account), f"/billing/invoices/{owed.number}/"
    sent = client.post(f"{path}dispute/", {"what": "all", "why": "Not mine."})
    first = Contest.objects.get()
    assert sent["Location"] == path
    shown = text(client, path)
    assert f'href="/support/{first.reference}/"' not in shown, "a page that is refused"
    withdraw = f"/support/{first.reference}/withdraw/"
    assert withdraw in shown
    contests.decide(
        first, [0] * owed.lines.count(), reason="It was.", refund=False, actor=world.staff("billing"), now=world.now
    )
    for template in ("contest_received", "contest_decided"):
        told = {one.content.to: one for one in world.mails(template)}
        assert set(told) == {alice.user.email, carl.user.email}
        assert path in told[carl.user.email].content.body
        assert f"/support/{first.reference}/" in told[alice.user.email].content.body


def test_withdrawn_without_seeing_requests(world: World, alice: Customer, owed: Invoice) -> None:
    carl = world.contact(alice, ["see", "pay"])
    made = contests.open_contest(owed, None, why="No.", actor=carl.actor, via="web", now=world.now)
    answer = logged_in(carl.user, alice.account).post(f"/support/{made.reference}/withdraw/")
    assert answer["Location"] == f"/billing/invoices/{owed.number}/"


def test_withdrawn_on_the_page(world: World, alice: Customer, owed: Invoice, page: Client) -> None:
    contest = contests.open_contest(owed, None, why="No.", actor=alice.actor, via="web", now=world.now)
    mallory = world.customer("Mallory")
    withdraw = f"/support/{contest.reference}/withdraw/"
    assert logged_in(mallory.user, mallory.account).post(withdraw).status_code == 404
    assert page.post(f"/support/{contest.reference}/close/").status_code == 404
    assert page.post(withdraw).status_code == 302
    assert Contest.objects.get().state == "withdrawn"


def test_an_ordinary_request_becomes_one(world: World, alice: Customer, owed: Invoice, page: Client) -> None:
    ticket = conversation.open_ticket(
        alice.account, department="billing", title="Wrong", body="?", actor=alice.actor, via="web", now=world.now
    )
    billing, path = logged_in(staff(world, "billing")), f"/ops/tickets/{ticket.number}/"
    assert f"{path}dispute/" in text(billing, path)
    assert billing.post(f"{path}dispute/", {"number": "F2026-999999"}).status_code == 422
    assert billing.post(f"{path}dispute/", {"number": f" {owed.number.lower()} "}).status_code == 302
    assert Contest.objects.get().reference == ticket.number
    assert billing.get(f"{path}dispute/").status_code == 404


def test_deemed_accepted_the_page_says_so(
    world: World, owed: Invoice, page: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = terms.version(owed.terms_version)
    monkeypatch.setitem(version.table, "OPR-10", {"source": "002", "accepted_days": 15})  # type: ignore[arg-type]
    version.__dict__.pop("contests", None)
    changed = version.__dict__.pop("contests") if version.contests else None  # worked out anew: nothing to restore
    monkeypatch.setitem(version.__dict__, "contests", changed)
    path = f"/billing/invoices/{owed.number}/"
    assert "You can dispute it until" in text(page, path)
    world.advance(days=17)
    page.force_login(Membership.objects.get(account=owed.account).user)
    assert "deemed accepted" in text(page, path)
    assert "deemed accepted" in text(page, f"{path}dispute/")


@pytest.mark.parametrize(
    ("state", "words"),
    [("delivered", "has received it"), ("refused", "You have refused it"), ("rejected", "could not pass it on")],
)
def test_what_the_platform_says_is_told_in_plain_words(
    world: World, owed: Invoice, page: Client, state: str, words: str
) -> None:
    assert "Sent as an e-invoice" not in text(page, f"/billing/invoices/{owed.number}/")
    Transmission.objects.create(
        invoice=owed, account=owed.account, state=state, reason="BR-1 is wrong", created_at=world.now
    )
    shown = text(page, f"/billing/invoices/{owed.number}/")
    assert words in shown
    assert ("BR-1 is wrong" in shown) is (state != "delivered")


def test_by_a_program(world: World, alice: Customer, owed: Invoice) -> None:
    def program(*scopes: str) -> Client:
        membership = Membership.objects.get(user=alice.user, account=alice.account)
        _row, secret = tokens.issue(
            membership, name="script", scopes=scopes, lives=None, actor=alice.actor, now=world.now
        )
        return Client(headers={"Authorization": f"Bearer {secret}"})

    path, may = f"/api/v1/invoices/{owed.number}/disputes", program("pay")
    body = json.dumps({"why": "I was away.", "lines": [0, 1300]})
    assert program("see").post(path, body, content_type="application/json").status_code == 403
    for _ in range(2):
        made = may.post(path, body, content_type="application/json", headers={"Idempotency-Key": "k"})
        assert (made.status_code, made.json()["wanted_cents"]) == (201, 1300)
    assert may.post(path, body, content_type="application/json").status_code == 409
    assert [one["state"] for one in may.get(path).json()["items"]] == ["open"]
    assert may.post(f"{path}/withdraw").json()["state"] == "withdrawn"
    assert may.post(f"{path}/withdraw").status_code == 409
    assert Ticket.objects.count() == 1


@pytest.fixture
def many(world: World, shop: Shop) -> list[Customer]:
    return [world.customer(f"C{number}") for number in range(4)]


def test_the_queue_of_disputes_takes_the_same_queries_however_long(
    world: World, shop: Shop, many: list[Customer]
) -> None:
    found, billing = owe_overage(world, shop, *many), logged_in(staff(world, "billing"))

    def disputed(customer: Customer, invoice: Invoice) -> int:
        contests.open_contest(invoice, None, why="No.", actor=customer.actor, via="web", now=world.now)
        billing.get("/ops/")
        with CaptureQueriesContext(connection) as asked:
            assert invoice.number in text(billing, "/ops/")
        return len(asked)

    counts = [disputed(*pair) for pair in zip(many, found, strict=True)]
    assert len(set(counts)) == 1
