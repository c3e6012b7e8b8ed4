"""As a member of a customer group I see and pay its prices; what runs keeps its price until I was told (SUB-1,
LEG-3)."""

from decimal import Decimal
from typing import Any

import pytest

from invoicing import selectors
from invoicing.models import CustomerGroup, Option, Price, PriceNotice
from invoicing.offering import catalogue, groups, price_notices
from invoicing.subscribing import changes
from panel.core.errors import RuleViolation
from tests.support.shop import Shop
from tests.support.world import Customer, World, paris

pytestmark = pytest.mark.django_db
RENEW = ["invoicing.renew"]


@pytest.fixture
def agencies(world: World, shop: Shop) -> CustomerGroup:
    return groups.create("agencies", "Agencies", actor=world.staff("billing"), now=world.now)


def join(world: World, group: CustomerGroup, who: Customer) -> None:
    groups.join(group, who.account.reference, actor=world.staff("billing"), now=world.now)


def less(world: World, group: CustomerGroup, percent: int) -> None:
    groups.set_percent(group, Decimal(percent), valid_from=world.now, actor=world.staff("billing"), now=world.now)


def price(world: World, code: str, cents: int, group: CustomerGroup | None = None) -> None:
    item: Any = Option.objects.filter(code=code).first() or catalogue.package(code)
    price_notices.set_price(
        item, "month", cents, valid_from=world.now, actor=world.staff("billing"), now=world.now, group=group
    )
    world.work()


def nets(shop: Shop, who: Customer) -> list[int]:
    return [one.net_cents for one in shop.invoices(who)]


def test_members_see_and_pay_the_groups_price(world: World, shop: Shop, agencies: CustomerGroup) -> None:
    alice, bob = world.customer(), world.customer("Bob")
    less(world, agencies, 10)
    price(world, "vps-m", 990, agencies)
    join(world, agencies, alice)
    shown = {
        one.item.code: (one.month_cents, one.own)
        for _family, packages, options in selectors.offers(world.now, alice.account)
        for one in (*packages, *options)
    }
    assert shown == {
        "vps-s": (531, True), "vps-m": (990, True), "vps-l": (2151, True), "vps-address": (180, True)
    }  # fmt: skip
    assert not any(one.own for _f, packages, _o in selectors.offers(world.now, bob.account) for one in packages)
    row = shop.buy(alice, "vps-m", addresses=1)
    shop.buy(bob, "vps-m", addresses=1)
    assert (nets(shop, alice), nets(shop, bob)) == ([1170], [1390])
    wish = changes.Wish("vps-l", "month", {"vps-address": 2})
    assert changes.preview(row, wish, now=world.now).period.totals.net == 2151 + 2 * 180
    world.until(paris("2026-04-02 00:01"), sweeps=RENEW)
    assert nets(shop, alice) == [1170, 1170]


def test_joining_and_leaving_concern_new_orders(world: World, shop: Shop, agencies: CustomerGroup) -> None:
    alice = world.customer()
    shop.buy(alice)
    less(world, agencies, 50)
    join(world, agencies, alice)
    world.until(paris("2026-04-02 00:01"), sweeps=RENEW)
    assert nets(shop, alice) == [590, 590]
    assert shop.order(alice).net_cents == 295
    groups.leave(agencies, agencies.members.get().pk, actor=world.staff("billing"), now=world.now)
    assert shop.order(alice).net_cents == 590


def test_a_group_price_is_announced_to_its_members_alone(world: World, shop: Shop, agencies: CustomerGroup) -> None:
    alice, bob = world.customer(), world.customer("Bob")
    shop.buy(alice)
    shop.buy(bob)
    join(world, agencies, alice)
    world.advance(hours=1)
    price(world, "vps-s", 490, agencies)
    assert [notice.account_id for notice in PriceNotice.objects.all()] == [alice.account.pk]
    world.until(paris("2026-04-02 00:01"), sweeps=RENEW)
    assert (nets(shop, alice), nets(shop, bob)) == ([590, 490], [590, 590])


def test_a_listed_price_reaches_members_less_their_percentage(
    world: World, shop: Shop, agencies: CustomerGroup
) -> None:
    """Who has a price of the group's own is not touched by the list."""
    alice, carl = world.customer(), world.customer("Carl")
    less(world, agencies, 10)
    join(world, agencies, alice)
    join(world, agencies, carl)
    price(world, "vps-m", 900, agencies)
    shop.buy(alice)
    shop.buy(carl, "vps-m")
    world.advance(hours=1)
    price(world, "vps-s", 690)
    price(world, "vps-m", 1490)
    assert [(one.account_id, one.cents) for one in PriceNotice.objects.all()] == [(alice.account.pk, 621)]
    assert "6.21" in world.mails("price_change", alice.account)[0].content.body
    world.until(paris("2026-04-02 00:01"), sweeps=RENEW)
    assert (nets(shop, alice), nets(shop, carl)) == ([531, 621], [900, 900])


