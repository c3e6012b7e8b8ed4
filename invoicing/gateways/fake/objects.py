"""Newly made objects, with every key that Stripe's have. Keys that begin with `_` are ours and never leave the fake."""

from __future__ import annotations

from typing import Any

from invoicing.gateways.fake.cards import Card
from invoicing.gateways.fake.store import Object, Store

NOWHERE: Object = {"city": None, "country": None, "line1": None, "line2": None, "postal_code": None, "state": None}
NOBODY = {
    "address": NOWHERE,
    "email": None,
    "name": None,
    "phone": None,
    "tax_id": None,
}


def customer(store: Store, given: dict[str, Any]) -> Object:
    return {
        "id": store.new_id("cus"),
        "object": "customer",
        "address": given.get("address"),
        "balance": 0,
        "created": int(store.now()),
        "currency": None,
        "default_source": None,
        "delinquent": False,
        "description": given.get("description"),
        "discount": None,
        "email": given.get("email"),
        "invoice_prefix": None,
        "invoice_settings": {
            "custom_fields": None,
            "default_payment_method": None,
            "footer": None,
            "rendering_options": None,
        },
        "livemode": False,
        "metadata": given.get("metadata", {}),
        "name": given.get("name"),
        "next_invoice_sequence": 1,
        "phone": given.get("phone"),
        "preferred_locales": given.get("preferred_locales", []),
        "shipping": None,
        "tax_exempt": "none",
        "test_clock": None,
    }


def card_method(store: Store, card: Card, month: int, year: int, billing: dict[str, Any] | None = None) -> Object:
    return {
        "id": store.new_id("pm"),
        "object": "payment_method",
        "allow_redisplay": "unspecified",
        "billing_details": {**NOBODY, **(billing or {})},
        "created": int(store.now()),
        "customer": None,
        "customer_account": None,
        "livemode": False,
        "metadata": {},
        "type": "card",
        "card": {
            "brand": card.brand,
            "country": card.country,
            "display_brand": card.brand,
            "exp_month": month,
            "exp_year": year,
            "fingerprint": f"fake{card.number[-6:]}{card.brand}",
            "funding": "credit",
            "generated_from": None,
            "last4": card.number[-4:],
            "networks": {"available": [card.brand], "preferred": None},
            "checks": _checks(card, (billing or {}).get("address") or {}),
            "regulated_status": "unregulated",
            "three_d_secure_usage": {"supported": True},
            "wallet": None,
        },
        "_test_card": card.number,
        "_set_up": False,
        "_spent": False,
    }


def _checks(card: Card, typed: dict[str, Any]) -> Object:
    """What its bank says of the address that was typed with a card; null of what was not."""
    differs = {"line1": card.street_differs, "postal_code": card.postcode_differs}
    said = {
        part: ("fail" if wrong else "pass") if typed.get(part) or wrong else None for part, wrong in differs.items()
    }
    return {
        "address_line1_check": said["line1"], "address_postal_code_check": said["postal_code"], "cvc_check": "pass"
    }  # fmt: skip


def sepa_method(store: Store, iban: str, billing: dict[str, Any]) -> Object:
    return {
        "id": store.new_id("pm"),
        "object": "payment_method",
        "allow_redisplay": "unspecified",
        "billing_details": {**NOBODY, **billing},
        "created": int(store.now()),
        "customer": None,
        "customer_account": None,
        "livemode": False,
        "metadata": {},
        "type": "sepa_debit",
        "sepa_debit": {
            "bank_code": iban[4:12],
            "branch_code": "",
            "country": iban[:2],
            "fingerprint": f"fake{iban[-8:]}",
            "generated_from": {"charge": None, "setup_attempt": None},
            "last4": iban[-4:],
        },
        "_iban": iban,
        "_set_up": False,
        "_spent": False,
    }


