"""As a customer I get no invoice over a few cents that nothing can collect: they come with the next one, and none is
lost (INV-1, SRV-5)."""

from datetime import date

import pytest
from django.test import Client

from invoicing.accounting import ledger
from invoicing.models import Consumption, Invoice, Subscription
from invoicing.renewing import upcoming
from invoicing.subscribing import subscriptions
from invoicing.transferring import handing_over, transfers
from panel.accounts import terms_in_force
from tests.support.shop import Shop
from tests.support.world import Customer, World, paris

pytestmark = pytest.mark.django_db
RENEW = ["invoicing.renew"]
TB = 10**12
GB = 10**9


@pytest.fixture
def alice(world: World, shop: Shop) -> Customer:
    return world.customer()


@pytest.fixture
def row(shop: Shop, alice: Customer) -> Subscription:
    """A year from 2 March on, paid; traffic is rated on the 2nd of each month."""
    return shop.buy(alice, "vps-s", "year")


def use(shop: Shop, month: int, cents_without_vat: int) -> None:
    """Traffic beyond the included TB that costs so much, at 1.30 a GB."""
    shop.service.used[date(2026, month, 2)] = TB + cents_without_vat * GB // 130


def nets(shop: Shop, alice: Customer) -> list[int]:
    return [one.net_cents for one in shop.invoices(alice)][1:]


@pytest.mark.parametrize(("cents", "invoiced"), [(40, []), (41, []), (42, [42])])
def test_from_fifty_cents_on_with_vat_there_is_an_invoice(
    world: World, shop: Shop, alice: Customer, row: Subscription, cents: int, invoiced: list[int]
) -> None:
    use(shop, 3, cents)  # 0.40 and 20 % are 0.48; 0.41 are 0.49; 0.42 are 0.50
    world.until(paris("2026-04-02 09:00"), sweeps=RENEW)
    assert nets(shop, alice) == invoiced


def test_it_comes_with_the_next_once(world: World, shop: Shop, alice: Customer, row: Subscription) -> None:
    use(shop, 3, 26)
    world.until(paris("2026-04-02 09:00"), sweeps=RENEW)
    assert (nets(shop, alice), Consumption.objects.count()) == ([], 0)
    use(shop, 4, 13)
    world.until(paris("2026-05-02 09:00"), sweeps=RENEW)
    assert nets(shop, alice) == []
    use(shop, 5, 1300)
    for _ in range(2):
        world.until(paris("2026-06-02 09:00"), sweeps=RENEW)
    assert nets(shop, alice) == [26 + 13 + 1300]
    newest = Invoice.objects.latest("pk")
    assert [line.net_cents for line in newest.lines.all()] == [26, 13, 1300]
    assert [line.period_start for line in newest.lines.all()] == [
        date(2026, 3, 2), date(2026, 4, 2), date(2026, 5, 2),
    ]  # fmt: skip
    assert {one.invoice for one in Consumption.objects.all()} == {newest}
    world.until(paris("2026-07-02 09:00"), sweeps=RENEW)
    assert (len(nets(shop, alice)), ledger.total()) == (1, 0)


def test_each_subscription_is_judged_by_itself(world: World, shop: Shop, alice: Customer, row: Subscription) -> None:
    """Two of 0.31 on one day are two invoices that nothing can collect, so neither is made."""
    shop.buy(alice, "vps-s", "year")
    use(shop, 3, 26)
    world.until(paris("2026-04-02 09:00"), sweeps=RENEW)
    assert (len(shop.invoices(alice)), Consumption.objects.count()) == (2, 0)


def test_at_the_latest_with_the_renewal(world: World, shop: Shop, alice: Customer, row: Subscription) -> None:
    use(shop, 3, 26)
    world.until(paris("2027-03-02 09:00"), sweeps=RENEW)
    (renewal,) = nets(shop, alice)
    assert renewal == row.price_cents + 26


def test_at_the_end_it_is_invoiced_however_little(world: World, shop: Shop, alice: Customer, row: Subscription) -> None:
    use(shop, 3, 26)
    world.until(paris("2026-04-20 09:00"), sweeps=RENEW)
    subscriptions.terminate(row, because="", rule="SUB-6", now=world.now, actor=alice.actor)
    world.advance(days=2, sweeps=RENEW)
    assert nets(shop, alice) == [26]
    world.advance(days=40, sweeps=RENEW)
    assert nets(shop, alice) == [26]


def test_the_next_invoice_says_so(
    world: World, shop: Shop, alice: Customer, row: Subscription, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(shop, 3, 26)
    seen = upcoming.next_invoice(row, now=world.now)
    assert seen is not None
    assert seen.drawn is not None
    assert (seen.drawn.day, seen.held_back) == (date(2027, 3, 2), 31)
    assert seen.drawn.totals.net == row.price_cents + 26
    monkeypatch.setattr("panel.core.clock.now", lambda: world.now)
    client.force_login(alice.user)
    page = client.get("/billing/next/").content.decode()
    assert "too little to be collected alone" in page
    use(shop, 3, 1300)
    seen = upcoming.next_invoice(row, now=world.now)
    assert seen is not None
    assert seen.drawn is not None
    assert (seen.drawn.day, seen.held_back, seen.drawn.totals.net) == (date(2026, 4, 2), 0, 1300)


def test_who_gives_the_service_away_pays_theirs(world: World, shop: Shop, alice: Customer, row: Subscription) -> None:
    bob = world.customer("Bob")
    use(shop, 3, 26)
    world.until(paris("2026-04-20 09:00"), sweeps=RENEW)
    use(shop, 4, 13)
    row.refresh_from_db()
    made = transfers.offer(row, to=bob.account.reference, reason="Sold", actor=alice.actor, now=world.now)
    documents = terms_in_force.at(bob.account, world.now).order_documents
    handing_over.accept(made, bob.account, accepted=documents, actor=bob.actor, ip=None, now=world.now)
    assert nets(shop, alice) == [26 + 13]
    use(shop, 4, 130)
    world.until(paris("2026-05-02 09:00"), sweeps=RENEW)
    assert nets(shop, alice) == [39]
    assert [one.net_cents for one in shop.invoices(bob)] == [117]
