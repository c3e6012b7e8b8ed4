"""As a customer I get a credit for each month in which my server was down longer than the promise allows, once, and can
see what it was reckoned from (SUB-15, SRV-12)."""

import pytest

from invoicing.models import ServiceCredit
from panel.core import due
from servers import outages
from servers.models import AvailabilityMonth, Outage, Server
from servers.providers.simulated.control import Control
from servers.rules import Verb
from servers.verbs import power
from tests.stories.servers.test_server_goes_to_another_account import accepted, offered
from tests.support.machines import server_of
from tests.support.world import Customer, World, paris

pytestmark = pytest.mark.django_db
MANY = 10_000


@pytest.fixture
def world(cloud: Control) -> World:
    return World("2026-03-16 09:00")


@pytest.fixture
def alice(world: World) -> Customer:
    return world.customer()


@pytest.fixture
def server(world: World, alice: Customer) -> Server:
    """It costs EUR 9.00 a month, and has run since 16 March."""
    made = server_of(world, alice)
    watch(world)
    return made


def watch(world: World) -> None:
    due.SWEEPS["servers.watch"].run(world.now)


def cut_off(world: World, cloud: Control, server: Server, since: str, until: str) -> None:
    """The place cannot be reached, and the machine does not answer."""
    world.until(paris(since))
    cloud.silence(server.provider_ref)
    cloud.plan("list", "transient", times=MANY)
    watch(world)
    world.until(paris(until))
    watch(world)
    with cloud.store.writing() as db:
        db.execute("DELETE FROM planned_fault")
    cloud.silence(server.provider_ref, silent=False)
    watch(world)


def spans() -> list[tuple[object, object]]:
    return list(Outage.objects.order_by("since").values_list("since", "until"))


def test_three_hours_in_april_are_three_hours_begun_beyond_the_promise(
    world: World, alice: Customer, server: Server, cloud: Control
) -> None:
    cut_off(world, cloud, server, "2026-04-08 10:00", "2026-04-08 13:00")
    assert spans() == [(paris("2026-04-08 10:00"), paris("2026-04-08 13:00"))]
    world.until(paris("2026-04-30 23:00"))
    world.sweep("servers.availability")
    assert not ServiceCredit.objects.exists()  # the month is not over
    world.until(paris("2026-05-01 00:30"))
    for _ in range(2):
        world.sweep("servers.availability")
    month = AvailabilityMonth.objects.get()
    # 720 h; 0.1 % of them is 43.2 min; 180 - 43.2 = 136.8 min, that is 3 hours begun; 15 % of EUR 9.00
    assert (month.measured_seconds, month.down_seconds, month.credited_cents) == (720 * 3600, 3 * 3600, 135)
    credit = ServiceCredit.objects.get()
    assert (credit.cents, credit.rule, credit.subscription_id) == (135, "SUB-15", server.subscription_id)
    assert credit.evidence["minutes_down"] == 180
    assert (credit.evidence["minutes_allowed"], credit.evidence["hours_begun"]) == (43, 3)
    assert "04/2026" in credit.reason
    (mail,) = world.mails("service_credit")
    assert credit.reason in mail.content.body
    assert Outage.objects.get().judged


def test_what_the_promise_allows_costs_us_nothing(world: World, server: Server, cloud: Control) -> None:
    cut_off(world, cloud, server, "2026-04-08 10:00", "2026-04-08 10:43")
    world.until(paris("2026-05-01 00:30"))
    world.sweep("servers.availability")
    assert AvailabilityMonth.objects.get().credited_cents == 0
    assert not ServiceCredit.objects.exists()


def test_a_day_costs_the_whole_month_and_no_more(world: World, server: Server, cloud: Control) -> None:
    cut_off(world, cloud, server, "2026-04-08 10:00", "2026-04-09 12:00")
    world.until(paris("2026-05-01 00:30"))
    world.sweep("servers.availability")
    assert ServiceCredit.objects.get().cents == 900  # 26 hours begun are 130 %, at most 100 %


def test_over_the_turn_of_a_month_each_month_is_reckoned_by_itself(
    world: World, server: Server, cloud: Control
) -> None:
    cut_off(world, cloud, server, "2026-03-31 23:00", "2026-04-01 02:00")
    world.sweep("servers.availability")
    # from 16 March 09:00 on: 15 days and 15 hours, less the hour of 29 March; 0.1 % is 22.4 min; one hour begun, 5 %
    assert ServiceCredit.objects.get().cents == 45
    world.until(paris("2026-05-01 00:30"))
    world.sweep("servers.availability")
    # April: 120 - 43.2 min, two hours begun, 10 %
    assert list(ServiceCredit.objects.values_list("cents", flat=True)) == [45, 90]


def test_silent_stopped_or_ended_is_not_down(world: World, alice: Customer, server: Server, cloud: Control) -> None:
    cloud.silence(server.provider_ref)
    watch(world)
    assert spans() == []  # it is on: only its owner knows why it is silent
    cloud.silence(server.provider_ref, silent=False)
    watch(world)
    power.request(Server.objects.get(), Verb.STOP, actor=alice.actor, now=world.now)
    world.work()
    cloud.plan("list", "transient", times=MANY)
    watch(world)
    assert spans() == []


def test_what_is_suspended_while_it_is_down_is_down_no_longer(world: World, server: Server, cloud: Control) -> None:
    cloud.vanish(server.provider_ref)
    watch(world)
    assert spans() == [(world.now, None)]
    Server.objects.update(state="suspended")
    world.now = paris("2026-03-16 11:00")
    watch(world)
    assert spans()[0][1] == world.now
    found = outages.figure(Server.objects.get(), paris("2026-03-01 12:00").date(), now=world.now)
    assert found.down == world.now - spans()[0][0]  # type: ignore[operator]


def test_a_month_of_two_holders_is_credited_to_each_for_their_hours(
    world: World, alice: Customer, server: Server, cloud: Control
) -> None:
    """240 min down since 16 March, 180 of them hers: 240 - 22.4 are four hours begun, 20 % of EUR 9.00, of which
    three quarters are hers (SUB-2)."""
    bob = world.customer("Bob")
    cut_off(world, cloud, server, "2026-03-18 10:00", "2026-03-18 13:00")
    world.until(paris("2026-03-20 12:00"))
    accepted(world, offered(world, server, alice, bob), bob)
    server.refresh_from_db()
    cut_off(world, cloud, server, "2026-03-25 10:00", "2026-03-25 11:00")
    world.until(paris("2026-04-01 00:30"))
    world.sweep("servers.availability")
    found = ServiceCredit.objects.order_by("account")
    assert [(one.account, one.cents) for one in found] == [(alice.account, 135), (bob.account, 45)]
    assert AvailabilityMonth.objects.get().credited_cents == 45
    march = outages.recent(server, now=world.now)[1]
    assert (march.figure.down_minutes, march.credited) == (60, 45), "what was before is not his to read"
    assert len(outages.recent(server, now=world.now)) == 2


def test_down_while_it_changes_hands_is_down_for_each(
    world: World, alice: Customer, server: Server, cloud: Control
) -> None:
    bob = world.customer("Bob")
    Outage.objects.create(server=server, account=alice.account, since=paris("2026-03-20 11:00"))
    world.until(paris("2026-03-20 12:00"))
    accepted(world, offered(world, server, alice, bob), bob)
    assert list(Outage.objects.order_by("since").values_list("account", "since", "until")) == [
        (alice.account.pk, paris("2026-03-20 11:00"), world.now), (bob.account.pk, world.now, None),
    ]  # fmt: skip
