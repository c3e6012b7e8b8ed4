"""What each endpoint takes and does. Anything not listed here is refused, as at Stripe."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from invoicing.gateways.fake import balance, cards, intents, objects, refunds, sessions
from invoicing.gateways.fake.faults import Fault
from invoicing.gateways.fake.params import METADATA, P, Spec
from invoicing.gateways.fake.store import Object, Store, page

Given = dict[str, Any]
LIST: Spec = {
    "limit": P("int", low=1, high=100),
    "starting_after": P(),
    "ending_before": P(),
    "created": P("hash", fields={name: P("int") for name in ("gt", "gte", "lt", "lte")}),
}
ADDRESS = P("hash", fields={name: P() for name in ("city", "country", "line1", "line2", "postal_code", "state")})
BILLING = P("hash", fields={"name": P(), "email": P(), "phone": P(), "address": ADDRESS})
CURRENCY = P(required=True, choices=("eur",))
KINDS = P("list", item=P(choices=("card", "sepa_debit")))
REASONS = ("duplicate", "fraudulent", "requested_by_customer")

CUSTOMER: Spec = {
    "name": P(longest=256),
    "email": P(longest=512),
    "phone": P(longest=20),
    "description": P(),
    "address": ADDRESS,
    "metadata": METADATA,
    "preferred_locales": P("list", item=P()),
}
METHOD: Spec = {
    "type": P(required=True, choices=("card", "sepa_debit")),
    "billing_details": BILLING,
    "metadata": METADATA,
    "card": P(
        "hash",
        fields={
            "number": P(required=True),
            "exp_month": P("int", required=True, low=1, high=12),
            "exp_year": P("int", required=True, low=2000, high=2100),
            "cvc": P(longest=4),
        },
    ),
    "sepa_debit": P("hash", fields={"iban": P(required=True)}),
}
CONFIRM: Spec = {"payment_method": P(), "off_session": P("bool"), "return_url": P("url")}
INTENT: Spec = {
    **CONFIRM,
    "amount": P("int", required=True, high=99_999_999),
    "currency": CURRENCY,
    "customer": P(),
    "confirm": P("bool"),
    "description": P(longest=1000),
    "metadata": METADATA,
    "payment_method_types": KINDS,
    "setup_future_usage": P(choices=("off_session", "on_session")),
}
SETUP: Spec = {
    "customer": P(),
    "payment_method": P(),
    "confirm": P("bool"),
    "return_url": P("url"),
    "metadata": METADATA,
    "payment_method_types": KINDS,
    "usage": P(choices=("off_session", "on_session")),
    "description": P(),
}
LINE = P(
    "hash",
    fields={
        "quantity": P("int", required=True, low=1),
        "price_data": P(
            "hash",
            required=True,
            fields={
                "currency": CURRENCY,
                "unit_amount": P("int", required=True, low=0, high=99_999_999),
                "product_data": P("hash", required=True, fields={"name": P(required=True), "description": P()}),
            },
        ),
    },
)
SESSION: Spec = {
    "mode": P(required=True, choices=("payment", "setup")),
    "success_url": P("url", required=True),
    "cancel_url": P("url"),
    "customer": P(),
    "customer_email": P(),
    "client_reference_id": P(longest=200),
    "billing_address_collection": P(choices=("auto", "required")),
    "metadata": METADATA,
    "line_items": P("list", item=LINE),
    "currency": P(choices=("eur",)),
    "locale": P(choices=("auto", "en", "fr")),
    "expires_at": P("int"),
    "payment_method_types": KINDS,
    "payment_intent_data": P(
        "hash",
        fields={
            "metadata": METADATA,
            "description": P(longest=1000),
            "setup_future_usage": P(choices=("off_session", "on_session")),
        },
    ),
    "setup_intent_data": P("hash", fields={"metadata": METADATA, "description": P(longest=1000)}),
}
REFUND: Spec = {
    "payment_intent": P(),
    "charge": P(),
    "amount": P("int", low=1),
    "reason": P(choices=REASONS),
    "metadata": METADATA,
}


def customer_create(store: Store, given: Given) -> Object:
    made = store.put(objects.customer(store, given))
    store.emit("customer.created", made)
    return made


def customer_update(store: Store, ref: str, given: Given) -> Object:
    known = store.get("customer", ref)
    known.update({**given, "metadata": {**known["metadata"], **given.get("metadata", {})}})
    store.emit("customer.updated", store.put(known))
    return known


def method_create(store: Store, given: Given) -> Object:
    kind = given["type"]
    if kind not in given:
        raise Fault(f"Missing required param: {kind}.", code="parameter_missing", param=kind)
    billing = given.get("billing_details", {})
    if kind == "sepa_debit":
        if not (billing.get("name") and billing.get("email")):
            raise Fault(
                "You must collect the name and the email of the holder.",
                code="parameter_missing",
                param="billing_details",
            )
        return store.put(objects.sepa_method(store, cards.read_iban(given[kind]["iban"]), billing))
    detail = given["card"]
    return store.put(
        objects.card_method(
            store, cards.read_number(detail["number"]), detail["exp_month"], detail["exp_year"], billing
        )
    )


def method_attach(store: Store, ref: str, given: Given) -> Object:
    store.get("customer", given["customer"], param="customer")
    return intents.attach(store, intents.resolve(store, ref), given["customer"])


def method_detach(store: Store, ref: str, given: Given) -> Object:
    method = store.get("payment_method", ref)
    if not method["customer"]:
        raise Fault(
            "The payment method you provided is not attached to a customer so detachment is impossible.",
            param="payment_method",
        )
    method.update(customer=None, _spent=True)
    store.emit("payment_method.detached", store.put(method))
    return method


def intent_create(store: Store, given: Given) -> Object:
    if given["amount"] < 50:
        raise Fault("Amount must be at least €0.50 eur", code="amount_too_small", param="amount")
    if given.get("customer"):
        store.get("customer", given["customer"], param="customer")
    for name in ("off_session", "return_url"):
        if name in given and not given.get("confirm"):
            raise Fault(f"`{name}` can only be passed with `confirm=true`.", param=name)
    intent = objects.payment_intent(store, given)
    method = intents.resolve(store, given["payment_method"]) if "payment_method" in given else None
    if method:
        intent.update(payment_method=method["id"], status="requires_confirmation")
    store.put(intent)
    store.emit("payment_intent.created", intent)
    if not given.get("confirm"):
        return intent
    return _confirm(store, intent, method, given)


def intent_confirm(store: Store, ref: str, given: Given) -> Object:
    intent = store.get("payment_intent", ref)
    method = intents.resolve(store, given["payment_method"]) if "payment_method" in given else None
    return _confirm(store, intent, method, given)


def setup_create(store: Store, given: Given) -> Object:
    if given.get("customer"):
        store.get("customer", given["customer"], param="customer")
    intent = objects.setup_intent(store, given)
    method = intents.resolve(store, given["payment_method"]) if "payment_method" in given else None
    if method:
        intent.update(payment_method=method["id"], status="requires_confirmation")
    store.put(intent)
    store.emit("setup_intent.created", intent)
    return _confirm(store, intent, method, given) if given.get("confirm") else intent


def setup_confirm(store: Store, ref: str, given: Given) -> Object:
    intent = store.get("setup_intent", ref)
    method = intents.resolve(store, given["payment_method"]) if "payment_method" in given else None
    return _confirm(store, intent, method, given)


def _confirm(store: Store, intent: Object, method: Object | None, given: Given) -> Object:
    if method is None and intent["payment_method"]:
        method = store.get("payment_method", intent["payment_method"])
    if method is None:
        raise Fault(
            "You cannot confirm this intent because it's missing a payment method.",
            code=f"{intent['object']}_unexpected_state",
        )
    return intents.confirm(
        store, intent, method, off_session=given.get("off_session", False), return_url=given.get("return_url")
    )


def intent_cancel(store: Store, ref: str, given: Given) -> Object:
    return intents.cancel(store, store.get("payment_intent", ref), given.get("cancellation_reason"))


def session_lines(store: Store, ref: str, given: Given) -> Object:
    session = store.get("checkout.session", ref)
    return {
        "object": "list",
        "data": sessions.line_items(store, session),
        "has_more": False,
        "url": f"/v1/checkout/sessions/{ref}/line_items",
    }


def _show(kind: str) -> Callable[..., Object]:
    return lambda store, ref, given: store.get(kind, ref)


def _list(kind: str, url: str, *filters: str) -> Callable[..., Object]:
    def run(store: Store, given: Given) -> Object:
        return page(store.where(kind, **{name: given[name] for name in filters if name in given}), given, url)

    return run


def _transactions(store: Store, given: Given) -> Object:
    return page(balance.transactions(store, given), given, "/v1/balance_transactions")


def _events(store: Store, given: Given) -> Object:
    wanted = set(given.get("types", [])) | ({given["type"]} if "type" in given else set())
    rows = [row for row in store.where("event") if not wanted or row["type"] in wanted]
    return page(rows, given, "/v1/events")


ENDPOINTS: dict[tuple[str, str], tuple[Spec, Callable[..., Object]]] = {
    ("POST", "/v1/customers"): (CUSTOMER, customer_create),
    ("GET", "/v1/customers"): ({**LIST, "email": P()}, _list("customer", "/v1/customers", "email")),
    ("GET", "/v1/customers/{id}"): ({}, _show("customer")),
    ("POST", "/v1/customers/{id}"): (CUSTOMER, customer_update),
    ("POST", "/v1/payment_methods"): (METHOD, method_create),
    ("GET", "/v1/payment_methods"): (
        {**LIST, "customer": P(), "type": P(choices=("card", "sepa_debit"))},
        _list("payment_method", "/v1/payment_methods", "customer", "type"),
    ),
    ("GET", "/v1/payment_methods/{id}"): ({}, lambda store, ref, given: intents.resolve(store, ref)),
    ("POST", "/v1/payment_methods/{id}/attach"): ({"customer": P(required=True)}, method_attach),
    ("POST", "/v1/payment_methods/{id}/detach"): ({}, method_detach),
    ("POST", "/v1/payment_intents"): (INTENT, intent_create),
    ("GET", "/v1/payment_intents"): (
        {**LIST, "customer": P()},
        _list("payment_intent", "/v1/payment_intents", "customer"),
    ),
    ("GET", "/v1/payment_intents/{id}"): ({}, _show("payment_intent")),
    ("POST", "/v1/payment_intents/{id}/confirm"): (CONFIRM, intent_confirm),
    ("POST", "/v1/payment_intents/{id}/cancel"): (
        {"cancellation_reason": P(choices=("duplicate", "fraudulent", "requested_by_customer", "abandoned"))},
        intent_cancel,
    ),
    ("POST", "/v1/setup_intents"): (SETUP, setup_create),
    ("GET", "/v1/setup_intents/{id}"): ({}, _show("setup_intent")),
    ("POST", "/v1/setup_intents/{id}/confirm"): ({"payment_method": P(), "return_url": P("url")}, setup_confirm),
    ("GET", "/v1/mandates/{id}"): ({}, _show("mandate")),
    ("GET", "/v1/disputes"): (
        {**LIST, "payment_intent": P(), "charge": P()},
        _list("dispute", "/v1/disputes", "payment_intent", "charge"),
    ),
    ("GET", "/v1/disputes/{id}"): ({}, _show("dispute")),
    ("GET", "/v1/charges/{id}"): ({}, _show("charge")),
    ("POST", "/v1/refunds"): (REFUND, refunds.create),
    ("GET", "/v1/refunds"): (
        {**LIST, "payment_intent": P(), "charge": P()},
        _list("refund", "/v1/refunds", "payment_intent", "charge"),
    ),
    ("GET", "/v1/refunds/{id}"): ({}, _show("refund")),
    ("POST", "/v1/checkout/sessions"): (SESSION, sessions.create),
    ("GET", "/v1/checkout/sessions"): (
        {**LIST, "customer": P(), "payment_intent": P(), "status": P(choices=("open", "complete", "expired"))},
        _list("checkout.session", "/v1/checkout/sessions", "customer", "payment_intent", "status"),
    ),
    ("GET", "/v1/checkout/sessions/{id}"): ({}, _show("checkout.session")),
    ("GET", "/v1/checkout/sessions/{id}/line_items"): (LIST, session_lines),
    ("POST", "/v1/checkout/sessions/{id}/expire"): (
        {},
        lambda store, ref, given: sessions.expire(store, store.get("checkout.session", ref)),
    ),
    ("GET", "/v1/balance"): ({}, balance.show),
    ("GET", "/v1/balance_transactions"): ({**LIST, "payout": P(), "type": P(), "source": P()}, _transactions),
    ("GET", "/v1/balance_transactions/{id}"): ({}, _show("balance_transaction")),
    ("GET", "/v1/payouts"): (
        {**LIST, "status": P(choices=("pending", "in_transit", "paid", "failed", "canceled"))},
        _list("payout", "/v1/payouts", "status"),
    ),
    ("GET", "/v1/payouts/{id}"): ({}, _show("payout")),
    ("GET", "/v1/events"): (
        {
            **LIST,
            "type": P(),
            "types": P(
                "list",
                item=P(),
            ),
        },
        _events,
    ),
    ("GET", "/v1/events/{id}"): ({}, _show("event")),
}
