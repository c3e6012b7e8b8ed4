"""A server goes over with its subscription: who gives it cannot reach it any more, who held its address when is kept,
and its keys are seen (SRV-2, SRV-3, SRV-4, ABU-1, ABU-5)."""

import pytest

from abuse import matching
from invoicing.consuming import evidence
from invoicing.models import Consumption, Invoice, ServiceTransfer
from invoicing.subscribing import kinds
from invoicing.transferring import handing_over, transfers
from panel.accounts import restrictions, terms_in_force
from panel.accounts.models import Restriction
from panel.core import live
from panel.core.errors import RuleViolation
from panel.core.models import Event
from servers import actions, fleet, keys, metering, selectors
from servers.models import AddressHolding, KeyOnServer, Server, ServerAction, SshKey, TrafficHour
from servers.providers import Counters
from servers.providers.simulated.control import Control
from servers.rules import Verb
from servers.traffic import in_bulk
from servers.verbs import power
from tests.stories.servers.test_keys import add, line
from tests.support.machines import GB, first_ip, server_of
from tests.support.world import Customer, World

pytestmark = pytest.mark.django_db


def offered(world: World, server: Server, who: Customer, to: Customer) -> ServiceTransfer:
    row = server.subscription
    row.next_due_on = row.period_end
    row.save(update_fields=["next_due_on"])
    return transfers.offer(row, to=to.account.reference, reason="Sold", actor=who.actor, now=world.now)


def accepted(world: World, made: ServiceTransfer, who: Customer) -> None:
    documents = terms_in_force.at(who.account, world.now).order_documents
    handing_over.accept(made, who.account, accepted=documents, actor=who.actor, ip=None, now=world.now)


def read(server: Server, world: World, total: int) -> None:
    fresh = Server.objects.select_related("subscription", "account").get(pk=server.pk)
    metering.record(fresh, Counters("one", total, 0, world.now, link_bps=10**12), now=world.now)


