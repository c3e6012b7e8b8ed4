"""As billing staff I see what a run must bill, try it, begin it once, and find what it did not bill (SUB-5, INV-1)."""

from datetime import date
from typing import Any

import pytest

from invoicing.models import BillingRun, BillingRunItem, Invoice, NumberSeries, Subscription
from invoicing.renewing import billing, billing_runs, run_selectors
from panel.console import work
from panel.core.due import SweepReport
from panel.core.models import Event, Operation
from tests.support.personas import logged_in, staff
from tests.support.shop import Shop
from tests.support.world import World, paris

pytestmark = pytest.mark.django_db
RENEW = ["invoicing.renew"]
TB = 10**12


@pytest.fixture
def world() -> World:
    return World("2026-01-31 10:00")


@pytest.fixture
def three(world: World, shop: Shop) -> list[Subscription]:
    """Three servers, due on 28 February: one French, one of a German consumer, one with an address more."""
    alice, karl = world.customer("Alice"), world.customer("Karl", kind="consumer", company="", country="DE")
    return [shop.buy(alice), shop.buy(karl), shop.buy(alice, addresses=1)]


def begin(world: World, *, dry: bool = False, key: str = "k1") -> BillingRun:
    run = billing_runs.start(key=key, dry=dry, actor=world.staff("billing"), now=world.now)
    world.work(kinds=["invoicing.billing_run"])
    return BillingRun.objects.get(pk=run.pk)


def test_a_dry_run_says_to_the_cent_what_the_run_does_and_leaves_nothing(
    world: World, shop: Shop, three: list[Subscription]
) -> None:
    """Two days missed, an overage: the same invoices come out of the real run."""
    shop.service.used = {date(2026, 1, 31): TB + 10**10}
    world.now = paris("2026-03-31 00:05")
    before = (Invoice.objects.count(), Operation.objects.count(), Event.objects.count(),
              list(NumberSeries.objects.values_list("last_number")))  # fmt: skip
    dry = begin(world, dry=True)
    assert (Invoice.objects.count(), Operation.objects.count() - 1, Event.objects.count() - 1,
            list(NumberSeries.objects.values_list("last_number"))) == before  # fmt: skip
    real = begin(world, key="k2")
    assert (dry.state, real.state) == ("done", "done")
    for run in (dry, real):
        assert (run.expected, run.billed, run.failed, run.waiting) == (3, 3, 0, 0)
        # 590 + 590 + 790 twice, 13.00 of overage for each of the three
        assert (run.net_cents, run.taxes) == (
            7840, {"S:DE:19": [2480, 471], "S:FR:20": [5360, 1072]}
        )  # fmt: skip
    assert [item.invoices for item in real.items.all()] == [2, 2, 2]
    assert real.total_cents == sum(Invoice.objects.filter(position__gt=3).values_list("total_cents", flat=True))


def test_pressed_twice_it_is_one_run(world: World, three: list[Subscription]) -> None:
    world.now = paris("2026-02-28 00:05")
    first, second = begin(world), begin(world)
    assert first.pk == second.pk
    assert Invoice.objects.count() == 6
    third = begin(world, key="k3")
    assert (third.expected, third.state) == (0, "done")


def test_the_difference_to_the_dry_run_before(world: World, shop: Shop, three: list[Subscription]) -> None:
    world.now = paris("2026-02-28 00:05")
    first = begin(world, dry=True)
    assert run_selectors.difference(first) is None
    shop.service.used = {date(2026, 1, 31): TB + 10**9}
    billing.renew(world.now, only=[three[0].pk])
    found = run_selectors.difference(begin(world, dry=True, key="k2"))
    assert found is not None
    assert [(c.item.subscription_id, c.before_cents, c.after_cents) for c in found.changes] == [
        (three[0].pk, 590, None), (three[1].pk, 590, 720), (three[2].pk, 790, 920)
    ]  # fmt: skip
    assert found.net_cents == 130 + 130 - 590


