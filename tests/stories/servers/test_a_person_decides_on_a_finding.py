"""As staff I put right what the panel must not decide by itself: a lost machine is made anew, a second one taken on or
removed, a changed host key trusted once I have compared it (SRV-1, SRV-2)."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.exceptions import PermissionDenied

from panel.core.actors import Actor
from panel.core.errors import RuleViolation
from panel.core.models import Event
from servers import providers, provisioning
from servers.addressing import holdings
from servers.drifting import deciding
from servers.drifting.drift_rules import Decision
from servers.models import Address, Discrepancy, Server
from servers.providers.simulated.control import Control
from tests.support.machines import first_ip, holder_names, server_of, simulated_place
from tests.support.world import Customer, World

pytestmark = pytest.mark.django_db
LOOK = ["servers.watch", "servers.reconcile"]


@pytest.fixture
def world(cloud: Control) -> World:
    return World()


@pytest.fixture
def alice(world: World) -> Customer:
    return world.customer()


@pytest.fixture
def server(world: World, alice: Customer) -> Server:
    return server_of(world, alice)


@pytest.fixture
def sam(world: World) -> Actor:
    return world.staff("infrastructure")


def finding(kind: str) -> Discrepancy:
    return Discrepancy.objects.get(kind=kind, resolved_at=None)


def decided(world: World, row: Discrepancy, decision: Decision, actor: Actor) -> None:
    deciding.decide(row, decision, typed=row.ref, reason="seen at the place", actor=actor, now=world.now)
    world.work()


def test_a_lost_machine_is_made_anew_with_all_that_the_server_holds(
    world: World, alice: Customer, server: Server, sam: Actor, cloud: Control
) -> None:
    before = Server.objects.get(pk=server.pk)
    held = sorted(str(ip) for ip in server.holdings.attached().values_list("address__ip", flat=True))
    cloud.vanish(server.provider_ref)
    world.advance(minutes=5, sweeps=LOOK)
    row = finding("missing")
    decided(world, row, Decision.REMAKE, sam)
    world.advance(seconds=30)
    now = Server.objects.get(pk=server.pk)
    assert (now.state, now.ready_at) == ("running", before.ready_at)
    assert now.host_key == providers.get(now.place).host_key(now.provider_ref)
    node = providers.get(now.place).get(now.provider_ref)
    assert node is not None
    assert sorted(node.addresses) == held
    assert sorted(str(ip) for ip in now.holdings.attached().values_list("address__ip", flat=True)) == held
    assert now.holdings.count() == server.holdings.count(), "held without a gap"
    assert cloud.refs() == [now.provider_ref], "one machine"
    assert provisioning.spec_of(now, held[0]).turn == 2, "not the order of the lost one, repeated"
    (mail,) = world.mails("servers/remade", alice.account)
    assert "What was on its disk is lost" in mail.content.body
    assert len(world.mails("servers/ready")) == 1
    world.advance(minutes=5, sweeps=LOOK)
    assert not Discrepancy.objects.filter(resolved_at=None).exists()
    assert world.failed_operations() == []


@pytest.fixture
def chosen(tmp_path: Path) -> Iterator[Control]:
    with simulated_place(tmp_path, gives_addresses="10.44.0.0/28") as control:
        yield control


def test_where_the_place_chooses_the_address_the_old_one_goes_back(chosen: Control) -> None:
    world = World()
    alice, bob, sam = world.customer(), world.customer("Bob"), world.staff("infrastructure")
    server = server_of(world, alice)
    old = first_ip(server)
    chosen.vanish(server.provider_ref)
    assert first_ip(server_of(world, bob, name="bob-1")) == old, "the place gives it to whoever comes next"
    assert holder_names(old, world) == [str(bob.account)]
    world.sweep("servers.reconcile")
    decided(world, finding("missing"), Decision.REMAKE, sam)
    world.advance(seconds=30)
    assert Server.objects.get(pk=server.pk).state == "running"
    assert first_ip(server) != old
    (mail,) = world.mails("servers/remade", alice.account)
    assert "Its address can be another one" in mail.content.body
    assert "system, addresses" not in mail.content.body
    assert world.failed_operations() == []


@pytest.mark.parametrize("decision", [Decision.REMAKE, Decision.ADOPT])
def test_an_address_that_only_the_lost_machine_had_is_held_no_longer(chosen: Control, decision: Decision) -> None:
    world = World()
    server, sam = server_of(world, world.customer()), world.staff("infrastructure")
    old, lost = first_ip(server), world.now
    twin = chosen.twin(server.provider_ref) if decision is Decision.ADOPT else ""
    chosen.vanish(server.provider_ref)
    if twin:
        chosen.put_address(twin, "10.44.0.9", there=True)
    else:  # the place has it for somebody who is none of ours
        foreign = providers.NodeSpec("SUB-X", "x", "debian-12", providers.Size("s", 1, 1024, 20), "sim-1")
        providers.get("sim-1").create(foreign)
    world.advance(minutes=5, sweeps=["servers.reconcile"])
    decided(world, finding("duplicate" if twin else "missing"), decision, sam)
    world.advance(seconds=30)
    (held,) = server.holdings.now()
    assert (held.is_first, str(held.address.ip) != old) == (True, True)
    assert Address.objects.get(ip=old).state == "quarantine"
    assert (holder_names(old, world), len(holdings.holders_between(old, lost, lost))) == ([], 1)


def test_a_lost_machine_that_comes_back_meanwhile_is_no_second_one(
    world: World, server: Server, sam: Actor, cloud: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = type(providers.get(server.place))
    with monkeypatch.context() as patch:
        patch.setattr(place, "list", lambda _self: [])
        world.sweep("servers.reconcile")
    decided(world, finding("missing"), Decision.REMAKE, sam)
    world.advance(seconds=30)
    now = Server.objects.get(pk=server.pk)
    assert (now.state, now.provider_ref) == ("running", server.provider_ref)
    assert cloud.refs() == [server.provider_ref]


def test_a_second_machine_is_removed_and_the_servers_own_stays(
    world: World, server: Server, sam: Actor, cloud: Control
) -> None:
    ref = cloud.twin(server.provider_ref)
    world.sweep("servers.reconcile")
    row = finding("duplicate")
    assert row.ref == ref
    with pytest.raises(RuleViolation, match="has its own machine"):
        deciding.decide(row, Decision.ADOPT, typed=ref, reason="x", actor=sam, now=world.now)
    decided(world, row, Decision.REMOVE, sam)
    assert cloud.refs() == [server.provider_ref]
    assert Discrepancy.objects.get().resolved_at is not None
    assert world.failed_operations() == []
    event = Event.objects.get(kind="servers.discrepancy.decided")
    assert (event.data["decision"], event.private.data) == ("remove", {"reason": "seen at the place"})


def test_a_second_machine_is_taken_on_in_place_of_a_lost_one(
    world: World, server: Server, sam: Actor, cloud: Control
) -> None:
    ref = cloud.twin(server.provider_ref)
    cloud.vanish(server.provider_ref)
    world.sweep("servers.reconcile")
    decided(world, finding("duplicate"), Decision.ADOPT, sam)
    now = Server.objects.get(pk=server.pk)
    assert (now.provider_ref, now.state) == (ref, "running")
    assert now.host_key == providers.get(now.place).host_key(ref)
    assert not Discrepancy.objects.filter(resolved_at=None).exists()


def test_one_decision_at_a_time_about_one_server(world: World, server: Server, sam: Actor, cloud: Control) -> None:
    ref = cloud.twin(server.provider_ref)
    cloud.vanish(server.provider_ref)
    world.sweep("servers.reconcile")
    deciding.decide(finding("duplicate"), Decision.REMOVE, typed=ref, reason="x", actor=sam, now=world.now)
    lost = finding("missing")
    with pytest.raises(RuleViolation, match="still under way"):
        deciding.decide(lost, Decision.REMAKE, typed=lost.ref, reason="x", actor=sam, now=world.now)
    world.work()
    decided(world, lost, Decision.REMAKE, sam)
    world.advance(seconds=30)
    assert cloud.refs() == [Server.objects.get(pk=server.pk).provider_ref], "made anew, and not what was removed"


def test_what_has_become_a_servers_own_by_then_is_not_removed(
    world: World, server: Server, sam: Actor, cloud: Control
) -> None:
    ref = cloud.twin(server.provider_ref)
    world.sweep("servers.reconcile")
    row = finding("duplicate")
    deciding.decide(row, Decision.REMOVE, typed=ref, reason="x", actor=sam, now=world.now)
    with pytest.raises(RuleViolation, match="has been decided"):
        deciding.decide(row, Decision.REMOVE, typed=ref, reason="x", actor=sam, now=world.now)
    Server.objects.filter(pk=server.pk).update(provider_ref=ref)
    world.work()
    assert ref in cloud.refs()
    assert [op.kind for op in world.failed_operations()] == ["servers.finding_remove"]
    assert finding("duplicate").operation == world.failed_operations()[0], "staff sees why"


def test_a_machine_of_no_living_server_is_removed(world: World, server: Server, sam: Actor, cloud: Control) -> None:
    Server.objects.filter(pk=server.pk).update(state="destroyed")
    world.sweep("servers.reconcile")
    decided(world, finding("orphan"), Decision.REMOVE, sam)
    assert cloud.refs() == []


def test_a_host_key_is_trusted_only_if_it_is_the_one_that_was_compared(
    world: World, server: Server, sam: Actor, cloud: Control
) -> None:
    world.sweep("servers.watch")
    cloud.swap_host_key(server.provider_ref)
    world.sweep("servers.host_keys")
    row = finding("host_key")
    shown = providers.get(server.place).host_key(server.provider_ref)
    cloud.swap_host_key(server.provider_ref)
    decided(world, row, Decision.TRUST, sam)
    assert Server.objects.get(pk=server.pk).host_key == server.host_key
    (op,) = world.failed_operations()
    assert "yet another key" in op.last_error
    world.sweep("servers.host_keys")
    row.refresh_from_db()
    assert shown not in row.detail, "the finding says what is shown by now"
    decided(world, row, Decision.TRUST, sam)
    now = Server.objects.get(pk=server.pk)
    assert now.host_key == providers.get(server.place).host_key(server.provider_ref)
    assert world.failed_operations() == []
    world.advance(hours=1, sweeps=["servers.watch", "servers.host_keys"])
    assert not Discrepancy.objects.filter(resolved_at=None).exists()


def test_nobody_decides_by_mistake(world: World, server: Server, alice: Customer, sam: Actor, cloud: Control) -> None:
    cloud.vanish(server.provider_ref)
    world.sweep("servers.reconcile")
    row, now = finding("missing"), world.now
    for typed, reason, field in (("sim", "x", "typed"), (row.ref, " ", "reason")):
        with pytest.raises(RuleViolation) as refused:
            deciding.decide(row, Decision.REMAKE, typed=typed, reason=reason, actor=sam, now=now)
        assert refused.value.field == field
    with pytest.raises(RuleViolation, match="does not help"):
        deciding.decide(row, Decision.REMOVE, typed=row.ref, reason="x", actor=sam, now=now)
    for other in (alice.actor, world.staff("support")):
        with pytest.raises(PermissionDenied):
            deciding.decide(row, Decision.REMAKE, typed=row.ref, reason="x", actor=other, now=now)
    Server.objects.filter(pk=server.pk).update(state="suspended")
    with pytest.raises(RuleViolation, match="suspended"):
        deciding.decide(row, Decision.REMAKE, typed=row.ref, reason="x", actor=sam, now=now)
    assert Server.objects.get(pk=server.pk).provider_ref == server.provider_ref
