"""As a customer I try a package for nothing, once; I am told before it costs something, and it costs from its day on
(SUB-2, SUB-5, OPR-11)."""

from datetime import date, timedelta

import pytest
from django.db import IntegrityError

from invoicing.accounting import ledger
from invoicing.models import AccountStanding, Order, Package, PaymentMethod, Subscription
from invoicing.offering import catalogue, price_notices, pricing
from invoicing.paying import collecting
from invoicing.renewing import upcoming
from invoicing.subscribing import changes, ending, ordering, trials
from invoicing.subscribing.changes import Wish
from invoicing.subscribing.leaving import Wishes
from panel.accounts import terms_in_force
from panel.core import files
from panel.core.errors import RuleViolation
from tests.support import einvoices
from tests.support.shop import Shop
from tests.support.world import Customer, World, paris

pytestmark = pytest.mark.django_db
RENEW = ["invoicing.renew"]


@pytest.fixture
def package(shop: Shop) -> Package:
    """VPS S, free for 14 days, no card asked."""
    Package.objects.filter(code="vps-s").update(trial_days=14, trial_needs_means=False)
    return Package.objects.get(code="vps-s")


def attempt(world: World, who: Customer, package: str = "vps-s", key: str = "try", **more: object) -> Subscription:
    accepted = terms_in_force.at(who.account, world.now).order_documents
    order = ordering.place(
        who.account, package, "month", {"name": "web-1", **more}, accepted=accepted, actor=who.actor, key=key,
        now=world.now, trial=True,
    )  # fmt: skip
    return Subscription.objects.get(order=order)


def nets(shop: Shop, who: Customer) -> list[int]:
    return [one.net_cents for one in shop.invoices(who)]


@pytest.mark.paper
def test_it_is_free_and_then_paid_for_from_its_own_day(world: World, shop: Shop, package: Package) -> None:
    """Begun on 2 March for 14 days: the first paid period runs from 16 March to 16 April, the next from there."""
    alice = world.customer(siren="552100554", vat_number="FR96552100554")
    seen = pricing.quote(alice.account, package, "month", {}, now=world.now, trial=True)
    assert (seen.totals.total, seen.later_net) == (0, 590)
    row = attempt(world, alice)
    assert shop.service.done == [("provision", row.reference)]
    (first,) = shop.invoices(alice)
    assert (first.total_cents, first.state, first.lines.get().description) == (
        0, "paid", "VPS S - web-1: free trial of 14 days"
    )  # fmt: skip
    assert (row.period_end, row.next_due_on, row.price_cents) == (date(2026, 3, 16), date(2026, 3, 16), 590)
    shop.service.used[date(2026, 3, 2)] = 9 * 10**12  # what a trial consumes is free
    world.until(paris("2026-03-16 00:01"), sweeps=RENEW)
    row.refresh_from_db()
    assert (row.anchor_on, row.period_start, row.period_end) == (
        date(2026, 3, 16), date(2026, 3, 16), date(2026, 4, 16)
    )  # fmt: skip
    shop.service.used[date(2026, 3, 16)] = 10**12 + 10**10
    world.until(paris("2026-04-16 00:01"), sweeps=RENEW)
    assert nets(shop, alice) == [0, 590, 590 + 1300]
    assert [period.start for period in row.periods.order_by("start")] == [
        date(2026, 3, 2), date(2026, 3, 16), date(2026, 4, 16)
    ]  # fmt: skip
    assert ledger.total() == 0
    for invoice in shop.invoices(alice):
        assert invoice.cii is not None
        assert einvoices.broken(files.read(invoice.cii), "cii", "cen") == []


def test_it_is_announced_three_days_before(world: World, shop: Shop, package: Package) -> None:
    """SUB-5: on the third day before the first paid one, once, with the last day to refuse."""
    clara = world.customer("Clara", kind="consumer", company="")
    attempt(world, clara)
    world.until(paris("2026-03-12 23:59"), sweeps=["invoicing.trials"])
    assert not world.mails("trial_ends")
    world.until(paris("2026-03-13 00:01"), sweeps=["invoicing.trials"])
    world.advance(hours=5, sweeps=["invoicing.trials"])
    (told,) = world.mails("trial_ends")
    for text in ("15 March 2026, 24:00", "From 16 March 2026", "5.90", "end/", "you ask us to go on"):
        assert text in told.content.body, text