def test_what_fails_is_told_one_by_one_and_waits_for_staff_until_it_is_good(
    world: World, shop: Shop, three: list[Subscription], monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = shop.service.describe

    def describe(subscription: Any, language: str) -> str:
        if subscription.pk == three[1].pk:
            raise RuntimeError("the service cannot say what it is")
        return usual(subscription, language)

    monkeypatch.setattr(shop.service, "describe", describe)
    world.now = paris("2026-02-28 00:05")
    report = billing_runs.by_clock(world.now)
    assert len(report.failed) == 1
    run = BillingRun.objects.get()
    assert (run.key, run.state, run.expected, run.billed, run.failed) == ("clock:2026-02-28", "short", 3, 2, 1)
    assert "cannot say" in run.items.get(state="failed").error
    clerk = world.staff("billing")
    queue = next(one for one in work.queues(clerk, now=world.now) if one.icon == "invoice")
    assert (queue.total, queue.rows[0].url) == (1, f"/ops/billing/{run.pk}/")
    monkeypatch.setattr(shop.service, "describe", usual)
    world.now = paris("2026-03-01 00:05")
    assert billing_runs.by_clock(world.now).failed == []
    run.refresh_from_db()
    assert (run.state, run.billed, run.failed) == ("done", 3, 0)
    assert next(one for one in work.queues(clerk, now=world.now) if one.icon == "invoice").total == 0


def test_an_overdue_mark_that_fails_is_no_failure_of_a_subscription(
    world: World, three: list[Subscription], monkeypatch: pytest.MonkeyPatch
) -> None:
    """INV-14: the key of an invoice is read as no subscription's."""
    told = SweepReport(done=2, failed=[f"{three[1].pk}: RuntimeError: it cannot be marked"])
    monkeypatch.setattr(billing, "mark_overdue", lambda now, *, dry_run=False: told)
    world.now = paris("2026-02-28 00:05")
    report = billing_runs.by_clock(world.now)
    run = BillingRun.objects.get()
    assert (run.state, run.billed, run.failed) == ("done", 3, 0)
    assert not Event.objects.filter(kind="invoicing.billing_run.short").exists()
    assert report.failed == [f"invoice {three[1].pk}: RuntimeError: it cannot be marked"]
    assert report.done >= 2


def test_a_green_log_with_nothing_done_is_a_failure(
    world: World, three: list[Subscription], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that should bill three and bills none says so, though nothing complained."""
    monkeypatch.setattr(billing.in_bulk, "renew", lambda keys, **_: list(keys))
    monkeypatch.setattr(billing, "_step", lambda pk, *, now: False)
    world.now = paris("2026-02-28 00:05")
    report = billing_runs.by_clock(world.now)
    assert len(report.failed) == 3
    run = BillingRun.objects.get()
    assert (run.state, run.expected, run.billed, run.failed) == ("short", 3, 0, 3)
    assert Event.objects.filter(kind="invoicing.billing_run.short").count() == 1


def test_a_reading_that_is_late_is_waited_for_not_failed(world: World, shop: Shop, three: list[Subscription]) -> None:
    shop.service.unread = True
    world.now = paris("2026-02-28 00:05")
    assert billing_runs.by_clock(world.now).failed == []
    assert BillingRun.objects.get().waiting == 3
    shop.service.unread = False
    world.advance(minutes=1, sweeps=RENEW)
    run = BillingRun.objects.get()
    assert (run.state, run.expected, run.billed, run.waiting) == ("done", 3, 3, 0)


CONTENT = ("code", "rule", "description", "period_start", "period_end", "quantity", "unit_price", "net_cents")


@pytest.mark.parametrize("gap", [{"hours": 1}, {"days": 1}, {"days": 5}])
def test_a_missed_hour_day_or_five_days_is_caught_up_with_the_same_content(
    world: World, shop: Shop, gap: dict[str, float]
) -> None:
    """Invariant 15: late, and pressed by staff on top, the invoices say what they would have said on time."""
    shop.service.used = {date(2026, 1, 31): TB + 7 * 10**9}
    punctual, late = world.customer("Alice"), world.customer("Alice")
    for customer in (punctual, late):
        shop.buy(customer)
    world.now = paris("2026-02-28 00:00")
    billing.renew(world.now, only=[Subscription.objects.get(account=punctual.account).pk])
    world.advance(**gap, sweeps=RENEW * 2)
    begin(world)
    said = [
        [tuple(getattr(line, name) for name in CONTENT) for made in shop.invoices(one) for line in made.lines.all()]
        for one in (punctual, late)
    ]
    assert said[0] == said[1]
    assert len(said[0]) == 3
    assert BillingRunItem.objects.filter(state="billed").count() == 1


def test_the_pages_of_a_run(world: World, three: list[Subscription], monkeypatch: pytest.MonkeyPatch) -> None:
    """A dry run, another to compare with, and the run: begun by a form, followed on its page."""
    client = logged_in(staff(world, "billing"))
    world.now = paris("2026-02-28 00:05")
    monkeypatch.setattr("panel.core.clock.now", lambda: world.now)
    for number, dry in enumerate(({"dry": "1"}, {"dry": "1"}, {})):
        begun = client.post("/ops/billing/start/", {"key": f"k{number}", **dry})
        assert "In progress" in client.get(begun["Location"]).content.decode()
        world.work(kinds=["invoicing.billing_run"])
        for part in ("", "?part=progress", "?state=billed"):
            assert "3 of 3 subscriptions" in client.get(begun["Location"] + part).content.decode()
    assert client.get("/ops/billing/").status_code == 200
