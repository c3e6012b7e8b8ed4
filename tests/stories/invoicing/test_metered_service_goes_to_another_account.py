"""As a customer I hand over a service that is metered by usage events: who used what until then is billed to whom,
whenever it is told; the allowance and the tiers are of the month, and prepaid packs stay with who paid (SUB-2, OPR-1,
OPR-9)."""

import pytest

from invoicing.accounting import ledger
from invoicing.compensating import service_credits
from invoicing.consuming import evidence
from invoicing.issuing import invoices
from invoicing.limiting import spending
from invoicing.models import Consumption, InvoiceLine, Subscription, UsageEvent
from invoicing.transferring import handing_over, transfers
from panel.accounts import terms_in_force
from tests.support import relay
from tests.support.personas import logged_in
from tests.support.shop import Shop
from tests.support.world import Customer, World, paris

pytestmark = pytest.mark.django_db
RENEW = ["invoicing.renew"]


@pytest.fixture
def alice(world: World, shop: Shop) -> Customer:
    return world.customer()


@pytest.fixture
def bob(world: World, shop: Shop) -> Customer:
    return world.customer("Bob")


@pytest.fixture
def row(world: World, alice: Customer, shop: Shop) -> Subscription:
    relay.messages(world)  # 100 a month included, then 0.06 up to 1,000 and 0.045 beyond
    return shop.buy(alice, "sms")  # EUR 10 a month, 2 March to 2 April


def goes(world: World, row: Subscription, to: Customer) -> None:
    row.refresh_from_db()
    giver = world.staff("billing")
    made = transfers.offer(row, to=to.account.reference, reason="Sold", actor=giver, now=world.now, by_staff=True)
    accepted = terms_in_force.at(to.account, world.now).order_documents
    handing_over.accept(made, to.account, accepted=accepted, actor=to.actor, ip=None, now=world.now)
    row.refresh_from_db()


def documents(shop: Shop, who: Customer) -> list[tuple[str, int]]:
    return [(one.kind, one.net_cents) for one in shop.invoices(who)]


def sold(*cents: int) -> list[tuple[str, int]]:
    return [("invoice", one) for one in cents]


def test_each_pays_what_they_used_of_one_month(
    world: World, shop: Shop, alice: Customer, bob: Customer, row: Subscription
) -> None:
    """700 of hers, 900 of his: 600 beyond the 100, then 400 more of the first tier and 500 of the second."""
    world.until(paris("2026-03-12 08:00"))
    relay.used(world, row, "a", 700, "2026-03-10 12:00")
    world.until(paris("2026-03-12 09:00"))
    goes(world, row, bob)
    assert documents(shop, alice) == sold(1000, 3600)
    line = InvoiceLine.objects.get(invoice__account=alice.account, code="usage:sms")
    assert (str(line.period_start), str(line.period_end)) == ("2026-03-02", "2026-03-13")
    world.until(paris("2026-03-20 12:00"))
    relay.used(world, row, "b", 900)
    assert spending.month_of(bob.account, now=world.now).metered == 4650
    world.until(paris("2026-04-02 09:00"), sweeps=RENEW)
    assert (documents(shop, alice), documents(shop, bob)) == (sold(1000, 3600), sold(1000 + 2400 + 2250))
    parts = Consumption.objects.order_by("number").values_list("account", "quantity", "allowance", "number")
    assert list(parts) == [(alice.account.pk, 700, 100, 0), (bob.account.pk, 900, 0, 1)]
    for who, used in ((alice, 700), (bob, 900)):
        for metered in InvoiceLine.objects.filter(invoice__account=who.account, code="usage:sms"):
            found = evidence.of_line(metered)
            assert found is not None
            assert (found.consumption.account, found.counted) == (who.account, used)
    assert UsageEvent.objects.visible_to(bob.actor).get().key == "b"
    assert (ledger.total(), invoices.verify()) == (0, [])
    world.until(paris("2026-05-02 09:00"), sweeps=RENEW)
    assert documents(shop, bob)[1:] == sold(1000), "the month after is one month of one holder"


def test_what_is_told_late_is_for_who_used_it(
    world: World, shop: Shop, alice: Customer, bob: Customer, row: Subscription
) -> None:
    world.until(paris("2026-03-12 09:00"))
    relay.used(world, row, "a", 700, "2026-03-10 12:00")
    goes(world, row, bob)
    world.advance(days=3)
    relay.used(world, row, "late", 50, "2026-03-12 08:59:59")
    relay.used(world, row, "b", 900, "2026-03-12 09:00")
    assert list(UsageEvent.objects.order_by("pk").values_list("account", flat=True)) == [
        alice.account.pk, alice.account.pk, bob.account.pk,
    ]  # fmt: skip
    world.until(paris("2026-04-02 09:00"), sweeps=RENEW)
    assert documents(shop, alice) == sold(1000, 3600, 300)
    assert documents(shop, bob) == sold(1000 + 350 * 6 + 2475)  # 650 of the first tier were hers: 350 are left
    relay.taken_back(world, row, "a")
    world.until(paris("2026-05-02 09:00"), sweeps=RENEW)
    assert documents(shop, alice)[3:] == [("credit_note", 300), ("credit_note", 3600)], "nothing of hers is beyond 100"
    assert documents(shop, bob)[1:] == sold(1000 + 850 * 6 - 4575), "what she leaves is free for him, in its tier"
    assert (ledger.total(), invoices.verify()) == (0, [])


