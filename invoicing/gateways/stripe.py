"""The adapter to Stripe, through its official client.

The client's own retries are off: an Operation retries, with the same idempotency key, where staff can see it.
Events are read as pointers; `retrieve`, `checkout` and `find` ask for the present truth.
"""

import hmac
import json
import logging
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar, cast
from urllib.parse import urlsplit

import requests
import stripe

from invoicing.gateways import (
    Charge,
    ChargeWish,
    Checkout,
    CheckoutWish,
    DisputeState,
    GatewayEvent,
    Method,
    Movement,
    NewCustomer,
    PayoutState,
    RefundState,
    SignatureRefused,
)
from panel.core.errors import ProviderError

TOLERANCE_SECONDS = 300
CONNECT_SECONDS, READ_SECONDS = 4, 20
STATES = {
    "requires_payment_method": "open", "requires_confirmation": "open", "requires_action": "requires_action",
    "requires_capture": "processing", "processing": "processing", "succeeded": "succeeded", "canceled": "cancelled",
}  # fmt: skip
REFUND_STATES = {"succeeded": "succeeded", "failed": "failed", "canceled": "failed"}
ABOUT = {
    "payment_intent": "payment", "charge": "payment", "checkout.session": "checkout", "refund": "refund",
    "setup_intent": "setup", "dispute": "dispute", "payout": "payout",
}  # fmt: skip
PAYOUT_STATES = {"paid": "paid", "failed": "failed", "canceled": "failed"}
MOVED = {
    "charge": "charge", "charge_failure": "charge", "partial_capture_reversal": "charge", "refund": "refund",
    "refund_failure": "refund", "dispute": "dispute", "dispute_reversal": "dispute", "payout_reversal": "payout",
    "fee": "fee", "network_cost": "fee", "tax": "fee",
}  # fmt: skip
"""Reporting categories of balance transactions, in our own words."""
EXPAND = ["payment_method", "latest_charge"]
T = TypeVar("T")
Body = dict[str, Any]


