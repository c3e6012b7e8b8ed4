"""As a customer I use a promotional code and see exactly what it takes off; as a provider I never give more than I
offered (SUB-2, SUB-3)."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from invoicing.accounting import ledger
from invoicing.models import Invoice, Order, Package, PromotionCode, PromotionUse
from invoicing.offering import catalogue, pricing, promotions
from invoicing.renewing import billing
from invoicing.reviewing import deciding, standing
from invoicing.subscribing import changes, ordering
from invoicing.subscribing.changes import Wish
from panel.core import files
from panel.core.actors import CLOCK
from panel.core.calendars import start_of_paris_day
from panel.core.errors import RuleViolation
from tests.support import einvoices, pdf
from tests.support.shop import Shop
from tests.support.world import Customer, World

pytestmark = pytest.mark.django_db


def code(world: World, name: str = "SUMMER", packages: list[Package] | None = None, **fields: Any) -> PromotionCode:
    asked: dict[str, Any] = {"name": name, "percent": Decimal(20), "valid_from": world.now} | fields
    if asked.get("amount_cents"):
        asked["percent"] = None
    return promotions.create(name, packages or [], now=world.now, actor=world.staff("billing"), **asked)


def shown(world: World, who: Customer, name: str, package: str = "vps-m", interval: str = "month", **more: int) -> Any:
    options = {"vps-address": more["addresses"]} if more else {}
    return pricing.quote(
        who.account, catalogue.package(package), interval, options, now=world.now, promotion=name
    )  # fmt: skip


def refusal(world: World, who: Customer, name: str, package: str = "vps-m", interval: str = "month") -> str:
    with pytest.raises(RuleViolation) as refused:
        shown(world, who, name, package, interval)
    assert refused.value.field == "promotion"
    return next(why for why, said in promotions.REFUSALS.items() if str(said) == refused.value.sentence)


def renew(shop: Shop, who: Customer, times: int) -> list[int]:
    """The nets of the next renewals."""
    for _ in range(times):
        row = who.account.subscriptions.get()
        report = billing.run(start_of_paris_day(row.period_end))
        assert not report.failed, report.failed
    return [invoice.net_cents for invoice in shop.invoices(who)[-times:]]


@pytest.mark.paper
def test_the_preview_is_the_order_the_invoice_and_the_e_invoice(world: World, shop: Shop) -> None:
    code(world)
    alice = world.customer(siren="552100554", vat_number="FR96552100554")
    seen = shown(world, alice, " sum mer ", addresses=2)
    assert [(line.code, line.net) for line in seen.lines] == [
        ("vps-m", 1190), ("vps-address", 400), ("promotion:SUMMER", -318)
    ]  # fmt: skip
    assert (seen.totals.net, seen.totals.vat, seen.totals.total) == (1272, 254, 1526)
    assert seen.later_net == 1590

    row = shop.buy(alice, "vps-m", addresses=2, promotion="summer")
    (invoice,) = shop.invoices(alice)
    assert (invoice.net_cents, invoice.vat_cents, invoice.total_cents) == (1272, 254, 1526)
    assert ledger.balance(ledger.SALES) == -1272
    assert row.price_cents == 1190, "what is off is off the invoice, not the price"
    world.work()
    invoice.refresh_from_db()
    assert invoice.cii is not None, world.failed_operations()
    assert invoice.ubl is not None
    assert invoice.pdf is not None
    assert einvoices.broken(files.read(invoice.cii), "cii") == []
    assert einvoices.broken(files.read(invoice.ubl), "ubl") == []
    assert "Code SUMMER: 20\u00a0% off, first invoice" in files.read(invoice.cii).decode()
    assert "Code SUMMER" in pdf.text(files.read(invoice.pdf))
    assert renew(shop, alice, 1) == [1590]


@pytest.mark.parametrize(("periods", "nets"), [(1, [1190, 1190, 1190]), (3, [952, 952, 1190]), (0, [952, 952, 952])])
def test_it_lasts_as_long_as_it_says(world: World, shop: Shop, periods: int, nets: list[int]) -> None:
    made = code(world, periods=periods)
    alice = world.customer()
    shop.buy(alice, "vps-m", promotion="SUMMER")
    promotions.switch_off(made, now=world.now, actor=world.staff("billing"))  # a promise is kept all the same
    assert renew(shop, alice, 3) == nets


@pytest.mark.paper
def test_an_amount_never_takes_more_than_there_is(world: World, shop: Shop) -> None:
    code(world, amount_cents=10_000, on_setup=False)
    alice = world.customer()
    seen = shown(world, alice, "SUMMER")
    assert (seen.totals.net, seen.totals.total) == (0, 0)
    order = shop.order(alice, "vps-m", promotion="SUMMER")
    order.refresh_from_db()
    assert (order.state, order.total_cents) == ("paid", 0), "there is nothing to pay: it is carried out at once"
    (invoice,) = shop.invoices(alice)
    assert (invoice.total_cents, invoice.state, invoice.due_cents) == (0, "paid", 0)
    assert invoice.number == "F2026-000001"
    assert ledger.total() == 0
    world.work()
    invoice.refresh_from_db()
    assert invoice.cii is not None, world.failed_operations()
    assert einvoices.broken(files.read(invoice.cii), "cii", "cen") == []
    assert invoice.pdf is not None
    assert "Nothing is to be paid." in pdf.text(files.read(invoice.pdf))
    world.advance(days=20)
    assert not billing.mark_overdue(world.now).done


def test_what_is_off_is_divided_over_the_vat_rates(world: World, shop: Shop) -> None:
    Package.objects.filter(code="vps-m").update(vat_category="reduced", vat_rate=Decimal("5.5"))
    code(world, amount_cents=500)
    alice = world.customer()
    seen = shown(world, alice, "SUMMER", addresses=2)
    assert [line.net for line in seen.lines[2:]] == [-374, -126]
    assert {(group.rate, group.net) for group in seen.totals.groups} == {
        (Decimal("5.5"), 816), (Decimal(20), 274)
    }  # fmt: skip


def test_where_and_when_it_holds(world: World, shop: Shop) -> None:
    alice = world.customer()
    assert refusal(world, alice, "NOTHING") == "unknown"
    code(world, "MEDIUM", [catalogue.package("vps-m")], interval="year", minimum_cents=20_000)
    assert refusal(world, alice, "MEDIUM", "vps-s", "year") == "not_here"
    assert refusal(world, alice, "MEDIUM", "vps-m", "month") == "not_here"
    assert refusal(world, alice, "MEDIUM", "vps-m", "year") == "minimum"
    later = world.now + timedelta(days=5)
    code(world, "LATER", valid_from=later, valid_until=later + timedelta(days=1))
    assert refusal(world, alice, "LATER") == "not_now"
    world.now = later
    assert shown(world, alice, "LATER").totals.net == 952
    world.now = later + timedelta(days=1)
    assert refusal(world, alice, "LATER") == "not_now", "the last instant is the one before its end"
    gone = code(world, "GONE")
    promotions.switch_off(gone, now=world.now, actor=world.staff("billing"))
    assert refusal(world, alice, "GONE") == "not_now"


def test_how_often_it_can_be_used(world: World, shop: Shop) -> None:
    code(world, most_uses=2, most_per_account=1)
    alice, bob, carl = world.customer("Alice"), world.customer("Bob"), world.customer("Carl")
    shop.order(alice, promotion="SUMMER", key="once")
    assert shop.order(alice, promotion="SUMMER", key="once") == Order.objects.get(), "a double click is one use"
    assert refusal(world, alice, "SUMMER") == "used_by_you"
    second = shop.order(bob, promotion="SUMMER")
    assert refusal(world, carl, "SUMMER") == "used_up"
    ordering.cancel(second, ordering.REFUSED, actor=CLOCK, now=world.now)
    assert PromotionUse.objects.get(order=second).given_back_at == world.now
    assert shop.buy(carl, promotion="SUMMER").price_cents == 590


def test_a_first_order_is_the_first(world: World, shop: Shop) -> None:
    code(world, new_only=True)
    alice = world.customer()
    order = shop.order(alice)
    assert refusal(world, alice, "SUMMER") == "new_only"
    ordering.cancel(order, ordering.WITHDRAWN, actor=alice.actor, now=world.now)
    assert shop.order(alice, promotion="SUMMER").net_cents == 472


def test_it_follows_the_package_it_was_promised_for(world: World, shop: Shop) -> None:
    code(world, packages=[catalogue.package("vps-m")], periods=0)
    alice = world.customer()
    row = shop.buy(alice, "vps-m", promotion="SUMMER")
    assert renew(shop, alice, 1) == [952]
    row.refresh_from_db()
    at = start_of_paris_day(row.period_start) + timedelta(hours=1)
    changes.change(row, Wish("vps-l", "month", {}), key="up", actor=alice.actor, now=at)
    assert renew(shop, alice, 1) == [2390]


def test_an_order_over_nothing_waits_where_it_is_held(world: World, shop: Shop) -> None:
    """SUB-4: a free order is looked at like any other; refused, its use is given back."""
    code(world, percent=Decimal(100), most_per_account=1)
    alice = world.customer()
    standing.mark_competitor(alice.account, True, why="known", actor=world.staff("billing"), now=world.now)
    for word, left in ((deciding.refuse, 0), (deciding.accept, 1)):
        order = shop.order(alice, promotion="SUMMER")
        order.refresh_from_db()
        assert (order.state, Invoice.objects.count()) == ("held", 0)
        review, extra = order.reviews.get(), {"why": "competitor"} if word is deciding.refuse else {}
        word(review.pk, actor=world.staff("billing"), now=world.now, **extra)  # type: ignore[operator]
        assert PromotionUse.objects.filter(given_back_at=None).count() == left
        assert Invoice.objects.count() == left


def test_an_order_that_is_refused_uses_nothing(world: World, shop: Shop) -> None:
    code(world)
    shop.service.sold_out = True
    with pytest.raises(RuleViolation):
        shop.order(world.customer(), promotion="SUMMER")
    assert not PromotionUse.objects.exists()
    assert not Invoice.objects.exists()
