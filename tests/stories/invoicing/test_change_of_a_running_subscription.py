"""As a customer I add, upgrade, reduce and switch, and see to the cent what it costs before I confirm (SUB-12)."""

from datetime import date

import pytest

from invoicing.accounting import ledger
from invoicing.issuing import invoices
from invoicing.models import Invoice, Subscription, SubscriptionChange, SubscriptionPeriod
from invoicing.offering import catalogue
from invoicing.subscribing import changes
from invoicing.subscribing.changes import Wish
from panel.core.errors import RuleViolation
from tests.support.shop import Shop
from tests.support.world import Customer, World, paris

pytestmark = pytest.mark.django_db
RENEW = ["invoicing.renew"]


@pytest.fixture
def alice(world: World, shop: Shop) -> Customer:
    return world.customer()


def wish(package: str = "vps-s", interval: str = "month", addresses: int = 0) -> Wish:
    return Wish(package, interval, {"vps-address": addresses} if addresses else {})


def change(world: World, who: Customer, row: Subscription, what: Wish, key: str = "") -> SubscriptionChange:
    return changes.change(row, what, key=key or str(hash(f"{world.now}:{what}")), actor=who.actor, now=world.now)


def bought(world: World, shop: Shop, who: Customer, **how: object) -> Subscription:
    """VPS S from 2 March to 2 April: 31 days at EUR 5.90."""
    return shop.buy(who, **how)  # type: ignore[arg-type]


def lines(invoice: Invoice) -> list[tuple[str, str, int]]:
    return [(line.code, line.rule, line.net_cents) for line in invoice.lines.all()]


def test_an_option_is_paid_for_the_days_left_and_the_day_of_change(world: World, shop: Shop, alice: Customer) -> None:
    """EUR 2.00 for 31 days, from the 12th on: 21 days. The running sum is 0.65 on the 12th, so 1.35 each are left."""
    row = bought(world, shop, alice)
    world.until(paris("2026-03-12 15:00"))
    seen = changes.preview(row, wish(addresses=2), now=world.now)
    assert seen.to_pay is not None
    assert (seen.to_pay.totals.net, seen.to_pay.totals.vat, seen.to_pay.totals.total) == (270, 54, 324)
    assert seen.period.totals.net == 990
    made = change(world, alice, row, wish(addresses=2))
    assert made.invoice is not None
    assert (made.net_cents, made.invoice.total_cents) == (270, 324)
    line = made.invoice.lines.get()
    assert (line.rule, line.quantity, line.period_start, line.period_end) == (
        "SUB-12", 2, date(2026, 3, 12), date(2026, 4, 2)
    )  # fmt: skip
    assert (line.evidence["days"], line.evidence["days_of_period"], line.evidence["period_price"]) == (21, 31, 200)
    assert shop.service.done[-1] == ("change", "vps-s")
    world.until(paris("2026-04-02 00:01"), sweeps=RENEW)
    assert lines(shop.invoices(alice)[-1]) == [("vps-s", "SUB-5", 590), ("vps-address", "SUB-5", 400)]


def test_an_upgrade_costs_the_difference_of_the_days_left(world: World, shop: Shop, alice: Customer) -> None:
    """EUR 6.00 more for 31 days; on the 16th 14 of them are over: 6.00 - 2.71 = 3.29."""
    row = bought(world, shop, alice)
    world.until(paris("2026-03-16 23:59"))
    change(world, alice, row, wish("vps-m"))
    assert lines(shop.invoices(alice)[-1]) == [("vps-m", "SUB-12", 329)]
    row.refresh_from_db()
    assert (row.package.code, row.price_cents) == ("vps-m", 1190)


def test_what_is_added_in_steps_adds_up_to_the_price(world: World, shop: Shop, alice: Customer) -> None:
    """Two upgrades: 5.90 whole, 6.00 from the 9th, 12.00 from the 20th; each part of a price by running sums."""
    row = bought(world, shop, alice)
    world.until(paris("2026-03-09 09:00"))
    change(world, alice, row, wish("vps-m"))
    world.until(paris("2026-03-20 09:00"))
    change(world, alice, row, wish("vps-l"))
    assert [i.net_cents for i in shop.invoices(alice)] == [590, 600 - 135, 1200 - 697]


def test_there_and_back_on_one_day_costs_nothing(world: World, shop: Shop, alice: Customer) -> None:
    row = bought(world, shop, alice)
    world.until(paris("2026-03-16 10:00"))
    made = change(world, alice, row, wish("vps-l", addresses=1))
    world.advance(hours=5)
    for _ in range(2):
        made = changes.undo(made, actor=alice.actor, now=world.now)
    row.refresh_from_db()
    assert (row.package.code, row.price_cents, row.options.filter(until=None).count()) == ("vps-s", 590, 0)
    assert made.credit_note is not None
    assert made.credit_note.total_cents == made.invoice.total_cents  # type: ignore[union-attr]
    assert sum(i.total_cents if i.kind == "invoice" else -i.total_cents for i in shop.invoices(alice)) == 708
    assert ledger.total() == 0
    assert invoices.verify() == []
    assert [what for what in shop.service.done if what[0] == "change"] == [("change", "vps-l"), ("change", "vps-s")]


def test_the_next_day_it_cannot_be_taken_back(world: World, shop: Shop, alice: Customer) -> None:
    row = bought(world, shop, alice)
    made = change(world, alice, row, wish("vps-m"))
    world.until(paris("2026-03-03 00:00"))
    with pytest.raises(RuleViolation, match="on the day it was made"):
        changes.undo(made, actor=alice.actor, now=world.now)


