"""As a provider I ask for a setup fee once, with the first invoice; a change asks for it only where I say so (SUB-1,
SUB-12)."""

from datetime import timedelta

import pytest

from invoicing.models import Option
from invoicing.offering import catalogue, price_notices, pricing
from invoicing.renewing import billing
from invoicing.subscribing import changes
from invoicing.subscribing.changes import Wish
from panel.core.calendars import start_of_paris_day
from tests.support.shop import Shop
from tests.support.world import World

pytestmark = pytest.mark.django_db


def with_setup(world: World, code: str, setup: int, *, option: bool = False, again: bool = False) -> None:
    item = Option.objects.get(code=code) if option else catalogue.package(code)
    cents = catalogue.price(item, "month", now=world.now)
    price_notices.set_price(
        item, "month", cents, valid_from=world.now, actor=world.staff("billing"), now=world.now, setup_cents=setup,
        setup_on_change=again,
    )  # fmt: skip


def test_it_stands_on_the_preview_and_on_the_first_invoice_alone(world: World, shop: Shop) -> None:
    with_setup(world, "vps-s", 2500)
    with_setup(world, "vps-address", 300, option=True)
    alice = world.customer()
    shown = pricing.quote(alice.account, catalogue.package("vps-s"), "month", {"vps-address": 2}, now=world.now)
    assert [(line.code, line.net) for line in shown.lines] == [
        ("vps-s", 590), ("vps-address", 400), ("setup:vps-s", 2500), ("setup:vps-address", 600)
    ]  # fmt: skip
    assert (shown.period_net, shown.later_net) == (990, 990)

    row = shop.buy(alice, addresses=2)
    (first,) = shop.invoices(alice)
    assert [(line.code, line.net_cents) for line in first.lines.all()] == [
        (line.code, line.net) for line in shown.lines
    ]
    assert [line.period_start is None for line in first.lines.all()] == [False, False, True, True]
    assert row.price_cents == 590

    billing.run(start_of_paris_day(row.period_end))
    assert shop.invoices(alice)[1].net_cents == 990


def test_a_change_of_package_asks_for_it_only_where_its_price_says_so(world: World, shop: Shop) -> None:
    with_setup(world, "vps-m", 2500)
    with_setup(world, "vps-l", 4000, again=True)
    row = shop.buy(world.customer())
    for package, asked in (("vps-m", []), ("vps-l", [("setup:vps-l", 4000)])):
        found = changes.preview(row, Wish(package, "month", {}), now=world.now)
        assert found.to_pay is not None
        once = [(line.code, line.net) for line in found.to_pay.lines if line.code.startswith("setup:")]
        assert once == asked


def test_an_option_that_is_added_is_set_up_too(world: World, shop: Shop) -> None:
    with_setup(world, "vps-address", 300, option=True)
    alice = world.customer()
    row = shop.buy(alice, addresses=1)
    world.now += timedelta(days=3)
    changes.change(row, Wish("vps-s", "month", {"vps-address": 3}), key="more", actor=alice.actor, now=world.now)
    added = shop.invoices(alice)[1]
    assert [(line.code, line.quantity, line.net_cents) for line in added.lines.all()][1] == (
        "setup:vps-address",
        2,
        600,
    )
