"""As staff I set a new price: new orders pay it at once, running subscriptions a month after they were told (LEG-3)."""

from datetime import date

import pytest

from invoicing.models import Option, Package, PriceNotice
from invoicing.offering import catalogue, price_notices
from invoicing.subscribing import changes
from panel.core.errors import RuleViolation
from tests.support.shop import Shop
from tests.support.world import World, paris

pytestmark = pytest.mark.django_db
RENEW = ["invoicing.renew"]


def set_price(world: World, item: Package | Option, cents: int, interval: str = "month", **when: str) -> None:
    start = paris(when["start"]) if when else world.now
    price_notices.set_price(
        item, interval, cents, valid_from=start, actor=world.staff("billing"), now=world.now
    )  # fmt: skip
    world.work()


def nets(shop: Shop, who: object) -> list[list[int]]:
    return [[line.net_cents for line in one.lines.all()] for one in shop.invoices(who)]  # type: ignore[arg-type]


def test_new_orders_at_once_and_running_ones_a_month_after_the_mail(world: World, shop: Shop) -> None:
    """Announced on 10 March: not on 2 April, which is less than a month later, but on 2 May."""
    alice, bob = world.customer(), world.customer("Bob")
    row = shop.buy(alice)
    world.until(paris("2026-03-10 12:00"))
    set_price(world, catalogue.package("vps-s"), 690)
    assert shop.order(bob).net_cents == 690
    (told,) = world.mails("price_change")
    assert told.account_id == alice.account.pk
    assert "6.90" in told.content.body
    assert "2 May 2026" in told.content.body
    assert [new.first_on for new in price_notices.announced(row)] == [date(2026, 5, 2)]
    world.until(paris("2026-05-02 00:01"), sweeps=RENEW)
    world.until(paris("2026-06-02 00:01"), sweeps=RENEW)
    assert nets(shop, alice) == [[590], [590], [690], [690]]


def test_a_month_to_the_day_is_long_enough(world: World, shop: Shop) -> None:
    alice = world.customer()
    shop.buy(alice)
    world.advance(hours=5)
    set_price(world, catalogue.package("vps-s"), 490)
    world.until(paris("2026-04-02 00:01"), sweeps=RENEW)
    assert nets(shop, alice) == [[590], [490]]


def test_only_what_is_held_at_another_price_is_told_and_only_once(world: World, shop: Shop) -> None:
    alice, bob, eve = world.customer(), world.customer("Bob"), world.customer("Eve")
    shop.buy(alice, addresses=2)
    shop.buy(bob)
    shop.buy(eve, interval="year", addresses=1)
    world.advance(hours=5)
    option = Option.objects.get(code="vps-address")
    set_price(world, option, 250)
    world.work()
    assert [notice.account_id for notice in PriceNotice.objects.all()] == [alice.account.pk]
    world.until(paris("2026-04-02 00:01"), sweeps=RENEW)
    assert nets(shop, alice) == [[590, 400], [590, 500]]
    assert nets(shop, bob) == [[590], [590]]


def test_who_bought_after_the_announcement_is_told_when_the_price_begins(world: World, shop: Shop) -> None:
    """Who ordered at the price they saw keeps it until they too were told a month before; who knew hears no more."""
    bob = world.customer("Bob")
    shop.buy(bob)
    world.advance(minutes=1)
    set_price(world, catalogue.package("vps-s"), 990, start="2026-06-01 00:00")
    world.work()
    alice = world.customer()
    shop.buy(alice)
    world.until(paris("2026-05-31 23:59"), sweeps=RENEW)
    assert [mail.account_id for mail in world.mails("price_change")] == [bob.account.pk]
    world.until(paris("2026-06-02 00:01"), sweeps=RENEW)
    assert [mail.account_id for mail in world.mails("price_change")] == [bob.account.pk, alice.account.pk]
    assert (nets(shop, bob)[-1], nets(shop, alice)[-1]) == ([990], [590])
    world.until(paris("2026-07-02 00:01"), sweeps=RENEW)
    assert nets(shop, alice)[-1] == [990]
    assert len(world.mails("price_change")) == 2


def test_the_latest_announced_price_counts_and_a_change_shows_it(world: World, shop: Shop) -> None:
    alice = world.customer()
    row = shop.buy(alice)
    set_price(world, catalogue.package("vps-s"), 690)
    world.advance(minutes=1)
    set_price(world, catalogue.package("vps-s"), 640)
    world.until(paris("2026-03-20 12:00"))
    set_price(world, catalogue.package("vps-s"), 790)
    seen = changes.preview(row, changes.Wish("vps-s", "month", {"vps-address": 1}), now=world.now)
    assert seen.period.totals.net == 640 + 200
    world.until(paris("2026-04-02 00:01"), sweeps=RENEW)
    world.until(paris("2026-05-02 00:01"), sweeps=RENEW)
    assert nets(shop, alice) == [[590], [640], [790]]


def test_a_price_in_the_past_or_twice_is_refused(world: World, shop: Shop) -> None:
    package = catalogue.package("vps-s")
    with pytest.raises(RuleViolation, match="in the past"):
        set_price(world, package, 690, start="2026-03-01 09:00")
    set_price(world, package, 690, start="2026-04-01 00:00")
    with pytest.raises(RuleViolation, match="already"):
        set_price(world, package, 700, start="2026-04-01 00:00")


def test_a_rise_that_is_taken_back_is_never_charged(world: World, shop: Shop) -> None:
    alice, bob = world.customer(), world.customer("Bob")
    shop.buy(alice)
    world.advance(hours=1)
    set_price(world, catalogue.package("vps-s"), 990)
    world.advance(days=2)
    shop.buy(bob)
    world.advance(hours=1)
    set_price(world, catalogue.package("vps-s"), 590)
    (again,) = [one for one in world.mails("price_change")[1:] if one.account_id == alice.account.pk]
    assert "5.90" in again.content.body
    assert "2 April 2026" in again.content.body
    world.until(paris("2026-04-05 00:01"), sweeps=RENEW)
    world.until(paris("2026-05-05 00:01"), sweeps=RENEW)
    assert nets(shop, alice) == [[590], [590], [590]]
    assert nets(shop, bob) == [[990], [590], [590]], "who bought at the higher price waits its month"
