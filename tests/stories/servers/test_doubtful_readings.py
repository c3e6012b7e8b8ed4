"""As staff I decide on a counter that claims more than its link can carry, and the bill waits for me (SRV-4)."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.core.exceptions import PermissionDenied

from invoicing.models import InvoiceLine, Subscription
from invoicing.subscribing import kinds
from panel.core.errors import NotYet, RuleViolation
from panel.core.models import Event
from servers import evidence, handing_over, metering
from servers.models import DoubtfulReading, Server, TrafficHour, TrafficMonth, TrafficReading
from servers.providers import Counters
from servers.providers.simulated.control import Control
from servers.traffic import doubtful
from tests.support.machines import GB, server_of
from tests.support.world import Customer, World, paris

pytestmark = pytest.mark.django_db
MARCH = kinds.UsagePeriod(date(2026, 3, 2), date(2026, 4, 2))
CLAIMED = 150 * GB  # of 100 that are included


@pytest.fixture
def world(cloud: Control) -> World:
    return World("2026-03-02 09:00")


@pytest.fixture
def alice(world: World) -> Customer:
    return world.customer()


@pytest.fixture
def server(world: World, alice: Customer) -> Server:
    made = server_of(world, alice)
    Subscription.objects.filter(pk=made.subscription_id).update(next_due_on=date(2026, 4, 2))
    made.subscription.refresh_from_db()
    return made


def read(server: Server, world: World, rx: int) -> int:
    """A link of 1 Gb/s: 8.25 GB a minute at most."""
    return metering.record(server, Counters("one", rx, 0, world.now, link_bps=10**9), now=world.now)


def used(server: Server) -> int:
    return sum(month.total for month in TrafficMonth.objects.filter(server=server))


@pytest.fixture
def doubt(world: World, server: Server) -> DoubtfulReading:
    """Read at the end of a day; five minutes later the counter claims far too much."""
    world.until(paris("2026-03-10 12:00"))
    assert read(server, world, GB) == GB
    world.advance(minutes=5)
    assert read(server, world, GB + CLAIMED) == 0
    return DoubtfulReading.objects.get()


def billed(world: World, server: Server) -> list[Decimal]:
    """GB of traffic on invoices so far."""
    world.sweep("invoicing.renew")
    lines = InvoiceLine.objects.filter(subscription=server.subscription_id, code="usage:traffic")
    return [line.quantity for line in lines.order_by("pk")]


def test_it_is_kept_and_counts_nothing_until_somebody_decides(
    world: World, alice: Customer, server: Server, doubt: DoubtfulReading
) -> None:
    assert (doubt.state, doubt.claimed, doubt.account_id) == ("waiting", CLAIMED, alice.account.pk)
    assert used(server) == GB
    world.advance(minutes=5)
    assert read(server, world, GB + CLAIMED + 7) == 7, "the next one is compared with it, and counts"
    assert not world.mails("servers/traffic")
    assert Event.objects.filter(kind="servers.meter.implausible").count() == 1


def test_the_bill_of_its_month_waits_and_holds_it_once_it_is_accepted(
    world: World, server: Server, doubt: DoubtfulReading
) -> None:
    kind, row = kinds.get("vps"), Subscription.objects.get(pk=server.subscription_id)
    world.until(paris("2026-04-02 13:00"))
    read(server, world, GB + CLAIMED)
    with pytest.raises(NotYet, match="in doubt"):
        kind.usage(row, MARCH)
    assert kind.usage_of([(row, MARCH)]) == [None]
    assert billed(world, server) == []
    doubtful.accept(doubt.pk, reason="The switch says so too.", actor=world.staff("billing"), now=world.now)
    assert used(server) == GB + CLAIMED == sum(hour.rx_bytes for hour in TrafficHour.objects.all())
    (line,) = kind.usage(row, MARCH)
    assert line.quantity == Decimal(151)
    assert len(world.mails("servers/traffic")) == 1, "the highest threshold that it passes, once"
    world.until(paris("2026-05-02 13:00"))
    read(server, world, GB + CLAIMED)
    assert billed(world, server) == [Decimal(51)]


def test_accepted_bytes_are_in_the_evidence_of_their_day(
    world: World, alice: Customer, server: Server, doubt: DoubtfulReading
) -> None:
    doubtful.accept(doubt.pk, reason="Measured.", actor=world.staff("infrastructure"), now=world.now)
    assert TrafficReading.objects.get(at=doubt.at).added == CLAIMED
    days = evidence.days(server, alice.account.pk, date(2026, 3, 10), date(2026, 3, 11))
    assert [(day.quantity > 150, day.unusual) for day in days] == [(True, 1)]


def test_discarded_is_discarded_for_good(world: World, server: Server, doubt: DoubtfulReading) -> None:
    billing = world.staff("billing")
    doubtful.discard(doubt.pk, reason="The driver was mad.", actor=billing, now=world.now)
    with pytest.raises(RuleViolation, match="already"):
        doubtful.accept(doubt.pk, reason="Or not.", actor=billing, now=world.now)
    world.until(paris("2026-04-02 13:00"))
    read(server, world, GB + CLAIMED)
    assert used(server) == GB
    assert billed(world, server) == []
    (line,) = kinds.get("vps").usage(Subscription.objects.get(pk=server.subscription_id), MARCH)
    assert line.quantity == 1


@pytest.mark.parametrize("accepted_first", [True, False])
def test_a_counter_that_falls_back_adds_no_more_than_it_grew(
    world: World, server: Server, doubt: DoubtfulReading, accepted_first: bool
) -> None:
    """Whether staff accepts the claim before it falls or after: what they accepted, and what was carried since."""
    billing = world.staff("billing")
    if accepted_first:
        doubtful.accept(doubt.pk, reason="Measured.", actor=billing, now=world.now)
    world.advance(minutes=5)
    assert read(server, world, GB + 1000) == 1000
    if not accepted_first:
        assert used(server) == GB + 1000
        doubtful.accept(doubt.pk, reason="Measured.", actor=billing, now=world.now)
    assert used(server) == GB + CLAIMED + 1000
    world.advance(minutes=5)
    assert read(server, world, GB + 500) == GB + 500, "nothing is in doubt any more: this one began anew"


def test_it_needs_a_reason_and_the_right_role(world: World, doubt: DoubtfulReading) -> None:
    with pytest.raises(RuleViolation, match="why"):
        doubtful.accept(doubt.pk, reason=" ", actor=world.staff("billing"), now=world.now)
    with pytest.raises(PermissionDenied):
        doubtful.discard(doubt.pk, reason="No.", actor=world.staff("support"), now=world.now)
    doubt.refresh_from_db()
    assert doubt.state == "waiting"


def test_meanwhile_its_server_goes_to_nobody(world: World, server: Server, doubt: DoubtfulReading) -> None:
    assert "being checked" in handing_over.refusal(server.subscription)
    doubtful.discard(doubt.pk, reason="Mad.", actor=world.staff("billing"), now=world.now)
    assert handing_over.refusal(server.subscription) == ""


def test_another_month_is_billed_without_it(world: World, server: Server, doubt: DoubtfulReading) -> None:
    doubt.since, doubt.at = doubt.since - timedelta(days=40), doubt.at - timedelta(days=40)
    doubt.save(update_fields=["since", "at"])
    world.until(paris("2026-04-02 13:00"))
    read(server, world, GB + CLAIMED)
    assert kinds.get("vps").usage(Subscription.objects.get(pk=server.subscription_id), MARCH)[0].quantity == 1
