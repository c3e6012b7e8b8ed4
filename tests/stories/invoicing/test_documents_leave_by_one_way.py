"""As the provider's accountant I see every document leave by exactly one way: e-invoicing, e-reporting or none
(INV-10, invariant 25)."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import transaction
from django.test import override_settings
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from invoicing.accounting import ledger
from invoicing.issuing import invoices
from invoicing.models import EReport, Invoice, Payment, Posting, Transmission
from invoicing.paying import disputes
from invoicing.platforms.simulated import DOWN, LOST_ANSWER, SimulatedPlatform, running
from invoicing.selling_by_hand import writing_off
from invoicing.taxing import channel_rules, declared, transmitting, turned_down
from panel.accounts.models import Account
from panel.console import repairs
from panel.core.actors import SYSTEM
from panel.core.models import Event, Operation
from tests.support.owing import collect, transfer
from tests.support.shop import Shop
from tests.support.world import Customer, World, paris

pytestmark = pytest.mark.django_db
SIREN = "552100554"


@pytest.fixture
def platform() -> Iterator[SimulatedPlatform]:
    office = running()
    office.calm()
    yield office
    office.calm()


def french(world: World) -> Customer:
    return world.customer("Alice", siren=SIREN)


def follow(world: World, times: int = 1) -> None:
    for _ in range(times):
        world.advance(sweeps=["invoicing.follow"], seconds=600)


def only(customer: Customer) -> Transmission:
    return Transmission.objects.select_related("invoice").get(account=customer.account, invoice__kind="invoice")


def test_an_invoice_to_a_french_business_is_handed_in_and_followed(
    world: World, shop: Shop, platform: SimulatedPlatform
) -> None:
    alice = french(world)
    shop.buy(alice)
    sent = only(alice)
    assert (sent.invoice.channel, sent.state) == ("B2B", "waiting")
    world.advance(seconds=60)
    assert only(alice).state == "sent"
    assert [flow.name for flow in platform.flows.values()] == [sent.invoice.number]
    follow(world, times=6)
    sent = only(alice)
    assert sent.state == "accepted"
    assert sorted(status.code for status in sent.statuses.all()) == [200, 201, 202, 203, 204, 205, 212]
    asked = platform.asked
    follow(world)
    assert platform.asked == asked, "nobody asks about what is over"


def test_a_lost_answer_hands_nothing_in_twice(world: World, shop: Shop, platform: SimulatedPlatform) -> None:
    alice = french(world)
    shop.buy(alice)
    platform.mood(DOWN, LOST_ANSWER)
    for _ in range(4):
        world.advance(minutes=5)
    assert only(alice).state == "sent"
    assert len(platform.flows) == 1


def test_a_refusal_is_told_and_final(world: World, shop: Shop, platform: SimulatedPlatform) -> None:
    alice = french(world)
    shop.buy(alice)
    world.advance(seconds=60)
    sent = only(alice)
    platform.decide(sent.invoice.number, 210, "we ordered another package")
    follow(world)
    sent = only(alice)
    assert (sent.state, sent.reason) == ("refused", "we ordered another package")
    transmitting.heard(sent.ref or "", [], now=world.now)
    assert only(alice).state == "refused"


def asked(world: World) -> list[str]:
    """What the staff is asked about, as it reads it."""
    return [op.last_error for op in world.failed_operations() if op.kind == turned_down.Judge.kind]


@pytest.mark.parametrize(("code", "who"), [(210, "its buyer refused"), (213, "the platform rejected")])
def test_what_is_turned_down_waits_for_staff_until_it_is_credited(
    world: World, shop: Shop, platform: SimulatedPlatform, code: int, who: str
) -> None:
    alice = french(world)
    shop.buy(alice)
    world.advance(seconds=60)
    invoice = only(alice).invoice
    platform.decide(invoice.number, code, "we ordered another package")
    follow(world)
    world.work()
    (said,) = asked(world)
    assert f"{who} {invoice.number} (we ordered another package): credit it" in said
    invoices.credit(invoice, [90], reason="A gesture", now=world.now, actor=SYSTEM)
    follow(world)
    assert len(asked(world)) == 1, "what is left of it still has to be issued anew"
    invoices.credit(invoice, None, reason="Another package", now=world.now, actor=SYSTEM)
    follow(world)
    assert asked(world) == []
    assert Operation.objects.get(kind=turned_down.Judge.kind).state == "done"


def test_credited_before_it_is_refused_nobody_is_asked(world: World, shop: Shop, platform: SimulatedPlatform) -> None:
    alice = french(world)
    shop.buy(alice)
    world.advance(seconds=60)
    invoice = only(alice).invoice
    invoices.credit(invoice, None, reason="By mistake", now=world.now, actor=SYSTEM)
    platform.decide(invoice.number, 210)
    follow(world)
    world.work()
    assert (only(alice).state, asked(world)) == ("refused", [])


def test_a_rejected_report_waits_until_staff_says_how_it_was_settled(
    world: World, shop: Shop, platform: SimulatedPlatform
) -> None:
    shop.buy(world.customer("Greta", kind="consumer", company=""))
    world.until(world.now.replace(day=11, hour=2))
    world.sweep("invoicing.report")
    follow(world)
    platform.decide("SALES-2026-03-01", 213, "unknown rate")
    follow(world)
    world.work()
    (op,) = world.failed_operations()
    assert "the platform rejected SALES-2026-03-01 (unknown rate): settle it with the platform" in op.last_error
    repairs.discard(op.pk, reason="sent again by hand", actor=world.staff("billing"), now=world.now)
    follow(world)
    assert world.failed_operations() == []


def test_a_credit_note_goes_the_way_of_its_invoice(world: World, shop: Shop, platform: SimulatedPlatform) -> None:
    alice = french(world)
    shop.buy(alice)
    (invoice,) = shop.invoices(alice)
    alice.account.country = "CH"
    alice.account.save(update_fields=["country"])
    note = invoices.credit(invoice, None, reason="By mistake", now=world.now, actor=SYSTEM)
    assert note.channel == "B2B"
    world.advance(seconds=60)
    assert {flow.name for flow in platform.flows.values()} == {invoice.number, note.number}


def test_the_platform_hears_of_the_payment(world: World, shop: Shop, platform: SimulatedPlatform) -> None:
    alice = french(world)
    shop.buy(alice)
    for _ in range(3):
        world.advance(seconds=60)
    (flow,) = platform.flows.values()
    (told,) = flow.collected
    assert told["amounts"] == [{"rate": "20.00", "amount": "7.08"}]


def test_without_a_platform_everything_waits_for_one(world: World, shop: Shop, platform: SimulatedPlatform) -> None:
    alice = french(world)
    with override_settings(CLAUSE_PLATFORM={"url": "", "token": "", "simulated": False}):
        shop.buy(alice)
        follow(world)
        assert only(alice).state == "waiting"
        assert world.failed_operations() == []
    follow(world)
    assert only(alice).state == "sent"


def test_sales_and_collections_are_reported_after_ten_days(
    world: World, shop: Shop, platform: SimulatedPlatform
) -> None:
    greta = world.customer("Greta", kind="consumer", company="")
    hans = world.customer("Hans", kind="consumer", company="", country="DE")
    urs = world.customer("Urs", country="CH")
    for customer in (greta, hans, urs, french(world)):
        shop.buy(customer)
    assert world.sweep("invoicing.report").done == 0
    world.until(world.now.replace(day=11, hour=0))
    assert world.sweep("invoicing.report").done == 2
    assert world.sweep("invoicing.report").done == 0, "each period once"
    sales, collections = (EReport.objects.get(kind=kind) for kind in ("sales", "collections"))
    assert (sales.name, str(sales.last)) == ("SALES-2026-03-01", "2026-03-10")
    assert [(row["country"], row["rate"], row["net_cents"], row["vat_cents"]) for row in sales.content["days"]] == [
        ("FR", "20.00", 590, 118), ("DE", "19.00", 590, 112),
    ]  # fmt: skip
    assert [(row["country"], row["category"], row["net_cents"]) for row in sales.content["invoices"]] == [
        ("CH", "O", 590)
    ]
    assert collections.content["days"] == [{"day": "2026-03-02", "rate": "20.00", "cents": 708}]
    follow(world, times=4)
    assert set(EReport.objects.values_list("state", flat=True)) == {"accepted"}


def test_a_clock_that_stood_still_reports_every_period(world: World, shop: Shop, platform: SimulatedPlatform) -> None:
    shop.buy(world.customer("Greta", kind="consumer", company=""))
    world.now = world.now.replace(month=5)
    world.sweep("invoicing.report")
    sales = EReport.objects.filter(kind="sales").order_by("start")
    starts = [str(report.start) for report in sales]
    assert starts == ["2026-03-01", "2026-03-11", "2026-03-21", "2026-04-01", "2026-04-11", "2026-04-21"]
    assert sum(len(report.documents) for report in sales) == 1


BUYERS = st.sampled_from(
    [("FR", "business", SIREN), ("FR", "consumer", ""), ("FR", "business", ""), ("DE", "consumer", ""),
     ("FI", "consumer", ""), ("CH", "business", ""), ("CH", "consumer", "")]
)  # fmt: skip


@hypothesis_settings(
    max_examples=12, deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
@given(sales=st.lists(st.tuples(BUYERS, st.booleans(), st.integers(0, 45)), min_size=1, max_size=5))
def test_every_document_leaves_once_and_the_sums_are_those_of_the_books(
    shop: Shop, platform: SimulatedPlatform, sales: list[tuple[tuple[str, str, str], bool, int]]
) -> None:
    """Invariant 25: by country, rate and month what is declared equals the VAT accounts; moving house changes nothing
    that was issued; each document leaves by exactly one way."""
    world = shop.world
    before = set(Invoice.objects.values_list("pk", flat=True))
    for (country, kind, siren), credited, days in sorted(sales, key=lambda sale: sale[2]):
        world.now += _days(days // 5)
        known = Account.objects.filter(siren=siren).exists()
        customer = world.customer("Buyer", country=country, kind=kind, siren="" if known else siren)
        shop.buy(customer)
        if credited:
            (invoice,) = shop.invoices(customer)
            customer.account.country = "CH" if country == "FR" else "FR"
            customer.account.save(update_fields=["country"])
            invoices.credit(invoice, None, reason="Withdrawn", now=world.now, actor=SYSTEM)
    documents = Invoice.objects.exclude(pk__in=before)
    world.now += _days(45)
    world.sweep("invoicing.report")
    sent = set(Transmission.objects.values_list("invoice__number", flat=True))
    reported = [number for report in EReport.objects.filter(kind="sales") for number in report.documents]
    for document in documents:
        ways = [document.number in sent, document.number in reported, document.channel == "OUTOFSCOPE"]
        assert sum(ways) == 1, (document.number, document.channel)
        assert reported.count(document.number) <= 1
        assert ways[0] == (channel_rules.way(document.channel) == channel_rules.E_INVOICING)
    _declared_equals_the_books()


def _days(count: int) -> timedelta:
    return timedelta(days=count)


def _declared_equals_the_books() -> None:
    first = Invoice.objects.order_by("issued_on").values_list("issued_on", flat=True)[0]
    last = Invoice.objects.order_by("-issued_on").values_list("issued_on", flat=True)[0]
    sums: dict[tuple[str, Decimal, str], int] = {}
    for row in declared.sold(first, last + _days(1)):
        key = (row.country, row.rate, row.day.strftime("%Y-%m"))
        sums[key] = sums.get(key, 0) + row.vat
    booked: dict[tuple[str, Decimal, str], int] = {}
    rows = Posting.objects.filter(ledger_account__code=ledger.VAT).values_list("tax_code", "entry__booked_on", "cents")
    for tax, day, cents in rows:
        _code, country, rate = tax.split(":")
        key = (country, Decimal(rate), day.strftime("%Y-%m"))
        booked[key] = booked.get(key, 0) - cents
    assert {key: cents for key, cents in sums.items() if cents} == {key: c for key, c in booked.items() if c}


def test_each_collection_is_told_once(world: World, shop: Shop, platform: SimulatedPlatform) -> None:
    """Paid, taken back by the bank, paid again: told, with a minus, and told again. While a dispute is undecided, and
    when it is won, nothing is told anew (INV-10)."""
    alice = french(world)
    shop.buy(alice)
    world.until(paris("2026-04-02 00:01"), sweeps=["invoicing.renew"])
    owed = Invoice.objects.filter(account=alice.account).latest("pk")
    follow(world)

    def told() -> list[str]:
        follow(world)
        (flow,) = [one for one in platform.flows.values() if one.name == owed.number]
        assert {amount["rate"] for one in flow.collected for amount in one["amounts"]} == {"20.00"}
        return [amount["amount"] for one in flow.collected for amount in one["amounts"]]

    def bank(payment: Payment, ref: str, *states: str) -> None:
        for state in states:
            said = {"ref": ref, "state": state, "amount_cents": payment.amount_cents, "reason": "",
                    "at": world.now.isoformat(), "respond_by": ""}  # fmt: skip
            disputes.conclude(payment.pk, [said], now=world.now)
            follow(world)

    payment = collect(world, owed)
    assert told() == told() == ["7.08"]
    bank(payment, "first", "open", "won")
    assert told() == ["7.08"], "it is the same money"
    bank(payment, "second", "open")
    assert told() == ["7.08"]
    bank(payment, "second", "lost")
    assert told() == ["7.08", "-7.08"]
    owed.refresh_from_db()
    transfer(world, owed)
    for event in Event.objects.filter(kind="invoicing.invoice.paid"):
        with transaction.atomic():
            transmitting.paid(event, now=world.now)  # told again
    assert told() == told() == ["7.08", "-7.08", "7.08"]


def test_paid_otherwise_while_a_dispute_is_undecided_it_is_told_once(
    world: World, shop: Shop, platform: SimulatedPlatform
) -> None:
    alice = french(world)
    shop.buy(alice)
    world.until(paris("2026-04-02 00:01"), sweeps=["invoicing.renew"])
    owed = Invoice.objects.filter(account=alice.account).latest("pk")
    payment = collect(world, owed)
    said = {"ref": "dp_1", "state": "open", "amount_cents": payment.amount_cents, "reason": "",
            "at": world.now.isoformat(), "respond_by": ""}  # fmt: skip
    disputes.conclude(payment.pk, [said], now=world.now)
    follow(world)
    owed.refresh_from_db()
    transfer(world, owed)
    disputes.conclude(payment.pk, [{**said, "state": "lost"}], now=world.now)
    for _ in range(3):
        follow(world)
    (flow,) = [one for one in platform.flows.values() if one.name == owed.number]
    assert [amount["amount"] for one in flow.collected for amount in one["amounts"]] == ["7.08"]


def test_what_is_given_up_is_not_told_as_paid(world: World, shop: Shop, platform: SimulatedPlatform) -> None:
    """VAT on services falls due with the money: a claim that is written off brought none (INV-10)."""
    alice = french(world)
    shop.buy(alice)
    world.until(paris("2026-04-02 00:01"), sweeps=["invoicing.renew"])
    owed = Invoice.objects.filter(account=alice.account).latest("pk")
    follow(world)
    writing_off.write_off(owed, reason="insolvent", now=world.now, actor=world.staff("billing"))
    follow(world)
    assert [len(flow.collected) for flow in platform.flows.values() if flow.name == owed.number] == [0]
    assert declared.paid_by_rate(owed) == {}
    owed.refresh_from_db()
    transfer(world, owed, 300)
    follow(world, 2)
    (flow,) = [one for one in platform.flows.values() if one.name == owed.number]
    assert [amount["amount"] for one in flow.collected for amount in one["amounts"]] == ["3"], "paid after all"
