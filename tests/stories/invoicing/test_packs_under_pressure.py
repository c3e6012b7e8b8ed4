"""As a provider I never let two uses at the same instant take the same unit of a pack (OPR-9)."""

import random
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.db import transaction
from django.db.models import Sum

from invoicing.consuming import pack_expiry, usage
from invoicing.consuming.usage import Told
from invoicing.models import Invoice, Pack, PackMovement, Payment, Subscription
from invoicing.paying import disputes, settlement
from invoicing.paying.payment_rules import OWN
from invoicing.selling_by_hand import repaying
from tests.support import relay, truths
from tests.support.crowd import locks, together
from tests.support.shop import Shop
from tests.support.world import Customer, World

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]
MANY = 12


def sms(world: World, shop: Shop, services: int) -> tuple[Customer, list[Subscription]]:
    relay.messages(world)
    relay.pack(50)
    relay.pack(70)
    alice = world.customer()
    return alice, [shop.buy(alice, "sms") for _ in range(services)]


def told(world: World, row: Subscription, key: str, quantity: int = 30) -> usage.Taken:
    return relay.used(world, row, key, quantity)


def drawn(pack: Pack) -> int:
    pack.refresh_from_db()
    moved = PackMovement.objects.filter(pack=pack).aggregate(sum=Sum("millionths"))["sum"] or 0
    assert pack.remaining == pack.bought + moved >= 0
    return -moved // 10**6


def test_uses_of_several_services_at_once_draw_each_unit_once(world: World, shop: Shop) -> None:
    """Three services of an account, twelve uses of 30 at once, each told twice, 120 units in two packs."""
    alice, rows = sms(world, shop, 3)
    packs = [shop.buy_pack(alice, "pack-50"), shop.buy_pack(alice, "pack-70")]
    world.advance(hours=1)
    deeds = [partial(told, world, rows[number % 3], f"e{number}") for number in range(MANY) for _twice in range(2)]
    taken = together(deeds)
    assert sum(one.accepted for one in taken) == MANY
    assert [drawn(pack) for pack in packs] == [50, 70]
    assert PackMovement.objects.values("pack", "event").distinct().count() == PackMovement.objects.count()


def test_uses_corrections_and_the_end_at_once_lose_nothing(world: World, shop: Shop) -> None:
    """A pack whose time is over expires while uses of before are still told, and others taken back: whatever comes
    first, used, left and expired add up to what was bought."""
    alice, rows = sms(world, shop, 2)
    pack = shop.buy_pack(alice, "pack-70")
    used_at = world.now
    for number in range(4):
        told(world, rows[number % 2], f"e{number}", 10)
    world.advance(days=340, sweeps=["invoicing.packs"])
    world.advance(days=60)
    back = [
        partial(usage.record, "relay", [Told(f"undo {number}", rows[number % 2].reference, corrects=f"e{number}")],
                now=world.now)
        for number in range(4)
    ]  # fmt: skip
    late = [
        partial(usage.record, "relay", [Told(f"late {number}", rows[number % 2].reference, "sms", usage.Decimal(5),
                                             used_at)], now=world.now)
        for number in range(4)
    ]  # fmt: skip
    ends = [partial(pack_expiry.run, world.now)] * 3
    together([*back, *late, *ends])
    pack_expiry.run(world.now)
    pack.refresh_from_db()
    moved = dict(PackMovement.objects.order_by().values_list("kind").annotate(sum=Sum("millionths")))
    used = -moved["drawn"] - moved["back"]
    expired = -moved.get("expired", 0) - moved.get("reopened", 0)
    assert used == 20 * 10**6
    assert used + pack.remaining + expired == pack.bought
    assert (pack.closing, pack.remaining) == ("expired", 0)


def taken(world: World, payment: Payment, state: str) -> None:
    told = {"ref": f"dp:{payment.reference}", "state": state, "amount_cents": payment.amount_cents, "reason": "",
            "at": world.now.isoformat(), "respond_by": ""}  # fmt: skip
    disputes.conclude(payment.pk, [told], now=world.now)


@transaction.atomic
def debited(world: World, pack: Pack) -> Payment:
    """Its card payment is disputed, so that its invoice is open again; a debit of our own file then paid it."""
    taken(world, Payment.objects.get(order=pack.order), "open")
    invoice = Invoice.objects.get(pk=pack.invoice_id)
    payment = Payment.objects.create(
        reference=f"PAY-{pack.pk}", account=pack.account, invoice=invoice, key=f"debit:{pack.pk}", state="succeeded",
        amount_cents=invoice.due_cents, provider=OWN, created_at=world.now,
    )  # fmt: skip
    entry = settlement.received(payment, now=world.now)
    settlement.pay(invoice.pk, payment.amount_cents, means="sepa", entry=entry, now=world.now)
    return payment


def test_the_bank_takes_back_what_staff_credits_and_services_use(world: World, shop: Shop) -> None:
    """All of it at once, of six packs of one account: payment, pack, account, in this order everywhere, so that nobody
    waits crosswise (a debit's return locks its payment, a credit does not); and every unit and cent is somewhere."""
    alice, rows = sms(world, shop, 2)
    packs = []
    for _ in range(6):
        packs.append(shop.buy_pack(alice, "pack-70"))
        world.now += timedelta(days=2)  # so many orders in a day would be looked at by a person
    payments = [debited(world, pack) for pack in packs]
    world.advance(hours=1)
    staff, deeds = world.staff("billing"), list[Callable[[], Any]]()
    for number, (pack, payment) in enumerate(zip(packs, payments, strict=True)):
        deeds += [partial(taken, world, payment, "lost")] * 2
        deeds += [
            partial(repaying.credit, pack.invoice, [100], reason="x", refund=False, key=key, actor=staff, now=world.now)
            for key in ("a", "b", "c")
        ]
        deeds.append(partial(told, world, rows[number % 2], f"e{number}", 10))
    deeds += [partial(pack_expiry.run, world.now)] * 2
    random.Random(11).shuffle(deeds)
    together(deeds, may_refuse=True)
    moved = dict(PackMovement.objects.order_by().values_list("kind").annotate(sum=Sum("millionths")))
    left = sum(Pack.objects.values_list("remaining", flat=True))
    assert set(moved) <= {"drawn", "withdrawn"}
    assert left - sum(moved.values()) == 6 * 70 * 10**6
    assert not Pack.objects.exclude(closing__in=("", "withdrawn")).exists()
    truths.documents_add_up()
    truths.books_balance()
    truths.numbers_run_on()


def test_a_payment_is_locked_before_its_pack_and_that_before_the_account(world: World, shop: Shop) -> None:
    alice, rows = sms(world, shop, 1)
    pack = shop.buy_pack(alice, "pack-70")
    card, wanted = Payment.objects.get(order=pack.order), ["invoicing_payment", "invoicing_pack", "accounts_account"]
    staff = world.staff("billing")
    found = locks(lambda: repaying.credit(
        pack.invoice, [100], reason="x", refund=False, key="a", actor=staff, now=world.now
    ))  # fmt: skip
    assert found[:3] == wanted
    assert locks(lambda: taken(world, card, "lost"))[:3] == wanted
    found = locks(lambda: told(world, rows[0], "e1", 10))
    assert found.index("invoicing_subscription") < found.index("invoicing_pack")
    assert "accounts_account" not in found[: found.index("invoicing_pack")]
