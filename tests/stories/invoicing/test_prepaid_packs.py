"""As a customer I buy messages in advance; they are used first, what I take back returns, and they end a year after my
last use, as I was told before (OPR-9)."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.db.models import Sum

from invoicing.accounting import ledger
from invoicing.consuming import usage
from invoicing.consuming.usage import Told
from invoicing.issuing import explaining
from invoicing.models import Invoice, InvoiceLine, Order, Pack, PackMovement, Payment, Subscription
from invoicing.paying import disputes
from invoicing.selling_by_hand import repaying
from invoicing.subscribing import ordering
from panel.core import files
from panel.core.errors import RuleViolation
from panel.terms.versions import Terms
from tests.support import einvoices, relay
from tests.support.owing import transfer
from tests.support.relay import lines, taken_back, used
from tests.support.shop import Shop
from tests.support.world import Customer, World, paris

pytestmark = pytest.mark.django_db
RENEW = ["invoicing.renew"]
EXPIRE = ["invoicing.packs"]


@pytest.fixture
def world() -> World:
    return World("2026-01-31 10:00")


@pytest.fixture
def alice(world: World) -> Customer:
    return world.customer()


@pytest.fixture
def sms(world: World, shop: Shop, alice: Customer) -> Subscription:
    relay.messages(world)
    relay.pack(500)
    relay.pack(50, 300)
    return shop.buy(alice, "sms")


def left(pack: Pack) -> int:
    pack.refresh_from_db()
    return int(pack.units_left)


def moved(pack: Pack) -> list[tuple[str, int]]:
    return [(one.kind, int(one.units)) for one in PackMovement.objects.filter(pack=pack).order_by("pk")]


def test_a_pack_is_bought_like_everything_else(world: World, shop: Shop, alice: Customer, sms: Subscription) -> None:
    """Ordered, paid, invoiced with VAT as the sale of a service; nothing runs and nothing is renewed by it."""
    order = shop.order(alice, "pack-500", "once", key="twice")
    assert shop.order(alice, "pack-500", "once", key="twice") == order
    assert not Pack.objects.exists()
    assert ordering.pro_forma(order).lines[0].description == "500 messages"
    payment = shop.payment(order)
    with transaction.atomic():
        pack = ordering.paid(order, payment, now=world.now)
    assert ordering.paid(order, payment, now=world.now) == pack
    invoice = order.invoices.get()
    assert (invoice.net_cents, invoice.vat_cents, invoice.state) == (2000, 400, "paid")
    line = invoice.lines.get()
    assert (line.rule, line.period_start, line.subscription) == ("OPR-9", None, None)
    assert Subscription.objects.count() == 1
    assert isinstance(pack, Pack)
    assert (pack.invoice, left(pack)) == (invoice, 500)
    assert ledger.total() == 0


def test_an_unpaid_pack_can_not_be_used(world: World, shop: Shop, alice: Customer, sms: Subscription) -> None:
    """SUB-3."""
    order = shop.order(alice, "pack-500", "once")
    used(world, sms, "a", 10)
    ordering.cancel(order, ordering.REFUSED, actor=alice.actor, now=world.now)
    assert not Pack.objects.exists()
    assert Order.objects.get(pk=order.pk).state == "cancelled"
    assert Invoice.objects.count() == 1


def test_packs_pay_first_then_the_allowance_then_the_tiers(
    world: World, shop: Shop, alice: Customer, sms: Subscription
) -> None:
    pack = shop.buy_pack(alice, "pack-500")
    world.advance(hours=1)
    used(world, sms, "a", 450)
    used(world, sms, "b", 1250)
    assert moved(pack) == [("drawn", -450), ("drawn", -50)]
    world.until(paris("2026-02-28 00:01"), sweeps=RENEW)
    # 1700 used, 500 from the pack, 100 included: 1000 at 0.06, 100 at 0.045
    assert lines(sms) == [("invoice", "500", 0), ("invoice", "1000", 6000), ("invoice", "100", 450)]
    invoice = Invoice.objects.order_by("pk").last()
    assert invoice is not None
    assert invoice.net_cents == 1000 + 6450
    said = next(one for one in explaining.lines(invoice) if one.line.rule == "OPR-9")
    assert said.line.description == "Messages: drawn from your prepaid packs"
    assert (said.holds, pack.reference in [fact.value for fact in said.facts]) == (True, True)


def test_the_arithmetic_of_what_remains_is_said(world: World, shop: Shop, alice: Customer, sms: Subscription) -> None:
    shop.buy_pack(alice, "pack-500")
    used(world, sms, "a", 700)
    world.until(paris("2026-02-28 00:01"), sweeps=RENEW)
    line = InvoiceLine.objects.get(rule="OPR-1")
    said = next(one for one in explaining.lines(line.invoice) if one.line == line)
    assert said.sums[0] == "700 used − 500 from packs − 100 included = 100 SMS beyond"
    assert said.holds
    assert line.net_cents == 600


def test_a_delivery_told_again_draws_once(world: World, shop: Shop, alice: Customer, sms: Subscription) -> None:
    pack = shop.buy_pack(alice, "pack-500")
    for _ in range(3):
        used(world, sms, "a", 120, "2026-01-31 10:00")
    assert left(pack) == 380
    with pytest.raises(usage.Conflict):
        used(world, sms, "a", 130, "2026-01-31 10:00")
    assert moved(pack) == [("drawn", -120)]


def test_the_pack_that_expires_soonest_pays_first(world: World, shop: Shop, alice: Customer, sms: Subscription) -> None:
    """Two packs that were never used: the older one ends first, though it holds more."""
    old = shop.buy_pack(alice, "pack-500")
    world.advance(days=10)
    new = shop.buy_pack(alice, "pack-50")
    used(world, sms, "a", 20)
    assert (left(old), left(new)) == (480, 50)
    world.advance(days=1)
    used(world, sms, "b", 500)  # they end together now: the one bought first pays first
    assert (left(old), left(new)) == (0, 30)


def test_what_is_taken_back_returns_to_the_pack_it_came_from(
    world: World, shop: Shop, alice: Customer, sms: Subscription
) -> None:
    old = shop.buy_pack(alice, "pack-50")
    world.advance(days=1)
    new = shop.buy_pack(alice, "pack-500")
    used(world, sms, "a", 80)
    assert (left(old), left(new)) == (0, 470)
    taken_back(world, sms, "a")
    assert (left(old), left(new)) == (50, 500)
    assert moved(old) == [("drawn", -50), ("back", 50)]
    assert taken_back(world, sms, "a").repeated == 1
    assert (left(old), left(new)) == (50, 500)
    world.until(paris("2026-02-28 00:01"), sweeps=RENEW)
    assert lines(sms) == []


def test_an_event_and_its_correction_in_one_delivery_move_nothing(
    world: World, shop: Shop, alice: Customer, sms: Subscription
) -> None:
    pack = shop.buy_pack(alice, "pack-50")
    told = [Told("undo", sms.reference, corrects="a"), Told("a", sms.reference, "sms", usage.Decimal(70), world.now)]
    usage.record("relay", told, now=world.now)
    assert left(pack) == 50


def test_what_was_used_before_the_pack_was_bought_is_not_paid_by_it(
    world: World, shop: Shop, alice: Customer, sms: Subscription
) -> None:
    world.advance(days=3)
    pack = shop.buy_pack(alice, "pack-500")
    used(world, sms, "late", 300, "2026-02-02 10:00")
    assert left(pack) == 500


def test_a_late_event_draws_and_the_issued_invoice_stays(
    world: World, shop: Shop, alice: Customer, sms: Subscription
) -> None:
    pack = shop.buy_pack(alice, "pack-50")
    world.until(paris("2026-02-28 00:01"), sweeps=RENEW)
    issued = dict(Invoice.objects.values_list("number", "hash"))
    used(world, sms, "late", 200, "2026-02-27 23:59")
    assert left(pack) == 0
    world.until(paris("2026-03-31 00:01"), sweeps=RENEW)
    assert lines(sms) == [("invoice", "1", 300)]  # 200 - 50 - 100 at 0.06
    assert issued.items() <= dict(Invoice.objects.values_list("number", "hash")).items()


def test_a_pack_serves_every_service_of_its_account_and_nobody_else(
    world: World, shop: Shop, alice: Customer, sms: Subscription
) -> None:
    pack = shop.buy_pack(alice, "pack-500")
    second, stranger = shop.buy(alice, "sms"), shop.buy(world.customer("Bob"), "sms")
    for row in (sms, second, stranger):
        used(world, row, f"of {row.reference}", 30)
    assert left(pack) == 440


def test_a_month_that_packs_paid_for_makes_no_invoice_over_nothing(
    world: World, shop: Shop, alice: Customer, sms: Subscription
) -> None:
    """OPR-8 besides: the allowance that the pack spared is carried to the next month of the prepaid year."""
    relay.usage_setup.set_meter(
        sms.package, relay.usage_setup.MeterWish("sms", "M", "M", "SMS", usage.Decimal(100), relay.TIERS, carries=True),
        valid_from=world.now + timedelta(minutes=1), actor=world.staff("billing"), now=world.now,
    )  # fmt: skip
    world.advance(hours=1)
    yearly = shop.buy(alice, "sms", "year")
    shop.buy_pack(alice, "pack-50")
    used(world, yearly, "a", 60)
    count = Invoice.objects.filter(lines__subscription=yearly).count()
    world.until(paris("2026-02-28 00:01"), sweeps=RENEW)
    assert Invoice.objects.filter(lines__subscription=yearly).count() == count
    used(world, yearly, "b", 200)
    world.until(paris("2026-03-31 00:01"), sweeps=RENEW)
    assert lines(yearly) == [("invoice", "10", 60)]  # 10 of the first month's 100 were used: 90 carried over


# --- the end ---------------------------------------------------------------------------------------------------------


def days(world: World, until: str) -> None:
    """The clock runs, looking at the packs each day once their end can be near."""
    near = paris(until) - timedelta(days=40)
    world.until(max(world.now, near), sweeps=EXPIRE)
    while world.now < paris(until):
        world.until(min(paris(until), world.now + timedelta(days=1)), sweeps=EXPIRE)


def test_a_pack_ends_a_year_after_its_last_use_and_is_announced(
    world: World, shop: Shop, alice: Customer, sms: Subscription
) -> None:
    pack = shop.buy_pack(alice, "pack-500")
    world.until(paris("2026-03-10 15:00"))
    used(world, sms, "a", 20)
    days(world, "2027-02-07 12:00")
    assert world.mails("pack_expires") == []
    days(world, "2027-03-10 23:59")
    told = [one.content.subject for one in world.mails("pack_expires", alice.account)]
    assert told == [f"SAY Digital I/O: your prepaid pack {pack.reference} expires after 10 March 2027"] * 2
    assert [str(one.created_at.date()) for one in world.mails("pack_expires")] == ["2027-02-08", "2027-03-03"]
    assert left(pack) == 480
    world.until(paris("2027-03-11 00:00"), sweeps=EXPIRE)
    assert left(pack) == 480  # an act at the instant is in time
    world.advance(seconds=1, sweeps=EXPIRE * 2)
    assert (left(pack), moved(pack)[-1], pack.closing) == (0, ("expired", -480), "expired")
    assert len(world.mails("pack_expired", alice.account)) == 1


def test_any_use_keeps_every_pack_of_the_meter(world: World, shop: Shop, alice: Customer, sms: Subscription) -> None:
    first, second = shop.buy_pack(alice, "pack-500"), shop.buy_pack(alice, "pack-50")
    days(world, "2027-01-20 12:00")
    assert len(world.mails("pack_expires")) == 2
    used(world, sms, "a", 1)
    days(world, "2027-12-15 12:00")
    assert (left(first), left(second)) == (499, 50)
    days(world, "2028-01-22 12:00")
    assert (left(first), left(second)) == (0, 0)
    assert len(world.mails("pack_expires")) == 2 + 4  # told anew for the new day


def test_nobody_loses_a_pack_untold(world: World, shop: Shop, alice: Customer, sms: Subscription) -> None:
    """The clock stood still for a year: the pack is announced first, and kept for the days of the last notice."""
    pack = shop.buy_pack(alice, "pack-500")
    world.until(paris("2027-06-01 12:00"), sweeps=EXPIRE * 2)
    assert "8 June 2027" in world.mails("pack_expires", alice.account)[0].content.subject
    world.until(paris("2027-06-08 23:00"), sweeps=EXPIRE)
    assert left(pack) == 500
    used(world, sms, "a", 1, "2027-06-08 22:00")
    world.until(paris("2027-06-09 00:01"), sweeps=EXPIRE)
    assert (left(pack), pack.closing) == (499, "")


def test_a_late_event_opens_an_expired_pack_again(world: World, shop: Shop, alice: Customer, sms: Subscription) -> None:
    pack = shop.buy_pack(alice, "pack-500")
    days(world, "2027-02-02 12:00")
    assert pack.movements.get().kind == "expired"
    used(world, sms, "late", 20, "2027-01-31 20:00")
    assert moved(pack) == [("expired", -500), ("reopened", 500), ("drawn", -20)]
    assert (left(pack), pack.closing, pack.closed_at) == (480, "", None)


def test_what_comes_back_to_an_expired_pack_has_expired(
    world: World, shop: Shop, alice: Customer, sms: Subscription
) -> None:
    pack = shop.buy_pack(alice, "pack-500")
    used(world, sms, "a", 20)
    days(world, "2027-02-02 12:00")
    taken_back(world, sms, "a")
    assert moved(pack) == [("drawn", -20), ("expired", -480), ("back", 20), ("expired", -20)]
    assert left(pack) == 0


# --- staff -----------------------------------------------------------------------------------------------------------


def credit(world: World, invoice: Invoice, cents: int) -> Invoice:
    return repaying.credit(invoice, [cents], reason="Bought by mistake", refund=False, key=f"k{cents}",
                           actor=world.staff("billing"), now=world.now)  # fmt: skip


def test_an_unused_pack_goes_back_by_a_credit_note(
    world: World, shop: Shop, alice: Customer, sms: Subscription
) -> None:
    pack = shop.buy_pack(alice, "pack-500")
    credit(world, pack.invoice, 500)  # a gesture: the pack stays
    assert left(pack) == 500
    credit(world, pack.invoice, 1500)
    assert (left(pack), pack.closing, moved(pack)) == (0, "refunded", [("refunded", -500)])
    used(world, sms, "a", 20)
    assert left(pack) == 0
    assert ledger.funds(alice.account) == 2400


def test_a_used_pack_is_not_credited_whole(world: World, shop: Shop, alice: Customer, sms: Subscription) -> None:
    pack = shop.buy_pack(alice, "pack-500")
    used(world, sms, "a", 20)
    with pytest.raises(RuleViolation, match="has been used"), transaction.atomic():
        credit(world, pack.invoice, 2000)
    assert not Invoice.objects.filter(kind="credit_note").exists()
    taken_back(world, sms, "a")
    credit(world, pack.invoice, 2000)
    assert (left(pack), pack.closing) == (0, "refunded")


@pytest.mark.parametrize(
    ("returned", "withdrawn", "left_over", "due"), [(2400, -480, 0, 96), (1200, -250, 230, 0)], ids=["all", "half"]
)
def test_a_lost_dispute_withdraws_what_is_unused_and_leaves_what_was_used_owed(
    world: World, shop: Shop, alice: Customer, sms: Subscription, returned: int, withdrawn: int, left_over: int,
    due: int,
) -> None:  # fmt: skip
    """500 messages for EUR 24.00 with VAT, 20 of them used: 96 cents. Half taken back are 250 messages."""
    pack = shop.buy_pack(alice, "pack-500")
    used(world, sms, "a", 20)
    dispute(world, pack, "open", returned)
    assert left(pack) == 480  # the banks have not decided
    dispute(world, pack, "lost", returned)
    dispute(world, pack, "lost", returned)
    invoice = Invoice.objects.get(pk=pack.invoice_id)
    assert (left(pack), moved(pack)[1:]) == (left_over, [("withdrawn", withdrawn)])
    assert (pack.closing, invoice.due_cents) == ("" if left_over else "withdrawn", due)
    assert ledger.balance(ledger.CUSTOMERS, alice.account) == due
    used(world, sms, "b", 10)
    assert left(pack) == max(0, left_over - 10)
    taken_back(world, sms, "a")
    assert left(pack) == (left_over + 10 if left_over else 0)  # what comes back to a withdrawn pack has gone with it


@pytest.mark.parametrize("spent", [20, 500], ids=["some of it", "all of it"])
def test_use_of_a_withdrawn_pack_that_is_corrected_is_credited(
    world: World, shop: Shop, alice: Customer, sms: Subscription, spent: int
) -> None:
    """EUR 20.00 for 500 messages: what was used is owed, until it turns out that it was not used. Paid by then, it is
    the customer's again. The parts come to the price, to the cent."""
    pack = shop.buy_pack(alice, "pack-500")
    for number in range(3):
        used(world, sms, f"part-{number}", (spent + number) // 3)
    dispute(world, pack, "open", 2400)
    dispute(world, pack, "lost", 2400)
    invoice = Invoice.objects.get(pk=pack.invoice_id)
    owed = 2400 * spent // 500
    assert (left(pack), pack.closing, invoice.due_cents) == (0, "withdrawn", owed)
    taken_back(world, sms, "part-0")
    taken_back(world, sms, "part-1")
    world.work()
    invoice.refresh_from_db()
    third = 2400 * ((spent + 2) // 3) // 500
    assert abs(invoice.due_cents - third) <= 1
    transfer(world, invoice)
    taken_back(world, sms, "part-2")
    world.work()
    invoice.refresh_from_db()
    assert (left(pack), invoice.credited_cents, invoice.due_cents) == (0, 2400, 0)
    assert sum(cents for _kind, cents in moved(pack)) == -500
    assert -ledger.balance(ledger.FUNDS, alice.account) == invoice.paid_cents == pytest.approx(third, abs=1)
    assert ledger.balance(ledger.CUSTOMERS, alice.account) == 0
    assert world.failed_operations() == []
    world.work()
    assert invoice.credit_notes.count() == 4 - (spent == 500)


def test_paid_otherwise_before_the_banks_decide_the_pack_stays(
    world: World, shop: Shop, alice: Customer, sms: Subscription
) -> None:
    pack = shop.buy_pack(alice, "pack-500")
    dispute(world, pack, "open", 2400)
    transfer(world, Invoice.objects.get(pk=pack.invoice_id))
    dispute(world, pack, "lost", 2400)
    assert (left(pack), pack.closing) == (500, "")


def dispute(world: World, pack: Pack, state: str, cents: int) -> None:
    told = {"ref": "dp_1", "state": state, "amount_cents": cents, "reason": "fraudulent", "respond_by": "",
            "at": world.now.isoformat()}  # fmt: skip
    disputes.conclude(Payment.objects.get(order=pack.order).pk, [told], now=world.now)


def test_terms_without_packs_sell_none(
    world: World, shop: Shop, alice: Customer, sms: Subscription, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Terms, "packs", None)
    with pytest.raises(RuleViolation, match="no prepaid packs"):
        shop.order(alice, "pack-500", "once")


@pytest.mark.parametrize("change", [{"remaining": 1}, {"bought": 1}, {"bought_at": paris("2020-01-01 00:00")}])
def test_the_database_keeps_what_is_left(
    world: World, shop: Shop, alice: Customer, sms: Subscription, change: dict[str, Any]
) -> None:
    pack = shop.buy_pack(alice, "pack-500")
    with pytest.raises(IntegrityError), transaction.atomic():
        Pack.objects.filter(pk=pack.pk).update(**change)
    with pytest.raises(IntegrityError), transaction.atomic():
        PackMovement.objects.create(
            pack=pack, account=alice.account, kind="expired", millionths=-pack.bought - 1, at=world.now
        )
    assert PackMovement.objects.aggregate(sum=Sum("millionths"))["sum"] is None


@pytest.mark.paper
def test_what_packs_paid_for_stands_on_an_einvoice_at_nothing(
    world: World, shop: Shop, alice: Customer, sms: Subscription
) -> None:
    """INV-4: the purchase of a pack, and the month it was used in, keep the official rules."""
    alice.account.siren, alice.account.vat_number = "552100554", "FR96552100554"
    alice.account.save()
    pack = shop.buy_pack(alice, "pack-500")
    used(world, sms, "a", 700)
    world.until(paris("2026-02-28 00:01"), sweeps=RENEW)
    assert world.failed_operations() == []
    month = Invoice.objects.get(lines__rule="OPR-9", lines__subscription=sms)
    for invoice in (Invoice.objects.get(pk=pack.invoice_id), month):
        assert invoice.cii is not None
        assert invoice.ubl is not None
        assert einvoices.broken(files.read(invoice.cii), "cii") == []
        assert einvoices.broken(files.read(invoice.ubl), "ubl") == []
