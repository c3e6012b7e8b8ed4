"""As a customer I end at the term or at once, see what it costs first, and can change my mind (SUB-6, SUB-7, SUB-8)."""

from datetime import date, timedelta

import pytest

from invoicing.models import Invoice, Subscription
from invoicing.subscribing import changes, composing, ending, subscriptions
from invoicing.subscribing.leaving import Wishes
from panel.core.errors import RuleViolation
from tests.support.personas import logged_in
from tests.support.shop import Shop
from tests.support.world import Customer, World, paris

pytestmark = pytest.mark.django_db
RENEW = ["invoicing.renew"]
NOTHING = Wishes()
TB = 10**12


@pytest.fixture
def alice(world: World, shop: Shop) -> Customer:
    return world.customer()


def lines(invoice: Invoice) -> list[tuple[str, str, int]]:
    return [(line.code, line.rule, line.net_cents) for line in invoice.lines.all()]


def test_it_runs_until_its_term_and_is_not_renewed(world: World, shop: Shop, alice: Customer) -> None:
    """Asked for on the last day of the period (SUB-6: no notice): it ends when that day is over."""
    row = shop.buy(alice)
    world.until(paris("2026-04-01 23:50"))
    page = logged_in(alice.user, alice.account).get(f"/services/subscriptions/{row.reference}/end/").content.decode()
    assert "unless its end is asked for" not in page
    held = ending.end_at_term(row, NOTHING, actor=alice.actor, now=world.now)
    assert held.ends_on == date(2026, 4, 2)
    assert "2 April 2026" in world.mails("subscription_ends")[0].content.body
    assert shop.service.done == [("provision", row.reference)]
    world.until(paris("2026-04-02 00:01"), sweeps=RENEW)
    row.refresh_from_db()
    assert (row.state, row.end_rule, row.next_due_on) == ("terminated", "SUB-6", None)
    assert row.ended_at == paris("2026-04-02 00:00") - timedelta(seconds=1)
    assert shop.service.done[-1] == ("terminate", row.reference)
    world.advance(days=60, sweeps=RENEW)
    assert len(shop.invoices(alice)) == 1
    assert len(world.mails("subscription_ended")) == 1


def test_a_late_run_ends_it_as_of_its_term(world: World, shop: Shop, alice: Customer) -> None:
    """The last month is rated, the days after the term are nobody's."""
    shop.service.used = {date(2026, 3, 2): TB + 10**9, date(2026, 4, 2): TB + 10**9}
    row = shop.buy(alice)
    ending.end_at_term(row, NOTHING, actor=alice.actor, now=world.now)
    world.until(paris("2026-04-09 12:00"), sweeps=RENEW)
    world.advance(days=40, sweeps=RENEW)
    assert [lines(one) for one in shop.invoices(alice)[1:]] == [[("usage:traffic", "SRV-5", 130)]]
    row.refresh_from_db()
    assert row.ended_at == paris("2026-04-02 00:00") - timedelta(seconds=1)


def test_a_planned_end_is_taken_back(world: World, shop: Shop, alice: Customer) -> None:
    row = shop.buy(alice)
    ending.end_at_term(row, NOTHING, actor=alice.actor, now=world.now)
    with pytest.raises(RuleViolation, match="going to end"):
        changes.change(row, changes.Wish("vps-m", "month", {}), key="k", actor=alice.actor, now=world.now)
    for _ in range(2):
        ending.keep(row, actor=alice.actor, now=world.now)
    world.until(paris("2026-04-02 00:01"), sweeps=RENEW)
    assert [i.net_cents for i in shop.invoices(alice)] == [590, 590]


def test_an_end_can_be_made_sooner(world: World, shop: Shop, alice: Customer) -> None:
    row = shop.buy(alice)
    ending.end_at_term(row, NOTHING, actor=alice.actor, now=world.now)
    world.advance(days=3)
    ending.end_now(row, NOTHING, actor=alice.actor, now=world.now)
    world.advance(days=40, sweeps=RENEW)
    assert [deed for deed, _ in shop.service.done] == ["provision", "terminate"]
    assert len(shop.invoices(alice)) == 1


