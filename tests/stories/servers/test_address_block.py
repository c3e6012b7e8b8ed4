"""As the provider I cut one address off for a restriction, see it confirmed, and can undo it (ABU-3, ABU-10)."""

import pytest
from django.db import transaction

from invoicing.subscribing import kinds
from panel.accounts import restrictions
from panel.accounts.models import Restriction
from panel.core.actors import CLOCK
from panel.core.models import Event
from servers import providers
from servers.addressing import blocking
from servers.models import Address, Server
from servers.providers.simulated.control import Control
from tests.support.machines import first_ip, server_of
from tests.support.world import World

pytestmark = pytest.mark.django_db


def restrict(world: World, server: Server, key: str = "case-1") -> Restriction:
    return restrictions.restrict(
        server.account, scope="address", subject=Address.objects.get(ip=first_ip(server)), rule="ABU-3", author=CLOCK,
        statement="No answer within 48 hours.", now=world.now, key=key,
    )  # fmt: skip


def blocked(server: Server) -> set[str]:
    return providers.get("sim-1").blocked(server.provider_ref)


def test_the_block_is_confirmed_by_the_host_and_undone_when_lifted(cloud: Control) -> None:
    world = World()
    server = server_of(world, world.customer())
    ip = first_ip(server)
    restriction = restrict(world, server)
    assert blocked(server) == set()
    world.work()
    assert blocked(server) == {ip}
    assert Address.objects.get(ip=ip).blocked
    restriction.refresh_from_db()
    assert restriction.effective_at == world.now
    event = Event.objects.get(kind="servers.address.blocked")
    address = Address.objects.get(ip=ip)
    assert event.data == {"address_id": address.pk, "restriction_id": restriction.pk, "server_id": server.pk}
    assert (event.rule, event.account_id) == ("ABU-3", server.account_id)

    restrictions.lift(restriction.pk, reason="reversed", actor=world.staff(), now=world.now)
    world.work()
    assert blocked(server) == set()
    assert not Address.objects.get(ip=ip).blocked
    assert Event.objects.filter(kind="servers.address.unblocked").count() == 1


def test_asking_twice_and_a_lost_answer_make_one_effect(cloud: Control) -> None:
    world = World()
    server = server_of(world, world.customer())
    cloud.plan("block_address", "lost")
    restriction = restrict(world, server)
    with transaction.atomic():
        blocking.request_block(Address.objects.get(ip=first_ip(server)), restriction=restriction, now=world.now)
    for _ in range(3):
        world.advance(seconds=30)
    assert cloud.calls("block_address") == ["lost"]
    assert Event.objects.filter(kind="servers.address.blocked").count() == 1


def test_a_block_that_fails_takes_no_effect_until_it_does(cloud: Control) -> None:
    world = World()
    server = server_of(world, world.customer())
    cloud.plan("block_address", "transient", times=3)
    restriction = restrict(world, server)
    world.work()
    restriction.refresh_from_db()
    assert restriction.effective_at is None
    for _ in range(4):
        world.advance(minutes=1)
    restriction.refresh_from_db()
    assert restriction.effective_at is not None


def test_a_second_restriction_keeps_the_address_closed(cloud: Control) -> None:
    world = World()
    server = server_of(world, world.customer())
    first, second = restrict(world, server, "one"), restrict(world, server, "two")
    world.work()
    restrictions.lift(first.pk, reason="reversed", actor=CLOCK, now=world.now)
    world.work()
    assert blocked(server) == {first_ip(server)}
    restrictions.lift(second.pk, reason="reversed", actor=CLOCK, now=world.now)
    world.work()
    assert blocked(server) == set()


def test_lifted_before_it_was_carried_out_nothing_is_blocked(cloud: Control) -> None:
    world = World()
    server = server_of(world, world.customer())
    restriction = restrict(world, server)
    restrictions.lift(restriction.pk, reason="a mistake", actor=CLOCK, now=world.now)
    world.work()
    assert blocked(server) == set()
    restriction.refresh_from_db()
    assert restriction.effective_at is None


def test_an_address_given_back_meanwhile_is_put_before_staff_and_takes_no_effect(cloud: Control) -> None:
    world = World()
    server = server_of(world, world.customer())
    restriction = restrict(world, server)
    with transaction.atomic():
        kinds.get("vps").terminate(server.subscription, because="SUB-6", now=world.now)
    world.work(kinds=["servers.destroy"])
    world.work()
    restriction.refresh_from_db()
    assert restriction.effective_at is None
    assert [op.kind for op in world.failed_operations()] == ["servers.block"]
    assert Event.objects.filter(kind="servers.address.block_failed").count() == 1


def test_a_block_lost_by_the_host_is_put_back(cloud: Control) -> None:
    world = World()
    server = server_of(world, world.customer())
    restrict(world, server)
    world.work()
    cloud.open_address(server.provider_ref, first_ip(server))
    world.advance(minutes=5, sweeps=["servers.reconcile"])
    assert blocked(server) == {first_ip(server)}
    world.advance(minutes=5, sweeps=["servers.reconcile"])
    assert not server.discrepancies.filter(resolved_at=None).exists()


def test_the_next_holder_of_the_address_is_not_blocked_for_the_former_one(cloud: Control) -> None:
    world = World()
    server = server_of(world, world.customer())
    address = Address.objects.get(ip=first_ip(server))
    restrict(world, server)
    world.work()
    with transaction.atomic():
        kinds.get("vps").terminate(server.subscription, because="SUB-6", now=world.now)
    world.advance(seconds=5)
    Address.objects.exclude(pk=address.pk).delete()
    world.advance(days=31, sweeps=["servers.reconcile"])
    heir = server_of(world, world.customer("Bob"))
    if first_ip(heir) != str(address.ip):
        pytest.fail("the story needs the same address again")
    world.advance(minutes=5, sweeps=["servers.reconcile"])
    assert blocked(heir) == set()
    assert not Address.objects.get(pk=address.pk).blocked


@pytest.mark.parametrize("listed", [False, True])
def test_a_lost_machine_with_an_address_that_is_cut_off_hides_nothing_else(
    cloud: Control, monkeypatch: pytest.MonkeyPatch, listed: bool
) -> None:
    world = World()
    server = server_of(world, world.customer())
    other = server_of(world, world.customer("Bob"))
    for one in (server, other):
        restrict(world, one, key=one.reference)
    world.work()
    nodes = providers.get("sim-1").list()
    cloud.vanish(server.provider_ref)
    cloud.open_address(other.provider_ref, first_ip(other))
    if listed:  # it goes between the list and the look at its addresses
        monkeypatch.setattr(type(providers.get("sim-1")), "list", lambda _self: nodes)
    world.advance(minutes=5, sweeps=["servers.reconcile"])
    found = [*server.discrepancies.all(), *other.discrepancies.all()]
    assert [row.kind for row in found] == ([] if listed else ["missing"]) + ["block_missing"]
    assert blocked(other) == {first_ip(other)}