def test_a_reduction_waits_for_the_renewal_and_gives_nothing_back(world: World, shop: Shop, alice: Customer) -> None:
    """REFUND: subscriptions are not refunded, so what is paid runs on."""
    row = bought(world, shop, alice, package="vps-m", addresses=3)
    world.until(paris("2026-03-12 15:00"))
    seen = changes.preview(row, wish("vps-s", addresses=1), now=world.now)
    assert (seen.to_pay, seen.changes_today, seen.renewal_on) == (None, False, date(2026, 4, 2))
    change(world, alice, row, wish("vps-s", addresses=1))
    row.refresh_from_db()
    assert (row.package.code, len(shop.invoices(alice))) == ("vps-m", 1)
    world.until(paris("2026-04-02 00:01"), sweeps=RENEW)
    assert lines(shop.invoices(alice)[-1]) == [("vps-s", "SUB-5", 590), ("vps-address", "SUB-5", 200)]
    assert shop.service.done[-1] == ("change", "vps-s")


def test_a_planned_change_can_be_replaced_and_taken_back(world: World, shop: Shop, alice: Customer) -> None:
    row = bought(world, shop, alice, package="vps-l")
    change(world, alice, row, wish("vps-m"))
    second = change(world, alice, row, wish("vps-s"))
    assert [one.state for one in row.changes.order_by("pk")] == ["undone", "planned"]
    assert changes.wished(row) == wish("vps-s")
    changes.undo(second, actor=alice.actor, now=world.now)
    world.until(paris("2026-04-02 00:01"), sweeps=RENEW)
    assert lines(shop.invoices(alice)[-1]) == [("vps-l", "SUB-5", 2390)]


def test_monthly_to_annual_and_back_keeps_the_anniversary(world: World, shop: Shop, alice: Customer) -> None:
    """SUB-5: from the 31st: a month, then a year from the renewal, then months again, all on the anchor's day."""
    world.until(paris("2026-03-31 10:00"))
    row = bought(world, shop, alice, addresses=1)
    change(world, alice, row, wish("vps-s", "year", addresses=1))
    world.until(paris("2026-04-30 00:01"), sweeps=RENEW)
    assert lines(shop.invoices(alice)[-1]) == [("vps-s", "SUB-5", 5900), ("vps-address", "SUB-5", 2000)]
    row.refresh_from_db()
    change(world, alice, row, wish("vps-s", "month", addresses=1))
    world.until(paris("2027-05-31 00:01"), sweeps=RENEW)
    assert list(SubscriptionPeriod.objects.order_by("start").values_list("start", "end")) == [
        (date(2026, 3, 31), date(2026, 4, 30)), (date(2026, 4, 30), date(2027, 4, 30)),
        (date(2027, 4, 30), date(2027, 5, 31)), (date(2027, 5, 31), date(2027, 6, 30)),
    ]  # fmt: skip


def test_confirming_twice_changes_once(world: World, shop: Shop, alice: Customer) -> None:
    row = bought(world, shop, alice)
    made = [change(world, alice, row, wish(addresses=1), key="one") for _ in range(2)]
    assert made[0] == made[1]
    assert len(shop.invoices(alice)) == 2


def test_what_is_held_keeps_its_price_and_what_is_added_has_todays(world: World, shop: Shop, alice: Customer) -> None:
    row = bought(world, shop, alice, addresses=1)
    option = catalogue.options_of(row.package).get()
    option.prices.create(interval="month", amount_cents=300, valid_from=world.now)
    change(world, alice, row, wish(addresses=2))
    assert shop.invoices(alice)[-1].net_cents == 300
    world.until(paris("2026-04-02 00:01"), sweeps=RENEW)
    assert [cents for _code, _rule, cents in lines(shop.invoices(alice)[-1])] == [590, 200, 300]


def test_an_unpaid_change_blocks_no_other(world: World, shop: Shop, alice: Customer) -> None:
    """Paymenter#1266: only an overdue invoice refuses what costs more (SUB-4)."""
    row = bought(world, shop, alice)
    change(world, alice, row, wish("vps-m"))
    change(world, alice, row, wish("vps-l"))
    world.until(paris("2026-03-03 00:01"), sweeps=RENEW)
    with pytest.raises(RuleViolation, match="overdue"):
        change(world, alice, row, wish("vps-l", addresses=1))


def test_the_first_and_the_last_day(world: World, shop: Shop, alice: Customer) -> None:
    """A change on the first day pays the whole period, on the last day one day; local days at night."""
    row = bought(world, shop, alice)
    change(world, alice, row, wish(addresses=1))
    world.until(paris("2026-04-01 23:59"))
    change(world, alice, row, wish(addresses=2))
    assert [i.net_cents for i in shop.invoices(alice)] == [590, 200, 6]
    world.now = paris("2026-04-02 00:00")  # 22:00 UTC of the day before: the period is over in Paris
    with pytest.raises(RuleViolation, match="just being invoiced"):
        change(world, alice, row, wish(addresses=3))


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        (Wish("vps-x", "month", {}), "not on sale"),
        (Wish("vps-s", "week", {}), "monthly or annually"),
        (Wish("vps-s", "month", {"vps-address": 9}), "between 0 and 4"),
        (Wish("vps-s", "month", {"vps-address": -1}), "whole numbers"),
        (Wish("vps-s", "month", {"other": 1}), "not on sale"),
        (Wish("vps-s", "month", {}), "already"),
        (Wish("vps-l", "month", {}), "cannot become that"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_kept(
    world: World, shop: Shop, alice: Customer, asked: Wish, sentence: str
) -> None:
    row = bought(world, shop, alice)
    shop.service.cannot_become = "vps-l"
    with pytest.raises(RuleViolation, match=sentence):
        change(world, alice, row, asked)
    assert (len(shop.invoices(alice)), row.changes.count()) == (1, 0)
