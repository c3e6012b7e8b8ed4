"""What holds of payments whatever happens (INV-11, INV-12): drawn at random, on both databases.

Invariant 7: messages repeated, in any order and late lead to the same state as once and in order. 8: so do messages
that are lost. 9: a key sent again with its body has one effect, with another body none. 10: no more is given back than
came in; what a bank takes back after a refund is a loss. 11: what the provider holds is what the books say of it.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.core.cache import cache
from django.db import transaction
from django.test import Client
from hypothesis import HealthCheck, Phase, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from invoicing.accounting import ledger, receivables
from invoicing.funding import funds, taken_back, topping_up
from invoicing.gateways.fake.webhooks import sign
from invoicing.models import (
    Dispute,
    Entry,
    Invoice,
    Payment,
    PaymentMethod,
    Refund,
    Settlement,
    Subscription,
    TopUp,
    WebhookEvent,
)
from invoicing.paying import webhooks
from invoicing.selling_by_hand import manual_sales, repaying
from panel.accounts import tokens
from panel.accounts.models import Membership
from panel.core import clock
from panel.core.calendars import paris_date
from panel.core.errors import RuleViolation
from tests.support.shop import Shop
from tests.support.till import SECRET, Till, open_till
from tests.support.world import World

pytestmark = [pytest.mark.django_db, pytest.mark.long]

some = hypothesis_settings(
    max_examples=6,
    deadline=None,
    phases=(Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture
def till(world: World, shop: Shop, settings: Any) -> Iterator[Till]:
    with open_till(world, shop, settings) as opened:
        yield opened


@contextmanager
def undone() -> Iterator[None]:
    """Each example begins with the database the first one found."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


# --- 7, 8: messages ---------------------------------------------------------------------------------------------------
PHASE = st.lists(st.tuples(st.integers(0, 40), st.booleans()), max_size=24)
"""In which order messages come, by their number among all there were so far; whether the worker works after one."""


def bring(till: Till, world: World, known: list[Any], order: list[tuple[int, bool]]) -> None:
    """Messages of now and before, as drawn; those that are not drawn are lost, and polling makes that good."""
    fresh = till.parcels()
    known += fresh
    for parcel in fresh:
        till.bank.courier.settle(parcel, 200)
    for number, works in order if known else ():
        parcel = known[number % len(known)]
        signature = sign(parcel.body, SECRET, world.now.timestamp())
        webhooks.receive(parcel.body, {"Stripe-Signature": signature}, now=world.now)
        if works:
            world.work()
    world.advance(minutes=11)
    till.sync()
    world.sweep("payments.reconcile")
    world.work()


def state(till: Till) -> dict[str, Any]:
    """All that may not depend on how we heard of it."""
    return {
        "payments": list(Payment.objects.order_by("pk").values_list("state", "refunded_cents", "disputed_cents")),
        "rows": [model.objects.count() for model in (Subscription, Invoice, PaymentMethod, Refund, Dispute)],
        "settled": sorted(Settlement.objects.values_list("means", "cents")),
        "entries": sorted(Entry.objects.values_list("kind", flat=True)),
        "books": [ledger.balance(code) for code in (ledger.CUSTOMERS, ledger.FUNDS, ledger.LOSSES, ledger.CLEARING)],
        "due": sum(one.due_cents for one in Invoice.objects.all()),
        "dispute": Dispute.objects.get().state,
    }


@some
@given(st.tuples(PHASE, PHASE, PHASE))
@example(([], [], []))
def test_what_we_know_does_not_depend_on_how_we_heard_of_it(till: Till, world: World, shop: Shop, phases: Any) -> None:
    """A card pays 7.08 and is kept; 1.20 are credited and refunded; then the bank takes all of it back. 5.88 had been
    collected and are owed again, 1.20 were given back already and are lost."""
    with undone():
        till.bank.control("reset")
        till.bank.control("deliveries", paused=True)
        begun, known = world.now, []  # type: ignore[var-annotated]
        alice, staff = world.customer(), world.staff("billing")
        payment = till.start(shop.order(alice), alice, keep=True)
        till.pay(payment)
        bring(till, world, known, phases[0])
        invoice = Invoice.objects.get()
        repaying.credit(invoice, [100], reason="x", refund=True, key="k", actor=staff, now=world.now)
        world.work()
        bring(till, world, known, phases[1])
        payment.refresh_from_db()
        till.bank.control("dispute", payment=payment.provider_ref, lost=True)
        bring(till, world, known, phases[2])
        assert state(till) == {
            "payments": [("succeeded", 120, 588)],
            "rows": [1, 2, 1, 1, 1],
            "settled": sorted([("card", 708), ("credit_note", 120), ("returned", -588), ("to_funds", -120)]),
            "entries": ["credit_note", "dispute", "invoice", "payment", "refund", "to_funds"],
            "due": 588,
            "books": [588, 0, 120, -120],
            "dispute": "lost",
        }
        assert WebhookEvent.objects.count() == len(till.bank.store.where("event"))
        till.booked()
        world.now = begun


# --- 9: keys ----------------------------------------------------------------------------------------------------------
ASKED = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from([1_000, 2_500, 100])), min_size=1, max_size=8)


