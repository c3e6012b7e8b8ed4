"""A metered service and its prepaid packs, sold by catalogue rows alone: what stories of consumption are told with."""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from invoicing.consuming import metered_kind, usage, usage_setup
from invoicing.models import ONCE, PACK, Family, InvoiceLine, Package, Price, Subscription
from tests.support.world import World, paris

TIERS = [{"up_to": "1000", "unit_price": "0.06"}, {"up_to": None, "unit_price": "0.045"}]
EVER = datetime(2026, 1, 1, tzinfo=UTC)


def messages(world: World, *, allowance: int = 100, tiers: Sequence[Any] = TIERS, **more: Any) -> Package:
    """`sms` at EUR 10 a month or 100 a year, with `allowance` messages a month."""
    family, _new = Family.objects.get_or_create(code="relay", defaults={"name": "Relay", "name_fr": "Relais"})
    made = Package.objects.create(code="sms", name="SMS", name_fr="SMS", family=family, service_kind=metered_kind.KIND)
    for interval, cents in (("month", 1000), ("year", 10000)):
        Price.objects.create(package=made, interval=interval, amount_cents=cents, valid_from=EVER)
    wish = usage_setup.MeterWish("sms", "Messages", "Messages", "SMS", Decimal(allowance), tiers, **more)
    usage_setup.set_meter(made, wish, valid_from=world.now, actor=world.staff("billing"), now=world.now)
    return made


def pack(units: int, cents: int = 2000, code: str = "") -> Package:
    """A pack of `units` messages."""
    made = Package.objects.create(
        code=code or f"pack-{units}", name=f"{units} messages", name_fr=f"{units} messages", service_kind=PACK,
        family=Family.objects.get(code="relay"), spec={"meter": "sms", "unit": "SMS", "units": str(units)},
    )  # fmt: skip
    Price.objects.create(package=made, interval=ONCE, amount_cents=cents, valid_from=EVER)
    return made


def used(world: World, row: Subscription, key: str, quantity: int, at: str = "") -> usage.Taken:
    """So many messages, told now; `at` in Paris time, now where it is left out."""
    instant = paris(at) if at else world.now
    return usage.record("relay", [usage.Told(key, row.reference, "sms", Decimal(quantity), instant)], now=world.now)


def taken_back(world: World, row: Subscription, key: str) -> usage.Taken:
    return usage.record("relay", [usage.Told(f"not {key}", row.reference, corrects=key)], now=world.now)


def lines(row: Subscription) -> list[tuple[str, str, int]]:
    """Usage on invoices (and given back on credit notes): kind of document, quantity, net cents; in order."""
    rows = InvoiceLine.objects.filter(subscription=row, code="usage:sms").order_by("pk").select_related("invoice")
    return [(one.invoice.kind, f"{one.quantity.normalize():f}", one.net_cents) for one in rows]
