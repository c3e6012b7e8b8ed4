"""As a customer I pause a service and let it run again; its price and its anniversary stay as they are (SUB-5)."""

from datetime import date

import pytest

from invoicing.models import Invoice, Subscription, SubscriptionState
from invoicing.subscribing import pauses, subscriptions
from panel.core.errors import RuleViolation
from tests.support.shop import Shop
from tests.support.world import Customer, World

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice(world: World) -> Customer:
    return world.customer()


@pytest.fixture
def row(alice: Customer, shop: Shop) -> Subscription:
    return shop.buy(alice, addresses=1)  # 2 March to 2 April, EUR 5.90 and an address at EUR 2.00


def test_it_rests_and_runs_again(world: World, shop: Shop, alice: Customer, row: Subscription) -> None:
    assert (pauses.preview(row).period_cents, pauses.preview(row).renewal_on) == (790, date(2026, 4, 2))
    for _ in range(2):
        row = pauses.pause(row, actor=alice.actor, now=world.now)
    assert (row.state, row.shown_state) == (SubscriptionState.SUSPENDED, "paused")
    world.advance(days=3)
    for _ in range(2):
        row = pauses.resume(row, actor=alice.actor, now=world.now)
    assert (row.state, row.paused_at) == (SubscriptionState.ACTIVE, None)
    assert [deed for deed, _reference in shop.service.done] == ["provision", "suspend", "resume"]


def test_the_anniversary_and_the_price_stay(world: World, alice: Customer, row: Subscription) -> None:
    pauses.pause(row, actor=alice.actor, now=world.now)
    world.advance(days=40, sweeps=["invoicing.renew"])
    pauses.resume(row, actor=alice.actor, now=world.now)
    world.advance(days=21, sweeps=["invoicing.renew"])
    row.refresh_from_db()
    assert (row.anchor_on, row.period_end) == (date(2026, 3, 2), date(2026, 6, 2))
    assert list(Invoice.objects.order_by("pk").values_list("net_cents", flat=True)) == [790, 790, 790]


def test_a_kind_that_cannot_rest_says_why(world: World, shop: Shop, alice: Customer, row: Subscription) -> None:
    shop.service.cannot_rest = "It never sleeps."
    with pytest.raises(RuleViolation, match="never sleeps") as refused:
        pauses.pause(row, actor=alice.actor, now=world.now)
    assert refused.value.rule == "SUB-5"


@pytest.mark.parametrize("first", ["the client", "the provider"])
def test_it_runs_only_when_neither_holds_it(
    world: World, shop: Shop, alice: Customer, row: Subscription, first: str
) -> None:
    """SUB-8 beside the client's own pause: whoever lets go last lets it run."""
    sam = world.staff("billing")
    said = {"because": "unpaid", "rule": "SUB-8", "actor": sam, "now": world.now}
    pauses.pause(row, actor=alice.actor, now=world.now)
    row = subscriptions.suspend(row, **said)
    row.refresh_from_db()
    assert row.shown_state == "suspended"
    if first == "the client":
        pauses.resume(row, actor=alice.actor, now=world.now)
        row.refresh_from_db()
        assert row.shown_state == "suspended", "it is still the provider's"
        subscriptions.resume(row, **said)
    else:
        subscriptions.resume(row, **said)
        row.refresh_from_db()
        assert row.shown_state == "paused", "it is still the client's"
        assert ("resume", row.reference) not in shop.service.done
        pauses.resume(row, actor=alice.actor, now=world.now)
    row.refresh_from_db()
    assert row.state == SubscriptionState.ACTIVE
    assert [deed for deed, _reference in shop.service.done].count("resume") == 1


def test_what_the_provider_suspended_cannot_be_paused_or_resumed(
    world: World, alice: Customer, row: Subscription
) -> None:
    subscriptions.suspend(row, because="unpaid", rule="SUB-8", actor=world.staff("billing"), now=world.now)
    with pytest.raises(RuleViolation):
        pauses.pause(row, actor=alice.actor, now=world.now)
    row = pauses.resume(row, actor=alice.actor, now=world.now)
    assert row.state == SubscriptionState.SUSPENDED
