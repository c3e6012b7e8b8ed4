"""As a customer whose server goes beyond its traffic I am offered the package that includes it, at its exact price,
once a month; nothing changes unless I say so (SUB-9)."""

import pytest

from invoicing.models import Package, Price, Subscription
from panel.core.models import Event
from servers import metering, upgrading
from servers.models import Server, TrafficMonth
from servers.providers import Counters
from servers.providers.simulated.control import Control
from tests.support.machines import GB, server_of
from tests.support.world import Customer, World

pytestmark = pytest.mark.django_db


@pytest.fixture
def world(cloud: Control) -> World:
    return World("2026-03-02 09:00")


@pytest.fixture
def alice(world: World) -> Customer:
    return world.customer()


@pytest.fixture
def server(world: World, alice: Customer) -> Server:
    """100 GB a month for EUR 9.00."""
    return server_of(world, alice)


def sell(code: str, gigabytes: int, cents: int) -> None:
    small = Package.objects.get(code="vps-s")
    made = Package.objects.create(
        family=small.family, code=code, name=code.upper(), name_fr=code.upper(), service_kind="vps",
        spec=small.spec | {"included_bytes": gigabytes * GB},
    )  # fmt: skip
    Price.objects.create(package=made, interval="month", amount_cents=cents, valid_from="2026-01-01T00:00:00Z")


def carry(world: World, server: Server, gigabytes: int) -> None:
    fresh = Server.objects.select_related("subscription", "account").get(pk=server.pk)
    known = fresh.meter
    metering.record(
        fresh, Counters(known.epoch, known.rx_bytes + gigabytes * GB, known.tx_bytes, world.now), now=world.now
    )


def test_the_smallest_that_is_large_enough_is_offered_once(world: World, alice: Customer, server: Server) -> None:
    for code, room, cents in (("vps-m", 200, 1500), ("vps-l", 500, 3000)):
        sell(code, room, cents)
    world.advance(days=10)
    carry(world, server, 99)
    assert world.mails("servers/upgrade") == []
    world.advance(hours=1)
    carry(world, server, 21)
    (mail,) = world.mails("servers/upgrade")
    # 12 March: 21 of the 31 days are left; (15.00 - 9.00) x 21 / 31 = 4.06, and 20 % VAT of it
    assert all(words in mail.content.body for words in ("VPS-M", "4.87", "15.00", "?package=vps-m"))
    assert Event.objects.get(kind="servers.upgrade.offered").rule == "SUB-9"
    world.advance(hours=1)
    carry(world, server, 300)
    assert len(world.mails("servers/upgrade")) == 1
    fresh = Server.objects.select_related("subscription__package", "subscription__account").get()
    found = upgrading.offer(fresh, TrafficMonth.objects.get().total, now=world.now)
    assert found is not None
    assert (found.package.code, found.now_cents, found.period_cents) == ("vps-l", 1708, 3000)
    assert Subscription.objects.get().package.code == "vps-s"


def test_the_largest_is_offered_where_none_is_large_enough(world: World, server: Server) -> None:
    sell("vps-m", 200, 1500)
    fresh = Server.objects.select_related("subscription__package", "subscription__account").get()
    found = upgrading.offer(fresh, 900 * GB, now=world.now)
    assert found is not None
    assert found.package.code == "vps-m"


@pytest.mark.parametrize("on_sale", [True, False])
def test_nothing_is_offered_where_nothing_includes_more(world: World, server: Server, on_sale: bool) -> None:
    Package.objects.filter(pk=server.subscription.package_id).update(on_sale=on_sale)
    sell("vps-xs", 50, 500)
    carry(world, server, 150)
    assert world.mails("servers/upgrade") == []
