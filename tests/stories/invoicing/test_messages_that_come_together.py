"""As the provider I am told by the payment provider what thousands of customers did within a minute: what comes at once
is kept together, and nothing is acknowledged before it is kept (INV-12)."""

import asyncio
import json
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection, connections

from invoicing.gateways import GatewayEvent
from invoicing.gateways.fake.webhooks import sign
from invoicing.models import WebhookEvent
from invoicing.paying import webhook_door, webhook_rows, webhooks
from invoicing.paying.payment_models import WebhookBody
from invoicing.paying.webhook_door import Door, at_the_door
from panel.core import clock
from panel.core.models import Operation
from tests.support.till import SECRET

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def provider(settings: Any) -> None:
    settings.CLAUSE_GATEWAY = {"kind": "stripe", "api_key": "sk_test_x", "webhook_secret": SECRET, "api_base": ""}


@pytest.fixture
def door() -> Iterator[Door]:
    opened = Door()
    yield opened
    opened._thread.submit(connections.close_all).result()


def message(name: str) -> bytes:
    return json.dumps({
        "id": name, "type": "payment_intent.created", "created": int(time.time()),
        "data": {"object": {"id": "pi_1", "object": "payment_intent"}},
    }).encode()  # fmt: skip


def is_kept(name: str) -> bool:
    try:
        return WebhookEvent.objects.filter(event_id=name).exists()
    finally:
        connections.close_all()


async def told(app: Any, raw: bytes, *, signature: str = "", path: str = webhook_door.PATH, kept: str = "") -> int:
    """The status of the answer; `kept`: what must stand in the table at the moment of a 200."""
    given = signature or sign(raw, SECRET, time.time())
    parts = [
        {"type": "http.request", "body": raw[:100], "more_body": True},
        {"type": "http.request", "body": raw[100:]},
    ]
    answers: list[int] = []

    async def receive() -> Any:
        return parts.pop(0)

    async def send(sent: Any) -> None:
        if sent["type"] == "http.response.start":
            answers.append(sent["status"])
            if kept and sent["status"] == 200:
                assert await asyncio.to_thread(is_kept, kept)

    headers = [(b"stripe-signature", given.encode()), (b"host", b"panel.example")]
    await app({"type": "http", "method": "POST", "path": path, "headers": headers}, receive, send)
    return answers[0]


def together(door: Door, names: Sequence[str]) -> list[int]:
    async def all_of_them() -> list[int]:
        return await asyncio.gather(*(told(door, message(name), kept=name) for name in names))

    return asyncio.run(all_of_them())


def test_what_comes_together_is_kept_together_and_once(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    commits, keep = [], webhooks.keep

    def counted(some: Any, **given: Any) -> int:
        commits.append(len(some))
        return keep(some, **given)

    monkeypatch.setattr(webhooks, "keep", counted)
    names = [f"evt_{number % 30}" for number in range(40)]
    assert together(door, names) == [200] * 40
    assert sum(commits) == 40
    assert len(commits) < 10
    assert WebhookEvent.objects.count() == WebhookBody.objects.count() == 30
    assert Operation.objects.filter(kind="payments.told").count() == 30
    assert together(door, names[:5]) == [200] * 5
    assert WebhookEvent.objects.count() == 30


def test_one_that_cannot_be_kept_is_refused_alone(door: Door) -> None:
    """Its id is longer than its column."""
    names = ["evt_a", "evt_" + "x" * 150, "evt_b"]
    assert together(door, names) == [200, 503, 200]
    assert set(WebhookEvent.objects.values_list("event_id", flat=True)) == {"evt_a", "evt_b"}


def test_what_is_not_the_providers_and_what_is_not_for_this_door(door: Door) -> None:
    others: list[str] = []

    async def panel(scope: Any, receive: Any, send: Any) -> None:
        others.append(scope["path"])
        await send({"type": "http.response.start", "status": 404})

    app = at_the_door(panel)
    assert asyncio.run(told(app, message("evt_a"), signature="t=1,v1=00")) == 400
    assert asyncio.run(told(app, b"x" * 600_000)) == 413
    assert asyncio.run(told(app, message("evt_a"), path="/billing/")) == 404
    assert others == ["/billing/"]
    assert not WebhookEvent.objects.exists()


def test_one_statement_writes_what_row_by_row_would() -> None:
    """Every column of the three tables, ids apart."""
    now = datetime(2026, 11, 22, 10, tzinfo=UTC)
    told = [
        GatewayEvent(
            id=f"evt_{number}", kind="x" * (70 + number), about="refund", ref="re_1", payment=("", "pi_é")[number % 2],
            at=now - timedelta(microseconds=number), raw=bytes([0, 255, 39, 92, number]),
            metadata=({}, {"payment": "", "refund": "R'1\\", "x": "y"})[number % 2],
        )
        for number in range(15)
    ]  # fmt: skip
    given: dict[str, Any] = {"provider": "stripe", "via": webhooks.LISTING, "owed": webhooks.Act.kind, "now": now}
    written = []
    for way in (webhook_rows.write, webhook_rows.one_by_one):
        assert [way(some, **given) for some in (told[:9], told[5:], told)] == [9, 6, 0]
        written.append(everything())
        for model in (WebhookBody, WebhookEvent, Operation):
            model.objects.all().delete()
    assert written[0] == written[1]
    assert len(written[0][0]) == 15


def everything() -> list[list[dict[str, Any]]]:
    tables: list[list[dict[str, Any]]] = []
    for model, order in ((WebhookEvent, "event_id"), (WebhookBody, "event__event_id"), (Operation, "key")):
        rows = list(model.objects.order_by(order).values())
        for row in rows:
            row.pop("id", None)
            if "payload" in row:
                assert row["payload"].pop("message") == row.pop("subject_id")
            if "raw" in row:
                row["raw"] = bytes(row["raw"])
                named = WebhookEvent.objects.get(pk=row.pop("event_id"))
                row["of"] = named.event_id
        tables.append(rows)
    return tables


def test_without_plans_that_are_kept() -> None:
    """As behind PgBouncer: the values are written into the statement."""
    raw: Any = connection
    raw.ensure_connection()
    kept, raw.connection.prepare_threshold = raw.connection.prepare_threshold, None
    try:
        parcel = message("evt_a")
        for _ in range(2):
            webhooks.receive(parcel, {"Stripe-Signature": sign(parcel, SECRET, time.time())}, now=clock.now())
    finally:
        raw.connection.prepare_threshold = kept
    assert bytes(WebhookBody.objects.get().raw) == parcel
    assert Operation.objects.get().payload["message"] == WebhookEvent.objects.get().pk
