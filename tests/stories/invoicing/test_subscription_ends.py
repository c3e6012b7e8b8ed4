"""As a customer I end a subscription at once: nothing renews, nothing is refunded (SUB-6, SUB-8)."""

from datetime import date

import pytest

from invoicing.models import Invoice, Subscription
from invoicing.subscribing import ending, subscriptions
from tests.support.personas import logged_in
from tests.support.shop import Shop
from tests.support.world import World, paris

pytestmark = pytest.mark.django_db
RENEW = ["invoicing.renew"]
TB = 10**12


def test_it_stops_at_once_and_is_told(world: World, shop: Shop) -> None:
    alice = world.customer()
    subscription = shop.buy(alice)
    for _ in range(2):
        subscriptions.terminate(subscription, because="moving on", rule="SUB-6", now=world.now, actor=alice.actor)
    assert shop.service.done == [("provision", subscription.reference), ("terminate", subscription.reference)]
    world.advance(days=90, sweeps=RENEW)
    assert Invoice.objects.count() == 1, "nothing renews, nothing is refunded"
    (told,) = world.mails("subscription_ended")
    assert "SUB-6" in told.content.body


def test_the_traffic_of_the_last_days_comes_on_a_last_invoice(world: World, shop: Shop) -> None:
    alice = world.customer()
    shop.service.used = {date(2026, 3, 2): TB + 10**9}
    subscription = shop.buy(alice)
    world.advance(days=3)
    shop.service.unread = True
    subscriptions.terminate(subscription, because="x", rule="SUB-6", now=world.now, actor=alice.actor)
    world.advance(days=2, sweeps=RENEW)
    assert Invoice.objects.count() == 1, "the last reading is waited for"
    shop.service.unread = False
    world.advance(minutes=10, sweeps=RENEW * 2)
    last = shop.invoices(alice)[-1]
    line = last.lines.get()
    assert (line.code, line.net_cents, line.period_end) == ("usage:traffic", 130, date(2026, 3, 6))
    subscription.refresh_from_db()
    assert subscription.next_due_on is None


def test_a_period_that_began_before_the_end_is_due_also_when_billing_was_late(world: World, shop: Shop) -> None:
    alice = world.customer()
    subscription = shop.buy(alice)
    world.now = paris("2026-04-05 12:00")  # the renewal of 2 April was not made yet
    subscriptions.terminate(subscription, because="x", rule="SUB-6", now=world.now, actor=alice.actor)
    world.advance(minutes=1, sweeps=RENEW)
    world.advance(days=60, sweeps=RENEW)
    starts = [line.period_start for i in shop.invoices(alice) for line in i.lines.all()]
    assert starts == [date(2026, 3, 2), date(2026, 4, 2)]


def test_a_commitment_is_due_once_also_when_billing_was_late(world: World, shop: Shop) -> None:
    alice = world.customer()
    subscription = shop.buy(alice)
    Subscription.objects.filter(pk=subscription.pk).update(committed_until=date(2026, 6, 2))
    world.now = paris("2026-04-05 12:00")  # the renewal of 2 April was not made yet
    subscriptions.terminate(subscription, because="x", rule="SUB-6", now=world.now, actor=alice.actor)
    world.advance(days=1, sweeps=RENEW)
    world.advance(days=90, sweeps=RENEW)
    starts = sorted(line.period_start for i in shop.invoices(alice) for line in i.lines.all())
    assert starts == [date(2026, 3, 2), date(2026, 4, 2), date(2026, 5, 2)]


def test_its_invoices_stay_readable(world: World, shop: Shop) -> None:
    """INV-13: a year after the end its documents are where they were, for the customer who logs in."""
    alice = world.customer()
    row = shop.buy(alice)
    subscriptions.terminate(row, because="", rule="SUB-6", now=world.now, actor=alice.actor)
    world.advance(days=400)
    assert [invoice.state for invoice in Invoice.objects.visible_to(alice.actor)] == ["paid"]
    client = logged_in(alice.user, alice.account)
    assert client.get(f"/billing/invoices/{Invoice.objects.get().number}/").status_code == 200
    assert client.get(f"/billing/invoices/{Invoice.objects.get().number}.pdf").status_code == 200


def test_the_page_before_says_what_is_due(world: World, shop: Shop) -> None:
    alice = world.customer()
    subscription = shop.buy(alice)
    assert ending.preview(subscription, now=world.now).unpaid_cents == 0
    world.until(paris("2026-04-02 00:01"), sweeps=RENEW)
    subscription.refresh_from_db()
    due = ending.preview(subscription, now=world.now)
    assert (due.unpaid_cents, due.paid_until) == (708, date(2026, 5, 2))


def test_suspended_and_resumed(world: World, shop: Shop) -> None:
    alice = world.customer()
    subscription, staff = shop.buy(alice), world.staff("billing")
    for _ in range(2):
        subscriptions.suspend(subscription, because="unpaid", rule="SUB-8", now=world.now, actor=staff)
    for _ in range(2):
        subscriptions.resume(subscription, because="paid", rule="SUB-8", now=world.now, actor=staff)
    assert [deed for deed, _ref in shop.service.done] == ["provision", "suspend", "resume"]
