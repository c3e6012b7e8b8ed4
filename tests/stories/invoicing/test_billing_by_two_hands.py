"""As the provider I have a long billing run done by several hands, and its invoices are numbered and chained as by one
(SUB-5, INV-2)."""

import pytest

from invoicing.accounting import ledger
from invoicing.issuing import invoices
from invoicing.models import BillingRun, Invoice, Subscription
from invoicing.renewing import billing, billing_runs, in_bulk
from tests.support.shop import Shop
from tests.support.world import World, paris

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]


def no_single_one(_pk: int, **_rest: object) -> bool:
    raise AssertionError("an ordinary due day is invoiced with the others")


@pytest.fixture
def due(world: World, shop: Shop) -> list[Subscription]:
    """Eleven that are due on 28 February; every customer but one has two, in batches of which one hand holds each."""
    world.now = paris("2026-01-31 10:00")
    customers = [world.customer(f"C{number}") for number in range(6)]
    bought = [shop.buy(customer) for customer in [*customers, *customers[1:]]]
    world.now = paris("2026-02-28 00:05")
    return bought


def begun(world: World, *, dry: bool) -> BillingRun:
    run = billing_runs.start(key=f"{dry}", dry=dry, actor=world.staff("billing"), now=world.now)
    world.work(kinds=["invoicing.billing_run"])
    return BillingRun.objects.get(pk=run.pk)


@pytest.mark.parametrize("by_staff", [False, True])
def test_all_of_it_once_and_in_one_chain(
    world: World, due: list[Subscription], monkeypatch: pytest.MonkeyPatch, by_staff: bool
) -> None:
    """Begun by the clock, or from the page, where it is tried first."""
    monkeypatch.setattr(in_bulk, "BATCH", 6)
    monkeypatch.setattr(billing_runs, "AT_ONCE", 2 + 4 * by_staff)
    before = Invoice.objects.count()
    with monkeypatch.context() as alone:
        alone.setattr(billing, "_step", no_single_one)
        if by_staff:
            tried = begun(world, dry=True)
            assert Invoice.objects.count() == before
            run = begun(world, dry=False)
            assert (tried.state, tried.billed, tried.net_cents) == ("done", len(due), run.net_cents)
        else:
            report = billing_runs.by_clock(world.now)
            assert (report.done, report.failed) == (len(due), [])
            run = BillingRun.objects.get()
    assert (run.state, run.billed, run.expected) == ("done", len(due), len(due))
    issued = Invoice.objects.order_by("position")[before:]
    assert [invoice.position for invoice in issued] == list(range(before + 1, before + 1 + len(due)))
    assert {invoice.once for invoice in issued} == {f"subscription:{row.reference}:2026-02-28" for row in due}
    assert invoices.verify() == []
    assert ledger.total() == 0
    assert billing_runs.by_clock(world.now).done == 0


def test_a_batch_that_fails_takes_nothing_with_it(
    world: World, shop: Shop, due: list[Subscription], monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = shop.service.describe

    def describe(row: Subscription, language: str) -> str:
        if row.pk == due[2].pk:
            raise RuntimeError("the service cannot say what it is")
        return usual(row, language)

    monkeypatch.setattr(shop.service, "describe", describe)
    monkeypatch.setattr(in_bulk, "BATCH", 3)
    before = Invoice.objects.count()
    report = billing_runs.by_clock(world.now)
    assert {line.partition(":")[0] for line in report.failed} == {str(due[2].pk)}
    assert Invoice.objects.count() == before + len(due) - 1
    assert invoices.verify() == []
    assert ledger.total() == 0