def test_everything_that_hangs_on_it(cloud: Control, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    alice, bob = world.customer(), world.customer("Bob")
    carl = world.contact(alice, ["see", "servers"])
    closed: list[int] = []
    monkeypatch.setattr(live, "close_sockets", closed.append)
    server = server_of(world, alice)
    ip, began = first_ip(server), world.now
    made = offered(world, server, alice, bob)
    world.advance(hours=2)
    at = world.now
    accepted(world, made, bob)
    server.refresh_from_db()
    assert server.account == bob.account
    for who in (alice, carl):
        assert not Server.objects.visible_to(who.actor).exists()
        assert not actions.may_watch(who.actor, str(server.pk)), "live pages too"
    assert sorted(closed) == sorted([alice.user.pk, carl.user.pk])
    assert actions.may_watch(bob.actor, str(server.pk))
    held = AddressHolding.objects.filter(address__ip=ip).order_by("since")
    assert [(one.account, one.until) for one in held] == [(alice.account, at), (bob.account, None)]
    assert first_ip(server) == ip
    before = matching.holder(ip, began, began, received_at=at)
    assert before.holding is not None
    assert before.holding.account == alice.account, "an infringement of the time before is hers to answer"
    after = matching.holder(ip, at, at, received_at=at)
    assert after.holding is not None
    assert after.holding.account == bob.account
    assert matching.holder(ip, began, at, received_at=at).why == "several"
    assert selectors.detail(server, now=world.now).actions == [], "what she did with it is not his to read"
    assert selectors.detail(server, now=world.now, whole=True).actions
    world.work()
    assert not world.failed_operations()


def test_a_page_that_was_read_before_does_nothing_after(cloud: Control) -> None:
    world = World()
    alice, bob = world.customer(), world.customer("Bob")
    server = server_of(world, alice)
    read_before = Server.objects.get(pk=server.pk)
    accepted(world, offered(world, server, alice, bob), bob)
    with pytest.raises(RuleViolation, match="another account"):
        power.request(read_before, Verb.STOP, actor=alice.actor, now=world.now)
    assert not ServerAction.objects.filter(server=server, verb=Verb.STOP).exists()


def test_installed_keys_are_the_new_holders_to_remove(cloud: Control) -> None:
    world = World()
    alice, bob = world.customer(), world.customer("Bob")
    key = add(world, alice, line())
    server = server_of(world, alice, keys=[key.pk])
    accepted(world, offered(world, server, alice, bob), bob)
    server.refresh_from_db()
    (shown,) = selectors.detail(server, now=world.now).keys
    assert (shown.account, shown.came_with, shown.fingerprint) == (bob.account, server, key.fingerprint)
    assert "laptop" not in shown.name, "how she calls her keys is hers"
    kind = kinds.get("vps")
    (asked,) = [one for one in kind.questions(server.subscription.package, bob.account) if one.name == "keys"]
    assert asked.choices == (), "a new server of his does not let her in"
    keys.remove(key, actor=alice.actor, now=world.now)
    world.work()
    assert KeyOnServer.objects.get(server=server).wanted, "what she does with her keys does not touch his server"
    keys.remove(SshKey.objects.get(account=bob.account), actor=bob.actor, now=world.now)
    world.work()
    row = KeyOnServer.objects.get(server=server)
    assert (row.wanted, row.installed_at) == (False, None)
    server.subscription.refresh_from_db()
    assert server.subscription.settings["keys"] == []


def test_traffic_is_each_ones_own(cloud: Control) -> None:
    """100 GB included; 130 GB until the instant, 150 GB in all."""
    world = World()
    alice, bob = world.customer(), world.customer("Bob")
    server = server_of(world, alice)
    world.advance(hours=1)
    read(server, world, 0)
    world.advance(hours=1)
    read(server, world, 130 * GB)
    accepted(world, offered(world, server, alice, bob), bob)
    assert [one.net_cents for one in Invoice.objects.filter(account=alice.account)] == [30 * 130]
    world.advance(hours=2)
    read(server, world, 150 * GB)
    server.refresh_from_db()
    seen = selectors.traffic(server, now=world.now)
    assert (seen.used, seen.overage_now) == (20 * GB, 20 * 130)
    assert seen.included == 0
    assert Consumption.objects.get().account == alice.account


@pytest.mark.parametrize("by_the_set", [False, True])
def test_what_was_carried_before_the_instant_stays_the_givers(cloud: Control, by_the_set: bool) -> None:
    """Nobody read the meter for twenty minutes, ten of them hers: half of the 40 GB is not his to pay."""
    world = World()
    alice, bob = world.customer(), world.customer("Bob")
    server = server_of(world, alice)
    world.advance(hours=1)
    read(server, world, 0)
    world.advance(minutes=1)
    read(server, world, 100 * GB)
    world.advance(minutes=10)
    accepted(world, offered(world, server, alice, bob), bob)
    world.advance(minutes=10)
    if by_the_set:
        row = Server.objects.select_related("subscription").get(pk=server.pk)
        said = Counters("one", 140 * GB, 0, world.now, link_bps=10**12)
        taken = in_bulk.Taken(row.pk, row.subscription.anchor_on, row.subscription.terms_version, None, said)
        assert in_bulk.ingest([taken], now=world.now).singly == 1
    else:
        read(server, world, 140 * GB)
    server.refresh_from_db()
    seen = selectors.traffic(server, now=world.now)
    assert (seen.used, seen.overage_now) == (20 * GB, 20 * 130)
    hours = {one.account_id: one.rx_bytes for one in TrafficHour.objects.filter(server_id=server.pk)}
    assert hours == {alice.account.pk: 120 * GB, bob.account.pk: 20 * GB}
    world.advance(minutes=10)
    read(server, world, 150 * GB)
    assert selectors.traffic(server, now=world.now).used == 30 * GB


def test_it_does_not_go_while_its_meter_cannot_be_read(cloud: Control) -> None:
    world = World()
    alice, bob = world.customer(), world.customer("Bob")
    server = server_of(world, alice)
    made = offered(world, server, alice, bob)
    metering.failed(server, "no answer", now=world.now)
    with pytest.raises(RuleViolation):
        accepted(world, made, bob)
    assert "cannot be read" in transfers.why_not(server.subscription, now=world.now)
    read(server, world, 0)
    accepted(world, made, bob)
    server.refresh_from_db()
    assert server.account == bob.account


def test_each_ones_line_rests_on_what_they_used(cloud: Control) -> None:
    """In the middle of an hour: 130 GB before the instant, 20 GB in the same hour after it."""
    world = World()
    alice, bob = world.customer(), world.customer("Bob")
    server = server_of(world, alice)
    world.advance(hours=1)
    read(server, world, 0)
    world.advance(minutes=20)
    read(server, world, 130 * GB)
    accepted(world, offered(world, server, alice, bob), bob)
    world.advance(minutes=20)
    read(server, world, 150 * GB)
    given = Invoice.objects.get(account=alice.account).lines.get(code="usage:traffic")
    hers = evidence.of_line(given)
    assert hers is not None
    assert (hers.counted, hers.consumption.quantity) == (130, 130)
    assert sum(one.readings for one in hers.days) == 2, "his reading is none of hers"
    period = kinds.UsagePeriod(hers.consumption.start, hers.consumption.end)
    his = kinds.get("vps").readings(server.subscription, "traffic", period, bob.account.pk)
    assert [(one.quantity, one.readings) for one in his] == [(20, 1)]


def test_what_keeps_a_server_back(cloud: Control) -> None:
    world = World()
    alice, bob = world.customer(), world.customer("Bob")
    server = server_of(world, alice)
    action = ServerAction.objects.create(
        server=server, account=alice.account, verb="reboot", actor_kind="person", requested_at=world.now
    )
    with pytest.raises(RuleViolation, match="still under way"):
        offered(world, server, alice, bob)
    action.delete()
    address = server.holdings.get(until=None).address
    for waiting in (True, False):
        made = restrictions.restrict(
            alice.account, scope=Restriction.Scope.ADDRESS, rule="ABU-3", statement="Why", subject=address,
            author=world.staff("abuse"), now=world.now, key=f"block {waiting}", waiting=waiting,
        )  # fmt: skip
        with pytest.raises(RuleViolation, match="restricted"):
            offered(world, server, alice, bob)
        (restrictions.refuse if waiting else restrictions.lift)(
            made.pk, reason="No", actor=world.staff("abuse"), now=world.now
        )
    accepted(world, offered(world, server, alice, bob), bob)
    assert Event.objects.filter(kind="servers.server.given_away", account_id=alice.account.pk).exists()


def test_warnings_and_lists_count_from_who_has_it(cloud: Control) -> None:
    """100 GB included: she uses 60 and is warned at 50 %; of the 40 left he uses 32, that is 80 %, then 10 more."""
    world = World()
    alice, bob = world.customer(), world.customer("Bob")
    server = server_of(world, alice)
    world.advance(hours=1)
    read(server, world, 0)
    world.advance(hours=1)
    read(server, world, 60 * GB)
    accepted(world, offered(world, server, alice, bob), bob)
    for hours, total in ((1, 92), (1, 102)):
        world.advance(hours=hours)
        read(server, world, total * GB)
    told = Event.objects.filter(kind="servers.traffic.warned").order_by("pk")
    assert [(one.account_id, one.data["percent"]) for one in told] == [
        (alice.account.pk, 50), (bob.account.pk, 75), (bob.account.pk, 100),
    ]  # fmt: skip
    assert len(world.mails("servers/traffic", bob.account)) == 2
    (listed,) = selectors.page_of_servers(bob.actor).rows
    assert (listed.month_bytes, listed.month_given) == (42 * GB, 60 * GB)  # type: ignore[attr-defined]
    (row,) = fleet.page_of_fleet().rows
    assert (row.used, row.percent) == (42 * GB, 105)


def test_the_same_percentage_is_told_to_each_of_them(cloud: Control) -> None:
    world = World()
    alice, bob = world.customer(), world.customer("Bob")
    server = server_of(world, alice)
    world.advance(hours=1)
    read(server, world, 0)
    world.advance(hours=1)
    read(server, world, 100 * GB)
    accepted(world, offered(world, server, alice, bob), bob)
    world.advance(hours=1)
    read(server, world, 101 * GB)  # nothing is left: he pays from the first byte on, and reads of it
    for who in (alice, bob):
        assert len(world.mails("servers/traffic", who.account)) == 1
    (row,) = fleet.page_of_fleet().rows
    assert (row.used, row.percent) == (GB, 100)