def test_leaving_with_the_code(world: World, shop: Shop, alice: Customer) -> None:
    """SUB-7: 25 % of the hosting's 11.90 (options do not count), and 80.00 for the migration; shown before."""
    row = shop.buy(alice, package="vps-m", addresses=2)
    asked = Wishes(keeps_code=True, migration=True)
    seen = ending.preview(row, now=world.now, wishes=asked)
    assert seen.at_once is not None
    assert [line.net for line in seen.at_once.lines] == [298, 8000]
    ending.end_now(row, asked, actor=alice.actor, now=world.now)
    last = shop.invoices(alice)[-1]
    assert lines(last) == [("fee:SUB-7", "SUB-7", 298), ("migration", "SUB-7", 8000)]
    assert last.total_cents == 9958
    assert "25" in last.lines.all()[0].description


def test_what_was_wished_with_a_planned_end_is_invoiced_on_its_day(world: World, shop: Shop, alice: Customer) -> None:
    row = shop.buy(alice, package="vps-m")
    ending.end_at_term(row, Wishes(keeps_code=True), actor=alice.actor, now=world.now)
    assert len(shop.invoices(alice)) == 1
    world.until(paris("2026-04-02 00:01"), sweeps=RENEW)
    assert [lines(one) for one in shop.invoices(alice)[1:]] == [[("fee:SUB-7", "SUB-7", 298)]]


def test_consumers_owe_the_code_fee_too(world: World, shop: Shop) -> None:
    """SUB-7 `consumers` (OPR-11: a switch of the terms)."""
    bob = world.customer("Bob", kind="consumer", company="")
    row = shop.buy(bob)
    fees = ending.fees(row)
    assert fees is not None
    assert fees.code_cents == 148


def committed(shop: Shop, who: Customer, until: date) -> Subscription:
    """As a signed quote makes it (SUB-6)."""
    row = shop.buy(who, addresses=1)
    Subscription.objects.filter(pk=row.pk).update(committed_until=until)
    row.refresh_from_db()
    return row


def test_a_commitment_is_owed_to_its_end(world: World, shop: Shop, alice: Customer) -> None:
    """Invoiced to 2 April, committed to 2 June: two more periods are payable at once; at the term nothing is."""
    row = committed(shop, alice, date(2026, 6, 2))
    seen = ending.preview(row, now=world.now)
    assert seen.at_once is not None
    assert (seen.term, seen.at_term, seen.at_once.totals.net) == (date(2026, 6, 2), None, 2 * 790)
    ending.end_now(row, NOTHING, actor=alice.actor, now=world.now)
    last = shop.invoices(alice)[-1]
    assert lines(last) == [("vps-s", "SUB-6", 1180), ("vps-address", "SUB-6", 400)]
    assert {(line.period_start, line.period_end) for line in last.lines.all()} == {(date(2026, 4, 2), date(2026, 6, 2))}


def test_the_provider_claims_the_balance_from_businesses_alone(world: World, shop: Shop, alice: Customer) -> None:
    """SUB-8 `consumers` is off."""
    bob = world.customer("Bob", kind="consumer", company="")
    staff = world.staff("billing")
    for who in (alice, bob):
        row = committed(shop, who, date(2026, 5, 2))
        subscriptions.terminate(row, because="breach", rule="SUB-8", now=world.now, actor=staff)
    assert lines(shop.invoices(alice)[-1]) == [("vps-s", "SUB-8", 590), ("vps-address", "SUB-8", 200)]
    assert len(shop.invoices(bob)) == 1


def test_who_is_going_to_end_changes_no_more(world: World, shop: Shop, alice: Customer) -> None:
    row = shop.buy(alice, "vps-m")
    changes.change(row, changes.Wish("vps-m", "year", {}), key="k", actor=alice.actor, now=world.now)
    ending.end_at_term(row, NOTHING, actor=alice.actor, now=world.now)
    assert composing.planned(row) is None
    world.until(paris("2026-04-02 00:01"), sweeps=RENEW)
    assert [i.net_cents for i in shop.invoices(alice)] == [1190]


def test_a_commitment_can_grow_and_not_shrink(world: World, shop: Shop, alice: Customer) -> None:
    row = shop.buy(alice, "vps-m")
    Subscription.objects.filter(pk=row.pk).update(committed_until=date(2026, 6, 2))
    row.refresh_from_db()
    for wish in (changes.Wish("vps-s", "month", {}), changes.Wish("vps-m", "year", {})):
        with pytest.raises(RuleViolation, match="committed until"):
            changes.change(row, wish, key="k", actor=alice.actor, now=world.now)
    changes.change(row, changes.Wish("vps-l", "month", {}), key="l", actor=alice.actor, now=world.now)
    Subscription.objects.filter(pk=row.pk).update(committed_until=row.period_end)
    row.refresh_from_db()
    changes.change(row, changes.Wish("vps-s", "month", {}), key="s", actor=alice.actor, now=world.now)
