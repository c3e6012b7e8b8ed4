"""A billing run of staff, pressed twice while the clock runs too: two subscriptions beyond their volume (SUB-5)."""

from datetime import date
from typing import Any

from invoicing.accounting import ledger
from invoicing.issuing import invoices
from invoicing.models import BillingRun, Consumption, Invoice, Subscription, SubscriptionPeriod
from invoicing.renewing import billing_runs, in_bulk
from invoicing.subscribing import kinds
from panel.accounts.models import User, actor_of
from panel.core import hands
from tests.crash import stage_set
from tests.support.shop import Shop, open_shop
from tests.support.world import World, paris

LATER = "2026-04-02 00:01"
TB = 10**12


class Overrun(dict[date, int]):
    """A meter that counts 3 GB beyond the volume in every month."""

    def get(self, key: date, default: int | None = None) -> int:  # type: ignore[override]
        return TB + 3 * 10**9


def _shop(world: World) -> Shop:
    """A service that only writes down, the same in every process."""
    shop = open_shop(world)
    kinds._kinds["vps"] = shop.service
    shop.service.used = Overrun()
    return shop


def prepare() -> None:
    world = stage_set.world_at()
    shop = _shop(world)
    for name in ("Alice", "Bob"):
        shop.buy(world.customer(name))
    world.staff("billing")


def act() -> None:
    """By one hand, so that it is killed at the same places each time, which takes one subscription in a transaction: a
    run is cut off between its batches too."""
    in_bulk.BATCH, hands.HANDS = 1, 1
    world = stage_set.world_at()
    _shop(world)
    world.now = paris(LATER)
    clerk = actor_of(User.objects.get(staff_roles__role="billing"), account_id=None)
    for _ in range(2):
        billing_runs.start(key="press", dry=False, actor=clerk, now=world.now)
    stage_set.work(world)
    billing_runs.by_clock(world.now)


def resume() -> None:
    stage_set.start_again(paris(LATER))
    act()


def verify() -> dict[str, Any]:
    issued = Invoice.objects.order_by("position")
    run = BillingRun.objects.get(key="staff:press")
    return {
        "numbers": list(issued.values_list("position", flat=True)), "chain": invoices.verify(),
        "nets": sorted(issued.values_list("net_cents", flat=True)), "ledger": ledger.total(),
        "periods": SubscriptionPeriod.objects.count(), "rated": Consumption.objects.count(),
        "still": Subscription.objects.filter(next_due_on__lte=paris(LATER).date()).count(),
        "run": [run.state, run.expected, run.billed, run.failed],
    }  # fmt: skip