def test_one_group_at_most_and_known_accounts(world: World, shop: Shop, agencies: CustomerGroup) -> None:
    alice, staff = world.customer(), world.staff("billing")
    join(world, agencies, alice)
    other = groups.create("schools", "Schools", actor=staff, now=world.now)
    join(world, other, alice)
    assert (agencies.members.count(), other.members.count()) == (0, 1)
    for call, field in (
        (lambda: groups.join(other, "ACC-NOBODY", actor=staff, now=world.now), "reference"),
        (lambda: groups.create("schools", "x", actor=staff, now=world.now), "code"),
        (lambda: groups.set_percent(other, Decimal(1), valid_from=paris("2026-01-01 00:00"), actor=staff,
                                    now=world.now), "percent_from"),
    ):  # fmt: skip
        with pytest.raises(RuleViolation) as refused:
            call()
        assert refused.value.field == field


def end(world: World, group: CustomerGroup, code: str) -> Price:
    own = Price.objects.filter(group=group, package__code=code, ends=False).latest("valid_from")
    made = price_notices.end_price(own, actor=world.staff("billing"), now=world.now)
    world.work()
    return made


def test_a_price_of_the_groups_own_is_taken_back(world: World, shop: Shop, agencies: CustomerGroup) -> None:
    """New orders pay the list at once; what runs is told and follows at the first renewal a month later."""
    alice, bob = world.customer(), world.customer("Bob")
    join(world, agencies, alice)
    price(world, "vps-s", 490, agencies)
    shop.buy(alice)
    shop.buy(bob)
    world.until(paris("2026-03-10 09:00"))
    made = end(world, agencies, "vps-s")
    assert end(world, agencies, "vps-s") == made, "twice changes nothing"
    assert shop.order(alice).net_cents == 590
    offered = [one for _f, packages, _o in selectors.offers(world.now, alice.account) for one in packages]
    assert [(one.month_cents, one.own) for one in offered if one.item.code == "vps-s"] == [(590, False)]
    (told,) = world.mails("price_change")
    assert told.account_id == alice.account.pk
    assert "2 May 2026" in told.content.body
    for day in ("2026-04-02 00:01", "2026-05-02 00:01"):
        world.until(paris(day), sweeps=RENEW)
    assert (nets(shop, alice), nets(shop, bob)) == ([490, 490, 590], [590, 590, 590])
    price(world, "vps-s", 650)
    world.until(paris("2026-06-02 00:01"), sweeps=RENEW)
    assert (nets(shop, alice)[-1], nets(shop, bob)[-1]) == (650, 650), "from then on the list is theirs"


def test_the_percentage_is_theirs_again(world: World, shop: Shop, agencies: CustomerGroup) -> None:
    alice = world.customer()
    less(world, agencies, 10)
    join(world, agencies, alice)
    price(world, "vps-s", 490, agencies)
    shop.buy(alice)
    world.advance(hours=1)
    end(world, agencies, "vps-s")
    assert shop.order(alice).net_cents == 531
    world.until(paris("2026-04-02 00:01"), sweeps=RENEW)
    assert nets(shop, alice) == [490, 531]


def test_who_leaves_is_told_the_ordinary_prices(world: World, shop: Shop, agencies: CustomerGroup) -> None:
    """LEG-3, as for any new price: package and option, also where another price was announced to them before."""
    alice = world.customer()
    less(world, agencies, 10)
    join(world, agencies, alice)
    shop.buy(alice, addresses=1)  # 5.31 and 1.80
    world.advance(hours=1)
    price(world, "vps-s", 690)  # 6.21 to her, from 2 April on
    world.until(paris("2026-03-10 09:00"))
    groups.leave(agencies, agencies.members.get().pk, actor=world.staff("billing"), now=world.now)
    world.work()
    assert shop.order(alice).net_cents == 690
    assert len(world.mails("price_change", alice.account)) == 3
    for day in ("2026-04-02 00:01", "2026-05-02 00:01"):
        world.until(paris(day), sweeps=RENEW)
    assert nets(shop, alice) == [711, 711, 890]


def test_who_goes_to_another_group_is_told_its_prices(world: World, shop: Shop, agencies: CustomerGroup) -> None:
    alice, staff = world.customer(), world.staff("billing")
    join(world, agencies, alice)
    price(world, "vps-s", 490, agencies)
    shop.buy(alice)
    schools = groups.create("schools", "Schools", actor=staff, now=world.now)
    less(world, schools, 50)
    world.advance(hours=1)
    join(world, schools, alice)
    world.work()
    world.until(paris("2026-04-02 00:01"), sweeps=RENEW)
    assert nets(shop, alice) == [490, 295]
