"""As a customer who ends at once I owe what the periods until my term would really have cost, promotional codes, group
prices, announced prices and planned changes included, to the cent (SUB-6, SUB-7, SUB-8)."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from invoicing.models import Option, Subscription
from invoicing.offering import catalogue, groups, price_notices, promotions
from invoicing.subscribing import changes, ending, subscriptions
from invoicing.subscribing.leaving import Wishes
from panel import terms
from tests.support.shop import Shop
from tests.support.world import Customer, World, paris

pytestmark = pytest.mark.django_db
NOTICE_DAYS = 100
TERM = date(2026, 7, 2)


@pytest.fixture(autouse=True)
def _notice(monkeypatch: pytest.MonkeyPatch) -> None:
    own = terms.current(paris("2026-03-02 09:00"))
    theirs = replace(own, table={**own.table, "SUB-6": {**own.table["SUB-6"], "notice_days": NOTICE_DAYS}})
    plain = terms.version
    monkeypatch.setattr(terms, "version", lambda name: theirs if name == own.name else plain(name))


def code(world: World, **fields: Any) -> str:
    asked: dict[str, Any] = {"name": "SUMMER", "percent": Decimal(15), "valid_from": world.now} | fields
    if asked.get("amount_cents"):
        asked["percent"] = None
    promotions.create("SUMMER", [], now=world.now, actor=world.staff("billing"), **asked)
    return "SUMMER"


def price(world: World, item: str, cents: int) -> None:
    thing: Any = Option.objects.filter(code=item).first() or catalogue.package(item)
    price_notices.set_price(thing, "month", cents, valid_from=world.now, actor=world.staff("billing"), now=world.now)
    world.work()


def plain(world: World, shop: Shop, who: Customer) -> Subscription:
    return shop.buy(who, "vps-m", addresses=1)


def promoted(**fields: Any) -> Callable[[World, Shop, Customer], Subscription]:
    def buy(world: World, shop: Shop, who: Customer) -> Subscription:
        if who.user.email.startswith("alice"):
            code(world, **fields)
        return shop.buy(who, "vps-m", addresses=1, promotion="SUMMER")

    return buy


def in_a_group(world: World, shop: Shop, who: Customer) -> Subscription:
    group = groups.create(f"g{who.account.pk}", "G", actor=world.staff("billing"), now=world.now)
    staff = world.staff("billing")
    groups.set_percent(group, Decimal(10), valid_from=world.now, actor=staff, now=world.now)
    groups.join(group, who.account.reference, actor=staff, now=world.now)
    return shop.buy(who, "vps-m", addresses=1)


def planned(package: str) -> Callable[[World, Shop, Customer], Subscription]:
    def buy(world: World, shop: Shop, who: Customer) -> Subscription:
        row = shop.buy(who, "vps-m", addresses=1)
        changes.change(row, changes.Wish(package, "month", {}), key=row.reference, actor=who.actor, now=world.now)
        return row

    return buy


def announced(world: World, shop: Shop, who: Customer) -> Subscription:
    """Known in April, paid from May on."""
    row = shop.buy(who, "vps-m", addresses=1)
    if not who.user.email.startswith("alice"):
        world.advance(days=1)
        price(world, "vps-m", 1490)
        price(world, "vps-address", 150)
    return row


@pytest.mark.parametrize(
    ("buy", "nets"),
    [
        (plain, [1390, 1390, 1390]),
        (promoted(periods=1), [1390, 1390, 1390]),
        (promoted(periods=2), [1181, 1390, 1390]),
        (promoted(periods=3), [1181, 1181, 1390]),
        (promoted(periods=0), [1181, 1181, 1181]),
        (promoted(amount_cents=333, periods=3), [1057, 1057, 1390]),
        (in_a_group, [1251, 1251, 1251]),
        (planned("vps-s"), [590, 590, 590]),
        (planned("vps-m"), [1190, 1190, 1190]),
        (announced, [1390, 1640, 1640]),
    ],
)
def test_to_the_cent_what_staying_would_have_cost(
    world: World, shop: Shop, buy: Callable[[World, Shop, Customer], Subscription], nets: list[int]
) -> None:
    alice, bob = world.customer(), world.customer("Bob")
    hers, his = buy(world, shop, alice), buy(world, shop, bob)
    hers.refresh_from_db()
    seen = ending.preview(hers, now=world.now)
    assert seen.at_once is not None
    assert (seen.term, seen.at_once.totals.net) == (TERM, sum(nets))
    ending.end_now(hers, Wishes(), actor=alice.actor, now=world.now)
    ending.end_at_term(his, Wishes(), actor=bob.actor, now=world.now)
    world.until(paris("2026-07-02 00:01"), sweeps=["invoicing.renew"])
    his.refresh_from_db()
    assert his.state == "terminated"
    assert [one.net_cents for one in shop.invoices(bob)[1:]] == nets
    balance = shop.invoices(alice)[1:]
    assert [one.net_cents for one in balance] == [sum(nets)]
    assert {line.rule for line in balance[0].lines.all()} <= {"SUB-6", "SUB-2"}
    assert sum(line.net_cents for line in balance[0].lines.all()) == sum(nets)


def test_the_provider_claims_no_more_either(world: World, shop: Shop) -> None:
    alice = world.customer()
    row = promoted(periods=3)(world, shop, alice)
    Subscription.objects.filter(pk=row.pk).update(committed_until=date(2026, 6, 2))
    row.refresh_from_db()
    subscriptions.terminate(row, because="x", rule="SUB-8", now=world.now, actor=world.staff("billing"))
    last = shop.invoices(alice)[-1]
    assert [(line.code, line.net_cents) for line in last.lines.all()] == [
        ("vps-m", 2380), ("vps-address", 400), ("promotion:SUMMER", -418)
    ]  # fmt: skip


def test_a_late_run_reckons_the_same(world: World, shop: Shop) -> None:
    """Two renewals have not run yet: the billing run invoices them for itself, the balance is what comes after."""
    alice = world.customer()
    row = promoted(periods=3)(world, shop, alice)
    Subscription.objects.filter(pk=row.pk).update(committed_until=TERM)
    row.refresh_from_db()
    world.until(paris("2026-05-03 09:00"))
    subscriptions.terminate(row, because="x", rule="SUB-8", now=world.now, actor=world.staff("billing"))
    assert shop.invoices(alice)[-1].net_cents == 1390
    world.sweep("invoicing.renew")
    assert [one.net_cents for one in shop.invoices(alice)[2:]] == [1181, 1181]


def test_another_interval_that_was_planned_is_left_aside(world: World, shop: Shop) -> None:
    alice = world.customer()
    row = shop.buy(alice, "vps-m")
    changes.change(row, changes.Wish("vps-m", "year", {}), key="y", actor=alice.actor, now=world.now)
    seen = ending.preview(row, now=world.now)
    assert seen.at_once is not None
    assert (seen.term, seen.at_once.totals.net) == (TERM, 3 * 1190)
    ending.end_at_term(row, Wishes(), actor=alice.actor, now=world.now)
    world.until(paris("2026-07-02 00:01"), sweeps=["invoicing.renew"])
    assert [one.net_cents for one in shop.invoices(alice)] == [1190] * 4


@pytest.mark.parametrize(("fields", "fee"), [({}, 253), ({"amount_cents": 333, "periods": 0}, 226)])
def test_the_fee_for_the_code_is_of_what_the_hosting_really_costs(
    world: World, shop: Shop, fields: dict[str, Any], fee: int
) -> None:
    """SUB-7: 25 % of 1190 less 15 %, rounded (1011.5 is 1012 with the address's 170); or less its share of 3.33."""
    alice = world.customer()
    row = promoted(**fields)(world, shop, alice)
    fees = ending.fees(row)
    assert fees is not None
    assert fees.code_cents == fee
    ending.end_at_term(row, Wishes(keeps_code=True), actor=alice.actor, now=world.now)
    seen = ending.preview(row, now=world.now, wishes=Wishes(keeps_code=True))
    assert seen.at_term is not None
    assert [line.net for line in seen.at_term.lines] == [fee]
