"""Where the operator's terms carry OPR-3, a rejected payment costs EUR 25 once and suspends until it is paid, and a
debit is announced five clear working days ahead; where they do not, neither happens."""

from datetime import date
from typing import Any

import pytest

from invoicing.debiting import debit_rules
from invoicing.models import Charge, DebitBatch, Invoice, Suspension
from panel import terms
from panel.accounts import restrictions
from panel.core.actors import Actor
from tests.support.debiting import debited, handed, report, statement, take
from tests.support.owing import transfer
from tests.support.shop import Shop
from tests.support.world import World

pytestmark = pytest.mark.django_db
OPR_3 = {"source": "001", "notice_working_days": 5, "rejection_fee": "25.00", "suspend": True}


@pytest.fixture
def billing(world: World) -> Actor:
    return world.staff("billing")


@pytest.fixture
def opr_3(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The terms of an operator who has the rule."""
    table: Any = terms.version("say_digital/2026-01").table
    numbers = dict(OPR_3)
    monkeypatch.setitem(table, "OPR-3", numbers)
    return numbers


def rejected(world: World, shop: Shop, billing: Actor, code: str) -> Invoice:
    """A debit that the bank refuses on its day."""
    _alice, invoice, debit = debited(world, shop)
    handed(world, billing, debit.debit_on)
    world.advance(days=14)
    take(world, billing, report(DebitBatch.objects.get(), (debit, code)))
    invoice.refresh_from_db()
    return invoice


def test_five_clear_working_days(world: World, shop: Shop, opr_3: dict[str, Any]) -> None:
    """Told on Thursday 2 April: 3, 7, 8, 9, 10 April are the clear days (Good Friday is a working day in France, Easter
    Monday is none), so Monday the 13th."""
    _alice, _invoice, debit = debited(world, shop)
    assert debit.debit_on == date(2026, 4, 13)


def test_the_charge_is_on_an_invoice_of_its_own_once(
    world: World, shop: Shop, billing: Actor, opr_3: dict[str, Any]
) -> None:
    invoice = rejected(world, shop, billing, "AM04")
    made = Charge.objects.get()
    assert (made.rule, made.net_cents, made.invoice.net_cents) == ("OPR-3", 2_500, 2_500)
    assert made.invoice != invoice
    assert made.because_name == invoice.payments.latest("pk").reference
    take(world, billing, report(DebitBatch.objects.get(), (invoice.debits.get(), "AM04")) + b"\n")
    world.work()
    assert Charge.objects.count() == 1


def test_what_is_given_back_costs_too(world: World, shop: Shop, billing: Actor, opr_3: dict[str, Any]) -> None:
    _alice, _invoice, debit = debited(world, shop)
    handed(world, billing, debit.debit_on)
    world.advance(days=14)
    take(world, billing, statement([debit], day=date(2026, 4, 13)))
    take(world, billing, statement(back=[(debit, "MD06")], day=date(2026, 4, 16)))
    assert Charge.objects.get().net_cents == 2_500


@pytest.mark.parametrize("code", ["BE05", "AM05", "TM01", "MD07"])
def test_never_for_what_is_not_the_customers(
    world: World, shop: Shop, billing: Actor, opr_3: dict[str, Any], code: str
) -> None:
    """(invariant 22)"""
    rejected(world, shop, billing, code)
    assert not Charge.objects.exists()


def test_the_charge_itself_brings_no_further_one(
    world: World, shop: Shop, billing: Actor, opr_3: dict[str, Any]
) -> None:
    rejected(world, shop, billing, "AM04")
    fee = Charge.objects.get().invoice
    again = fee.debits.get()
    batch = handed(world, billing, again.debit_on, key="fee")
    world.advance(days=14)
    take(world, billing, report(batch, (again, "AM04")))
    assert Charge.objects.count() == 1


def test_suspended_until_paid_and_not_a_moment_longer(
    world: World, shop: Shop, billing: Actor, opr_3: dict[str, Any]
) -> None:
    invoice = rejected(world, shop, billing, "AC04")
    world.sweep("invoicing.dun")
    world.work()
    row = Suspension.objects.get()
    assert (row.rule, row.invoice, row.state) == ("OPR-3", invoice, "applied")
    assert restrictions.blocking(invoice.account_id, "use_service") is not None
    transfer(world, invoice)
    row.refresh_from_db()
    assert row.state == "lifted"
    assert restrictions.blocking(invoice.account_id, "use_service") is None
    world.sweep("invoicing.dun")
    assert Suspension.objects.get().state == "lifted"


def test_without_the_rule_neither_happens(world: World, shop: Shop, billing: Actor) -> None:
    invoice = rejected(world, shop, billing, "AC04")
    world.sweep("invoicing.dun")
    assert not Charge.objects.exists()
    assert not Suspension.objects.exists()
    assert debit_rules.refundable_until(invoice.debits.get().debit_on) == date(2026, 6, 11)
