"""Disputes: the payer's bank takes the money back, whether it was refunded before or not."""

from __future__ import annotations

from invoicing.gateways.fake import balance, objects
from invoicing.gateways.fake.faults import Fault
from invoicing.gateways.fake.store import Object, Store, public

OPEN, WON, LOST = "needs_response", "won", "lost"


def begin(store: Store, payment: str, *, amount: int = 0, reason: str = "fraudulent", lost: bool = False) -> Object:
    """A bank takes `amount` (0: all) of a payment back; `lost` at once, as a direct debit that comes back late."""
    intent = store.get("payment_intent", payment)
    paid = store.get("charge", intent["latest_charge"])
    if paid["status"] != "succeeded" or amount > paid["amount"]:
        raise Fault("This charge cannot be disputed.")
    made = objects.dispute(store, paid, amount or paid["amount"], reason, LOST if lost else OPEN)
    _moved(store, made, "dispute", -made["amount"], fee=balance.DISPUTE_FEE)
    paid["disputed"] = True
    store.put(paid)
    store.emit("charge.dispute.created", made)
    store.emit("charge.dispute.funds_withdrawn", made)
    if lost:
        store.emit("charge.dispute.closed", made)
    return made


def close(store: Store, ref: str, *, won: bool) -> Object:
    """The bank has decided; what was won comes back."""
    known = store.get("dispute", ref)
    if known["status"] != OPEN:
        raise Fault("This dispute is closed.")
    known["status"] = WON if won else LOST
    if won:
        _moved(store, known, "dispute_reversal", known["amount"])
    store.put(known)
    store.emit("charge.dispute.closed", known)
    if won:
        store.emit("charge.dispute.funds_reinstated", known)
    return known


def _moved(store: Store, made: Object, category: str, amount: int, *, fee: int = 0) -> None:
    moved = balance.move(store, "adjustment", category, made, amount, fee=fee)
    made["balance_transactions"].append(public(moved))
    store.put(made)


def withdrawn(store: Store) -> int:
    """Cents that banks hold on to."""
    return sum(row["amount"] for row in store.where("dispute") if row["status"] != WON)
