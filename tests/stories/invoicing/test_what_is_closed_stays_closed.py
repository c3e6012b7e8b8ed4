"""As the provider's accountant I find nothing added to what was closed, however long a billing run takes over midnight
(SUB-5, INV-2, INV-11)."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from threading import Event

import pytest
from django.db import connections, transaction

from invoicing.accounting import closings
from invoicing.issuing import invoices
from invoicing.models import Closing, Entry, FundsCredit, Invoice, Settlement
from invoicing.renewing import billing
from invoicing.taxing.report_rules import Span
from panel.core.actors import SYSTEM
from panel.core.calendars import paris_date
from tests.support.shop import Shop
from tests.support.world import World, paris

LAST = Span(date(2026, 2, 28), date(2026, 3, 1))


@pytest.mark.django_db
def test_a_run_begun_before_midnight_numbers_after_the_closing(world: World, shop: Shop) -> None:
    """Begun at 23:50, and still at it after 01:00: the February that was closed meanwhile gets no further document."""
    world.now = paris("2026-01-28 10:00")
    alice = world.customer("Alice")
    subscription = shop.buy(alice)
    begun = paris("2026-02-28 23:50")
    world.until(paris("2026-03-01 01:05"))
    world.sweep("invoicing.close")
    assert Closing.objects.filter(kind="month", end=LAST.end).exists()
    assert billing.renew(begun).done == 1
    renewal = shop.invoices(alice)[-1]
    assert (renewal.once, renewal.issued_on) == (f"subscription:{subscription.reference}:2026-02-28", LAST.end)
    assert renewal.document["issued_on"] == "2026-03-01"
    assert Entry.objects.get(kind="invoice", ref=renewal.number).booked_on == LAST.end
    assert closings.verify() == []
    assert invoices.verify() == []


@pytest.mark.django_db
def test_so_does_what_is_credited_and_paid_from_the_funds(world: World, shop: Shop) -> None:
    world.now = paris("2026-01-28 10:00")
    alice = world.customer("Alice")
    shop.buy(alice)
    begun = paris("2026-02-28 23:50")
    world.until(paris("2026-03-01 01:05"))
    world.sweep("invoicing.close")
    note = invoices.credit(shop.invoices(alice)[0], None, reason="Withdrawn", now=begun, actor=SYSTEM)
    assert billing.renew(begun).failed == []
    renewal = shop.invoices(alice)[-1]
    assert renewal.state == "paid", "by the funds that the credit note filled"
    late = Settlement.objects.filter(invoice__in=[note.credits_id, renewal.pk]).exclude(means="card")
    assert {paris_date(row.at) for row in late} == {LAST.end}
    assert {row.entry.booked_on for row in FundsCredit.objects.select_related("entry")} == {LAST.end}
    assert closings.verify() == []


@pytest.mark.django_db
def test_over_the_end_of_a_year_it_is_numbered_in_the_new_one(world: World, shop: Shop) -> None:
    world.now = paris("2026-12-20 10:00")
    alice = world.customer("Alice")
    shop.buy(alice)
    begun = paris("2026-12-31 23:50")
    world.until(paris("2027-01-01 01:05"))
    world.sweep("invoicing.close")
    assert Closing.objects.filter(kind="year").count() == 1
    note = invoices.credit(shop.invoices(alice)[0], None, reason="Withdrawn", now=begun, actor=SYSTEM)
    assert (note.number, note.issued_on) == ("A2027-000001", date(2027, 1, 1))
    assert closings.verify() == []
    assert invoices.verify() == []


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("first", [True, False], ids=["the first of its series", "one of a series"])
def test_a_closing_waits_for_what_is_being_issued(world: World, shop: Shop, first: bool) -> None:
    """A batch of one and a half hours: what it issued before midnight is not committed yet when the day is closed."""
    world.now = paris("2026-02-28 10:00")
    alice, bob = world.customer("Alice"), world.customer("Bob")
    shop.buy(alice)
    original = shop.invoices(alice)[0]
    if not first:
        shop.buy(bob)
        invoices.credit(shop.invoices(bob)[0], None, reason="Withdrawn", now=world.now, actor=SYSTEM)
    begun, after = paris("2026-02-28 23:50"), paris("2026-03-01 01:20")
    issued, go_on = Event(), Event()

    @transaction.atomic
    def issue() -> None:
        invoices.credit(original, None, reason="Withdrawn", now=begun, actor=SYSTEM)
        issued.set()
        assert go_on.wait(30)

    def close() -> Closing:
        assert issued.wait(30)
        return closings.close("day", LAST, now=after)

    with ThreadPoolExecutor(2) as hands:
        issuing, closing = (hands.submit(_alone, deed) for deed in (issue, close))
        assert issued.wait(30)
        with pytest.raises(TimeoutError):
            closing.result(timeout=1)
        go_on.set()
        issuing.result(30)
        closing.result(30)
    assert Closing.objects.get(kind="day").content["documents"] == Invoice.objects.count() == 2 + 2 * (not first)
    assert closings.verify() == []


def _alone(deed: Callable[[], object]) -> object:
    try:
        return deed()
    finally:
        connections.close_all()
