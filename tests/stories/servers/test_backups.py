"""As a customer I order a level of backup and need not think of it again: one is made each time it is due, old ones go,
the last good one never does, and I am told when something is not as I believe (SUB-14, SRV-10)."""

from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from django.db import transaction

from invoicing.subscribing import kinds
from panel.core import due, operations
from panel.core.calendars import PARIS
from panel.core.errors import RuleViolation
from panel.core.models import Event
from servers.models import BackupPlan, Copy, Server
from servers.providers.simulated.control import Control
from servers.safekeeping import backups, copies, copy_rules, restoring
from tests.support.machines import server_of
from tests.support.world import Customer, World

pytestmark = pytest.mark.django_db
SWEEP = "servers.backups"


@pytest.fixture
def world(cloud: Control) -> World:
    return World()


@pytest.fixture
def alice(world: World) -> Customer:
    return world.customer()


def with_level(world: World, alice: Customer, level: str = "2", **other: Any) -> Server:
    return server_of(world, alice, options={f"vps-backup-{level}": 1}, **other)


def ordered(world: World, server: Server, **quantities: int) -> None:
    """The subscription has these options from now on."""
    row = server.subscription
    row.settings = {**row.settings, "options": {code.replace("_", "-"): n for code, n in quantities.items()}}
    row.save(update_fields=["settings"])
    with transaction.atomic():
        kinds.get("vps").change(row, now=world.now)
    world.work()


def nights(world: World, count: int) -> None:
    """The clock goes on, its sweep each three hours."""
    for _ in range(count * 8):
        world.advance(hours=3, sweeps=[SWEEP])
        world.advance(seconds=20)


def whole(server: Server) -> list[Copy]:
    return list(Copy.objects.filter(server=server, state="ready").order_by("taken_at"))


def plan(server: Server) -> BackupPlan:
    found = backups.plan_of(server)
    assert found is not None
    return found


def test_one_each_night_kept_for_the_days_of_the_level(world: World, alice: Customer, cloud: Control) -> None:
    server = with_level(world, alice)
    assert plan(server).due_at.astimezone(PARIS).hour in range(1, 5)
    nights(world, 10)
    kept = whole(server)
    assert len(kept) == 8, "seven whole days, and the night that has just been"
    assert {copy.taken_at.astimezone(PARIS).hour in range(1, 8) for copy in kept if copy.taken_at} == {True}
    gaps = {later.slot - earlier.slot for earlier, later in pairwise(kept) if later.slot and earlier.slot}
    assert gaps == {timedelta(days=1)}
    assert len(cloud.tokens_of_snapshots()) == 8, "what is over is gone from the place too"
    assert Copy.objects.filter(state="deleted").count() == 2
    last = backups.latest(server)
    assert last == kept[-1]
    assert world.failed_operations() == []


def test_the_clock_stood_still_for_days_and_one_makes_up_for_them(world: World, alice: Customer) -> None:
    server = with_level(world, alice)
    nights(world, 1)
    world.advance(days=4, sweeps=[SWEEP])
    world.work()
    world.advance(seconds=20)
    for _ in range(3):
        world.advance(minutes=5, sweeps=[SWEEP])
    assert len(whole(server)) == 2
    slot = whole(server)[-1].slot
    assert slot is not None
    assert timedelta(0) <= world.now - slot < timedelta(days=1), "for the latest of the missed nights"
    assert world.now < plan(server).due_at <= world.now + timedelta(days=1)


def test_a_repeated_sweep_begins_nothing_twice(world: World, alice: Customer, cloud: Control) -> None:
    server = with_level(world, alice)
    world.until(plan(server).due_at)
    for _ in range(3):
        world.sweep(SWEEP)
    BackupPlan.objects.update(due_at=world.now)  # as if another clock had not seen it
    world.work()
    world.sweep(SWEEP)
    world.work()
    world.advance(seconds=20)
    assert (Copy.objects.count(), len(cloud.tokens_of_snapshots())) == (1, 1)


