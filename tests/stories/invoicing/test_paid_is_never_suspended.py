"""As a customer who pays I am never suspended for what I paid, whoever decides at the same instant (invariant 24,
SUB-8)."""

import random
from collections.abc import Callable
from typing import Any

import pytest

from invoicing.chasing import suspending
from invoicing.models import Invoice, Suspension
from panel.accounts.models import Restriction
from tests.support.crowd import together
from tests.support.owing import days, owe_overage, transfer
from tests.support.shop import Shop
from tests.support.world import World

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]
MANY = 8


def test_the_payment_and_the_decision_at_the_same_instant(world: World, shop: Shop) -> None:
    found = owe_overage(world, shop, *(world.customer(f"C{number}") for number in range(MANY)))
    days(world, 16)
    staff, rows = world.staff("billing"), list(Suspension.objects.order_by("pk"))
    assert len(rows) == MANY
    deeds: list[Callable[[], Any]] = []
    for row in rows:
        deeds.append(lambda row=row: suspending.confirm(row.pk, reason="unpaid", actor=staff, now=world.now))
        deeds.append(lambda row=row: transfer(world, Invoice.objects.get(pk=row.invoice_id)))
    deeds += [lambda: world.sweep("invoicing.dun")] * 2
    random.Random(11).shuffle(deeds)
    together(deeds, may_refuse=True)
    assert not Invoice.objects.filter(pk__in=[one.pk for one in found]).exclude(state="paid").exists()
    assert not Restriction.objects.filter(state="active").exists()
    assert set(Suspension.objects.values_list("state", flat=True)) <= {"lifted", "withdrawn"}
