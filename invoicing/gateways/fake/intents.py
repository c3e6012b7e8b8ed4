"""PaymentIntents and SetupIntents: one attempt, its three outcomes, and the person's answer to 3-D Secure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from invoicing.gateways.fake import balance, cards, objects, sessions
from invoicing.gateways.fake.faults import CardFault, Fault
from invoicing.gateways.fake.store import Object, Store, public

SEPA_SECONDS = 3 * 24 * 3600
NAMES = {
    "payment_intent": ("payment_intent.payment_failed", "last_payment_error", "PaymentIntent"),
    "setup_intent": ("setup_intent.setup_failed", "last_setup_error", "SetupIntent"),
}
CONFIRMABLE = ("requires_payment_method", "requires_confirmation")


def resolve(store: Store, ref: str) -> Object:
    """The payment method of a reference; the `pm_card_...` names give a fresh one each time, as at Stripe."""
    if ref in cards.NAMED:
        card = cards.CARDS[cards.NAMED[ref]]
        method = objects.card_method(store, card, 12, 2036)
        return store.put(method)
    return store.get("payment_method", ref, param="payment_method")


def attach(store: Store, method: Object, customer: str) -> Object:
    """Keep a method for a customer. The bank is asked: a refused card is refused here."""
    if method["customer"] not in (None, customer):
        raise Fault(
            "The payment method you provided has already been attached to a customer.",
            code="payment_method_already_attached",
            param="payment_method",
        )
    if method["_spent"] and not method["customer"]:
        raise Fault(
            "This PaymentMethod was previously used without being attached to a Customer or was detached from "
            "a Customer, and may not be used again.",
            param="payment_method",
        )
    _refuse_when_kept(store, method)
    method["customer"] = customer
    store.put(method)
    store.emit("payment_method.attached", method)
    return method


def confirm(store: Store, intent: Object, method: Object, *, off_session: bool, return_url: str | None) -> Object:
    """One attempt. CardFault when the bank refuses; the intent then asks for another method."""
    if intent["status"] not in CONFIRMABLE:
        name = NAMES[intent["object"]][2]
        unexpected = f"This {name}'s status is {intent['status']}; it cannot be confirmed."
        raise Fault(unexpected, code=f"{intent['object']}_unexpected_state")
    if method["type"] not in intent["payment_method_types"]:
        raise Fault(f"The payment method type '{method['type']}' is not allowed here.", param="payment_method_types")
    if method["customer"] and method["customer"] != intent["customer"]:
        raise Fault(
            "The provided PaymentMethod belongs to another Customer. Pass its customer.", param="payment_method"
        )
    if method["_spent"] and not method["customer"]:
        raise Fault(
            "The provided PaymentMethod was previously used without being attached to a Customer and may not "
            "be used again.",
            param="payment_method",
        )
    if off_session and not method["customer"]:
        raise Fault(
            "The customer does not have a payment method with that ID. It must be attached to the customer.",
            code="missing",
            param="payment_method",
        )
    intent.update({"payment_method": method["id"], NAMES[intent["object"]][1]: None, "_return_url": return_url})
    if _challenged(method, off_session):
        if off_session:
            return _refused(store, intent, method, cards.refusal("authentication_required"))
        intent["status"] = "requires_action"
        intent["next_action"] = _next_action(store, intent, return_url)
        store.put(intent)
        store.emit(f"{intent['object']}.requires_action", intent)
        return intent
    return carry_out(store, intent, method)


def answer(store: Store, intent: Object, *, authorised: bool) -> Object:
    """What the person said at the bank's 3-D Secure page. CardFault when refused, or when the bank then refuses."""
    if intent["status"] != "requires_action":
        raise Fault("This challenge was answered already.", code="challenge_answered")
    method = store.get("payment_method", intent["payment_method"])
    intent["next_action"] = None
    if not authorised:
        fault = CardFault(
            "We are unable to authenticate your payment method. Please choose a different payment method "
            "and try again.",
            code=f"{intent['object']}_authentication_failure",
        )
        return _refused(store, intent, method, fault)
    return carry_out(store, intent, method)


def carry_out(store: Store, intent: Object, method: Object) -> Object:
    """The bank decides, and everything that follows from its answer is written."""
    if intent["object"] == "setup_intent":
        return _set_up(store, intent, method)
    decline = _decline(store, method)
    paid = objects.charge(store, intent, method)
    intent["latest_charge"] = paid["id"]
    if method["type"] == "sepa_debit":
        intent["status"] = "processing"
        intent["_settles_at"] = store.now() + SEPA_SECONDS
        intent["_settles_with"] = decline
        store.put(paid)
        store.put(intent)
        store.emit("payment_intent.processing", intent)
        return intent
    if decline:
        fault = cards.refusal(decline, charge=paid["id"])
        paid.update(status="failed", failure_code=fault.body["code"], failure_message=fault.body["message"])
        store.put(paid)
        store.emit("charge.failed", paid)
        return _refused(store, intent, method, fault)
    return succeed(store, intent, paid, method)