def test_three_days_of_failing_are_told_once_and_the_last_good_one_stays(
    world: World, alice: Customer, cloud: Control
) -> None:
    server = with_level(world, alice)
    nights(world, 2)
    good = backups.latest(server)
    assert good is not None
    cloud.plan("snapshot", "refused", times=30)
    nights(world, 2)
    assert len(world.failed_operations()) == 2, "each is in the staff's queue"
    assert world.mails("servers/backup_failing") == []
    nights(world, 10)
    assert backups.latest(server) == good, "however old"
    assert "delete" not in " ".join(due.SWEEPS[SWEEP].run(world.now, dry_run=True).would)
    assert [copy.pk for copy in whole(server)] == [good.pk]
    (mail,) = world.mails("servers/backup_failing", alice.account)
    assert str(good.taken_at.year if good.taken_at else "?") in mail.content.body
    assert Event.objects.filter(kind="servers.backups.failing").count() == 1
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("servers.providers.simulated.trouble.Trouble._planned", lambda *_: None)
        nights(world, 1)
    assert plan(server).failing_since is None
    assert backups.latest(server) != good
    assert [copy.pk for copy in whole(server)].count(good.pk) == 0, "now it may go"


def test_a_lost_answer_makes_no_second_one(world: World, alice: Customer, cloud: Control) -> None:
    server = with_level(world, alice)
    cloud.plan("snapshot", "lost")
    nights(world, 1)
    assert (len(whole(server)), len(cloud.tokens_of_snapshots())) == (1, 1)
    assert plan(server).failing_since is None


