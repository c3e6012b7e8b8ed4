"""Recurring revenue, churn, ageing and VAT, each against figures computed by hand from a short story (INV-10)."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from invoicing.accounting import figures, figures_rules
from invoicing.accounting.figures_rules import Billed
from invoicing.issuing import invoices
from invoicing.models import Invoice
from invoicing.selling_by_hand import manual_sales
from invoicing.subscribing import subscriptions
from panel.accounts.models import User
from tests.support.personas import logged_in
from tests.support.shop import Shop
from tests.support.world import World, paris

pytestmark = pytest.mark.django_db


@pytest.fixture
def told(world: World, shop: Shop) -> World:
    """2 March: Alice takes a VPS S monthly (5.90) and Bob a VPS M by the year (119.00); 2 April: Alice renews, and ends
    on the 20th. 1 May is not billed any more. 5 May: advice to Alice over 100.00, never paid; 6 May: 5.90 of Alice's
    first invoice are credited."""
    alice, bob = world.customer(), world.customer("Bob", country="DE", kind="consumer")
    first = shop.buy(alice)
    shop.buy(bob, "vps-m", "year", name="two")
    world.until(paris("2026-04-02 09:00"), sweeps=["invoicing.renew"])
    world.until(paris("2026-04-20 09:00"))
    subscriptions.terminate(first, because="done", rule="SUB-6", now=world.now, actor=alice.actor)
    world.until(paris("2026-05-05 09:00"), sweeps=["invoicing.renew"])
    staff = world.staff("billing")
    draft = manual_sales.draw_up(alice.account, reference="", now=world.now, actor=staff)
    manual_sales.add_line(draft, "Advice", quantity=Decimal(1), unit_price=Decimal(100))
    manual_sales.issue(draft, now=world.now, actor=staff)
    world.until(paris("2026-05-06 09:00"))
    oldest = Invoice.objects.filter(account=alice.account).order_by("pk")[0]
    invoices.credit(oldest, [590], reason="a gesture", now=world.now, actor=staff)
    return world


def test_recurring_revenue_is_what_was_invoiced_for_the_first_of_the_month(told: World) -> None:
    """1 April: Alice's March period was credited (0), Bob's twelfth of 119.00 is 9.92. 1 May: Alice's April period,
    paid until the 2nd, 5.90, and Bob's 9.92."""
    found = dict(figures.recurring(told.now))
    assert len(found) == 12
    assert found[date(2026, 3, 1)] == 0
    assert found[date(2026, 4, 1)] == 992
    assert found[date(2026, 5, 1)] == 590 + 992


def test_churn_is_ended_of_running(told: World) -> None:
    found = {one.month: one for one in figures.churned(told.now)}
    march, april, may = (found[date(2026, month, 1)] for month in (3, 4, 5))
    assert (march.running, march.begun, march.ended, march.percent) == (0, 2, 0, 0)
    assert (april.running, april.begun, april.ended, april.percent) == (2, 0, 1, Decimal("50.0"))
    assert (may.running, may.ended) == (1, 0)


def test_open_claims_by_age(told: World) -> None:
    """5 May: 120.00 asked, less the 7.08 that the credit note put into the funds only for the next invoice; Alice's
    April invoice of 7.08 is open since 2 April."""
    assert figures.ageing(told.now) == [0, 12000, 708, 0, 0]
    assert figures.ageing(paris("2026-09-01 09:00")) == [0, 0, 0, 0, 12708]


def test_vat_by_month_country_and_rate_from_the_books(told: World) -> None:
    """March: France 5.90 and 1.18; Germany 119.00 and 22.61 at 19 %. April: 5.90 and 1.18. May: 100.00 less 5.90 is
    94.10, 20.00 less 1.18 is 18.82."""
    found = {(month.month, code.split(":")[1]): (net, tax) for month, code, net, tax in figures.vat(told.now)}
    assert found == {
        (3, "FR"): (590, 118), (3, "DE"): (11900, 2261), (4, "FR"): (590, 118), (5, "FR"): (9410, 1882),
    }  # fmt: skip


def test_the_page_draws_them_and_each_is_a_file(told: World, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.CLAUSE_REQUIRE_STAFF_MFA = False
    monkeypatch.setattr("panel.core.clock.now", lambda: told.now)
    client = logged_in(User.objects.get(pk=told.staff("billing").user_id))
    page = client.get("/ops/ledger/reports/").content.decode()
    assert page.count("chart-svg") == 4
    for name, words, head, row in (
        ("recurring", "9.92", "Month;Excluding VAT (EUR)", "2026-05;15.82"),
        ("churn", "50.0", "Month;Running;Begun;Ended;Churn (%)", "2026-04;2;0;1;50.0"),
        ("ageing", "120.00", "Late;Including VAT (EUR)", "31 to 60 days;7.08"),
        ("vat", "22.61", "Month;Country;Rate (%);Category;Net (EUR);VAT (EUR)", "2026-03;DE;19;S;119.00;22.61"),
    ):
        assert words in page
        answer = client.get(f"/ops/ledger/reports/?csv={name}")
        assert answer["Content-Type"].startswith("text/csv")
        file = answer.content.decode("utf-8-sig").splitlines()
        assert (file[0], row in file, "€" in "".join(file)) == (head, True, False)
    assert client.get("/ops/ledger/reports/?csv=nothing").status_code == 404


def test_an_annual_price_is_a_twelfth_and_a_period_over_a_short_month_is_one() -> None:
    assert figures_rules.monthly(Billed(date(2026, 3, 2), date(2027, 3, 2), 11900)) == 992
    assert figures_rules.monthly(Billed(date(2026, 1, 31), date(2026, 2, 28), 590)) == 590


@pytest.mark.parametrize(
    ("late", "bucket"), [(-1, 0), (0, 0), (1, 1), (30, 1), (31, 2), (60, 2), (61, 3), (90, 3), (91, 4)]
)
def test_the_edges_of_ageing(late: int, bucket: int) -> None:
    due = date(2026, 5, 1)
    assert figures_rules.age(due, date.fromordinal(due.toordinal() + late)) == bucket
