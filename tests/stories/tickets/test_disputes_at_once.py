"""Disputed, reminded, paid and decided at the same instant: one dispute an invoice, one credit note a decision, and
nobody is suspended for what is disputed (TIC-6, SUB-8, invariants 2 and 24)."""

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection

from invoicing.accounting import ledger
from invoicing.chasing import suspending
from invoicing.models import ClockStop, Contest, Invoice, Suspension
from invoicing.subscribing import kinds
from panel.accounts.models import Restriction
from panel.core.errors import RuleViolation
from tests.support.owing import days, owe_overage, transfer
from tests.support.shop import Shop, open_shop
from tests.support.world import World
from tickets import contests
from tickets.models import Ticket

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]
MANY = 6


@pytest.fixture
def world() -> World:
    return World("2026-03-02 09:00")


@pytest.fixture
def shop(transactional_db: None, world: World, monkeypatch: pytest.MonkeyPatch) -> Shop:
    opened = open_shop(world)
    monkeypatch.setitem(kinds._kinds, "vps", opened.service)
    return opened


def at_once(deeds: list[Callable[[], Any]]) -> None:
    def alone(deed: Callable[[], Any]) -> None:
        try:
            deed()
        except RuleViolation:
            pass  # somebody else was first
        finally:
            connection.close()

    with ThreadPoolExecutor(len(deeds)) as pool:
        for done in [pool.submit(alone, deed) for deed in deeds]:
            done.result()


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
    at_once(deeds)
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
    at_once(deeds)
    assert not Contest.objects.filter(state="open").exists()
    assert not ClockStop.objects.filter(until=None).exists()
    for contest in Contest.objects.all():
        notes = Invoice.objects.filter(credits=contest.invoice)
        assert sum(note.net_cents for note in notes) == contest.granted_cents
        assert notes.count() == (1 if contest.granted_cents else 0)
    assert ledger.total() == 0
