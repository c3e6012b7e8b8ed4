"""As the provider I do not repeat what went wrong with sums, prices and days in other panels: each test is named after
the report of a bug in another program (test_bugs_that_others_had.py has those of payments)."""

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.test import Client

from invoicing import rules
from invoicing.accounting import ledger
from invoicing.documents import InvoiceDocument
from invoicing.funding import funds
from invoicing.issuing import invoices
from invoicing.models import (
    Consumption,
    Invoice,
    InvoiceLine,
    NumberSeries,
    Payment,
    Subscription,
    SubscriptionChange,
    SubscriptionPeriod,
)
from invoicing.offering import catalogue, price_notices, pricing, promotions
from invoicing.renewing import billing, upcoming
from invoicing.rules import Line
from invoicing.selling_by_hand import manual_sales
from invoicing.subscribing import changes, ordering, subscriptions
from invoicing.subscribing.changes import Wish
from panel.accounts.models import actor_of
from panel.core import clock
from panel.core.actors import Actor
from tests.support.owing import transfer
from tests.support.shop import Shop
from tests.support.till import Till, open_till
from tests.support.world import Customer, World, paris

pytestmark = pytest.mark.django_db


@pytest.fixture
def till(world: World, shop: Shop, settings: Any) -> Iterator[Till]:
    with open_till(world, shop, settings) as opened:
        yield opened


def page(customer: Customer, path: str) -> str:
    client = Client()
    client.force_login(customer.user)
    answer = client.get(path)
    assert answer.status_code == 200
    return " ".join(answer.content.decode().replace("\u00a0", " ").split())


def test_fossbilling_2374_the_cart_says_what_is_paid_and_invoiced(till: Till, world: World, shop: Shop) -> None:
    """0.98 in the cart was 1.00 on the invoice: discount and tax in another order. 7 % off 5.93 is 0.42, so 5.51 and
    6.61 with VAT; taxed line by line, or taken off what is taxed already, it would be 6.62. Asked at each place by
    itself."""
    catalogue.package("vps-s").prices.create(interval="month", amount_cents=593, valid_from=world.now)
    promotions.create("SEVEN", [], now=world.now, actor=world.staff("billing"), name="seven", percent=Decimal(7),
                      valid_from=world.now)  # fmt: skip
    alice = world.customer()
    cart = pricing.quote(alice.account, catalogue.package("vps-s"), "month", {}, now=world.now, promotion="SEVEN")
    order = shop.order(alice, promotion="SEVEN")
    shown = page(alice, f"/services/orders/{order.reference}/")
    payment = till.start(order, alice)
    till.pay(payment)
    till.deliver()
    world.work()
    invoice = Invoice.objects.get()
    (asked,) = till.bank.store.where("charge")
    assert "6.61" in shown
    assert (cart.totals.net, cart.totals.vat) == (invoice.net_cents, invoice.vat_cents) == (551, 110)
    sums = {cart.totals.total, order.total_cents, payment.amount_cents, asked["amount"], invoice.total_cents}
    assert sums == {InvoiceDocument.from_dict(invoice.document).total_cents} == {661}


def test_fossbilling_1969_a_renewal_carries_each_line_once(world: World, shop: Shop) -> None:
    """Billed with many or (whose funds have to be spent) by itself, and however often the run comes by; also one that
    finds a subscription where it stood before it was billed."""
    alike, alone = (shop.buy(world.customer(name), addresses=2) for name in ("Anna", "Zoe"))
    with transaction.atomic():
        funds.put_in(alone.account, 100, source=ledger.BANK, kind="top_up", ref="gift", now=world.now)
    for day in ("2026-04-02 00:05", "2026-05-02 00:05"):
        world.until(paris(day), sweeps=["invoicing.renew"] * 3)
    for row in (alike, alone):
        said = [
            [(line.code, line.quantity) for line in invoice.lines.all()]
            for invoice in Invoice.objects.filter(account=row.account).order_by("pk")
        ]
        assert said == [[("vps-s", 1), ("vps-address", 2)]] * 3
    Subscription.objects.update(period_start="2026-04-02", period_end="2026-05-02", next_due_on="2026-05-02")
    assert len(billing.renew(world.now).failed) == 2, "the database knows its periods"
    assert (Invoice.objects.count(), InvoiceLine.objects.count(), SubscriptionPeriod.objects.count()) == (6, 12, 6)