def _set_up(store: Store, intent: Object, method: Object) -> Object:
    try:
        _refuse_when_kept(store, method)
    except CardFault as fault:
        return _refused(store, intent, method, fault)
    _keep(store, intent, method)
    if method["type"] == "sepa_debit":
        intent["mandate"] = store.put(objects.mandate(store, method))["id"]
    intent["status"] = "succeeded"
    store.put(intent)
    store.emit("setup_intent.succeeded", intent)
    sessions.intent_done(store, intent)
    return intent


def succeed(store: Store, intent: Object, paid: Object, method: Object) -> Object:
    paid.update(
        status="succeeded",
        paid=True,
        captured=True,
        amount_captured=paid["amount"],
        balance_transaction=balance.charged(store, paid),
        outcome={
            "network_status": "approved_by_network",
            "reason": None,
            "risk_level": "normal",
            "seller_message": "Payment complete.",
            "type": "authorized",
            "network_advice_code": None,
            "network_decline_code": None,
            "advice_code": None,
        },
    )
    store.put(paid)
    intent.update(status="succeeded", amount_received=intent["amount"], next_action=None, last_payment_error=None)
    if intent["setup_future_usage"] == "off_session" and intent["customer"]:
        _keep(store, intent, method)
    elif not method["customer"]:
        method["_spent"] = True
        store.put(method)
    store.put(intent)
    store.emit("charge.succeeded", paid)
    store.emit("payment_intent.succeeded", intent)
    sessions.intent_done(store, intent)
    return intent


def cancel(store: Store, intent: Object, reason: str | None) -> Object:
    if intent["status"] in ("succeeded", "processing", "canceled"):
        raise Fault(
            f"You cannot cancel this PaymentIntent because it has a status of {intent['status']}.",
            code="payment_intent_unexpected_state",
            payment_intent=public(intent),
        )
    intent.update(status="canceled", canceled_at=int(store.now()), cancellation_reason=reason, next_action=None)
    store.put(intent)
    store.emit("payment_intent.canceled", intent)
    return intent


def settle_due(store: Store) -> None:
    """Direct debits whose banking days have passed succeed or come back."""
    for intent in store.where("payment_intent", status="processing"):
        if intent["_settles_at"] > store.now():
            continue
        method = store.get("payment_method", intent["payment_method"])
        paid = store.get("charge", intent["latest_charge"])
        if not intent["_settles_with"]:
            succeed(store, intent, paid, method)
            continue
        fault = cards.refusal(intent["_settles_with"], charge=paid["id"])
        paid.update(status="failed", failure_code=intent["_settles_with"], failure_message=fault.body["message"])
        store.put(paid)
        store.emit("charge.failed", paid)
        try:
            _refused(store, intent, method, fault)
        except CardFault:
            continue


def _refused(store: Store, intent: Object, method: Object, fault: CardFault) -> Object:
    event, error_field, _ = NAMES[intent["object"]]
    if not method["customer"]:
        method["_spent"] = True
        store.put(method)
    intent.update(status="requires_payment_method", payment_method=None, next_action=None)
    intent[error_field] = {**fault.body, "payment_method": public(method)}
    store.put(intent)
    store.emit(event, intent)
    fault.body.setdefault("payment_method", public(method))
    fault.body[intent["object"]] = public(intent)
    raise fault


def _keep(store: Store, intent: Object, method: Object) -> None:
    method["_set_up"] = True
    if intent["customer"] and not method["customer"]:
        method["customer"] = intent["customer"]
        store.put(method)
        store.emit("payment_method.attached", method)
    store.put(method)


def _challenged(method: Object, off_session: bool) -> bool:
    challenge = cards.CARDS[method["_test_card"]].challenge if method["type"] == "card" else ""
    return challenge == "always" or (challenge == "unless_set_up" and not (off_session and method["_set_up"]))


def _decline(store: Store, method: Object) -> str:
    wanted = store.take_mischief("decline", "")
    if wanted:
        return str(wanted)
    if method["type"] == "sepa_debit":
        return cards.IBANS[method["_iban"]]
    return "expired_card" if _expired(store, method) else cards.CARDS[method["_test_card"]].refuse


def _refuse_when_kept(store: Store, method: Object) -> None:
    if method["type"] != "card":
        return
    card = cards.CARDS[method["_test_card"]]
    if _expired(store, method):
        raise cards.refusal("expired_card")
    if card.refuse and card.refuse_attach:
        raise cards.refusal(card.refuse)


def _expired(store: Store, method: Object) -> bool:
    today = datetime.fromtimestamp(store.now(), UTC)
    return (method["card"]["exp_year"], method["card"]["exp_month"]) < (today.year, today.month)


def _next_action(store: Store, intent: Object, return_url: str | None) -> dict[str, Any]:
    if return_url is None:
        return {"type": "use_stripe_sdk", "use_stripe_sdk": {"type": "three_d_secure_redirect"}}
    url = f"{store.page_base(return_url)}/3ds/{intent['id']}/{intent['client_secret'].rsplit('_', 1)[1]}"
    return {"type": "redirect_to_url", "redirect_to_url": {"return_url": return_url, "url": url}}
