"""As a customer I take a snapshot before I change something, go back to it, or begin a new server as it; nothing is
made twice, nothing is lost by a crash, and what is lost on purpose is said first (SRV-8)."""

from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.db import transaction

from invoicing.subscribing import kinds
from panel.core import operations
from panel.core.errors import RuleViolation
from panel.core.models import Event
from servers import providers
from servers.models import Copy, Discrepancy, Server
from servers.providers.simulated.control import Control
from servers.rules import Verb
from servers.safekeeping import copies, restoring
from servers.verbs import destroying, power
from tests.support.machines import package, server_of, subscribe
from tests.support.world import Customer, World

pytestmark = pytest.mark.django_db


@pytest.fixture
def world(cloud: Control) -> World:
    return World()


@pytest.fixture
def alice(world: World) -> Customer:
    return world.customer()


@pytest.fixture
def server(world: World, alice: Customer, cloud: Control) -> Server:
    made = server_of(world, alice)
    cloud.write(made.provider_ref, "then")
    return made


def taken(world: World, alice: Customer, server: Server, name: str = "before") -> Copy:
    copy = copies.snapshot(server, name, actor=alice.actor, now=world.now)
    for _ in range(3):
        world.advance(seconds=10)
    return Copy.objects.get(pk=copy.pk)


def restore(world: World, alice: Customer, server: Server, copy: Copy, typed: str = "") -> Any:
    return restoring.restore(server, copy, typed=typed or server.name, actor=alice.actor, now=world.now)


def now(server: Server) -> Server:
    return Server.objects.get(pk=server.pk)


def test_she_takes_one_changes_something_and_goes_back(
    world: World, alice: Customer, server: Server, cloud: Control
) -> None:
    copy = taken(world, alice, server, "  before the  update ")
    assert (copy.name, copy.state, copy.size_bytes > 10**9) == ("before the update", "ready", True)
    assert copy.taken_at is not None
    action = server.actions.get(verb="snapshot")
    assert (action.state, action.actor_id, action.facts) == ("done", alice.user.pk, {"name": "before the update"})
    cloud.write(server.provider_ref, "broken")
    with pytest.raises(RuleViolation) as untyped:
        restore(world, alice, server, copy, "web")
    assert (untyped.value.field, cloud.disk(server.provider_ref)) == ("confirm", "broken")
    first = restore(world, alice, server, copy)
    assert restore(world, alice, server, copy).pk == first.pk, "a second click is the first"
    with pytest.raises(RuleViolation, match="still under way"):
        power.request(server, Verb.REBOOT, actor=alice.actor, now=world.now)
    with pytest.raises(RuleViolation, match="just being made of it"):
        copies.delete(copy, actor=alice.actor, now=world.now)
    world.work()
    assert (cloud.disk(server.provider_ref), cloud.calls("restore"), now(server).state) == ("then", ["ok"], "running")
    assert Event.objects.filter(kind="servers.server.restore_done", account_id=alice.account.pk).count() == 1
    copies.delete(copy, actor=alice.actor, now=world.now)
    world.work()
    assert (Copy.objects.get().state, cloud.tokens_of_snapshots()) == ("deleted", [])


def test_a_place_that_times_out_after_it_made_one_is_asked_for_it_and_makes_no_second(
    world: World, alice: Customer, server: Server, cloud: Control
) -> None:
    cloud.plan("snapshot", "lost")
    copy = copies.snapshot(server, "before", actor=alice.actor, now=world.now)
    assert copies.snapshot(server, "before", actor=alice.actor, now=world.now).pk == copy.pk
    world.work()
    assert Copy.objects.get().state == "waiting"
    world.advance(minutes=1)
    assert (Copy.objects.get().state, cloud.calls("snapshot")) == ("ready", ["lost"])
    assert cloud.tokens_of_snapshots() == [copy.token]


def test_one_that_the_place_made_twice_is_found_and_goes_with_the_first(
    world: World, alice: Customer, server: Server, cloud: Control
) -> None:
    cloud.plan("snapshot", "double")
    copy = taken(world, alice, server)
    world.advance(minutes=5, sweeps=["servers.reconcile"])
    row = Discrepancy.objects.get()
    assert (row.kind, row.server) == ("copy_extra", server)
    assert [op.kind for op in world.failed_operations()] == ["servers.review"]
    copies.delete(copy, actor=alice.actor, now=world.now)
    world.work()
    assert cloud.tokens_of_snapshots() == []
    world.advance(minutes=5, sweeps=["servers.reconcile"])
    assert Discrepancy.objects.get().resolved_at == world.now