def test_fossbilling_3867_an_order_is_invoiced_at_its_own_price(world: World, shop: Shop) -> None:
    """The catalogue's price rises before the order is paid: the invoice, and those after it, are of the order's."""
    alice = world.customer()
    order = shop.order(alice, addresses=1)
    world.advance(hours=1)
    package = catalogue.package("vps-s")
    package.prices.create(interval="month", amount_cents=990, valid_from=world.now)
    catalogue.options_of(package).get().prices.create(interval="month", amount_cents=300, valid_from=world.now)
    with transaction.atomic():
        ordering.paid(order, shop.payment(order), now=world.now)
    world.until(paris("2026-05-02 00:05"), sweeps=["invoicing.renew"])
    nets = [[line.net_cents for line in invoice.lines.all()] for invoice in shop.invoices(alice)]
    assert nets == [[590, 200]] * 3


def test_fossbilling_2793_a_renewal_shows_and_costs_its_own_price(
    world: World, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not the first month's: with the setting up and the discount of a first order; nor what new customers pay by
    now."""
    monkeypatch.setattr(clock, "now", lambda: world.now)
    package, staff = catalogue.package("vps-s"), world.staff("billing")
    price_notices.set_price(package, "month", 590, valid_from=world.now, actor=staff, now=world.now, setup_cents=2_500)
    promotions.create("HALF", [], now=world.now, actor=staff, name="half", percent=Decimal(50), valid_from=world.now)
    alice = world.customer()
    row = shop.buy(alice, promotion="HALF")
    world.advance(days=20)
    package.prices.create(interval="month", amount_cents=990, valid_from=world.now)
    seen = upcoming.next_invoice(row, now=world.now)
    assert seen is not None
    assert seen.total_cents == 708
    assert "7.08" in page(alice, "/billing/next/")
    world.until(paris("2026-04-02 00:05"), sweeps=["invoicing.renew"])
    first, renewal = shop.invoices(alice)
    assert (first.net_cents, renewal.total_cents) == (590 - 295 + 2_500, 708)


def test_lago_879_at_night_east_of_greenwich_a_day_is_billed_once_and_not_before_it_begins(
    world: World, shop: Shop
) -> None:
    """Bought half an hour after midnight in Paris, when UTC has the day before; over the last Sunday of March, when
    that night loses an hour. Runs at every hour of three days: the anniversary is billed at its first hour."""
    world.now = paris("2026-02-28 23:30")
    world.until(paris("2026-03-01 00:30"))
    row = shop.buy(world.customer())
    assert str(row.anchor_on) == "2026-03-01"
    billed: dict[str, str] = {}
    for midnight, end in (("2026-03-31 00:00", "2026-04-02 12:00"), ("2026-04-30 00:00", "2026-05-02 12:00")):
        world.now = paris(midnight) - timedelta(hours=2)
        while world.now < paris(end):
            billing.renew(world.now)
            for one in SubscriptionPeriod.objects.filter(subscription=row):
                billed.setdefault(str(one.start), f"{world.now:%d.%m. %H:%M}")
            world.now += timedelta(hours=1)
    assert list(billed.items())[1:] == [("2026-04-01", "31.03. 22:00"), ("2026-05-01", "30.04. 22:00")]
    assert [str(one.issued_on) for one in Invoice.objects.order_by("pk")] == ["2026-03-01", "2026-04-01", "2026-05-01"]


class TestAtNight:
    """Half an hour after midnight in Paris, when UTC has the day before: what begins, ends and is added then is of the
    local day."""

    def bought(self, world: World, shop: Shop, **how: Any) -> Subscription:
        world.now = paris("2026-02-28 23:30")
        world.until(paris("2026-03-01 00:30"))
        return shop.buy(world.customer(), **how)

    def test_lago_1117_the_first_period_begins_on_the_local_day(self, world: World, shop: Shop) -> None:
        row = self.bought(world, shop)
        line = Invoice.objects.get().lines.get()
        days = (date(2026, 3, 1), date(2026, 4, 1))
        assert (line.period_start, line.period_end) == (row.period_start, row.period_end) == days
        assert (row.anchor_on, row.usage_from, row.next_due_on) == (days[0], days[0], days[1])
        assert Invoice.objects.get().issued_on == days[0]

    def test_lago_1179_what_was_used_is_counted_to_the_local_day_of_the_end(self, world: World, shop: Shop) -> None:
        """And that day is still the customer's: the month that begins on it, before its first billing run, is due."""
        row = self.bought(world, shop)
        shop.service.used = {date(2026, 3, 1): 1_001 * 10**9}
        world.until(paris("2026-03-15 00:30"))
        subscriptions.terminate(row, because="x", rule="SUB-6", now=world.now, actor=row_actor(row))
        world.advance(days=2, sweeps=["invoicing.renew"] * 2)
        line = Invoice.objects.latest("pk").lines.get()
        assert (line.code, line.net_cents, line.period_end) == ("usage:traffic", 130, date(2026, 3, 16))
        assert Consumption.objects.get().end == date(2026, 3, 16)

    def test_lago_1179_who_ends_on_the_first_local_day_of_a_month_owes_it(self, world: World, shop: Shop) -> None:
        row = self.bought(world, shop)
        world.until(paris("2026-04-01 00:30"))
        subscriptions.terminate(row, because="x", rule="SUB-6", now=world.now, actor=row_actor(row))
        world.advance(days=2, sweeps=["invoicing.renew"] * 2)
        starts = SubscriptionPeriod.objects.order_by("start").values_list("start", flat=True)
        assert list(starts) == [date(2026, 3, 1), date(2026, 4, 1)]

    def test_lago_1246_what_is_due_up_is_reckoned_from_the_local_day(self, world: World, shop: Shop) -> None:
        """An address at 2.00, added in the night to the 15th: 17 of 31 days. The running sum is 0.90 by then."""
        row = self.bought(world, shop)
        world.until(paris("2026-03-15 00:30"))
        wish = Wish("vps-s", "month", {"vps-address": 1})
        made = changes.change(row, wish, key="x", actor=row_actor(row), now=world.now)
        assert made.invoice is not None
        line = made.invoice.lines.get()
        assert (line.period_start, line.net_cents, line.evidence["days"]) == (date(2026, 3, 15), 110, 17)


def row_actor(row: Subscription) -> Actor:
    return actor_of(row.order.placed_by, account_id=row.account_id)


def test_killbill_877_changes_of_one_day_are_billed_once_each_and_not_again(world: World, shop: Shop) -> None:
    """On the very day it began: an address, two upgrades, another address that is taken back; and all of it again on
    the day of the renewal, and on the last day. Parts of no days are parts of nothing."""
    alice = world.customer()
    row = shop.buy(alice)

    def become(package: str, addresses: int, key: str) -> SubscriptionChange:
        wish = Wish(package, "month", {"vps-address": addresses})
        return changes.change(
            Subscription.objects.get(pk=row.pk), wish, key=f"{world.now}{key}", actor=alice.actor, now=world.now
        )

    become("vps-s", 1, "a")
    become("vps-m", 1, "b")
    become("vps-l", 1, "c")
    changes.undo(become("vps-l", 2, "d"), actor=alice.actor, now=world.now)
    assert [one.net_cents for one in shop.invoices(alice)] == [590, 200, 600, 1_200, 200, 200]
    assert [one.kind for one in shop.invoices(alice)][-1] == "credit_note"
    world.until(paris("2026-04-02 00:05"), sweeps=["invoicing.renew"] * 2)
    settle(world, alice)
    changes.undo(become("vps-l", 2, "e"), actor=alice.actor, now=world.now)
    world.until(paris("2026-05-01 23:55"))
    become("vps-l", 2, "f")
    world.until(paris("2026-05-02 00:05"), sweeps=["invoicing.renew"] * 2)
    later = [[line.net_cents for line in one.lines.all()] for one in shop.invoices(alice)[6:]]
    assert later == [[2_390, 200], [200], [200], [7], [2_390, 200, 200]]
    spans = InvoiceLine.objects.values_list("period_start", "period_end")
    assert all(start < end for start, end in spans)


def settle(world: World, customer: Customer) -> None:
    """Whoever owes may not change to what costs more (SUB-4)."""
    for invoice in Invoice.objects.filter(account=customer.account, state__in=("open", "overdue")):
        transfer(world, invoice)


def test_killbill_1082_money_of_another_currency_is_never_taken_for_cents(till: Till, world: World, shop: Shop) -> None:
    """708 yen are not EUR 7.08: nothing is booked, delivered or numbered, and staff has it in the queue."""
    alice = world.customer()
    payment = till.start(shop.order(alice), alice)
    till.pay(payment)
    till.bank.store.sql("""UPDATE objects SET body = replace(body, '"currency": "eur"', '"currency": "jpy"')""")
    till.deliver()
    for _ in range(24):
        world.advance(hours=1)
    assert (Invoice.objects.count(), shop.service.done) == (0, [])
    assert Payment.objects.get().state == "waiting"
    assert any("jpy" in op.last_error for op in world.failed_operations())


def test_pretix_5861_with_a_fee_it_is_reckoned_again_as_it_was_at_first(world: World) -> None:
    """EUR 0.33 and a fee of EUR 0.33: VAT 0.13, by line it would be 0.14. The same however the fee came to it, in the
    preview, on the invoice, read back from what was kept, and given back."""
    alice, staff, said = world.customer(), world.staff("billing"), []
    for parts in (["Work", "Fee"], ["Fee", "Work"]):
        draft = manual_sales.draw_up(alice.account, reference="", now=world.now, actor=staff)
        for part in parts:
            manual_sales.add_line(draft, part, quantity=Decimal(1), unit_price=Decimal("0.33"))
            seen = manual_sales.preview(draft, now=world.now)
        said.append((seen.net_cents, seen.vat_cents, seen.total_cents))
        invoice = manual_sales.issue(draft, now=world.now, actor=staff)
        kept = [
            Line(one.code, one.description, one.quantity, one.unit_price, one.net_cents, vat_rate=one.vat_rate)
            for one in invoice.lines.all()
        ]
        again = rules.total_of(kept)
        note = invoices.credit(invoice, None, reason="x", now=world.now, actor=staff)
        said.append((again.net, again.vat, again.total))
        said += [(one.net_cents, one.vat_cents, one.total_cents) for one in (invoice, note)]
    assert set(said) == {(66, 13, 79)}


def test_pretix_1080_a_gap_in_the_numbers_makes_none_come_twice(world: World) -> None:
    """The counter of the year stands at seven, of which only two are here: the next are eight and nine, and what is
    rolled back gives its number to the next. A number that is there already is refused by the database."""
    alice, staff = world.customer(), world.staff("billing")

    def issue() -> Invoice:
        draft = manual_sales.draw_up(alice.account, reference="", now=world.now, actor=staff)
        manual_sales.add_line(draft, "Work", quantity=Decimal(1), unit_price=Decimal(10))
        return manual_sales.issue(draft, now=world.now, actor=staff)

    first = [issue().number for _ in range(2)]
    NumberSeries.objects.update(last_number=7)
    with transaction.atomic():
        assert issue().number == "F2026-000008"
        transaction.set_rollback(True)
    assert [*first, issue().number, issue().number] == [f"F2026-{place:06d}" for place in (1, 2, 8, 9)]
    NumberSeries.objects.update(last_number=8)
    with pytest.raises(IntegrityError), transaction.atomic():
        issue()
    assert Invoice.objects.count() == 4
