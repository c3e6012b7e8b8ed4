"""As the provider I do not renew a subscription and say why; I can take that back until the day (SUB-4)."""

from datetime import date

import pytest
from django.core import mail

from invoicing.models import Invoice, RenewalRefusal, Subscription, SubscriptionState
from invoicing.reviewing import renewals
from invoicing.subscribing import ending
from invoicing.subscribing.leaving import Wishes
from panel.core.errors import RuleViolation
from panel.core.models import Event
from tests.support.shop import Shop
from tests.support.world import Customer, World

pytestmark = pytest.mark.django_db
SWEEPS = ["invoicing.renew"]


@pytest.fixture
def alice(world: World) -> Customer:
    return world.customer()


@pytest.fixture
def row(alice: Customer, shop: Shop) -> Subscription:
    return shop.buy(alice)  # 2 March to 2 April


def test_it_ends_with_its_term_and_says_why(world: World, shop: Shop, row: Subscription) -> None:
    sam = world.staff("billing")
    renewals.refuse(row, why="competitor", words="You offer the same service.", actor=sam, now=world.now)
    row.refresh_from_db()
    assert (row.ends_on, row.state) == (date(2026, 4, 2), SubscriptionState.ACTIVE)
    world.work()
    (told,) = [one for one in mail.outbox if "is not renewed" in one.subject]
    assert "We do not serve competitors." in told.body
    assert "You offer the same service." in told.body
    assert "2 April 2026" in told.body
    world.advance(days=32, sweeps=SWEEPS)
    row.refresh_from_db()
    assert (row.state, row.end_rule) == (SubscriptionState.TERMINATED, "SUB-4")
    assert row.end_reason == "We do not serve competitors. You offer the same service."
    assert Invoice.objects.count() == 1, "nothing more is charged"
    assert ("terminate", row.reference) in shop.service.done
    event = Event.objects.get(kind="invoicing.subscription.renewal_refused")
    assert (event.rule, event.data["why"]) == ("SUB-4", "competitor")


def test_a_reason_is_needed(world: World, row: Subscription) -> None:
    sam = world.staff("billing")
    for given, field in (({"why": ""}, "why"), ({"why": "other", "words": " "}, "words")):
        with pytest.raises(RuleViolation) as refused:
            renewals.refuse(row, actor=sam, now=world.now, **given)
        assert refused.value.field == field
    assert not RenewalRefusal.objects.exists()


def test_taken_back_before_the_day_it_is_renewed(world: World, row: Subscription) -> None:
    sam = world.staff("billing")
    renewals.refuse(row, why="misuse", actor=sam, now=world.now)
    with pytest.raises(RuleViolation):
        renewals.refuse(row, why="misuse", actor=sam, now=world.now)
    world.advance(days=30, sweeps=SWEEPS)  # 1 April
    with pytest.raises(RuleViolation):
        renewals.take_back(row, why="", actor=sam, now=world.now)
    renewals.take_back(row, why="Settled by telephone.", actor=sam, now=world.now)
    assert "renewed on its anniversary as before" in world.mails("renewal_restored")[0].content.body
    world.advance(days=1, sweeps=SWEEPS)
    row.refresh_from_db()
    assert (row.state, row.ends_on, row.period_end) == (SubscriptionState.ACTIVE, None, date(2026, 5, 2))
    assert Invoice.objects.count() == 2
    renewals.refuse(row, why="misuse", actor=sam, now=world.now)  # and it can be refused again
    assert RenewalRefusal.objects.count() == 2


def test_on_the_day_it_is_too_late(world: World, row: Subscription) -> None:
    sam = world.staff("billing")
    renewals.refuse(row, why="misuse", actor=sam, now=world.now)
    world.advance(days=31)  # 2 April, before the sweep
    with pytest.raises(RuleViolation, match="reached already"):
        renewals.take_back(row, why="late", actor=sam, now=world.now)


def test_the_client_cannot_take_it_back(world: World, alice: Customer, row: Subscription) -> None:
    renewals.refuse(row, why="debt", actor=world.staff("billing"), now=world.now)
    with pytest.raises(RuleViolation) as refused:
        ending.keep(row, actor=alice.actor, now=world.now)
    assert refused.value.rule == "SUB-4"


def test_the_clients_own_end_survives_the_taking_back(world: World, alice: Customer, row: Subscription) -> None:
    sam = world.staff("billing")
    renewals.refuse(row, why="debt", actor=sam, now=world.now)
    ending.end_at_term(row, Wishes(), actor=alice.actor, now=world.now)
    renewals.take_back(row, why="paid", actor=sam, now=world.now)
    row.refresh_from_db()
    assert row.ends_on == date(2026, 4, 2)
    ending.keep(row, actor=alice.actor, now=world.now)
    row.refresh_from_db()
    assert row.ends_on is None


def test_a_commitment_is_kept(world: World, row: Subscription) -> None:
    Subscription.objects.filter(pk=row.pk).update(committed_until=date(2026, 6, 2))
    renewals.refuse(row, why="unavailable", actor=world.staff("billing"), now=world.now)
    row.refresh_from_db()
    assert row.ends_on == date(2026, 6, 2)
    world.advance(days=32, sweeps=SWEEPS)
    row.refresh_from_db()
    assert row.state == SubscriptionState.ACTIVE, "renewed until then"


def test_what_ends_already_is_not_refused(world: World, alice: Customer, row: Subscription) -> None:
    ending.end_at_term(row, Wishes(), actor=alice.actor, now=world.now)
    with pytest.raises(RuleViolation):
        renewals.refuse(row, why="debt", actor=world.staff("billing"), now=world.now)