def test_one_that_is_gone_from_its_place_is_nobodys_good_copy(
    world: World, alice: Customer, server: Server, cloud: Control
) -> None:
    copy = taken(world, alice, server)
    world.advance(minutes=5, sweeps=["servers.reconcile"])
    assert not Discrepancy.objects.exists()
    cloud.lose_snapshot(copy.provider_ref)
    world.advance(minutes=5, sweeps=["servers.reconcile"])
    assert (Copy.objects.get().state, Discrepancy.objects.get().kind) == ("lost", "copy_lost")
    assert [op.kind for op in world.failed_operations()] == ["servers.review"]
    with pytest.raises(RuleViolation, match="cannot be restored"):
        restore(world, alice, server, copy)
    world.advance(minutes=5, sweeps=["servers.reconcile"])
    assert Discrepancy.objects.get().resolved_at is None
    copies.delete(Copy.objects.get(), actor=alice.actor, now=world.now)
    world.advance(minutes=5, sweeps=["servers.reconcile"])
    assert Discrepancy.objects.get().resolved_at == world.now


@pytest.mark.parametrize("fault", ["lost", "transient"])
def test_a_restore_whose_answer_was_lost_or_that_failed_is_done_once(
    world: World, alice: Customer, server: Server, cloud: Control, fault: str
) -> None:
    copy = taken(world, alice, server)
    cloud.write(server.provider_ref, "broken")
    cloud.plan("restore", fault)
    restore(world, alice, server, copy)
    world.work()
    if fault == "lost":
        cloud.write(server.provider_ref, "written since")
    world.advance(minutes=1)
    action = server.actions.get(verb="restore")
    assert (action.state, now(server).state) == ("done", "running")
    assert cloud.disk(server.provider_ref) == ("written since" if fault == "lost" else "then")


