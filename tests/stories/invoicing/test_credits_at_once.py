"""A credit that many grant at once, while its subscription is invoiced and ended, is granted once and lands once
(SUB-15)."""

import random
from collections.abc import Callable
from typing import Any

import pytest
from django.db.models import Sum

from invoicing.accounting import ledger
from invoicing.compensating import service_credits
from invoicing.issuing import invoices
from invoicing.models import Invoice, ServiceCredit, ServiceCreditUse, Subscription
from invoicing.subscribing import subscriptions
from tests.support.crowd import together
from tests.support.shop import Shop
from tests.support.world import World

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]
MANY = 4


def test_granted_once_and_landed_once_whatever_happens_beside_it(world: World, shop: Shop) -> None:
    rows = [shop.buy(world.customer(f"C{number}")) for number in range(MANY)]
    world.advance(days=31)

    def grant(row: Subscription) -> None:
        service_credits.grant_credit(
            row.account, row, 89, "down", {"minutes_down": 180}, rule="SUB-15", once=f"SUB-15:{row.reference}",
            now=world.now,
        )  # fmt: skip

    def end(row: Subscription) -> None:
        subscriptions.terminate(row, because="", rule="SUB-6", now=world.now, actor=world.staff("billing"))

    deeds: list[Callable[[], Any]] = [lambda: world.sweep("invoicing.renew")] * 3
    for row in rows:
        deeds += [lambda row=row: grant(row)] * 3
    deeds += [lambda row=row: end(row) for row in rows[: MANY // 2]]
    random.Random(3).shuffle(deeds)
    together(deeds)
    world.advance(days=31, sweeps=("invoicing.renew",))  # whose invoice came before its credit has it on the next
    assert ServiceCredit.objects.count() == MANY
    for row in rows:
        used = ServiceCreditUse.objects.filter(credit__subscription=row).aggregate(sum=Sum("cents"))["sum"] or 0
        assert used == 89
        off = Invoice.objects.filter(account=row.account, lines__rule="SUB-15", kind="invoice")
        notes = Invoice.objects.filter(account=row.account, kind="credit_note")
        assert off.count() + notes.count() == 1
    assert ledger.total() == 0
    assert invoices.verify() == []
