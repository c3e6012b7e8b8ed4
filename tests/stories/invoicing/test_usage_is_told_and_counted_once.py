"""As an operator of metered services I bill each event once, whatever is repeated, corrected or late (OPR-1)."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from invoicing.consuming import metered_kind, usage, usage_setup
from invoicing.consuming.usage import Conflict, Told
from invoicing.models import Consumption, Invoice, InvoiceLine, Subscription, UsageEvent
from invoicing.offering.catalogue_models import Family, Package, Price
from invoicing.subscribing import changes, kinds
from panel.core.errors import RuleViolation
from tests.support.shop import Shop
from tests.support.world import World, paris

pytestmark = [pytest.mark.django_db, pytest.mark.long]
RENEW = ["invoicing.renew"]
TIERS = [{"up_to": "1000", "unit_price": "0.06"}, {"up_to": None, "unit_price": "0.045"}]


@pytest.fixture
def world() -> World:
    return World("2026-01-31 10:00")


def package(world: World, *, tiers: Sequence[Any] = TIERS, allowance: int = 100, **more: Any) -> Package:
    """An SMS service at EUR 10 a month with `allowance` messages, sold by catalogue rows alone."""
    family = Family.objects.create(code="relay", name="Relay", name_fr="Relais")
    made = Package.objects.create(
        code="sms", name="SMS", name_fr="SMS", family=family, service_kind=metered_kind.KIND
    )  # fmt: skip
    for interval, cents in (("month", 1000), ("year", 10000)):
        Price.objects.create(
            package=made, interval=interval, amount_cents=cents, valid_from=datetime(2026, 1, 1, tzinfo=UTC)
        )
    wish = usage_setup.MeterWish("sms", "Messages", "Messages", "SMS", Decimal(allowance), tiers, **more)
    usage_setup.set_meter(made, wish, valid_from=world.now, actor=world.staff("billing"), now=world.now)
    return made


@pytest.fixture
def sms(world: World, shop: Shop) -> Subscription:
    package(world)
    return shop.buy(world.customer(), "sms")


def told(sms: Subscription, key: str, quantity: int | str, at: str, **more: Any) -> Told:
    return Told(key, sms.reference, "sms", Decimal(quantity), paris(at), **more)


def lines(sms: Subscription) -> list[tuple[str, int]]:
    """Usage on invoices (and given back on credit notes), in order."""
    rows = InvoiceLine.objects.filter(subscription=sms, code="usage:sms").order_by("pk").select_related("invoice")
    return [(row.invoice.kind, row.net_cents) for row in rows]


def test_a_delivery_told_again_counts_once(world: World, sms: Subscription) -> None:
    events = [told(sms, "a", 700, "2026-01-31 10:00"), told(sms, "b", 900, "2026-01-31 10:00")]
    world.advance(hours=1)
    assert usage.record("relay", events, now=world.now) == usage.Taken(2, 0)
    assert usage.record("relay", events[::-1], now=world.now) == usage.Taken(0, 2)
    world.until(paris("2026-02-28 00:01"), sweeps=RENEW)
    # 1600 - 100 free: 1000 at 0.06, 500 at 0.045
    assert lines(sms) == [("invoice", 6000), ("invoice", 2250)]
    invoice = Invoice.objects.order_by("pk").last()
    assert invoice is not None
    assert invoice.net_cents == 1000 + 6000 + 2250
    assert [row.code for row in invoice.lines.all()] == ["sms", "usage:sms", "usage:sms"]


def test_the_same_key_with_another_content_is_refused_and_loses_nothing(world: World, sms: Subscription) -> None:
    world.advance(hours=1)
    usage.record("relay", [told(sms, "a", 5, "2026-01-31 10:30")], now=world.now)
    with pytest.raises(Conflict, match=r"^a: "):
        usage.record(
            "relay", [told(sms, "c", 1, "2026-01-31 10:30"), told(sms, "a", 6, "2026-01-31 10:30")], now=world.now
        )
    assert list(UsageEvent.objects.values_list("key", "quantity")) == [("a", 5)]
    assert usage.record("mail", [told(sms, "a", 6, "2026-01-31 10:30")], now=world.now).accepted == 1


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"quantity": Decimal(-1)}, "not negative"), ({"quantity": Decimal("0.0000001")}, "six decimals"),
        ({"quantity": Decimal("NaN")}, "not negative"), ({"meter": "fax"}, "no such meter"),
        ({"subscription": "SUB-NONE"}, "no such subscription"), ({"at": None}, "an instant"),
        ({"at": datetime(2026, 1, 1, tzinfo=UTC)}, "outside the life"),
        ({"at": datetime(2026, 3, 1, tzinfo=UTC)}, "in the future"), ({"corrects": "nothing"}, "not known"),
    ],
)  # fmt: skip
def test_a_bad_event_has_its_clear_error(
    world: World, sms: Subscription, change: dict[str, Any], sentence: str
) -> None:
    world.advance(hours=1)
    good = {"key": "a", "subscription": sms.reference, "meter": "sms", "quantity": Decimal(1),
            "at": paris("2026-01-31 10:30")}  # fmt: skip
    with pytest.raises(RuleViolation, match=sentence):
        usage.record("relay", [Told(**(good | change))], now=world.now)
    assert not UsageEvent.objects.exists()


def test_an_event_and_its_correction_are_nothing(world: World, sms: Subscription) -> None:
    world.advance(hours=1)
    usage.record(
        "relay", [Told("undo", sms.reference, corrects="a"), told(sms, "a", 5000, "2026-01-31 10:30")], now=world.now
    )
    with pytest.raises(RuleViolation, match="once"):
        usage.record("relay", [Told("again", sms.reference, corrects="a")], now=world.now)
    world.until(paris("2026-02-28 00:01"), sweeps=RENEW)
    assert lines(sms) == []
    assert Consumption.objects.get().quantity == 0


def test_late_usage_comes_on_the_next_invoice_once(world: World, sms: Subscription) -> None:
    """An issued invoice never changes; what came after it is charged as if it had come in time, in the next."""
    world.until(paris("2026-02-28 00:01"), sweeps=RENEW)
    issued = Invoice.objects.order_by("pk").last()
    assert issued is not None
    usage.record("relay", [told(sms, "late", 1200, "2026-02-27 23:59")], now=world.now)
    world.until(paris("2026-03-30 12:00"), sweeps=RENEW * 2)
    assert lines(sms) == []
    for _ in range(2):
        world.until(paris("2026-03-31 00:01"), sweeps=RENEW * 2)
    assert lines(sms) == [("invoice", 6000 + 450)]  # 1100 beyond: 1000 at 0.06, 100 at 0.045
    line = InvoiceLine.objects.get(subscription=sms, code="usage:sms")
    assert (line.period_start, line.period_end) == (date(2026, 1, 31), date(2026, 2, 28))
    assert line.description == "Messages: late usage of a month invoiced before"
    assert Invoice.objects.get(pk=issued.pk).hash == issued.hash
    world.until(paris("2026-04-30 00:01"), sweeps=RENEW)
    assert lines(sms) == [("invoice", 6450)]


def test_a_late_correction_is_given_back_by_a_credit_note(world: World, sms: Subscription) -> None:
    world.advance(hours=1)
    usage.record("relay", [told(sms, "a", 1200, "2026-01-31 10:30"), told(sms, "b", 300, "2026-01-31 10:30")],
                 now=world.now)  # fmt: skip
    world.until(paris("2026-02-28 00:01"), sweeps=RENEW)
    assert lines(sms) == [("invoice", 6000), ("invoice", 1800)]
    usage.record("relay", [Told("undo", sms.reference, corrects="a")], now=world.now)
    world.until(paris("2026-03-31 00:01"), sweeps=RENEW)
    # 300 stay: 200 beyond at 0.06 are due, 78.00 was billed
    assert sum(cents if kind == "invoice" else -cents for kind, cents in lines(sms)) == 1200
    note = Invoice.objects.get(kind="credit_note")
    assert (note.net_cents, note.reason) == (6600, "Usage corrected after the invoice")


def test_usage_after_the_end_is_refused_and_before_it_is_still_billed(world: World, shop: Shop) -> None:
    from invoicing.subscribing import subscriptions

    package(world)
    alice = world.customer()
    sms = shop.buy(alice, "sms")
    world.advance(days=5)
    subscriptions.terminate(sms, because="", rule="SUB-6", now=world.now, actor=alice.actor)
    world.advance(days=1, sweeps=RENEW)
    for number in range(2):
        usage.record("relay", [told(sms, f"late {number}", 200, "2026-02-04 10:00")], now=world.now)
        world.advance(days=1, sweeps=RENEW)
    assert lines(sms) == [("invoice", 600), ("invoice", 1200)]
    with pytest.raises(RuleViolation, match="outside the life"):
        usage.record("relay", [told(sms, "after", 1, "2026-02-06 10:00")], now=world.now)


def test_the_unused_allowance_of_a_prepaid_year_is_carried_to_the_next_month(world: World, shop: Shop) -> None:
    """OPR-8: an annual subscription, the extra billed monthly; what is left of a month is free in the next."""
    package(world, carries=True)
    sms = shop.buy(world.customer(), "sms", "year")
    for key, quantity, at in (("a", 40, "2026-02-10 10:00"), ("b", 190, "2026-03-10 10:00")):
        world.until(paris(at), sweeps=RENEW)
        usage.record("relay", [told(sms, key, quantity, at)], now=world.now)
    world.until(paris("2026-03-31 00:01"), sweeps=RENEW)
    # 100 + 60 carried are free in the second month; 30 beyond at 0.06
    assert lines(sms) == [("invoice", 180)]
    second = Consumption.objects.get(start=date(2026, 2, 28))
    assert (second.allowance, second.evidence["carried"]) == (160, "60.000000000")
    assert not Invoice.objects.filter(account=sms.account, lines__code="sms", issued_on__gt=date(2026, 2, 1)).exists()


def test_a_new_price_holds_for_periods_that_begin_after_it(world: World, sms: Subscription) -> None:
    """LEG-1, LEG-3."""
    dear = usage_setup.MeterWish("sms", "Messages", "Messages", "SMS", Decimal(0), [{"up_to": None, "unit_price": "1"}])
    with pytest.raises(RuleViolation):
        usage_setup.set_meter(
            sms.package, dear, valid_from=world.now - timedelta(1), actor=world.staff(), now=world.now
        )
    usage_setup.set_meter(sms.package, dear, valid_from=paris("2026-02-10 00:00"), actor=world.staff(), now=world.now)
    for key, at in (("a", "2026-02-20 10:00"), ("b", "2026-03-20 10:00")):
        world.until(paris(at), sweeps=RENEW)
        usage.record("relay", [told(sms, key, 110, at)], now=world.now)
    world.until(paris("2026-03-31 00:01"), sweeps=RENEW)
    assert lines(sms) == [("invoice", 60), ("invoice", 11000)]


EVENTS = st.lists(
    st.tuples(
        st.integers(0, 8), st.integers(0, 900), st.integers(0, 57), st.booleans(), st.booleans(), st.booleans()
    ),
    min_size=1, max_size=9, unique_by=lambda one: one[0],
)  # fmt: skip


@settings(
    max_examples=8,
    deadline=None,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(EVENTS, st.randoms(use_true_random=False), st.booleans())
def test_what_is_billed_depends_on_what_was_used_alone(events: list[Any], random: Any, yearly: bool) -> None:
    """Invariant 17: order, repetition and lateness do not matter, an event and its correction are nothing."""
    from django.db import transaction

    from invoicing.consuming import usage_rules

    with transaction.atomic():
        world = World("2026-01-31 10:00")
        shop = _shop(world)
        package(world)
        sms = shop.buy(world.customer(), "sms")
        begun = world.now
        used = {0: 0, 1: 0}
        deliveries: list[tuple[int, Told]] = []  # after how many days each is brought
        for key, quantity, day, late, taken_back, repeated in events:
            at = begun + timedelta(days=day, minutes=key)
            brought = day + (35 if late else 0) + 1
            deliveries.append((brought, Told(f"e{key}", sms.reference, "sms", Decimal(quantity), at)))
            if repeated:
                deliveries.append((brought + 3, deliveries[-1][1]))
            if taken_back:
                deliveries.append((brought + 9, Told(f"c{key}", sms.reference, corrects=f"e{key}")))
            else:
                used[0 if usage.paris_date(at) < date(2026, 2, 28) else 1] += quantity
        random.shuffle(deliveries)
        for brought, event in sorted(deliveries, key=lambda pair: pair[0]):
            world.until(max(world.now, begun + timedelta(days=brought)), sweeps=RENEW)
            hashes = dict(Invoice.objects.values_list("number", "hash"))
            usage.record("relay", [event], now=world.now)
        world.until(max(world.now, paris("2026-07-31 00:01")), sweeps=RENEW)
        steps = usage_rules.tiers(TIERS)
        due = [rating.net for quantity in used.values()
               for rating in usage_rules.months([Decimal(quantity)], Decimal(100), steps)]  # fmt: skip
        assert sum(cents if kind == "invoice" else -cents for kind, cents in lines(sms)) == sum(due)
        assert hashes.items() <= dict(Invoice.objects.values_list("number", "hash")).items()
        transaction.set_rollback(True)


def _shop(world: World) -> Shop:
    from tests.support.shop import open_shop

    opened = open_shop(world)
    kinds._kinds["vps"] = kinds._kinds.get("vps", opened.service)
    return opened


def test_a_month_is_rated_by_the_package_it_was_used_under(world: World, shop: Shop) -> None:
    """A smaller package from the renewal on: the month that ended, and what comes late for it, keep their allowance."""
    big = package(world, allowance=10_000)
    small = Package.objects.create(
        code="sms-small", name="SMS small", name_fr="SMS", family=big.family, service_kind=metered_kind.KIND
    )
    Price.objects.create(package=small, interval="month", amount_cents=500, valid_from=datetime(2026, 1, 1, tzinfo=UTC))
    usage_setup.set_meter(
        small, usage_setup.MeterWish("sms", "Messages", "Messages", "SMS", Decimal(100), TIERS),
        valid_from=world.now, actor=world.staff("billing"), now=world.now,
    )  # fmt: skip
    alice = world.customer()
    row = shop.buy(alice, "sms")
    world.advance(days=5)
    usage.record("relay", [told(row, "a", 9_000, "2026-02-03 10:00")], now=world.now)
    changes.change(row, changes.Wish("sms-small", "month", {}), key="k", actor=alice.actor, now=world.now)
    world.until(paris("2026-03-01 01:00"), sweeps=RENEW)
    row.refresh_from_db()
    assert (row.package.code, lines(row)) == ("sms-small", [])
    usage.record("relay", [told(row, "late", 500, "2026-02-04 10:00")], now=world.now)
    world.until(paris("2026-04-01 01:00"), sweeps=RENEW)
    assert lines(row) == []