class StripeGateway:
    name = "stripe"

    def __init__(self, *, api_key: str, webhook_secret: str, api_base: str = "") -> None:
        if not api_key.strip() or not webhook_secret.strip():
            raise ValueError("Stripe needs an API key and a webhook secret: without one anybody could forge events.")
        stripe.enable_telemetry = False
        logging.getLogger("stripe").setLevel(logging.WARNING)  # it would tell of every call
        self._secret = webhook_secret.encode()
        self.simulated = api_key.startswith("sk_test_")
        session = requests.Session()
        if urlsplit(api_base).hostname in ("127.0.0.1", "localhost", "::1"):
            session.trust_env = False  # a proxy of the environment is not for loopback
        self._client = stripe.StripeClient(
            api_key,
            base_addresses={"api": api_base.rstrip("/")} if api_base else None,
            max_network_retries=0,
            http_client=stripe.RequestsClient(timeout=(CONNECT_SECONDS, READ_SECONDS), session=session),
        )

    # customers and methods
    def create_customer(self, customer: NewCustomer, *, key: str) -> str:
        made = _ask(
            lambda: self._client.v1.customers.create(
                {"name": customer.name, "email": customer.email, "metadata": {"account": customer.reference}},
                {"idempotency_key": key},
            )
        )
        return made.id

    def method(self, ref: str) -> Method:
        return _method(_plain(_ask(lambda: self._client.v1.payment_methods.retrieve(ref))))

    def forget_method(self, ref: str) -> None:
        known = self.method(ref)
        if known.customer:
            _ask(lambda: self._client.v1.payment_methods.detach(ref))

    # the provider's page
    def start_checkout(self, wish: CheckoutWish, *, key: str) -> Checkout:
        params: Body = {
            "customer": wish.customer, "success_url": wish.success_url, "cancel_url": wish.cancel_url,
            "locale": wish.language if wish.language in ("en", "fr") else "auto", "metadata": dict(wish.metadata),
            "payment_method_types": ["sepa_debit" if wish.kind == "sepa" else "card"],
        }  # fmt: skip
        about: Body = {"description": wish.description, "metadata": dict(wish.metadata)}
        if wish.amount_cents is None:
            params |= {"mode": "setup", "setup_intent_data": about}
        else:
            price = {
                "currency": wish.currency, "unit_amount": wish.amount_cents, "product_data": {"name": wish.description},
            }  # fmt: skip
            params |= {"mode": "payment", "line_items": [{"quantity": 1, "price_data": price}]}
            params["billing_address_collection"] = "required"  # what the card's bank can compare (SUB-4)
            params["payment_intent_data"] = {**about, **({"setup_future_usage": "off_session"} if wish.keep else {})}
        made = _ask(lambda: self._client.v1.checkout.sessions.create(cast("Any", params), {"idempotency_key": key}))
        return _checkout(_plain(made))

    def checkout(self, ref: str) -> Checkout:
        expand = [*(f"payment_intent.{name}" for name in EXPAND), "setup_intent.payment_method", "setup_intent.mandate"]
        return _checkout(_plain(_ask(lambda: self._client.v1.checkout.sessions.retrieve(ref, {"expand": expand}))))

    def close_checkout(self, ref: str) -> Checkout:
        try:
            self._client.v1.checkout.sessions.expire(ref)
        except stripe.InvalidRequestError as refusal:
            if self.checkout(ref).state == "open":
                raise _provider_error(refusal) from refusal
        except stripe.StripeError as problem:
            raise _provider_error(problem) from problem
        return self.checkout(ref)

    # charges
    def charge(self, wish: ChargeWish, *, key: str) -> Charge:
        params: Body = {
            "amount": wish.amount_cents, "currency": wish.currency, "customer": wish.customer,
            "payment_method": wish.method, "description": wish.description, "metadata": dict(wish.metadata),
            "payment_method_types": ["card", "sepa_debit"], "confirm": True, "off_session": True, "expand": EXPAND,
        }  # fmt: skip
        try:
            made = self._client.v1.payment_intents.create(cast("Any", params), {"idempotency_key": key})
        except stripe.CardError as refusal:
            return _refused(refusal, wish)
        except stripe.StripeError as problem:
            raise _provider_error(problem) from problem
        return _charge(_plain(made))

    def retrieve(self, ref: str) -> Charge:
        return _charge(_plain(_ask(lambda: self._client.v1.payment_intents.retrieve(ref, {"expand": EXPAND}))))

    def find(self, customer: str, metadata: Mapping[str, str]) -> Charge | None:
        """Lists, not searches: Stripe's search lags behind, its lists do not."""
        params: Body = {"customer": customer, "limit": 100, "expand": [f"data.{name}" for name in EXPAND]}
        found = _ask(lambda: self._client.v1.payment_intents.list(cast("Any", params)))
        return next((_charge(body) for body in _each(found) if _carries(body, metadata)), None)

    def list_payments(self, since: datetime) -> Iterator[Charge]:
        created = {"gte": int(since.timestamp())}
        params: Body = {"created": created, "limit": 100, "expand": [f"data.{name}" for name in EXPAND]}
        found = _ask(lambda: self._client.v1.payment_intents.list(cast("Any", params)))
        return (_charge(body) for body in _each(found))

    # refunds
    def refund(self, payment: str, amount_cents: int, *, metadata: Mapping[str, str], key: str) -> RefundState:
        params: Body = {
            "payment_intent": payment, "amount": amount_cents, "reason": "requested_by_customer",
            "metadata": dict(metadata),
        }  # fmt: skip
        made = _ask(lambda: self._client.v1.refunds.create(cast("Any", params), {"idempotency_key": key}))
        return _refund(_plain(made))

    def find_refund(self, payment: str, metadata: Mapping[str, str]) -> RefundState | None:
        found = _ask(lambda: self._client.v1.refunds.list({"payment_intent": payment, "limit": 100}))
        return next((_refund(body) for body in _each(found) if _carries(body, metadata)), None)

    def disputes(self, payment: str) -> list[DisputeState]:
        found = _ask(lambda: self._client.v1.disputes.list({"payment_intent": payment, "limit": 100}))
        states = [_dispute(body) for body in _each(found) if not body["status"].startswith("warning")]
        return states[::-1]

    # payouts
    def payout(self, ref: str) -> PayoutState:
        return _payout(_plain(_ask(lambda: self._client.v1.payouts.retrieve(ref))))

    def list_payouts(self, since: datetime) -> Iterator[PayoutState]:
        params: Body = {"created": {"gte": int(since.timestamp())}, "limit": 100}
        found = _ask(lambda: self._client.v1.payouts.list(cast("Any", params)))
        return (_payout(body) for body in _each(found))

    def movements(self, payout: str) -> Iterator[Movement]:
        params: Body = {"payout": payout, "limit": 100, "expand": ["data.source"]}
        found = _ask(lambda: self._client.v1.balance_transactions.list(cast("Any", params)))
        return (_movement(body) for body in _each(found) if body["reporting_category"] != "payout")

    # events
    def list_events(self, since: datetime) -> Iterator[GatewayEvent]:
        params: Body = {"created": {"gte": int(since.timestamp())}, "limit": 100}
        found = _ask(lambda: self._client.v1.events.list(cast("Any", params)))
        return iter([_event(body, json.dumps(body).encode()) for body in _each(found)][::-1])

    def parse_webhook(self, raw: bytes, headers: Mapping[str, str], *, now: datetime) -> GatewayEvent:
        stamp = self._signed_at(raw, headers.get("Stripe-Signature") or headers.get("stripe-signature") or "")
        if stamp is None:
            raise SignatureRefused("The signature is wrong.")
        if abs(now.timestamp() - stamp) > TOLERANCE_SECONDS:
            raise SignatureRefused("The signature is too old, or from the future.")
        try:
            return _event(json.loads(raw), raw)
        except (ValueError, KeyError, TypeError, AttributeError):
            raise SignatureRefused("The message is signed, but it is no event.") from None

    def _signed_at(self, raw: bytes, given: str) -> int | None:
        """When a message was signed (Unix seconds); None unless one of its signatures (scheme v1) is by our secret."""
        parts = [part.partition("=") for part in given.split(",")]
        stamp = next((value for name, _, value in parts if name == "t"), "")
        right = hmac.digest(self._secret, stamp.encode() + b"." + raw, "sha256").hex().encode()
        signed = any(name == "v1" and hmac.compare_digest(right, value.encode()) for name, _, value in parts)
        return int(stamp) if signed and stamp.isdecimal() else None


