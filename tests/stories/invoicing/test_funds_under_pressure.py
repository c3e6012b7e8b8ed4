"""As the provider I never let a balance be spent twice, whoever asks at the same time (INV-6; CVE-2026-55219)."""

from typing import Any

import pytest
from django.db import IntegrityError, transaction
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from invoicing.accounting import ledger
from invoicing.funding import funds, topping_up
from invoicing.models import FundsCredit, FundsDebit, Invoice, Settlement
from invoicing.paying import settlement
from panel.core.errors import RuleViolation
from tests.support.crowd import together
from tests.support.shop import Shop
from tests.support.world import World

CROWD = 50


def give(world: World, account: Any, cents: int, ref: str) -> None:
    with transaction.atomic():
        settlement.to_funds(settlement.lock_account(account.pk), cents, ref=ref, now=world.now)


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_fifty_payments_of_two_invoices_from_one_balance(world: World, shop: Shop) -> None:
    alice = world.customer()
    for _ in range(2):
        shop.buy(alice, "vps-l")
    world.advance(days=31, sweeps=["invoicing.renew"])
    two = list(Invoice.objects.filter(account=alice.account, state="open"))
    assert len(two) == 2
    give(world, alice.account, 4_000, "gift:1")  # each asks for 28.68

    def press(number: int) -> int:
        try:
            return topping_up.pay_invoice(two[number % 2], actor=alice.actor, now=world.now)
        except RuleViolation:
            return 0

    spent = together([lambda number=number: press(number) for number in range(CROWD)])  # type: ignore[misc]
    assert sum(spent) == 4_000
    assert sorted(cents for cents in spent if cents) == [1_132, 2_868]
    assert funds.balance(alice.account) == 0
    assert sum(Settlement.objects.filter(means="funds").values_list("cents", flat=True)) == 4_000
    assert ledger.total() == 0


@pytest.mark.django_db
def test_the_database_itself_refuses_less_than_nothing(world: World, shop: Shop) -> None:
    """Even by SQL: a debit beyond its credit, another left-over, and a debit taken back."""
    alice = world.customer()
    give(world, alice.account, 1_000, "gift:1")
    credit = FundsCredit.objects.get()
    with pytest.raises(IntegrityError), transaction.atomic():
        FundsDebit.objects.create(credit=credit, account=alice.account, entry=credit.entry, cents=1_001)
    with pytest.raises(IntegrityError), transaction.atomic():
        FundsCredit.objects.filter(pk=credit.pk).update(left_cents=999)
    FundsDebit.objects.create(credit=credit, account=alice.account, entry=credit.entry, cents=1_000)
    with pytest.raises(IntegrityError), transaction.atomic():
        FundsDebit.objects.all().delete()
    credit.refresh_from_db()
    assert credit.left_cents == 0


class TestInvariant19(TestCase):
    """Funds in = used + left + refunded; never below zero; each debit names its credits, the oldest first."""

    @settings(max_examples=20, deadline=None)
    @given(st.lists(st.integers(min_value=-300, max_value=300).filter(bool), max_size=12))
    def test_in_is_used_and_left(self, moves: list[int]) -> None:
        world = World()
        account = world.customer().account
        put, spent = 0, 0
        for number, cents in enumerate(moves):
            if cents > 0:
                give(world, account, cents, f"gift:{account.pk}:{number}")
                put += cents
                continue
            try:
                with transaction.atomic():
                    funds.take_out(
                        account, -cents, to=ledger.CLEARING, kind="refund", ref=f"{account.pk}:{number}", now=world.now
                    )
                spent -= cents
            except funds.TooLittle:
                assert -cents > put - spent
        held = list(FundsCredit.objects.filter(account=account).order_by("pk"))
        assert funds.balance(account) == put - spent == sum(credit.left_cents for credit in held) >= 0
        assert all(credit.cents == credit.left_cents + sum(d.cents for d in credit.debits.all()) for credit in held)
        emptied = [credit.left_cents == 0 for credit in held if credit.left_cents < credit.cents]
        assert all(emptied[:-1])  # a younger one is touched only when every older one is spent
        assert ledger.total() == 0