def payment_intent(store: Store, given: dict[str, Any]) -> Object:
    ref = store.new_id("pi")
    return {
        "id": ref,
        "object": "payment_intent",
        "amount": given["amount"],
        "amount_capturable": 0,
        "amount_details": {"tip": {}},
        "amount_received": 0,
        "application": None,
        "application_fee_amount": None,
        "automatic_payment_methods": None,
        "canceled_at": None,
        "cancellation_reason": None,
        "capture_method": "automatic_async",
        "client_secret": f"{ref}_secret_{store.new_id('x')[2:]}",
        "confirmation_method": "automatic",
        "created": int(store.now()),
        "currency": given["currency"],
        "customer": given.get("customer"),
        "customer_account": None,
        "description": given.get("description"),
        "excluded_payment_method_types": None,
        "last_payment_error": None,
        "latest_charge": None,
        "livemode": False,
        "metadata": given.get("metadata", {}),
        "next_action": None,
        "on_behalf_of": None,
        "payment_method": None,
        "payment_method_configuration_details": None,
        "payment_method_options": {},
        "payment_method_types": given.get("payment_method_types", ["card"]),
        "processing": None,
        "receipt_email": None,
        "review": None,
        "setup_future_usage": given.get("setup_future_usage"),
        "shipping": None,
        "source": None,
        "statement_descriptor": None,
        "statement_descriptor_suffix": None,
        "status": "requires_payment_method",
        "transfer_data": None,
        "transfer_group": None,
        "_session": None,
        "_return_url": None,
    }


def setup_intent(store: Store, given: dict[str, Any]) -> Object:
    ref = store.new_id("seti")
    return {
        "id": ref,
        "object": "setup_intent",
        "application": None,
        "attach_to_self": None,
        "automatic_payment_methods": None,
        "cancellation_reason": None,
        "client_secret": f"{ref}_secret_{store.new_id('x')[2:]}",
        "created": int(store.now()),
        "customer": given.get("customer"),
        "customer_account": None,
        "description": given.get("description"),
        "excluded_payment_method_types": None,
        "flow_directions": None,
        "last_setup_error": None,
        "latest_attempt": None,
        "livemode": False,
        "mandate": None,
        "metadata": given.get("metadata", {}),
        "next_action": None,
        "on_behalf_of": None,
        "payment_method": None,
        "payment_method_configuration_details": None,
        "payment_method_options": {},
        "payment_method_types": given.get("payment_method_types", ["card"]),
        "single_use_mandate": None,
        "status": "requires_payment_method",
        "usage": given.get("usage", "off_session"),
        "_session": None,
        "_return_url": None,
    }


def charge(store: Store, intent: Object, method: Object) -> Object:
    kind = method["type"]
    return {
        "id": store.new_id("ch" if kind == "card" else "py"),
        "object": "charge",
        "amount": intent["amount"],
        "amount_captured": 0,
        "amount_refunded": 0,
        "application": None,
        "application_fee": None,
        "application_fee_amount": None,
        "balance_transaction": None,
        "billing_details": method["billing_details"],
        "calculated_statement_descriptor": None,
        "captured": False,
        "created": int(store.now()),
        "currency": intent["currency"],
        "customer": intent["customer"],
        "description": intent["description"],
        "disputed": False,
        "failure_balance_transaction": None,
        "failure_code": None,
        "failure_message": None,
        "fraud_details": {},
        "livemode": False,
        "metadata": intent["metadata"],
        "on_behalf_of": None,
        "outcome": None,
        "paid": False,
        "payment_intent": intent["id"],
        "payment_method": method["id"],
        "payment_method_details": {kind: method[kind], "type": kind},
        "radar_options": {},
        "receipt_email": None,
        "receipt_number": None,
        "receipt_url": None,
        "refunded": False,
        "review": None,
        "shipping": None,
        "source": None,
        "source_transfer": None,
        "statement_descriptor": None,
        "statement_descriptor_suffix": None,
        "status": "pending",
        "transfer_data": None,
        "transfer_group": None,
    }


def mandate(store: Store, method: Object) -> Object:
    ref = store.new_id("mandate")
    return {
        "id": ref,
        "object": "mandate",
        "customer_acceptance": {
            "accepted_at": int(store.now()),
            "type": "online",
            "online": {"ip_address": "192.0.2.1", "user_agent": "simulated"},
        },
        "livemode": False,
        "multi_use": {},
        "payment_method": method["id"],
        "payment_method_details": {
            "sepa_debit": {"reference": ref[-16:].upper(), "url": f"https://hooks.stripe.com/mandate/{ref}"},
            "type": "sepa_debit",
        },
        "status": "active",
        "type": "multi_use",
    }


