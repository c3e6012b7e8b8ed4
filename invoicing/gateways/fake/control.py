"""The tests' side door, under /_control: bad weather, mischief, the clock, and what happened."""

from __future__ import annotations

import json
from typing import Any

from invoicing.gateways.fake import balance, disputes, weather
from invoicing.gateways.fake.faults import Fault
from invoicing.gateways.fake.store import Store
from invoicing.gateways.fake.webhooks import Courier, tick
from invoicing.gateways.fake.wire import Request, Response

MISCHIEF = {"drop": bool, "drop_before": bool, "slow": float, "fail": int, "decline": str}


def handle(store: Store, courier: Courier, request: Request) -> Response:
    """One control call; unknown names are refused."""
    name = request.path.removeprefix("/_control/")
    if request.method == "GET" and name == "log":
        return Response.json(
            200,
            {
                "calls": [dict(row) for row in store.sql("SELECT * FROM calls ORDER BY seq")],
                "deliveries": [dict(row) for row in store.sql("SELECT * FROM deliveries ORDER BY seq")],
            },
        )
    if request.method != "POST":
        raise Fault(f"Unrecognized control call: {request.method} {request.path}", status=404)
    given = _body(request)
    if name == "weather":
        return _weather(store, given)
    if name == "mischief":
        return _mischief(store, given)
    if name == "clock":
        return _clock(store, given)
    if name == "deliveries":
        with store.transaction():
            store.set("paused", bool(given.get("paused")))
        return Response.json(200, {"paused": store.setting("paused", None)})
    if name == "deliver":
        tick(store)
        return Response.json(200, {"accepted": courier.deliver_due()})
    if name == "dispute":
        return _dispute(store, given)
    if name == "payout":
        return _payout(store, given)
    if name == "reset":
        store.reset()
        return Response.json(200, {})
    raise Fault(f"Unrecognized control call: {request.path}", status=404)


def _weather(store: Store, given: dict[str, Any]) -> Response:
    """{"seed": 7, "late": 0.5, "twice": 0.3, "never": 0.1, "shuffle": true, "longest": 5}; {} is a fine day."""
    for name, value in given.items():
        if name not in weather.KEYS or not isinstance(value, int | float):
            raise Fault(f"Unknown weather: {name}={value!r}")
    with store.transaction():
        store.set("weather", given)
    return Response.json(200, given)


def _mischief(store: Store, given: dict[str, Any]) -> Response:
    """{"kind": "drop", "path": "/v1/payment_intents", "times": 1, "value": true}.

    `drop`: the effect stays, the answer is lost. `drop_before`: neither. `slow`: seconds of delay. `fail`: an HTTP
    status. `decline`: the decline code of the next charge.
    """
    kind = given.get("kind", "")
    if kind not in MISCHIEF or set(given) - {"kind", "path", "times", "value"}:
        raise Fault(f"Unknown mischief: {given!r}")
    one = {
        "kind": kind,
        "path": "" if kind == "decline" else given.get("path", "/v1/"),
        "times": int(given.get("times", 1)),
        "value": MISCHIEF[kind](given.get("value", True)),
    }
    with store.transaction():
        store.set("mischief", [*store.setting("mischief", []), one])
    return Response.json(200, one)


def _dispute(store: Store, given: dict[str, Any]) -> Response:
    """{"payment": "pi_...", "amount": 500, "reason": "fraudulent", "lost": false} begins a dispute; {"close": "dp_...",
    "won": true} ends one."""
    with store.transaction():
        if "close" in given:
            made = disputes.close(store, str(given["close"]), won=bool(given.get("won")))
        else:
            made = disputes.begin(
                store, str(given.get("payment", "")), amount=int(given.get("amount", 0)),
                reason=str(given.get("reason", "fraudulent")), lost=bool(given.get("lost")),
            )  # fmt: skip
    return Response.json(200, {"dispute": made["id"]})


def _payout(store: Store, given: dict[str, Any]) -> Response:
    """{} pays out what is available; {"fail": "po_...", "code": "account_closed"} sends a payout back."""
    with store.transaction():
        if "fail" in given:
            made = balance.fail(store, str(given["fail"]), code=str(given.get("code", "account_closed")))
        else:
            made = balance.pay_out(store)
    return Response.json(200, {"payout": made["id"]})


def _clock(store: Store, given: dict[str, Any]) -> Response:
    """{"set": epoch} freezes it there, {"advance": seconds} moves it, {"live": true} follows the machine."""
    with store.transaction():
        if "set" in given:
            store.set("frozen_at", float(given["set"]))
        elif "advance" in given and store.setting("frozen_at", None) is not None:
            store.set("frozen_at", store.setting("frozen_at", 0) + float(given["advance"]))
        elif "advance" in given:
            store.set("offset", store.setting("offset", 0) + float(given["advance"]))
        elif given.get("live"):
            store.set("frozen_at", None)
            store.set("offset", 0)
        else:
            raise Fault(f"Unknown clock order: {given!r}")
    tick(store)
    return Response.json(200, {"now": store.now()})


def _body(request: Request) -> dict[str, Any]:
    try:
        given = json.loads(request.body or b"{}")
    except ValueError as problem:
        raise Fault(f"Not JSON: {problem}") from None
    if not isinstance(given, dict):
        raise Fault("Not a JSON object")
    return given
