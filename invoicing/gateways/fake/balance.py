"""The balance: what every charge, refund and dispute moved, and the payouts that carry it to the merchant's bank."""

from __future__ import annotations

from typing import Any

from invoicing.gateways.fake.faults import Fault
from invoicing.gateways.fake.store import Object, Store

DAY = 24 * 3600
AVAILABLE_AFTER = 2 * DAY
ARRIVES_AFTER = 2 * DAY
DISPUTE_FEE = 2000
IN_TRANSIT, PAID, FAILED = "in_transit", "paid", "failed"


def fee_of(charge: Object) -> int:
    """What the provider keeps of a charge: 35 cents of a direct debit, 1.5 % and 25 cents of a card payment."""
    if charge["payment_method_details"]["type"] == "sepa_debit":
        return 35
    return int((charge["amount"] * 15 + 500) // 1000) + 25


def move(store: Store, kind: str, category: str, source: Object, amount: int, *, fee: int = 0, wait: int = 0) -> Object:
    """A balance transaction of `amount` (negative: out of the balance) less `fee`, available after `wait` seconds."""
    now = int(store.now())
    fees = [{"amount": fee, "application": None, "currency": "eur", "description": "Processing fees",
             "type": "stripe_fee"}]  # fmt: skip
    return store.put(
        {
            "id": store.new_id("txn"),
            "object": "balance_transaction",
            "amount": amount,
            "available_on": now + wait,
            "balance_type": "payments",
            "created": now,
            "currency": "eur",
            "description": source.get("description"),
            "exchange_rate": None,
            "fee": fee,
            "fee_details": fees if fee else [],
            "net": amount - fee,
            "reporting_category": category,
            "source": source["id"],
            "status": "pending" if wait else "available",
            "type": kind,
            "_payout": "",
        }
    )


def charged(store: Store, charge: Object) -> str:
    kind = "payment" if charge["payment_method_details"]["type"] == "sepa_debit" else "charge"
    made = move(store, kind, "charge", charge, charge["amount"], fee=fee_of(charge), wait=AVAILABLE_AFTER)
    return str(made["id"])


def held(store: Store) -> int:
    """Cents of the balance, available or not."""
    return sum(row["net"] for row in store.where("balance_transaction"))


def show(store: Store, given: dict[str, Any]) -> Object:
    """GET /v1/balance."""
    become_available(store)
    sums = {"available": 0, "pending": 0}
    for row in store.where("balance_transaction"):
        sums[row["status"]] += row["net"]
    amounts = {name: [{"amount": cents, "currency": "eur", "source_types": {"card": cents}}] for name, cents in
               sums.items()}  # fmt: skip
    return {"object": "balance", "livemode": False, **amounts}


def become_available(store: Store) -> None:
    for row in store.where("balance_transaction", status="pending"):
        if row["available_on"] <= store.now():
            store.put({**row, "status": "available"})


def pay_out(store: Store) -> Object:
    """Everything available sets out for the merchant's bank, as the provider's daily schedule does."""
    become_available(store)
    rows = store.where("balance_transaction", status="available", _payout="")
    amount = sum(row["net"] for row in rows)
    if amount <= 0:
        raise Fault("There is nothing to pay out.")
    now = int(store.now())
    made = _payout(store, amount, now)
    own = move(store, "payout", "payout", made, -amount)
    made["balance_transaction"] = own["id"]
    for row in (*rows, own):
        store.put({**row, "_payout": made["id"]})
    store.put(made)
    store.emit("payout.created", made)
    return made


def _payout(store: Store, amount: int, now: int) -> Object:
    return {
        "id": store.new_id("po"),
        "object": "payout",
        "amount": amount,
        "application_fee": None,
        "application_fee_amount": None,
        "arrival_date": (now + ARRIVES_AFTER) // DAY * DAY,
        "automatic": True,
        "balance_transaction": None,
        "created": now,
        "currency": "eur",
        "description": "STRIPE PAYOUT",
        "destination": "ba_simulated",
        "failure_balance_transaction": None,
        "failure_code": None,
        "failure_message": None,
        "livemode": False,
        "metadata": {},
        "method": "standard",
        "original_payout": None,
        "payout_method": None,
        "reconciliation_status": "in_progress",
        "reversed_by": None,
        "source_type": "card",
        "statement_descriptor": None,
        "status": IN_TRANSIT,
        "trace_id": {"status": "pending", "value": None},
        "type": "bank_account",
    }


def arrive_due(store: Store) -> None:
    """Payouts whose day has come count as paid; from then on their transactions can be listed in full."""
    for made in store.where("payout", status=IN_TRANSIT):
        if made["arrival_date"] > store.now():
            continue
        made.update(status=PAID, reconciliation_status="completed")
        made["trace_id"] = {"status": "supported", "value": f"TR{made['id'][-12:].upper()}"}
        store.put(made)
        store.emit("payout.paid", made)
        store.emit("payout.reconciliation_completed", made)


def fail(store: Store, ref: str, *, code: str = "account_closed") -> Object:
    """The merchant's bank sends a payout back, before or after it counted as paid: the balance has it again."""
    made = store.get("payout", ref)
    if made["status"] == FAILED:
        raise Fault("This payout has failed already.")
    back = move(store, "payout_failure", "payout_reversal", made, made["amount"])
    made.update(
        status=FAILED, reconciliation_status="completed", failure_code=code, failure_balance_transaction=back["id"],
        failure_message="The bank account has been closed.", trace_id={"status": "unsupported", "value": None},
    )  # fmt: skip
    store.put(made)
    store.emit("payout.failed", made)
    return made


def transactions(store: Store, given: dict[str, Any]) -> list[Object]:
    """Those of a payout, or all; newest first."""
    equal: dict[str, Any] = {name: given[name] for name in ("type", "source") if name in given}
    if "payout" in given:
        if store.get("payout", given["payout"], param="payout")["reconciliation_status"] != "completed":
            raise Fault("The transactions of this payout are still being determined.", param="payout")
        equal["_payout"] = given["payout"]
    become_available(store)
    return store.where("balance_transaction", **equal)