def dispute(store: Store, paid: Object, amount: int, reason: str, status: str) -> Object:
    return {
        "id": store.new_id("dp"),
        "object": "dispute",
        "amount": amount,
        "balance_transactions": [],
        "charge": paid["id"],
        "created": int(store.now()),
        "currency": paid["currency"],
        "enhanced_eligibility_types": [],
        "evidence": {},
        "evidence_details": {
            "due_by": int(store.now()) + 7 * 24 * 3600 if status == "needs_response" else None,
            "has_evidence": False,
            "past_due": False,
            "submission_count": 0,
        },
        "is_charge_refundable": False,
        "livemode": False,
        "metadata": {},
        "payment_intent": paid["payment_intent"],
        "reason": reason,
        "status": status,
    }


def refund(store: Store, paid: Object, amount: int, given: dict[str, Any]) -> Object:
    return {
        "id": store.new_id("re"),
        "object": "refund",
        "amount": amount,
        "balance_transaction": None,
        "charge": paid["id"],
        "created": int(store.now()),
        "currency": paid["currency"],
        "destination_details": {
            "type": "card",
            "card": {"type": "refund", "reference_status": "pending", "reference_type": "acquirer_reference_number"},
        },
        "metadata": given.get("metadata", {}),
        "payment_intent": paid["payment_intent"],
        "reason": given.get("reason"),
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": "succeeded",
        "transfer_reversal": None,
    }


def session(store: Store, given: dict[str, Any]) -> Object:
    total = sum(line["price_data"]["unit_amount"] * line["quantity"] for line in given.get("line_items", []))
    paying = given["mode"] == "payment"
    return {
        "id": store.new_id("cs_test"),
        "object": "checkout.session",
        "adaptive_pricing": None,
        "after_expiration": None,
        "allow_promotion_codes": None,
        "amount_subtotal": total if paying else None,
        "amount_total": total if paying else None,
        "automatic_tax": {"enabled": False, "liability": None, "provider": None, "status": None},
        "billing_address_collection": given.get("billing_address_collection"),
        "cancel_url": given.get("cancel_url"),
        "client_reference_id": given.get("client_reference_id"),
        "client_secret": None,
        "collected_information": None,
        "consent": None,
        "consent_collection": None,
        "created": int(store.now()),
        "currency": given["line_items"][0]["price_data"]["currency"] if paying else given.get("currency"),
        "currency_conversion": None,
        "custom_fields": [],
        "custom_text": {
            "after_submit": None,
            "shipping_address": None,
            "submit": None,
            "terms_of_service_acceptance": None,
        },
        "customer": given.get("customer"),
        "customer_account": None,
        "customer_creation": None,
        "customer_details": None,
        "customer_email": given.get("customer_email"),
        "discounts": [],
        "expires_at": given.get("expires_at", int(store.now()) + 24 * 3600),
        "invoice": None,
        "invoice_creation": None,
        "livemode": False,
        "locale": given.get("locale"),
        "metadata": given.get("metadata", {}),
        "mode": given["mode"],
        "origin_context": None,
        "payment_intent": None,
        "payment_link": None,
        "payment_method_collection": "if_required" if paying else "always",
        "payment_method_configuration_details": None,
        "payment_method_options": {},
        "payment_method_types": given.get("payment_method_types", ["card"]),
        "payment_status": "unpaid" if paying else "no_payment_required",
        "permissions": None,
        "phone_number_collection": {"enabled": False},
        "recovered_from": None,
        "saved_payment_method_options": None,
        "setup_intent": None,
        "shipping_address_collection": None,
        "shipping_cost": None,
        "shipping_options": [],
        "status": "open",
        "submit_type": None,
        "subscription": None,
        "success_url": given["success_url"],
        "total_details": {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0} if paying else None,
        "ui_mode": "hosted_page",
        "url": None,
        "wallet_options": None,
        "_lines": given.get("line_items", []),
        "_intent": given.get("payment_intent_data", {}),
        "_setup": given.get("setup_intent_data", {}),
    }