def test_it_can_be_ended_for_nothing(world: World, shop: Shop, package: Package) -> None:
    alice, bob = world.customer(), world.customer("Bob")
    at_term, at_once = attempt(world, alice), attempt(world, bob)
    ending.end_at_term(at_term, Wishes(), actor=alice.actor, now=world.now)
    world.advance(days=3)
    ending.end_now(at_once, Wishes(), actor=bob.actor, now=world.now)
    world.until(paris("2026-04-20 00:01"), sweeps=[*RENEW, "invoicing.trials"])
    assert (nets(shop, alice), nets(shop, bob)) == ([0], [0])
    at_term.refresh_from_db()
    assert (at_term.state, at_term.ended_at) == ("terminated", paris("2026-03-16 00:00") - timedelta(seconds=1))
    assert not world.mails("trial_ends")


def test_a_trial_that_ends_by_itself(world: World, shop: Shop, package: Package) -> None:
    Package.objects.update(trial_converts=False)
    alice = world.customer()
    row = attempt(world, alice)
    assert row.ends_on == date(2026, 3, 16)
    with pytest.raises(RuleViolation):
        ending.keep(row, actor=alice.actor, now=world.now)
    world.until(paris("2026-03-16 00:01"), sweeps=[*RENEW, "invoicing.trials"])
    row.refresh_from_db()
    assert (row.state, nets(shop, alice)) == ("terminated", [0])
    assert not world.mails("trial_ends")


def test_once_for_an_account_whatever_became_of_it(world: World, shop: Shop, package: Package) -> None:
    alice = world.customer()
    row = attempt(world, alice)
    assert attempt(world, alice) == row, "a double click is one trial"
    ending.end_now(row, Wishes(), actor=alice.actor, now=world.now)
    with pytest.raises(RuleViolation) as refused:
        attempt(world, alice, key="again")
    assert (refused.value.field, refused.value.sentence) == ("trial", str(trials.REFUSALS["used"]))
    bought = shop.buy(alice)
    with pytest.raises(IntegrityError):
        Subscription.objects.filter(pk=bought.pk).update(trial_ends_on=date(2026, 4, 1))


def test_one_that_is_looked_at_is_the_one(world: World, shop: Shop, package: Package) -> None:
    """Two that wait could not both be accepted (SUB-4)."""
    alice = world.customer()
    AccountStanding.objects.create(account=alice.account, competitor=True, changed_at=world.now)
    with pytest.raises(Subscription.DoesNotExist):
        attempt(world, alice)
    with pytest.raises(RuleViolation) as refused:
        attempt(world, alice, key="again")
    assert refused.value.sentence == str(trials.REFUSALS["used"])


def test_what_it_asks_for(world: World, shop: Shop, package: Package) -> None:
    alice = world.customer()
    for who, code, more in (
        (alice, "vps-m", {}), (alice, "vps-s", {"options": {"vps-address": 1}}),
    ):  # fmt: skip
        with pytest.raises(RuleViolation) as refused:
            attempt(world, who, code, key=code, **more)
        assert refused.value.field == "trial"
    Package.objects.update(trial_needs_means=True)
    with pytest.raises(RuleViolation) as asked:
        attempt(world, alice)
    assert asked.value.sentence == str(trials.REFUSALS["means"])
    assert not Order.objects.exists()
    PaymentMethod.objects.create(
        account=alice.account, provider="story", ref="pm_1", kind="card", brand="visa", last4="4242",
        exp_month=12, exp_year=2034, is_default=True, added_at=world.now,
    )  # fmt: skip
    assert collecting.has_means(alice.account)
    assert attempt(world, alice).on_trial


def test_while_it_is_free_it_is_not_changed(world: World, shop: Shop, package: Package) -> None:
    alice = world.customer()
    row = attempt(world, alice)
    with pytest.raises(RuleViolation, match="once it is paid for"):
        changes.change(row, Wish("vps-m", "month", {}), key="up", actor=alice.actor, now=world.now)


def test_a_new_price_reaches_it_like_any_other(world: World, shop: Shop, package: Package) -> None:
    """LEG-3: a month after it was announced, counted by the days of the paid periods."""
    alice = world.customer()
    attempt(world, alice)
    world.advance(hours=1)
    price_notices.set_price(
        catalogue.package("vps-s"), "month", 790, valid_from=world.now, actor=world.staff("billing"), now=world.now
    )
    world.work()
    for day in ("2026-03-16", "2026-04-16"):
        world.until(paris(f"{day} 00:01"), sweeps=RENEW)
    assert nets(shop, alice) == [0, 590, 790]


def test_the_preview_of_the_next_invoice_is_the_invoice(world: World, shop: Shop, package: Package) -> None:
    alice = world.customer()
    seen = upcoming.next_invoice(attempt(world, alice), now=world.now)
    assert seen is not None
    assert seen.drawn is not None
    assert (seen.drawn.day, seen.drawn.totals.net) == (date(2026, 3, 16), 590)
    world.until(paris("2026-03-16 00:01"), sweeps=RENEW)
    assert nets(shop, alice) == [0, 590]
