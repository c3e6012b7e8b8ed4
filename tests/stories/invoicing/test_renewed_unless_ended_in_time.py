"""As a customer of an operator with a notice period I am renewed unless I end 30 days before, and the page says so
(OPR-8)."""

from dataclasses import replace
from datetime import date

import pytest

from invoicing.models import Package, Subscription
from invoicing.subscribing import ending
from invoicing.subscribing.leaving import Wishes
from panel import terms
from tests.support.personas import logged_in
from tests.support.shop import Shop
from tests.support.world import Customer, World, paris

pytestmark = pytest.mark.django_db
RENEW = ["invoicing.renew"]


@pytest.fixture(autouse=True)
def _notice(monkeypatch: pytest.MonkeyPatch) -> None:
    """The operator's version: 30 days of notice."""
    own = terms.current(paris("2026-03-02 09:00"))
    theirs = replace(own, table={**own.table, "SUB-6": {**own.table["SUB-6"], "notice_days": 30}})
    plain = terms.version
    monkeypatch.setattr(terms, "version", lambda name: theirs if name == own.name else plain(name))


def bought(world: World, shop: Shop) -> tuple[Customer, Subscription]:
    alice = world.customer()
    return alice, shop.buy(alice, interval="year")


def test_in_time_it_ends_with_its_year(world: World, shop: Shop) -> None:
    alice, row = bought(world, shop)
    world.until(paris("2027-01-31 23:00"))
    ending.end_at_term(row, Wishes(), actor=alice.actor, now=world.now)
    world.until(paris("2027-03-02 00:01"), sweeps=RENEW)
    assert [one.net_cents for one in shop.invoices(alice)] == [5900]


def test_too_late_it_is_renewed_once_more(world: World, shop: Shop) -> None:
    """29 days before the renewal of 2 March 2027: the end comes a year later."""
    alice, row = bought(world, shop)
    world.until(paris("2027-02-01 09:00"), sweeps=RENEW)
    seen = ending.preview(row, now=world.now)
    assert (seen.term, seen.notice_days) == (date(2028, 3, 2), 30)
    page = logged_in(alice.user, alice.account)
    ending.end_at_term(row, Wishes(), actor=alice.actor, now=world.now)
    world.until(paris("2027-03-02 00:01"), sweeps=RENEW)
    assert [one.net_cents for one in shop.invoices(alice)] == [5900, 5900]
    shown = page.get(f"/services/subscriptions/{row.reference}/end/").content.decode()
    assert "unless its end is asked for 30 days before" in shown


def test_ending_at_once_does_not_go_round_it(world: World, shop: Shop) -> None:
    """What would have run until the term is owed (SUB-6)."""
    alice, row = bought(world, shop)
    world.until(paris("2027-02-01 09:00"), sweeps=RENEW)
    ending.end_now(row, Wishes(), actor=alice.actor, now=world.now)
    assert [one.net_cents for one in shop.invoices(alice)] == [5900, 5900]


def test_a_free_trial_needs_no_notice(world: World, shop: Shop) -> None:
    Package.objects.filter(code="vps-s").update(trial_days=14, trial_needs_means=False)
    _alice, row = bought(world, shop)
    Subscription.objects.filter(pk=row.pk).update(period_end=date(2026, 3, 16), trial_ends_on=date(2026, 3, 16))
    row.refresh_from_db()
    seen = ending.preview(row, now=world.now)
    assert (seen.term, seen.at_once, seen.notice_days) == (date(2026, 3, 16), None, 0)