def _ask(call: Callable[[], T]) -> T:
    try:
        return call()
    except stripe.StripeError as problem:
        raise _provider_error(problem) from problem


def _provider_error(problem: stripe.StripeError) -> ProviderError:
    """Passing troubles are tried again; a request that Stripe will never accept goes to staff at once."""
    passing = isinstance(problem, stripe.APIConnectionError | stripe.RateLimitError) or (
        isinstance(problem, stripe.APIError) and (problem.http_status or 500) in (409, *range(500, 600))
    )
    code = problem.code or (problem.error.code if problem.error and "code" in problem.error.to_dict() else "") or ""
    if isinstance(problem, stripe.IdempotencyError):
        code = "idempotency"
    return ProviderError(f"Stripe: {problem.user_message or problem}", permanent=not passing, code=code)


def _refused(refusal: stripe.CardError, wish: ChargeWish) -> Charge:
    error = refusal.error.to_dict() if refusal.error else {}
    code = error.get("decline_code") or error.get("code") or "declined"
    intent = error.get("payment_intent")
    if intent:
        return _charge(intent)
    return Charge(
        ref="", state="failed", amount_cents=wish.amount_cents, currency=wish.currency, customer=wish.customer,
        decline_code=code, metadata=wish.metadata,
    )  # fmt: skip


def _plain(thing: stripe.StripeObject) -> Body:
    return thing.to_dict()


def _each(found: Any) -> Iterator[Body]:
    try:
        for thing in found.auto_paging_iter():
            yield _plain(thing)
    except stripe.StripeError as problem:
        raise _provider_error(problem) from problem


def _carries(body: Body, metadata: Mapping[str, str]) -> bool:
    return metadata.items() <= (body.get("metadata") or {}).items()


def _name(value: Any) -> str:
    """The name of a linked object, expanded or not."""
    return str(value["id"] if isinstance(value, dict) else value or "")


def _charge(body: Body) -> Charge:
    error = body.get("last_payment_error") or {}
    state = STATES[body["status"]]
    if state == "open" and error:
        state = "failed"
    latest, paid_by = body.get("latest_charge"), body.get("payment_method")
    method = _method(paid_by, charge=latest) if isinstance(paid_by, dict) else None
    action = (body.get("next_action") or {}).get("redirect_to_url") or {}
    return Charge(
        ref=body["id"], state=state, amount_cents=body["amount"], currency=body["currency"],
        customer=_name(body.get("customer")), method=method,
        refunded_cents=latest["amount_refunded"] if isinstance(latest, dict) else 0,
        decline_code=(error.get("decline_code") or error.get("code") or "declined") if error else "",
        action_url=action.get("url") or "", metadata=body.get("metadata") or {},
    )  # fmt: skip


