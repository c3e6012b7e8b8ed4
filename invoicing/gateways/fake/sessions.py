"""Checkout Sessions: a page hosted by the provider, so that no card number ever touches the panel."""

from __future__ import annotations

from typing import Any

from invoicing.gateways.fake import objects
from invoicing.gateways.fake.faults import Fault
from invoicing.gateways.fake.store import Object, Store, public


def create(store: Store, given: dict[str, Any]) -> Object:
    paying = given["mode"] == "payment"
    if paying and not given.get("line_items"):
        raise Fault("Missing required param: line_items.", code="parameter_missing", param="line_items")
    if not paying and ("line_items" in given or "payment_intent_data" in given):
        raise Fault("You can not pass line_items or payment_intent_data in setup mode.", param="line_items")
    if paying and "setup_intent_data" in given:
        raise Fault("You can not pass setup_intent_data in payment mode.", param="setup_intent_data")
    if not paying and "currency" not in given and "payment_method_types" not in given:
        raise Fault("Missing required param: currency.", code="parameter_missing", param="currency")
    if "customer" in given and "customer_email" in given:
        raise Fault("You may only specify one of these parameters: customer, customer_email.", param="customer_email")
    if "customer" in given:
        store.get("customer", given["customer"], param="customer")
    now = store.now()
    if not now + 30 * 60 - 60 <= given.get("expires_at", now + 3600) <= now + 24 * 3600 + 60:
        raise Fault(
            "The `expires_at` timestamp must be between 30 minutes and 24 hours from Checkout Session creation.",
            param="expires_at",
        )
    made = objects.session(store, given)
    if paying and made["amount_total"] < 50:
        raise Fault("The Checkout Session's total amount must convert to at least 50 cents.", code="amount_too_small")
    made["success_url"] = made["success_url"].replace("{CHECKOUT_SESSION_ID}", made["id"])
    made["url"] = f"{store.page_base(made['success_url'])}/c/{made['id']}"
    return store.put(made)


def expire(store: Store, session: Object) -> Object:
    if session["status"] != "open":
        raise Fault(
            f"This Checkout Session is not open: its status is {session['status']}. Only Checkout Sessions with a "
            "status of `open` can be expired.",
            code="checkout_session_not_open",
        )
    for kind in ("payment_intent", "setup_intent"):
        if session[kind]:
            intent = store.get(kind, session[kind])
            intent.update(status="canceled", next_action=None)
            if kind == "payment_intent":
                intent.update(canceled_at=int(store.now()), cancellation_reason="automatic")
            store.put(intent)
            store.emit(f"{kind}.canceled", intent)
    session.update(status="expired", url=None)
    store.put(session)
    store.emit("checkout.session.expired", session)
    return session


def expire_due(store: Store) -> None:
    for session in store.where("checkout.session", status="open"):
        if session["expires_at"] <= store.now():
            expire(store, session)


def intent_for(store: Store, session: Object) -> Object:
    """The session's intent, made at the first attempt as Stripe does."""
    kind, field = ("payment_intent", "payment_intent") if session["mode"] == "payment" else ("setup_intent",) * 2
    if session[field]:
        return store.get(kind, session[field])
    shared = {"customer": session["customer"], "payment_method_types": session["payment_method_types"]}
    if kind == "payment_intent":
        intent = objects.payment_intent(
            store, {**shared, **session["_intent"], "amount": session["amount_total"], "currency": session["currency"]}
        )
    else:
        intent = objects.setup_intent(store, {**shared, **session["_setup"]})
    intent["_session"] = session["id"]
    session[field] = intent["id"]
    store.put(intent)
    store.put(session)
    store.emit(f"{kind}.created", intent)
    return intent


def intent_done(store: Store, intent: Object) -> None:
    """An intent succeeded: the session it belongs to, if any, is complete."""
    if not intent["_session"]:
        return
    session = store.get("checkout.session", intent["_session"])
    if session["status"] != "open":
        return
    session.update(status="complete", url=None)
    if session["mode"] == "payment":
        session["payment_status"] = "paid"
    store.put(session)
    store.emit("checkout.session.completed", session)


def line_items(store: Store, session: Object) -> list[Object]:
    made = []
    for number, line in enumerate(session["_lines"]):
        price = line["price_data"]
        total = price["unit_amount"] * line["quantity"]
        made.append(
            {
                "id": f"li_{session['id'][8:]}{number}",
                "object": "item",
                "amount_discount": 0,
                "amount_subtotal": total,
                "amount_tax": 0,
                "amount_total": total,
                "currency": price["currency"],
                "description": price["product_data"]["name"],
                "price": None,
                "quantity": line["quantity"],
            }
        )
    return [public(line) for line in made]
