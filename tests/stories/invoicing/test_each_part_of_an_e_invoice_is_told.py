"""As the provider's accountant I tell the platform each part of an e-invoice when it is collected, and with a minus
what a credit note takes off what was paid, so that the statuses add up to the money that stayed (INV-10)."""

from collections.abc import Iterator
from decimal import Decimal

import pytest

from invoicing.issuing import invoices
from invoicing.models import Invoice
from invoicing.paying import disputes
from invoicing.platforms.simulated import SimulatedPlatform, running
from invoicing.taxing import declared
from panel.core.actors import SYSTEM
from tests.support.owing import collect, transfer
from tests.support.shop import Shop
from tests.support.world import World, paris

pytestmark = pytest.mark.django_db


@pytest.fixture
def platform() -> Iterator[SimulatedPlatform]:
    office = running()
    office.calm()
    yield office
    office.calm()


@pytest.fixture
def owed(world: World, shop: Shop, platform: SimulatedPlatform) -> Invoice:
    alice = world.customer("Alice", siren="552100554")
    shop.buy(alice)
    world.until(paris("2026-04-02 00:01"), sweeps=["invoicing.renew"])
    return Invoice.objects.filter(account=alice.account).latest("pk")


def told(world: World, platform: SimulatedPlatform, invoice: Invoice) -> list[Decimal]:
    for _ in range(2):
        world.advance(sweeps=["invoicing.follow"], seconds=600)
    invoice.refresh_from_db()
    (flow,) = [one for one in platform.flows.values() if one.name == invoice.number]
    return [Decimal(amount["amount"]) for one in flow.collected for amount in one["amounts"]]


def test_each_part_when_it_comes(world: World, platform: SimulatedPlatform, owed: Invoice) -> None:
    transfer(world, owed, 300)
    assert told(world, platform, owed) == [Decimal(3)]
    transfer(world, owed)
    assert told(world, platform, owed) == [Decimal(3), Decimal("4.08")]


def test_a_credit_note_over_what_was_paid_is_told_with_a_minus(
    world: World, platform: SimulatedPlatform, owed: Invoice
) -> None:
    transfer(world, owed)
    assert told(world, platform, owed) == [Decimal("7.08")]
    invoices.credit(owed, [90], reason="A gesture", now=world.now, actor=SYSTEM)
    assert told(world, platform, owed) == [Decimal("7.08"), Decimal("-1.08")]
    invoices.credit(owed, None, reason="All of it", now=world.now, actor=SYSTEM)
    said = told(world, platform, owed)
    assert (said[2:], sum(said), declared.paid_by_rate(owed)) == ([Decimal("-6.00")], 0, {})


def test_a_credit_note_over_what_nobody_paid_is_not_told(
    world: World, platform: SimulatedPlatform, owed: Invoice
) -> None:
    invoices.credit(owed, [90], reason="A gesture", now=world.now, actor=SYSTEM)
    assert told(world, platform, owed) == []
    transfer(world, owed)
    assert told(world, platform, owed) == [Decimal("6.00")]


def test_a_part_that_comes_while_a_dispute_is_undecided(
    world: World, platform: SimulatedPlatform, owed: Invoice
) -> None:
    payment = collect(world, owed)
    assert told(world, platform, owed) == [Decimal("7.08")]
    said = {"ref": "dp_1", "state": "open", "amount_cents": payment.amount_cents, "reason": "",
            "at": world.now.isoformat(), "respond_by": ""}  # fmt: skip
    disputes.conclude(payment.pk, [said], now=world.now)
    owed.refresh_from_db()
    transfer(world, owed, 300)
    assert told(world, platform, owed) == [Decimal("7.08")], "what the bank took is not decided on"
    disputes.conclude(payment.pk, [{**said, "state": "lost"}], now=world.now)
    assert told(world, platform, owed) == [Decimal("7.08"), Decimal("-4.08")]
