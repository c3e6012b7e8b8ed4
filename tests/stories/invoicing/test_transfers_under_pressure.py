"""As two customers between whom a metered service changes hands while usage is told of it, each of us pays our own
uses, and nobody pays one twice (SUB-2, OPR-1)."""

from decimal import Decimal
from functools import partial

import pytest
from django.db.models import Sum

from invoicing.accounting import ledger
from invoicing.consuming import usage
from invoicing.consuming.usage import Told
from invoicing.models import Consumption, ServiceTransfer, UsageEvent
from invoicing.transferring import handing_over, transfers
from panel.accounts import terms_in_force
from tests.support import relay
from tests.support.crowd import together
from tests.support.shop import Shop
from tests.support.world import World, paris

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]
MILLION = 10**6


def test_used_while_it_changes_hands(world: World, shop: Shop) -> None:
    alice, bob = world.customer(), world.customer("Bob")
    relay.messages(world, allowance=0)
    row = shop.buy(alice, "sms")
    world.until(paris("2026-03-12 09:00"))
    made = transfers.offer(row, to=bob.account.reference, reason="Sold", actor=alice.actor, now=world.now)
    documents = terms_in_force.at(bob.account, world.now).order_documents
    accept = partial(
        handing_over.accept, made, bob.account, accepted=documents, actor=bob.actor, ip=None, now=world.now
    )  # fmt: skip
    instants = (paris("2026-03-12 08:59"), world.now, paris("2026-03-12 09:02"))
    told = [
        partial(usage.record, "relay", [Told(f"e{number}", row.reference, "sms", Decimal(10), instants[number % 3])],
                now=world.now)
        for number in range(9)
    ]  # fmt: skip
    together([*told[:4], accept, accept, *told[4:]])
    assert ServiceTransfer.objects.get().state == "accepted"
    world.until(paris("2026-04-02 09:00"), sweeps=["invoicing.renew"])
    used = dict(UsageEvent.objects.order_by().values_list("account").annotate(sum=Sum("millionths")))
    before = UsageEvent.objects.filter(at__lt=made.offered_at)
    assert set(before.values_list("account", flat=True)) == {alice.account.pk}
    assert sum(used.values()) == 90 * MILLION
    for who in (alice, bob):
        rows = Consumption.objects.filter(account=who.account)
        assert rows.aggregate(sum=Sum("net_cents"))["sum"] == used.get(who.account.pk, 0) // MILLION * 6
    assert ledger.total() == 0