def test_a_clock_that_is_ahead_bills_nobody_else(
    world: World, shop: Shop, alice: Customer, bob: Customer, row: Subscription
) -> None:
    """Told before the transfer, of an instant three minutes after it: hers, and what his line rests on is his."""
    world.until(paris("2026-03-12 09:00"))
    relay.used(world, row, "a", 200, "2026-03-12 09:03")
    goes(world, row, bob)
    assert documents(shop, alice) == sold(1000)
    world.advance(hours=1)
    relay.used(world, row, "b", 900)
    world.until(paris("2026-04-02 09:00"), sweeps=RENEW)
    assert (documents(shop, alice), documents(shop, bob)) == (sold(1000, 600), sold(1000 + 900 * 6))
    (line,) = InvoiceLine.objects.filter(invoice__account=bob.account, code="usage:sms")
    found = evidence.of_line(line)
    assert found is not None
    assert (found.counted, found.consumption.quantity) == (900, 900)


def test_back_again_within_the_month(
    world: World, shop: Shop, alice: Customer, bob: Customer, row: Subscription
) -> None:
    for hour, who in ((10, bob), (12, alice)):
        world.until(paris(f"2026-03-12 {hour}:00"))
        world.advance(seconds=1)
        relay.used(world, row, f"h{hour}", 100 * hour, f"2026-03-12 {hour}:00")
        goes(world, row, who)
    world.advance(hours=1)
    relay.used(world, row, "more", 10)
    world.until(paris("2026-04-02 09:00"), sweeps=RENEW)
    assert documents(shop, bob) == sold(100 * 6 + 4950)  # of the first tier 900 were used up before him
    assert documents(shop, alice) == sold(1000, 900 * 6, 1000 + 45)


def test_packs_stay_with_who_paid(world: World, shop: Shop, alice: Customer, bob: Customer, row: Subscription) -> None:
    relay.pack(500)
    hers = shop.buy_pack(alice, "pack-500")
    world.until(paris("2026-03-12 09:00"))
    relay.used(world, row, "a", 200, "2026-03-10 12:00")
    goes(world, row, bob)
    assert documents(shop, alice) == sold(1000, 2000), "her pack paid for it: no invoice over nothing"
    his = shop.buy_pack(bob, "pack-500")
    world.advance(days=1)
    relay.used(world, row, "late", 40, "2026-03-11 12:00")
    relay.used(world, row, "b", 650)
    for pack, owner, left in ((hers, alice, 260), (his, bob, 0)):
        pack.refresh_from_db()
        assert (pack.account, pack.units_left) == (owner.account, left)
    relay.taken_back(world, row, "late")
    hers.refresh_from_db()
    assert hers.units_left == 300
    world.until(paris("2026-04-02 09:00"), sweeps=RENEW)
    assert documents(shop, bob) == sold(2000, 1000 + 50 * 6)  # 650, of which 500 from his pack and 100 included


def test_the_receiver_sees_what_is_left_and_nothing_of_before(
    world: World, shop: Shop, alice: Customer, bob: Customer, row: Subscription, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("panel.core.clock.now", lambda: world.now)
    world.until(paris("2026-03-12 09:00"))
    relay.used(world, row, "hers", 30)
    made = transfers.offer(row, to=bob.account.reference, reason="Sold", actor=alice.actor, now=world.now)
    seen = handing_over.terms_for(made, bob.account, bob.actor, now=world.now, language="en")
    assert [(one.name, one.left, one.unit) for one in seen.used] == [("Messages", 70, "SMS")]
    asked = logged_in(bob.user).get(f"/services/transfers/{made.reference}/").content.decode()
    assert "Prepaid packs do not come with it" in asked
    assert "SSH" not in asked
    transfers.withdraw(made, actor=alice.actor, now=world.now)
    goes(world, row, bob)
    (told,) = world.mails("transfer_done", alice.account)
    assert "your prepaid packs stay with you" in told.content.body
    assert "SSH" not in told.content.body
    world.advance(hours=1)
    relay.used(world, row, "his", 5)
    page = logged_in(bob.user).get(f"/services/subscriptions/{row.reference}/usage/").content.decode()
    assert "his" in page
    assert "hers" not in page


def test_a_credit_for_the_time_before_is_the_givers(
    world: World, shop: Shop, alice: Customer, bob: Customer, row: Subscription
) -> None:
    """SUB-15: granted after she gave it away, it goes back on her newest invoice and comes off none of his."""
    world.until(paris("2026-03-12 09:00"))
    goes(world, row, bob)
    world.advance(days=20)
    service_credits.grant_credit(alice.account, row, 135, "Down", {}, rule="SUB-15", once="march", now=world.now)
    assert documents(shop, alice) == [("invoice", 1000), ("credit_note", 135)]
    world.until(paris("2026-04-02 09:00"), sweeps=RENEW)
    assert documents(shop, bob) == sold(1000)