def test_the_panel_is_restarted_in_the_middle_of_a_restore(
    world: World, alice: Customer, server: Server, cloud: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = taken(world, alice, server)
    cloud.write(server.provider_ref, "broken")
    restore(world, alice, server, copy)

    class Killed(BaseException):
        """Nothing in the panel catches it."""

    real, place = type(providers.get("sim-1")).restore, providers.get("sim-1")

    def dies(*arguments: Any) -> None:
        real(place, *arguments)  # type: ignore[arg-type]
        raise Killed

    monkeypatch.setattr(place, "restore", dies)
    with pytest.raises(Killed):
        operations.run_due(world.now)
    monkeypatch.undo()
    cloud.write(server.provider_ref, "written since")
    operations.take_back_running(world.now)
    world.work()
    assert (server.actions.get(verb="restore").state, now(server).state) == ("done", "running")
    assert (cloud.disk(server.provider_ref), len(cloud.calls("restore"))) == ("written since", 1)


def test_two_clicks_at_once_on_restore_and_destroy_end_destroyed(
    world: World, alice: Customer, server: Server, cloud: Control
) -> None:
    copy = taken(world, alice, server)
    restore(world, alice, server, copy)
    destroying.destroy(server, typed=server.name, actor=alice.actor, now=world.now)
    world.work()
    world.advance(minutes=1)
    assert (now(server).state, server.actions.get(verb="restore").state, cloud.refs()) == ("destroyed", "cancelled", [])
    assert world.failed_operations() == []


def test_a_destruction_that_overtakes_a_restore_is_no_failure(
    world: World, alice: Customer, server: Server, cloud: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = taken(world, alice, server)
    restore(world, alice, server, copy)
    place = providers.get("sim-1")

    def late(ref: str, snapshot: str, mark: str) -> Any:
        with transaction.atomic():
            kinds.get("vps").terminate(server.subscription, because="SUB-6", now=world.now)
        operations.run_due(world.now, kinds=["servers.destroy"])
        return type(place).restore(place, ref, snapshot, mark)  # type: ignore[arg-type]

    monkeypatch.setattr(place, "restore", late)
    world.work()
    world.advance(minutes=1)
    assert (now(server).state, server.actions.get(verb="restore").state) == ("destroyed", "cancelled")
    assert world.failed_operations() == []


def test_what_was_asked_for_first_is_in_the_snapshot_or_not_in_it(
    world: World, alice: Customer, server: Server, cloud: Control
) -> None:
    old = taken(world, alice, server, "old")
    cloud.write(server.provider_ref, "precious")
    cloud.plan("snapshot", "transient")
    newer = copies.snapshot(server, "newer", actor=alice.actor, now=world.now)
    world.advance(seconds=1)
    restore(world, alice, server, old)
    world.work()
    assert cloud.disk(server.provider_ref) == "precious", "the restore waits for the snapshot that was asked for first"
    for _ in range(4):
        world.advance(seconds=30)
    assert (cloud.disk(server.provider_ref), Copy.objects.get(pk=newer.pk).state) == ("then", "ready")
    restore(world, alice, server, Copy.objects.get(pk=newer.pk))
    world.work()
    assert cloud.disk(server.provider_ref) == "precious"


def test_a_last_snapshot_outlives_its_server_and_a_new_one_begins_as_it(
    world: World, alice: Customer, server: Server, cloud: Control
) -> None:
    kept = copies.snapshot(server, "last", actor=alice.actor, now=world.now)
    cloud.plan("snapshot", "transient")  # the end comes before it could be taken
    world.advance(seconds=1)
    destroying.destroy(server, typed=server.name, actor=alice.actor, now=world.now)
    for _ in range(6):
        world.advance(seconds=30)
    copy = Copy.objects.get(pk=kept.pk)
    assert (now(server).state, copy.state) == ("destroyed", "ready")
    assert copy.expires_at is not None
    other = server_of(world, alice, name="web-2", copy=copy.reference)
    assert (cloud.disk(other.provider_ref), other.image, other.place) == ("then", copy.image, copy.place)
    world.until(copy.expires_at, sweeps=["servers.backups"])
    world.work()
    assert (Copy.objects.get(pk=kept.pk).state, now(other).state) == ("deleted", "running")


def test_a_copy_that_is_gone_before_the_new_server_is_made_is_the_staffs(
    world: World, alice: Customer, server: Server, cloud: Control
) -> None:
    copy = taken(world, alice, server)
    subscription = subscribe(world, alice, name="web-2", copy=copy.reference)
    with pytest.raises(RuleViolation, match="just being made of it"):
        copies.delete(copy, actor=alice.actor, now=world.now)
    cloud.lose_snapshot(copy.provider_ref)
    world.work()
    assert Server.objects.get(subscription=subscription).state == "failed"
    assert [op.kind for op in world.failed_operations()] == ["servers.create"]


def test_nobody_else_can_use_or_see_it(world: World, alice: Customer, server: Server) -> None:
    copy, kind = taken(world, alice, server), kinds.get("vps")
    bob = world.customer("Bob")
    settings = kind.validate(package(), {"name": "web-9", "copy": copy.reference})
    kinds.check_own("vps", alice.account, settings)
    with pytest.raises(RuleViolation, match="not among yours"):
        kinds.check_own("vps", bob.account, settings)
    with pytest.raises(RuleViolation, match="not among yours"):
        kind.validate(package(), {"name": "web-9", "copy": "CPY-NOTHING1"})
    with pytest.raises(RuleViolation, match="20 GB"):
        kind.validate(package("vps-tiny", disk_gb=10), {"name": "web-9", "copy": copy.reference})
    assert [question.name for question in kind.questions(package(), bob.account) if question.name == "copy"] == []
    assert not Copy.objects.visible_to(bob.actor).exists()
    reader = world.contact(alice, ["see"])
    for deed in (
        lambda: copies.snapshot(server, "mine", actor=reader.actor, now=world.now),
        lambda: copies.delete(copy, actor=reader.actor, now=world.now),
        lambda: restoring.restore(server, copy, typed=server.name, actor=reader.actor, now=world.now),
    ):
        with pytest.raises(PermissionDenied):
            deed()
    theirs = server_of(world, bob, name="web-3")
    with pytest.raises(RuleViolation, match="cannot be restored"):
        restoring.restore(theirs, copy, typed="web-3", actor=bob.actor, now=world.now)


def test_as_many_as_the_terms_allow_and_names_that_are_names(world: World, alice: Customer, server: Server) -> None:
    for number in range(3):
        taken(world, alice, server, f"copy {number}")
    with pytest.raises(RuleViolation, match="at most 3 snapshots"):
        copies.snapshot(server, "one more", actor=alice.actor, now=world.now)
    copies.delete(Copy.objects.all()[0], actor=alice.actor, now=world.now)
    world.work()
    for wrong in ("", " ", "x" * 61, "a\x00b"):
        with pytest.raises(RuleViolation) as refused:
            copies.snapshot(server, wrong, actor=alice.actor, now=world.now)
        assert refused.value.field == "name"
    assert taken(world, alice, server, "one more").state == "ready"


def test_a_snapshot_that_cannot_be_taken_is_the_staffs_and_can_be_tried_again(
    world: World, alice: Customer, server: Server, cloud: Control
) -> None:
    cloud.plan("snapshot", "refused")
    copy = taken(world, alice, server)
    assert (copy.state, server.actions.get(verb="snapshot").state) == ("failed", "failed")
    (op,) = world.failed_operations()
    operations.retry(op.pk, now=world.now)
    world.work()
    world.advance(minutes=1)
    assert (Copy.objects.get().state, server.actions.get(verb="snapshot").state) == ("ready", "done")


def test_copies_of_before_stay_with_who_gave_the_server_away(
    world: World, alice: Customer, server: Server, cloud: Control
) -> None:
    copy, bob = taken(world, alice, server), world.customer("Bob")
    subscription = server.subscription
    subscription.account = bob.account
    subscription.save(update_fields=["account"])
    with transaction.atomic():
        kinds.get("vps").hand_over(subscription, now=world.now)
    assert list(copies.shown(now(server))) == []
    copy.refresh_from_db()
    assert (copy.account, copy.expires_at is not None) == (alice.account, True)
    with pytest.raises(RuleViolation, match="cannot be restored"):
        restoring.restore(now(server), copy, typed=server.name, actor=bob.actor, now=world.now)
    assert cloud.disk(server_of(world, alice, name="web-2", copy=copy.reference).provider_ref) == "then"
