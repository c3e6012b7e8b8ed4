"""Whatever happens to the money at the provider, and however we hear of it, the books say what it still holds (INV-11).

Drawn at random: payments, refunds, disputes and their end, payouts, payouts that come back, days that pass, messages
that are lost, repeated and out of order. When everything has been asked for, 511700 is the gross of what no payout has
taken along, 580000 what is on its way to the bank, 627800 what the provider kept of what it paid out.
"""

import random
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from invoicing.accounting import ledger, reconciling
from invoicing.gateways.fake import balance, disputes
from invoicing.models import Invoice, Payout
from invoicing.paying import webhooks
from invoicing.selling_by_hand import repaying
from invoicing.subscribing import kinds
from panel.core.errors import RuleViolation
from tests.stories.invoicing.test_invariants_of_payments import undone
from tests.support.shop import Shop
from tests.support.till import Till, open_till
from tests.support.world import World

pytestmark = [pytest.mark.django_db, pytest.mark.long]

DEEDS = ("pay", "refund", "dispute", "win", "lose", "days", "pay out", "come back", "hear")


@pytest.fixture
def till(world: World, shop: Shop, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Till]:
    monkeypatch.setattr(type(shop.service), "progress", lambda self, row: kinds.Progress(ready=True))
    with open_till(world, shop, settings) as opened:
        yield opened


def carry_out(till: Till, deed: str, dice: random.Random) -> None:
    """One deed; nothing, where there is nothing to do it to."""
    world, store = till.world, till.bank.store
    if deed == "pay":
        alice = world.customer()
        till.pay(till.start(till.shop.order(alice), alice))
    elif deed == "refund":
        for invoice in Invoice.objects.filter(kind="invoice", state="paid").order_by("pk")[:1]:
            with suppress(RuleViolation):
                repaying.credit(invoice, [dice.randrange(1, 500)], reason="x", refund=True, key=f"k{world.now}",
                                actor=world.staff("billing"), now=world.now)  # fmt: skip
            world.work()
    elif deed == "dispute":
        for charge in [row for row in store.where("charge", status="succeeded") if not row["disputed"]][:1]:
            till.bank.control("dispute", payment=charge["payment_intent"])
    elif deed in ("win", "lose"):
        for row in store.where("dispute", status=disputes.OPEN)[:1]:
            till.bank.control("dispute", close=row["id"], won=deed == "win")
    elif deed == "days":
        world.advance(days=2)
    elif deed == "pay out":
        with suppress(ValueError):  # nothing is available
            till.bank.control("payout")
    elif deed == "come back":
        for row in [one for one in store.where("payout") if one["status"] != balance.FAILED][:1]:
            till.bank.control("payout", fail=row["id"])
    else:
        hear(till, dice)
    till.sync()


def hear(till: Till, dice: random.Random) -> None:
    """Some of the messages come, some twice, in any order; the others are lost."""
    parcels = till.parcels()
    for parcel in dice.choices(parcels, k=len(parcels)):
        webhooks.receive(parcel.body, {"Stripe-Signature": parcel.signature}, now=till.world.now)
    for parcel in parcels:
        till.bank.courier.settle(parcel, 200)
    till.world.work()


def ask(till: Till) -> None:
    """Polling makes good what was lost."""
    till.world.advance(minutes=31)
    till.sync()
    till.world.sweep("payments.reconcile")
    till.world.work()


@hypothesis_settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(st.lists(st.sampled_from(DEEDS), max_size=14), st.integers(0, 2**16))
@example(["pay", "days", "pay out", "days", "come back", "hear", "pay out", "days"], 1)
@example(["pay", "pay", "hear", "refund", "dispute", "days", "pay out", "win", "days", "pay out", "days", "hear"], 2)
def test_511700_is_what_the_provider_still_holds(till: Till, world: World, deeds: list[str], seed: int) -> None:
    with undone():
        till.bank.control("reset")
        till.bank.control("deliveries", paused=True)
        till.sync()
        dice, begun = random.Random(seed), world.now
        for deed in deeds:
            carry_out(till, deed, dice)
        world.advance(days=3)
        till.sync()
        ask(till)
        ask(till)
        rows = till.bank.store.where("balance_transaction")
        left, taken = [row for row in rows if not row["_payout"]], [row for row in rows if row["_payout"]]
        assert ledger.balance(ledger.CLEARING) == sum(row["amount"] for row in left)
        assert ledger.balance(ledger.CLEARING) == balance.held(till.bank.store) + sum(row["fee"] for row in left)
        moving = Payout.objects.filter(state="paid").values_list("amount_cents", flat=True)
        assert ledger.balance(ledger.TRANSIT) == sum(moving)
        assert ledger.balance(ledger.BANK_COSTS) == sum(row["fee"] for row in taken)
        assert (ledger.balance(ledger.BANK), ledger.balance(ledger.SUSPENSE), ledger.total()) == (0, 0, 0)
        world.advance(hours=2, sweeps=["invoicing.compare"])
        assert list(reconciling.open_ones().values_list("kind", "ref")) == []
        world.now = begun
