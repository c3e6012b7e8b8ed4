"""Disputed, reminded, paid and decided at the same instant: one dispute an invoice, one credit note a decision, and
nobody is suspended for what is disputed (TIC-6, SUB-8, invariants 2 and 24)."""

import random
from collections.abc import Callable
from typing import Any

import pytest

from invoicing.accounting import ledger
from invoicing.chasing import suspending
from invoicing.models import ClockStop, Contest, Invoice, Suspension
from panel.accounts.models import Restriction
from tests.support.crowd import together
from tests.support.owing import days, owe_overage, transfer
from tests.support.shop import Shop
from tests.support.world import World
from tickets import contests
from tickets.models import Ticket

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]
MANY = 6


def test_one_dispute_one_decision_and_no_suspension(world: World, shop: Shop) -> None:
    customers = [world.customer(f"C{number}") for number in range(MANY)]
    found = owe_overage(world, shop, *customers)
    days(world, 16)
    staff, deeds = world.staff("billing"), list[Callable[[], Any]]()
    for alice, invoice, row in zip(customers, found, Suspension.objects.order_by("invoice"), strict=True):
        ask = lambda alice=alice, invoice=invoice: contests.open_contest(  # noqa: E731
            invoice, [0, 1300], why="No.", actor=alice.actor, via="web", now=world.now
        )
        deeds += [ask, ask]
        deeds.append(lambda row=row: suspending.confirm(row.pk, reason="unpaid", actor=staff, now=world.now))
    deeds += [lambda: world.sweep("invoicing.dun")] * 2
    random.Random(5).shuffle(deeds)
    together(deeds, may_refuse=True)
    assert (Contest.objects.count(), Ticket.objects.count()) == (MANY, MANY)
    assert ClockStop.objects.filter(until=None).count() == MANY
    assert not Restriction.objects.filter(state="active").exists()

    deeds = []
    for contest, invoice in zip(Contest.objects.order_by("invoice"), found, strict=True):
        for granted in ([0, 1300], [0, 0], [0, 700]):
            deeds.append(
                lambda contest=contest, granted=granted: contests.decide(
                    contest, granted, reason="So be it.", refund=True, actor=staff, now=world.now
                )
            )
        deeds.append(lambda contest=contest: contests.withdraw(contest, actor=staff, now=world.now))
        deeds.append(lambda invoice=invoice: transfer(world, Invoice.objects.get(pk=invoice.pk)))
    random.Random(7).shuffle(deeds)
    together(deeds, may_refuse=True)
    assert not Contest.objects.filter(state="open").exists()
    assert not ClockStop.objects.filter(until=None).exists()
    for contest in Contest.objects.all():
        notes = Invoice.objects.filter(credits=contest.invoice)
        assert sum(note.net_cents for note in notes) == contest.granted_cents
        assert notes.count() == (1 if contest.granted_cents else 0)
    assert ledger.total() == 0
