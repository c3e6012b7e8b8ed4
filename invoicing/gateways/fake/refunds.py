"""Refunds: never more than was paid."""

from __future__ import annotations

from typing import Any

from invoicing.gateways.fake import balance, objects
from invoicing.gateways.fake.cards import CARDS
from invoicing.gateways.fake.faults import Fault
from invoicing.gateways.fake.store import Object, Store

FAILS_AFTER = 60.0


def create(store: Store, given: dict[str, Any]) -> Object:
    if ("payment_intent" in given) == ("charge" in given):
        raise Fault("One of the following params should be provided for this request: payment_intent or charge.")
    if "payment_intent" in given:
        intent = store.get("payment_intent", given["payment_intent"], param="payment_intent")
        if not intent["latest_charge"]:
            raise Fault("This PaymentIntent does not have a successful charge to refund.", param="payment_intent")
        given = {**given, "charge": intent["latest_charge"]}
    paid = store.get("charge", given["charge"], param="charge")
    if paid["status"] != "succeeded":
        raise Fault(f"This PaymentIntent ({paid['payment_intent']}) does not have a successful charge to refund.")
    left = paid["amount"] - paid["amount_refunded"]
    if left == 0:
        raise Fault(f"Charge {paid['id']} has already been refunded.", code="charge_already_refunded")
    amount = given.get("amount", left)
    if amount > left:
        raise Fault(
            f"Refund amount ({_euros(amount)}) is greater than unrefunded amount on charge ({_euros(left)})",
            param="amount",
        )
    made = objects.refund(store, paid, amount, given)
    made["balance_transaction"] = balance.move(store, "refund", "refund", made, -amount)["id"]
    method = store.get("payment_method", paid["payment_method"])
    if method["type"] == "card" and CARDS[method["_test_card"]].refund_fails:
        made["_fails_at"] = store.now() + FAILS_AFTER
        made["status"] = "pending"
    if method["type"] == "sepa_debit":
        made["destination_details"] = {"type": "sepa_bank_transfer"}
    store.put(made)
    paid["amount_refunded"] += amount
    paid["refunded"] = paid["amount_refunded"] == paid["amount"]
    store.put(paid)
    store.emit("refund.created", made)
    store.emit("charge.refunded", paid)
    return made


def fail_due(store: Store) -> None:
    """A refund that the customer's bank sends back: the money is ours again."""
    for made in store.where("refund", status="pending"):
        if made.get("_fails_at", 0) > store.now():
            continue
        back = balance.move(store, "refund_failure", "refund_failure", made, made["amount"])
        made.update(status="failed", failure_reason="expired_or_canceled_card", failure_balance_transaction=back["id"])
        store.put(made)
        paid = store.get("charge", made["charge"])
        paid["amount_refunded"] -= made["amount"]
        paid["refunded"] = False
        store.put(paid)
        store.emit("refund.updated", made)
        store.emit("refund.failed", made)


def _euros(cents: int) -> str:
    return f"€{cents // 100}.{cents % 100:02d}"