def test_at_the_limit_nothing_more_is_transferred_until_there_is_space(
    world: World, alice: Customer, cloud: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = with_level(world, alice)
    nights(world, 3)
    limit = copies.limit(plan(server))
    assert limit == 100 * 10**9, "five times the disk of 20 GB"
    Copy.objects.update(size_bytes=limit // 3 + 1)
    nights(world, 2)
    assert (len(whole(server)), plan(server).halted_at is not None) == (3, True)
    (mail,) = world.mails("servers/backup_full", alice.account)
    for word in ("100", "No further backup", "larger package", "/backups/", "SRV-10"):
        assert word in mail.content.body
    assert Event.objects.filter(kind="servers.backups.halted", rule="SRV-10").count() == 1
    copies.delete(whole(server)[0], actor=alice.actor, now=world.now)
    world.work()
    world.advance(minutes=5, sweeps=[SWEEP])
    world.advance(seconds=20)
    assert (len(whole(server)), plan(server).halted_at) == (3, None), "the same day, not the next night"


def test_a_larger_level_ends_the_halt(world: World, alice: Customer, cloud: Control) -> None:
    server = with_level(world, alice)
    nights(world, 1)
    Copy.objects.update(size_bytes=copies.limit(plan(server)))
    nights(world, 1)
    assert plan(server).halted_at is not None
    ordered(world, server, vps_backup_3=1)
    assert (plan(server).level, plan(server).halted_at) == ("level_3", None)
    nights(world, 1)
    assert len(whole(server)) == 2


def test_a_restored_backup_is_the_disk_of_that_night(world: World, alice: Customer, cloud: Control) -> None:
    server = with_level(world, alice)
    cloud.write(server.provider_ref, "monday")
    nights(world, 1)
    cloud.write(server.provider_ref, "tuesday")
    nights(world, 1)
    restoring.restore(server, whole(server)[0], typed=server.name, actor=alice.actor, now=world.now)
    world.work()
    assert cloud.disk(server.provider_ref) == "monday"


def test_the_personalised_level_is_as_its_owner_chooses_within_the_terms(world: World, alice: Customer) -> None:
    server = with_level(world, alice, "own")
    backups.choose(server, 6, 2, actor=alice.actor, now=world.now)
    nights(world, 4)
    assert 9 <= len(whole(server)) <= 12, "four a day, two whole days and today"
    for hours, days, field in ((5, 2, "every_hours"), (24, 61, "keep_days"), (24, 0, "keep_days")):
        with pytest.raises(RuleViolation) as refused:
            backups.choose(server, hours, days, actor=alice.actor, now=world.now)
        assert refused.value.field == field
    other = with_level(world, alice, "2", name="web-2")
    with pytest.raises(RuleViolation, match="personalised"):
        backups.choose(other, 6, 2, actor=alice.actor, now=world.now)


def test_without_a_level_none_is_made_and_what_there_is_goes_after_some_days(world: World, alice: Customer) -> None:
    plain = server_of(world, alice, name="web-2")
    server = with_level(world, alice)
    nights(world, 2)
    ordered(world, server)
    assert (backups.plan_of(server), len(whole(server))) == (None, 2)
    nights(world, 6)
    assert len(whole(server)) == 2, "the option was ended by mistake: it can be taken up again"
    ordered(world, server, vps_backup_2=1)
    assert {copy.expires_at for copy in whole(server)} == {None}
    ordered(world, server)
    nights(world, 9)
    assert whole(server) == []
    assert not Copy.objects.filter(server=plain).exists()


def test_a_server_that_ends_leaves_its_backups_for_some_days(world: World, alice: Customer, cloud: Control) -> None:
    server = with_level(world, alice)
    nights(world, 2)
    with transaction.atomic():
        kinds.get("vps").terminate(server.subscription, because="SUB-6", now=world.now)
    nights(world, 6)
    assert (Server.objects.get(pk=server.pk).state, len(whole(server))) == ("destroyed", 2)
    nights(world, 3)
    assert (whole(server), cloud.tokens_of_snapshots()) == ([], [])
    assert not BackupPlan.objects.exists()


def test_a_deletion_that_the_place_refuses_is_the_staffs(world: World, alice: Customer, cloud: Control) -> None:
    server = with_level(world, alice)
    nights(world, 1)
    cloud.plan("delete_snapshot", "refused")
    copies.delete(whole(server)[0], actor=alice.actor, now=world.now)
    world.work()
    assert Copy.objects.get().state == "deleting"
    (op,) = world.failed_operations()
    operations.retry(op.pk, now=world.now)
    world.work()
    assert (Copy.objects.get().state, cloud.tokens_of_snapshots()) == ("deleted", [])


def test_a_dry_run_says_what_it_would_do(world: World, alice: Customer) -> None:
    server = with_level(world, alice)
    world.until(plan(server).due_at)
    report = due.SWEEPS[SWEEP].run(world.now, dry_run=True)
    assert report.would == [f"back up server {server.pk}"]
    assert not Copy.objects.exists()


def test_a_place_that_cannot_copy_takes_no_order_for_it(
    world: World, alice: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    from servers.providers import Capabilities

    kind, server = kinds.get("vps"), server_of(world, alice)
    assert kind.why_not_offered("vps-backup-1") == ""
    assert "No place" in kind.why_not_offered("vps-recovery")
    monkeypatch.setattr("servers.places.capabilities", lambda place: Capabilities("x"))
    assert "No place" in kind.why_not_offered("vps-backup-1")
    package = server.subscription.package
    assert "not on offer" in kind.refusal_to_change(server.subscription, package, {"vps-backup-1": 1})
    with pytest.raises(RuleViolation, match="not on offer"):
        kind.validate(package, {"name": "web-9", "options": {"vps-backup-1": 1}})
    assert copy_rules.level_of({"vps-backup-1": 0, "vps-address": 2}) == ""


def test_a_level_that_keeps_longer_keeps_what_there_is_longer_and_a_shorter_one_shorter(
    world: World, alice: Customer
) -> None:
    server = with_level(world, alice)
    nights(world, 2)
    ordered(world, server, vps_backup_3=1)
    nights(world, 10)
    assert len(whole(server)) == 12, "those of before stay for thirty days too"
    ordered(world, server, vps_backup_2=1)
    nights(world, 1)
    assert len(whole(server)) == 8


def test_a_backup_that_the_end_of_its_server_overtook_leaves_nothing_at_the_place(
    world: World, alice: Customer, cloud: Control
) -> None:
    server = with_level(world, alice)
    cloud.plan("snapshot", "lost")
    world.until(plan(server).due_at, sweeps=[SWEEP])
    assert len(cloud.tokens_of_snapshots()) == 1
    Server.objects.filter(pk=server.pk).update(state="destroyed")  # before anybody asked again
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("servers.safekeeping.copies.MakeCopy.happened", lambda *_: None)
        world.advance(minutes=1)
    world.work()
    assert (Copy.objects.get().state, cloud.tokens_of_snapshots()) == ("cancelled", [])
    assert world.failed_operations() == []


def test_a_backup_that_was_asked_for_before_the_server_changed_hands_is_not_made(
    world: World, alice: Customer, cloud: Control
) -> None:
    server, bob = with_level(world, alice), world.customer("Bob")
    cloud.plan("snapshot", "transient")
    world.until(plan(server).due_at, sweeps=[SWEEP])
    subscription = server.subscription
    subscription.account = bob.account
    subscription.save(update_fields=["account"])
    with transaction.atomic():
        kinds.get("vps").hand_over(subscription, now=world.now)
    cloud.write(server.provider_ref, "what Bob has on it")
    world.advance(minutes=1)
    assert (Copy.objects.get().state, cloud.tokens_of_snapshots()) == ("cancelled", [])
    nights(world, 1)
    (copy,) = whole(server)
    assert (copy.account, BackupPlan.objects.get().account) == (bob.account, bob.account)
