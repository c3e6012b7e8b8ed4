"""Usage by API, its pages, and what an invoice line rests on."""

import json
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from invoicing.consuming import usage_setup
from invoicing.models import Invoice, PackageMeter, Subscription, UsageEvent, UsageSource
from invoicing.renewing import billing, upcoming
from tests.support.personas import logged_in, staff
from tests.support.shop import Shop
from tests.support.world import Customer, World, paris

pytestmark = pytest.mark.django_db
TB = 10**12


@pytest.fixture
def world() -> World:
    return World("2026-01-31 10:00")


@pytest.fixture
def alice(world: World) -> Customer:
    return world.customer("Alice")


@pytest.fixture
def metered(world: World, shop: Shop, alice: Customer) -> Subscription:
    """A server whose package counts requests too."""
    shop.buy(alice, name="web-1")
    row = Subscription.objects.get()
    PackageMeter.objects.create(
        package=row.package, meter="requests", name="Requests", name_fr="Requêtes", unit="req.", allowance=10,
        tiers=[{"up_to": None, "unit_price": "0.25"}], valid_from=world.now,
    )  # fmt: skip
    return row


def send(key: str, *events: dict[str, Any]) -> Any:
    return Client(headers={"host": "127.0.0.1"}).post(
        "/api/v1/usage/events", json.dumps({"events": events}), content_type="application/json",
        headers={"Authorization": f"Bearer {key}"},
    )  # fmt: skip


def test_a_source_sends_its_events(world: World, metered: Subscription) -> None:
    _source, key = usage_setup.add_source("relay", actor=world.staff("billing"), now=world.now)
    event = {"id": "e1", "subscription": metered.reference, "meter": "requests", "quantity": "12.5",
             "at": "2026-01-31T11:00:00+01:00"}  # fmt: skip
    assert send(key, event).json() == {"accepted": 1, "repeated": 0}
    assert send(key, event, event).json() == {"accepted": 0, "repeated": 2}
    refused = send(key, event | {"quantity": "13"})
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:clause:problem:conflict")
    assert send(key, event | {"id": "e2", "meter": "fax"}).status_code == 422
    assert send("clause_nothing", event).status_code == 401
    usage_setup.revoke_source(UsageSource.objects.get(), actor=world.staff("billing"), now=world.now)
    assert send(key, event).status_code == 401
    assert UsageEvent.objects.get().units == Decimal("12.5")


def test_staff_adds_a_source_and_prices_a_meter(world: World, metered: Subscription) -> None:
    client = logged_in(staff(world, "billing"))
    page = client.post("/ops/usage/sources/add/", {"code": "relay"})
    assert usage_setup.MARK in page.content.decode()
    assert usage_setup.MARK not in client.get("/ops/usage/").content.decode(), "a key is shown once"
    assert client.post("/ops/usage/sources/add/", {"code": "relay"}).status_code == 422
    wish = {
        "package": "vps-s", "meter": "mails", "name": "Mails", "name_fr": "Courriels", "unit": "mail",
        "counter": "sum", "allowance": "5", "valid_from": "2040-01-01", "price_1": "0.10", "up_to_1": "100",
        "price_2": "0.05",
    }  # fmt: skip
    assert client.post("/ops/usage/meters/new/", wish | {"up_to_1": ""}).status_code == 422
    assert client.post("/ops/usage/meters/new/", wish | {"valid_from": "2020-01-01"}).status_code == 422
    assert client.post("/ops/usage/meters/new/", wish).status_code == 302
    made = PackageMeter.objects.get(meter="mails")
    assert made.tiers == [{"up_to": "100", "unit_price": "0.10"}, {"up_to": None, "unit_price": "0.05"}]


def test_the_next_invoice_is_shown_as_it_will_be_issued(
    world: World, shop: Shop, metered: Subscription, alice: Customer
) -> None:
    """Invariant 16: what was shown just before is what is issued, line by line and to the cent."""
    shop.service.used = {date(2026, 1, 31): TB + 10**10}
    world.now = paris("2026-02-28 00:01")
    client = logged_in(alice.user, alice.account)
    for path in ("/billing/next/", f"/services/subscriptions/{metered.reference}/usage/"):
        assert "EUR\u00a022.68" in client.get(path).content.decode()  # (5.90 + 13.00) x 1.2
    shown = upcoming.next_invoice(Subscription.objects.get(), now=world.now)
    assert shown is not None
    assert shown.drawn is not None
    assert shown.final
    billing.run(world.now)
    invoice = Invoice.objects.latest("pk")
    assert (shown.drawn.totals.net, shown.drawn.totals.vat) == (invoice.net_cents, invoice.vat_cents)
    assert [(line.code, line.quantity, line.unit_price, line.net, line.period) for line in shown.drawn.lines] == [
        (row.code, row.quantity, row.unit_price, row.net_cents, line.period)
        for row, line in zip(invoice.lines.all(), shown.drawn.lines, strict=True)
    ]


def test_an_overage_line_opens_to_its_readings(
    world: World, shop: Shop, metered: Subscription, alice: Customer
) -> None:
    shop.service.used = {date(2026, 1, 31): TB + 10**10}
    world.now = paris("2026-02-28 00:01")
    billing.run(world.now)
    invoice = Invoice.objects.latest("pk")
    path = f"/billing/invoices/{invoice.number}/lines/1/"
    client = logged_in(alice.user, alice.account)
    assert path in client.get(f"/billing/invoices/{invoice.number}/").content.decode()
    page = client.get(path).content.decode()
    assert "1,010 GB" in page
    assert "10 GB × 1.30 EUR" in page
    assert client.get(f"/billing/invoices/{invoice.number}/lines/0/").status_code == 404  # a fixed price has none


def test_pages_cost_the_same_however_much_was_used(world: World, metered: Subscription, alice: Customer) -> None:
    client = logged_in(alice.user, alice.account)
    path = f"/services/subscriptions/{metered.reference}/usage/"

    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert client.get(path).status_code == 200
        return len(captured)

    def more(count: int) -> None:
        start = UsageEvent.objects.count()
        UsageEvent.objects.bulk_create(
            UsageEvent(source="x", key=f"{start + n}", account_id=metered.account_id, subscription=metered,
                       meter="requests", quantity=1, millionths=10**6, at=world.now, received_at=world.now)
            for n in range(count)
        )  # fmt: skip

    more(3)
    queries()
    few = queries()
    more(60)
    assert queries() <= few
