"""As a customer I am invoiced on my anniversary, with last month's overage, exactly once (SUB-5, INV-1, SRV-5)."""

from datetime import date, timedelta

import pytest

from invoicing.models import Consumption, Invoice, SubscriptionPeriod
from invoicing.offering import catalogue
from invoicing.renewing import billing, drawing
from panel import terms
from panel.core.due import SweepReport
from panel.core.money import round_cents
from tests.support.shop import Shop
from tests.support.world import World, paris

pytestmark = pytest.mark.django_db
RENEW = ["invoicing.renew"]
TB = 10**12


@pytest.fixture
def world() -> World:
    return World("2026-01-31 10:00")


def days(shop: Shop) -> list[tuple[date, int]]:
    return list(Invoice.objects.order_by("pk").values_list("issued_on", "net_cents"))


def test_31_january_28_february_31_march(world: World, shop: Shop) -> None:
    """killbill#127: an account of the 31st was not billed any more after February."""
    shop.buy(world.customer())
    world.until(paris("2026-02-27 23:59"), sweeps=RENEW)
    assert days(shop) == [(date(2026, 1, 31), 590)]
    world.until(paris("2026-02-28 00:00"), sweeps=RENEW)
    world.until(paris("2026-03-30 23:59"), sweeps=RENEW)
    world.until(paris("2026-03-31 00:00"), sweeps=RENEW)
    world.until(paris("2026-04-30 00:00"), sweeps=RENEW)
    assert [day for day, _net in days(shop)] == [
        date(2026, 1, 31), date(2026, 2, 28), date(2026, 3, 31), date(2026, 4, 30)
    ]  # fmt: skip
    assert list(SubscriptionPeriod.objects.order_by("start").values_list("start", "end")) == [
        (date(2026, 1, 31), date(2026, 2, 28)), (date(2026, 2, 28), date(2026, 3, 31)),
        (date(2026, 3, 31), date(2026, 4, 30)), (date(2026, 4, 30), date(2026, 5, 31)),
    ]  # fmt: skip


def test_running_twice_makes_nothing_twice(world: World, shop: Shop) -> None:
    shop.buy(world.customer())
    world.until(paris("2026-02-28 00:00"), sweeps=RENEW * 3)
    assert days(shop) == [(date(2026, 1, 31), 590), (date(2026, 2, 28), 590)]


def test_a_late_run_makes_the_same_invoices(world: World, shop: Shop) -> None:
    """Three anniversaries missed: three invoices, each with its own period and its own month's overage."""
    alice = world.customer()
    shop.service.used = {date(2026, 1, 31): TB + 10**9, date(2026, 2, 28): TB, date(2026, 3, 31): TB + 2 * 10**9}
    shop.buy(alice)
    world.until(paris("2026-05-02 12:00"), sweeps=RENEW)
    late = [
        (line.code, line.period_start, line.period_end, line.net_cents)
        for invoice in shop.invoices(alice)
        for line in invoice.lines.all()
    ]
    assert late == [
        ("vps-s", date(2026, 1, 31), date(2026, 2, 28), 590),
        ("vps-s", date(2026, 2, 28), date(2026, 3, 31), 590),
        ("usage:traffic", date(2026, 1, 31), date(2026, 2, 28), 130),
        ("vps-s", date(2026, 3, 31), date(2026, 4, 30), 590),
        ("vps-s", date(2026, 4, 30), date(2026, 5, 31), 590),
        ("usage:traffic", date(2026, 3, 31), date(2026, 4, 30), 260),
    ]


def test_overage_is_charged_to_the_byte(world: World, shop: Shop) -> None:
    """SRV-5: 12 345 678 901 bytes beyond the terabyte, at the price per GB of the terms, rounded once."""
    alice = world.customer()
    over = 12_345_678_901
    shop.service.used = {date(2026, 1, 31): TB + over}
    shop.buy(alice)
    world.until(paris("2026-02-28 00:01"), sweeps=RENEW)
    line = shop.invoices(alice)[-1].lines.get(code="usage:traffic")
    price = terms.current(world.now).bandwidth.unit_price
    assert f"{line.quantity:.9f}" == "12.345678901"
    assert line.unit_price == price
    assert line.net_cents == round_cents(line.quantity * price) == 1605
    assert (line.rule, line.unit) == ("SRV-5", "GB")
    assert line.evidence["bytes"] == TB + over
    counted = Consumption.objects.get()
    assert (counted.net_cents, counted.invoice) == (1605, line.invoice)


def test_the_last_byte_of_the_allowance_is_free(world: World, shop: Shop) -> None:
    alice = world.customer()
    shop.service.used = {date(2026, 1, 31): TB}
    shop.buy(alice)
    world.until(paris("2026-02-28 00:01"), sweeps=RENEW)
    assert not shop.invoices(alice)[-1].lines.filter(code="usage:traffic").exists()
    assert Consumption.objects.get().invoice is None