@some
@given(ASKED)
def test_a_key_has_one_effect_and_no_other_body(world: World, asked: list[tuple[str, int]]) -> None:
    """A program that got no answer asks again: for a top-up of 10.00, 25.00 or, too little (INV-6), 1.00."""
    with undone():
        cache.clear()
        alice = world.customer()
        membership = Membership.objects.get(user=alice.user)
        _row, token = tokens.issue(membership, name="x", scopes=["pay"], lives=None, actor=alice.actor, now=clock.now())
        card = PaymentMethod.objects.create(
            account=alice.account, provider="stripe", ref="pm_1", kind="card", last4="4242", exp_month=12,
            exp_year=2034, added_at=world.now,
        )  # fmt: skip
        program, first = Client(headers={"Authorization": f"Bearer {token}"}), {}  # type: ignore[var-annotated]
        for key, cents in asked:
            answer = program.post(
                "/api/v1/funds/top-ups", json.dumps({"amount_cents": cents, "method": card.pk}),
                content_type="application/json", headers={"Idempotency-Key": key},
            )  # fmt: skip
            before, said = first.setdefault(key, (cents, (answer.status_code, answer.json())))
            if before == cents:
                assert (answer.status_code, answer.json()) == said
                assert answer.status_code == (422 if cents < 1_000 else 202)
            else:
                assert (answer.status_code, answer.json()["type"]) == (422, "urn:clause:problem:idempotency")
        wanted = sorted(cents for cents, _said in first.values() if cents >= 1_000)
        assert sorted(TopUp.objects.values_list("amount_cents", flat=True)) == wanted
        assert sorted(Payment.objects.values_list("amount_cents", flat=True)) == wanted


# --- 10, 11: giving back ----------------------------------------------------------------------------------------------
MOVES = st.lists(
    st.tuples(st.sampled_from(["credit", "refund", "dispute", "won"]), st.integers(1, 400)), min_size=1, max_size=7
)


@some
@given(MOVES)
@example([("refund", 300), ("dispute", 400), ("won", 1), ("dispute", 200), ("dispute", 400), ("refund", 100)])
def test_no_more_goes_back_than_came_in(till: Till, world: World, moves: list[tuple[str, int]]) -> None:
    with undone():
        till.bank.control("reset")
        till.bank.control("deliveries", paused=True)
        payment = till.buy(world.customer())
        staff, invoice, open_ones = world.staff("billing"), Invoice.objects.get(), []  # type: ignore[var-annotated]
        for number, (deed, cents) in enumerate(moves):
            try:
                if deed == "dispute":
                    made = till.bank.control("dispute", payment=payment.provider_ref, amount=cents)
                    open_ones.append(made["dispute"])
                elif deed == "won" and open_ones:
                    till.bank.control("dispute", close=open_ones.pop(), won=True)
                elif deed in ("credit", "refund"):
                    repaying.credit(
                        invoice, [cents], reason="x", refund=deed == "refund", key=f"{number}", actor=staff,
                        now=world.now,
                    )  # fmt: skip
            except (RuleViolation, ValueError):
                pass  # refused, here or at the bank: nothing moved
            world.work()
            till.deliver()
            world.work()
            payment.refresh_from_db()
            assert 0 <= payment.refunded_cents + payment.disputed_cents <= payment.amount_cents
            given_back = sum(Refund.objects.exclude(state="failed").values_list("amount_cents", flat=True))
            assert given_back == payment.refunded_cents
            till.booked()
            assert funds.balance(payment.account) >= 0
            invoice.refresh_from_db()
            assert invoice.due_cents == ledger.balance(ledger.CUSTOMERS, invoice.account)


# --- 11: funds that were spent before a bank takes them back ----------------------------------------------------------
SPENT = st.lists(
    st.tuples(st.sampled_from(["add", "transfer", "spend", "dispute", "dispute", "won"]), st.integers(100, 3_000)),
    min_size=2, max_size=8,
)  # fmt: skip


@some
@given(SPENT)
@example([("spend", 1), ("dispute", 3_000), ("transfer", 150), ("add", 1_000), ("won", 1)])
@example([("spend", 1), ("dispute", 2_000), ("dispute", 1_000), ("won", 1), ("transfer", 100), ("won", 1)])
def test_what_is_owed_of_spent_funds_is_what_the_books_say(
    till: Till, world: World, shop: Shop, moves: list[tuple[str, int]]
) -> None:
    with undone():
        till.bank.control("reset")
        till.bank.control("deliveries", paused=True)
        alice, staff, open_ones = world.customer(), world.staff("billing"), []  # type: ignore[var-annotated]

        def add(cents: int, key: str) -> Payment:
            payment = topping_up.begin(
                alice.account, cents, key=key, actor=alice.actor, now=world.now, return_url="http://testserver/"
            )
            world.work()
            payment.refresh_from_db()
            till.pay(payment)
            till.deliver()
            world.work()
            payment.refresh_from_db()
            return payment

        first = add(3_000, "first")
        for number, (deed, cents) in enumerate(moves):
            try:
                if deed == "add":
                    add(max(cents, 1_000), f"{number}")
                elif deed == "transfer":
                    manual_sales.record_payment(
                        alice.account, cents, means="transfer", reference=f"T-{number}", invoice=None, actor=staff,
                        received_on=paris_date(world.now), now=world.now,
                    )  # fmt: skip
                elif deed == "spend":
                    topping_up.pay_order(shop.order(alice), actor=alice.actor, now=world.now)
                elif deed == "dispute":
                    open_ones.append(till.bank.control("dispute", payment=first.provider_ref, amount=cents)["dispute"])
                elif open_ones:
                    till.bank.control("dispute", close=open_ones.pop(), won=True)
            except (RuleViolation, ValueError):
                pass  # refused, here or at the bank: nothing moved
            till.deliver()
            world.work()
            till.booked()
            owed, due = taken_back.owed(alice.account), sum(one.due_cents for one in Invoice.objects.all())
            assert ledger.balance(ledger.CUSTOMERS, alice.account) == owed + due
            assert not (owed and funds.balance(alice.account)), "what comes into the funds settles it first"
            assert receivables.of(alice.account.pk) == []
