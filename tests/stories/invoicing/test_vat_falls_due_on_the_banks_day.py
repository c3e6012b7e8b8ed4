"""As the provider's accountant I declare what a transfer brought in the period in which the bank had it, whenever its
file was uploaded; where that report was made already, in the next one, with its own day, once (INV-10)."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from invoicing.models import EReport, Invoice, ReportKind
from invoicing.platforms.simulated import SimulatedPlatform, running
from invoicing.selling_by_hand import manual_sales
from panel.core.actors import Actor
from panel.core.calendars import paris_date
from tests.support import debiting
from tests.support.bank_statement import statement
from tests.support.shop import Shop
from tests.support.world import World, paris

pytestmark = pytest.mark.django_db


@pytest.fixture
def platform() -> Iterator[SimulatedPlatform]:
    office = running()
    office.calm()
    yield office
    office.calm()


def owed(world: World, shop: Shop, **who: Any) -> Invoice:
    """An open invoice of 2 April, three days before what follows."""
    alice = world.customer(**who)
    shop.buy(alice)
    world.until(paris("2026-04-02 00:01"), sweeps=["invoicing.renew", "invoicing.report"])
    return Invoice.objects.filter(account=alice.account).latest("pk")


def uploaded(world: World, billing: Actor, invoice: Invoice, cents: int, day: date, name: str = "a.xml") -> None:
    debiting.take(world, billing, statement((cents, invoice.number), day=day, prefix=name), name)


def told(start: str) -> list[dict[str, Any]]:
    """What the report of the period that begins on `start` says of private customers' money."""
    report = EReport.objects.get(kind=ReportKind.COLLECTIONS, start=date.fromisoformat(start))
    return list(report.content["days"])


def test_uploaded_before_the_report_is_made_it_is_in_its_period(world: World, shop: Shop) -> None:
    """The bank had it on the 10th, the file came on the 11th, and no report was made before the 12th."""
    invoice = owed(world, shop, kind="consumer", company="")
    world.until(paris("2026-04-11 10:00"))
    uploaded(world, world.staff("billing"), invoice, invoice.total_cents, date(2026, 4, 10))
    world.until(paris("2026-04-12 09:00"), sweeps=["invoicing.report"])
    assert told("2026-04-01") == [{"day": "2026-04-10", "rate": "20.00", "cents": 708}]
    world.until(paris("2026-04-21 09:00"), sweeps=["invoicing.report"])
    assert told("2026-04-11") == [], "once"


def test_uploaded_after_its_report_it_is_in_the_next_with_its_own_day(world: World, shop: Shop) -> None:
    invoice = owed(world, shop, kind="consumer", company="")
    world.until(paris("2026-04-11 09:00"), sweeps=["invoicing.report"])
    assert told("2026-04-01") == []
    world.until(paris("2026-04-13 10:00"))
    uploaded(world, world.staff("billing"), invoice, invoice.total_cents, date(2026, 4, 10))
    for _ in range(2):
        world.advance(days=10, sweeps=["invoicing.report"])
    assert told("2026-04-01") == [], "what was told is never changed"
    assert told("2026-04-11") == [{"day": "2026-04-10", "rate": "20.00", "cents": 708}]
    assert told("2026-04-21") == []


def test_an_e_invoice_tells_the_banks_day(world: World, shop: Shop, platform: SimulatedPlatform) -> None:
    invoice = owed(world, shop, siren="552100554")
    world.until(paris("2026-04-13 10:00"), sweeps=["invoicing.follow"])
    uploaded(world, world.staff("billing"), invoice, invoice.total_cents, date(2026, 4, 10))
    world.advance(seconds=600, sweeps=["invoicing.follow"])
    (flow,) = [one for one in platform.flows.values() if one.name == invoice.number]
    (said,) = flow.collected
    assert paris_date(datetime.fromisoformat(said["at"])) == date(2026, 4, 10)


@contextmanager
def undone() -> Iterator[None]:
    """One example: what it wrote is taken back."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


PARTS = st.lists(
    st.tuples(st.integers(1, 120), st.integers(0, 600), st.integers(0, 25), st.booleans()), min_size=1, max_size=6
)  # cents, hours until it is written down, days that the bank had it before, whether reports are made then


@hypothesis_settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(PARTS)
def test_whatever_comes_late_is_declared_once(
    world: World, shop: Shop, parts: list[tuple[int, int, int, bool]]
) -> None:
    before = world.now
    with undone():
        invoice, billing = owed(world, shop, kind="consumer", company=""), world.staff("billing")
        for number, (cents, hours, days, reported) in enumerate(parts):
            world.now += timedelta(hours=hours)
            if reported:
                world.sweep("invoicing.report")
            came = max(paris_date(world.now) - timedelta(days=days), date(2026, 4, 2))
            manual_sales.record_payment(
                invoice.account, cents, means="transfer", reference=f"R{number}", received_on=came, invoice=invoice,
                now=world.now, actor=billing,
            )  # fmt: skip
        for _ in range(2):
            world.now += timedelta(days=11)
            world.sweep("invoicing.report")
        reports = EReport.objects.filter(kind=ReportKind.COLLECTIONS, start__gte="2026-04-01")
        rows = [(row["day"], row["cents"], report) for report in reports for row in report.content["days"]]
        invoice.refresh_from_db()
        assert sum(cents for _day, cents, _report in rows) == invoice.paid_cents
        assert all(day < report.end.isoformat() for day, _cents, report in rows)
    world.now = before