def test_a_reading_that_is_late_is_waited_for(world: World, shop: Shop) -> None:
    shop.buy(world.customer())
    shop.service.unread = True
    world.until(paris("2026-02-28 00:01"), sweeps=RENEW)
    assert len(days(shop)) == 1
    shop.service.unread = False
    world.advance(minutes=10, sweeps=RENEW)
    assert len(days(shop)) == 2


def test_a_reading_that_stays_away_comes_on_the_invoice_after(world: World, shop: Shop) -> None:
    """The renewal does not wait for ever; the month is rated once, later."""
    alice = world.customer()
    shop.service.used = {date(2026, 1, 31): TB + 10**9}
    shop.service.unread = True
    shop.buy(alice)
    world.until(paris("2026-02-28 00:00") + drawing.WAIT_FOR_USAGE, sweeps=RENEW)
    assert [line.code for line in shop.invoices(alice)[-1].lines.all()] == ["vps-s"]
    shop.service.unread = False
    world.until(paris("2026-03-31 00:01"), sweeps=RENEW)
    assert [line.code for line in shop.invoices(alice)[-1].lines.all()] == ["vps-s", "usage:traffic"]


def test_an_annual_subscription_is_renewed_yearly_and_rated_monthly(world: World, shop: Shop) -> None:
    """SRV-4: traffic months run from the anchor day for annual subscriptions too."""
    alice = world.customer()
    shop.service.used = {date(2026, 2, 28): TB + 10**10}
    shop.buy(alice, interval="year")
    for _ in range(13):
        world.advance(days=28, sweeps=RENEW)
    world.until(paris("2027-01-31 00:05"), sweeps=RENEW)
    assert [(i.issued_on, i.net_cents) for i in shop.invoices(alice)] == [
        (date(2026, 1, 31), 5900), (world_day(world, "2026-04-25"), 1300), (date(2027, 1, 31), 5900)
    ]  # fmt: skip


def world_day(world: World, text: str) -> date:
    """The day on which the story's own walk first came after the month's end."""
    return date.fromisoformat(text)


def test_the_price_is_the_one_it_was_bought_at(world: World, shop: Shop) -> None:
    """LEG-3: a new price does not reach a running subscription by itself."""
    alice = world.customer()
    shop.buy(alice, addresses=1)
    package = catalogue.package("vps-s")
    package.prices.create(interval="month", amount_cents=99900, valid_from=world.now)
    world.until(paris("2026-02-28 00:01"), sweeps=RENEW)
    assert [line.net_cents for line in shop.invoices(alice)[-1].lines.all()] == [590, 200]


def test_a_dry_run_says_what_it_would_do_and_does_nothing(world: World, shop: Shop) -> None:
    subscription = shop.buy(world.customer())
    world.now = paris("2026-02-28 00:01")
    report: SweepReport = billing.run(world.now, dry_run=True)
    assert report.would == [f"invoice {subscription.reference} for 2026-02-28"]
    assert len(days(shop)) == 1


def test_one_broken_subscription_does_not_stop_the_others(
    world: World, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = shop.buy(world.customer("Alice"), name="broken")
    good = world.customer("Bob")
    shop.buy(good)
    usual = shop.service.describe

    def describe(subscription: object, language: str) -> str:
        if subscription == broken:
            raise RuntimeError("the service cannot say what it is")
        return usual(subscription, language)  # type: ignore[arg-type]

    monkeypatch.setattr(shop.service, "describe", describe)
    world.now = paris("2026-02-28 00:01")
    report = billing.run(world.now)
    assert [line.partition(":")[0] for line in report.failed] == [str(broken.pk)]
    assert len(shop.invoices(good)) == 2


def test_an_unpaid_invoice_is_overdue_from_the_next_day(world: World, shop: Shop) -> None:
    """INV-14: due on issue; an act on the due date is in time."""
    alice = world.customer()
    shop.buy(alice)
    world.until(paris("2026-02-28 00:01"), sweeps=RENEW)
    invoice = shop.invoices(alice)[-1]
    assert (invoice.state, invoice.due_on) == ("open", date(2026, 2, 28))
    world.until(paris("2026-02-28 23:59"), sweeps=RENEW)
    invoice.refresh_from_db()
    assert invoice.state == "open"
    world.until(paris("2026-03-01 00:00"), sweeps=RENEW)
    invoice.refresh_from_db()
    assert invoice.state == "overdue"
    assert invoice.overdue_at == world.now


def test_a_period_keeps_its_terms(world: World, shop: Shop) -> None:
    """LEG-1."""
    subscription = shop.buy(world.customer())
    world.until(paris("2026-02-28 00:01"), sweeps=RENEW)
    assert {period.terms_version for period in subscription.periods.all()} == {terms.current(world.now).name}
    assert timedelta(days=28) <= subscription.period_end - subscription.period_start
