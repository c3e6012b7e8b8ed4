"""The endpoints under /v1: who may call, idempotency, and what each one takes."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from invoicing.gateways.fake import endpoints
from invoicing.gateways.fake.faults import CardFault, Fault
from invoicing.gateways.fake.params import EXPAND, Spec, check, decode
from invoicing.gateways.fake.store import API_VERSION, Object, Store, public
from invoicing.gateways.fake.wire import Request, Response

KEY_LIFE = 24 * 3600
EXPANDABLE = (
    "customer",
    "payment_method",
    "latest_charge",
    "payment_intent",
    "setup_intent",
    "charge",
    "mandate",
    "source",
)


@dataclass(frozen=True)
class Route:
    method: str
    pattern: re.Pattern[str]
    spec: Spec
    run: Callable[..., Object]


ROUTES = [
    Route(method, re.compile("^" + path.replace("{id}", r"([A-Za-z0-9_]+)") + "$"), spec, run)
    for (method, path), (spec, run) in endpoints.ENDPOINTS.items()
]


class Api:
    def __init__(self, store: Store, api_key: str) -> None:
        self.store = store
        self.api_key = api_key
        self._in_flight: set[str] = set()

    def handle(self, request: Request) -> Response:
        """Answer one call of /v1; every answer carries a Request-Id and stands in the log of calls."""
        request_id = self.store.new_id("req")
        key = request.headers.get("idempotency-key", "")
        try:
            self.authenticate(request)
            response = self._answer(request, request_id, key)
        except Fault as fault:
            response = Response.json(fault.status, {"error": fault.body})
        response.headers.update({"Request-Id": request_id, "Stripe-Version": API_VERSION})
        if key:
            response.headers["Idempotency-Key"] = key
        self.store.log_call(request.method, request.path, key, response.status)
        return response

    def authenticate(self, request: Request) -> None:
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if scheme != "Bearer" or not given:
            raise Fault(
                "You did not provide an API key. You need to provide your API key in the Authorization header, "
                "using Bearer auth.",
                status=401,
            )
        if not hmac.compare_digest(given.encode(), self.api_key.encode()):
            raise Fault(f"Invalid API Key provided: {given[:8]}{'*' * 8}", status=401)
        version = request.headers.get("stripe-version", API_VERSION)
        if version != API_VERSION:
            raise Fault(f"Invalid Stripe API version: {version}. This simulation speaks {API_VERSION}.")

    def _answer(self, request: Request, request_id: str, key: str) -> Response:
        if len(key) > 255:
            raise Fault("The Idempotency-Key is longer than 255 characters.", kind="idempotency_error")
        if request.method != "POST" or not key:
            return self._run(request, request_id, "")
        with self.store.lock:
            if key in self._in_flight:
                raise Fault(
                    "There is currently another in-progress request using this Idempotent Key (that probably "
                    "means you submitted twice, and the other request is still going through).",
                    status=409,
                    code="idempotency_key_in_use",
                )
            self._in_flight.add(key)
        try:
            return self._run(request, request_id, key)
        finally:
            self._in_flight.discard(key)

    def _run(self, request: Request, request_id: str, key: str) -> Response:
        route, ids = _find(request)
        slow = self.store.take_mischief("slow", request.path)
        if slow:
            time.sleep(float(slow))
        broken = self.store.take_mischief("fail", request.path)
        if broken:
            raise Fault("An unknown error occurred", status=int(broken), kind="api_error")
        if self.store.take_mischief("drop_before", request.path):
            return Response(0, {}, b"", drop=True)
        response = self._once(request, route, ids, request_id, key)
        response.drop = bool(self.store.take_mischief("drop", request.path))
        return response

    def _once(self, request: Request, route: Route, ids: tuple[str, ...], request_id: str, key: str) -> Response:
        """The effect and its remembered answer in one transaction; a repeat gets the remembered answer."""
        text = request.body.decode("utf-8", "strict") if request.method == "POST" else request.query
        fingerprint = hashlib.sha256(f"{request.method} {request.path}\n{text}".encode()).hexdigest()
        with self.store.transaction(request_id, key or None):
            remembered = (
                self.store.sql("SELECT * FROM answers WHERE key = ? AND at > ?", key, self.store.now() - KEY_LIFE)
                if key
                else []
            )
            if remembered:
                if remembered[0]["fingerprint"] != fingerprint:
                    raise Fault(
                        "Keys for idempotent requests can only be used with the same parameters they were first "
                        f"used with. Try using a key other than '{key}' if you meant to execute a different "
                        "request.",
                        kind="idempotency_error",
                    )
                response = Response(
                    remembered[0]["status"], {"Content-Type": "application/json"}, remembered[0]["body"].encode()
                )
                response.headers["Idempotent-Replayed"] = "true"
                return response
            given = check(decode(text), {**route.spec, "expand": EXPAND})
            wanted = given.pop("expand", [])
            try:
                response = Response.json(200, _expand(self.store, route.run(self.store, *ids, given), wanted))
            except CardFault as fault:
                response = Response.json(fault.status, {"error": fault.body})
            if key:
                self.store.sql("DELETE FROM answers WHERE at <= ?", self.store.now() - KEY_LIFE)
                self.store.sql(
                    "INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?, ?)",
                    key,
                    fingerprint,
                    response.status,
                    response.body.decode(),
                    self.store.now(),
                )
            return response


def _find(request: Request) -> tuple[Route, tuple[str, ...]]:
    if (
        request.method == "POST"
        and request.body
        and request.headers.get("content-type", "").split(";")[0] != "application/x-www-form-urlencoded"
    ):
        raise Fault("Request bodies must be application/x-www-form-urlencoded.")
    for route in ROUTES:
        found = route.pattern.match(request.path)
        if found and route.method == request.method:
            return route, found.groups()
    raise Fault(f"Unrecognized request URL ({request.method}: {request.path}).", status=404)


def _expand(store: Store, thing: Object, wanted: list[str]) -> Object:
    """`expand[]=latest_charge`, also through lists (`data.payment_method`)."""
    thing = json.loads(json.dumps(public(thing)))
    for path in wanted:
        _expand_one(store, thing, path.split("."), path)
    return thing


def _expand_one(store: Store, node: Any, steps: list[str], path: str) -> None:
    head, rest = steps[0], steps[1:]
    if head == "data" and isinstance(node.get("data"), list):
        for item in node["data"]:
            _expand_one(store, item, rest, path)
        return
    if head not in EXPANDABLE or head not in node:
        raise Fault(f"This property cannot be expanded ({path}).", param="expand")
    if isinstance(node[head], str):
        found = store.any(node[head])
        node[head] = public(found) if found else None
    if rest and isinstance(node[head], dict):
        _expand_one(store, node[head], rest, path)