def _method(body: Body, *, mandate: Body | None = None, charge: Any = None) -> Method:
    """A means of payment; what its bank said of the address is the charge's, where there was one."""
    kind = "sepa" if body["type"] == "sepa_debit" else body["type"]
    detail = body.get(body["type"]) or {}
    charged = charge if isinstance(charge, dict) else {}
    details = (charged.get("payment_method_details") or {}).get("card") or detail
    address = (charged.get("billing_details") or body.get("billing_details") or {}).get("address") or {}
    return Method(
        ref=body["id"], kind=kind, brand=detail.get("brand") or "", last4=detail.get("last4") or "",
        customer=_name(body.get("customer")), exp_month=detail.get("exp_month"), exp_year=detail.get("exp_year"),
        mandate=(((mandate or {}).get("payment_method_details") or {}).get("sepa_debit") or {}).get("reference") or "",
        country=detail.get("country") or "", postcode=address.get("postal_code") or "",
        street_check=_checked(details, "address_line1_check"),
        postcode_check=_checked(details, "address_postal_code_check"),
    )  # fmt: skip


def _checked(card: Body, what: str) -> str:
    """ "pass" or "fail"; "" for what the bank did not check."""
    said = (card.get("checks") or {}).get(what)
    return said if said in ("pass", "fail") else ""


def _checkout(body: Body) -> Checkout:
    intent, setup = body.get("payment_intent"), body.get("setup_intent")
    charge = _charge(intent) if isinstance(intent, dict) else None
    method = charge.method if charge else None
    if isinstance(setup, dict) and isinstance(setup.get("payment_method"), dict):
        mandate = setup.get("mandate")
        method = _method(setup["payment_method"], mandate=mandate if isinstance(mandate, dict) else None)
    return Checkout(
        ref=body["id"], state=body["status"], url=body.get("url") or "", charge=charge,
        method=method if method and method.customer else None, metadata=body.get("metadata") or {},
    )  # fmt: skip


def _refund(body: Body) -> RefundState:
    return RefundState(
        ref=body["id"], state=REFUND_STATES.get(body["status"] or "", "pending"), amount_cents=body["amount"],
        payment=_name(body.get("payment_intent")), metadata=body.get("metadata") or {},
    )  # fmt: skip


def _dispute(body: Body) -> DisputeState:
    due = (body.get("evidence_details") or {}).get("due_by")
    return DisputeState(
        ref=body["id"], state=body["status"] if body["status"] in ("won", "lost") else "open",
        amount_cents=body["amount"], reason=body.get("reason") or "",
        at=datetime.fromtimestamp(body["created"], UTC),
        respond_by=datetime.fromtimestamp(due, UTC) if due else None,
    )  # fmt: skip


def _payout(body: Body) -> PayoutState:
    known = body["reconciliation_status"]
    return PayoutState(
        ref=body["id"], state=PAYOUT_STATES.get(body["status"], "moving"), amount_cents=body["amount"],
        at=datetime.fromtimestamp(body["created"], UTC),
        arrives_on=datetime.fromtimestamp(body["arrival_date"], UTC).date(),
        trace=(body.get("trace_id") or {}).get("value") or "", itemised=known == "completed",
        settled=known != "in_progress",
    )  # fmt: skip


def _movement(body: Body) -> Movement:
    """A fee of its own is a transaction over nothing but the fee."""
    kind, cents, source = MOVED.get(body["reporting_category"], "other"), body["amount"], body.get("source")
    named = _name(source.get("payment_intent")) if kind == "charge" and isinstance(source, dict) else ""
    return Movement(
        ref=body["id"], kind=kind, gross_cents=0 if kind == "fee" else cents,
        fee_cents=body["fee"] - cents if kind == "fee" else body["fee"], source=named or _name(source),
        at=datetime.fromtimestamp(body["created"], UTC),
    )  # fmt: skip


def _event(body: Body, raw: bytes) -> GatewayEvent:
    thing = body["data"]["object"]
    about = ABOUT.get(thing.get("object", ""), "other")
    payment = thing["id"] if thing.get("object") == "payment_intent" else _name(thing.get("payment_intent"))
    return GatewayEvent(
        id=body["id"], kind=body["type"], about=about, ref=str(thing.get("id", "")), payment=payment,
        at=datetime.fromtimestamp(body["created"], UTC), metadata=thing.get("metadata") or {}, raw=raw,
    )  # fmt: skip
