"""As the provider I do not repeat what went wrong with sums, prices and days in other panels: each test is named after
the report of a bug in another program (test_bugs_that_others_had.py has those of payments)."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from invoicing import rules
from invoicing.documents import InvoiceDocument
from invoicing.issuing import invoices
from invoicing.models import Invoice, Payment, SubscriptionPeriod
from invoicing.offering import catalogue, price_notices, pricing, promotions
from invoicing.renewing import billing, upcoming
from invoicing.rules import Line
from invoicing.selling_by_hand import manual_sales
from panel.core import clock
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
    """0.98 in the cart was 1.00 on the invoice: discount and tax in another order. 7 % off 5.90 is 0.41, so 5.49 and
    6.59 with VAT; 7 % off 7.08 would leave 6.58. Asked at each place by itself."""
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
    assert "6.59" in shown
    assert (cart.totals.net, cart.totals.vat) == (invoice.net_cents, invoice.vat_cents) == (549, 110)
    sums = {cart.totals.total, order.total_cents, payment.amount_cents, asked["amount"], invoice.total_cents}
    assert sums == {InvoiceDocument.from_dict(invoice.document).total_cents} == {659}


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
