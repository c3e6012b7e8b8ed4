"""Where the operator's terms carry OPR-5: more stored than the space is told, seven days follow, then a person may have
the oldest backups deleted. Where they do not, nothing is ever deleted for it."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from panel import terms
from panel.accounts import approvals
from panel.accounts.models import Approval
from panel.core.actors import Actor
from panel.core.calendars import days_later
from panel.core.models import Event
from servers.models import Copy, Server
from servers.providers.simulated.control import Control
from servers.safekeeping import copies, restoring
from servers.safekeeping import exceeding as overfull
from tests.stories.servers.test_backups import SWEEP, nights, plan, whole, with_level
from tests.support.world import Customer, World

pytestmark = pytest.mark.django_db


@pytest.fixture
def world(cloud: Control) -> World:
    return World()


@pytest.fixture
def alice(world: World) -> Customer:
    return world.customer()


@pytest.fixture
def opr_5(monkeypatch: pytest.MonkeyPatch) -> None:
    """The terms of an operator who has the rule."""
    version: Any = terms.version("say_digital/2026-01")
    monkeypatch.setitem(version.table, "OPR-5", {"source": "001", "exceeding_days": 7})
    monkeypatch.delitem(version.__dict__, "backups", raising=False)
    monkeypatch.setitem(version.__dict__, "backups", type(version).backups.func(version))


@pytest.fixture
def staff(world: World) -> Actor:
    return world.staff("infrastructure")


def exceeding(world: World, alice: Customer) -> Server:
    """Three backups of a level, one of them beyond the space of it."""
    server = with_level(world, alice, "3")
    nights(world, 3)
    Copy.objects.update(size_bytes=80 * 10**9)
    assert copies.used_bytes(server) == 240 * 10**9 > copies.limit(plan(server)) == 200 * 10**9
    world.advance(minutes=5, sweeps=[SWEEP])
    return server


def deadline(server: Server) -> Any:
    return overfull.deletable_from(plan(server))


def test_told_then_seven_days_then_the_oldest_may_go(
    world: World, alice: Customer, staff: Actor, cloud: Control, opr_5: None
) -> None:
    server = exceeding(world, alice)
    (mail,) = world.mails("servers/backup_exceeding", alice.account)
    for word in ("240\xa0GB", "200\xa0GB", "40\xa0GB too much", "7 days after this mail", "/backups/", "OPR-5"):
        assert word in mail.content.body, word
    assert mail.accepted_at is not None
    assert deadline(server) == days_later(mail.accepted_at, 7)
    client = Client()
    client.force_login(alice.user)
    page = client.get(f"/servers/{server.reference}/backups/").content.decode()
    assert "Backups take up more than their space" in page
    assert "the last good one stays" in page
    world.until(deadline(server) - timedelta(seconds=1), sweeps=[SWEEP])
    assert not Approval.objects.exists(), "not a second too early"
    world.advance(seconds=1, sweeps=[SWEEP])
    world.sweep(SWEEP)
    asked = Approval.objects.get()
    assert (asked.rule, asked.account, "240\xa0GB" in asked.summary) == ("OPR-5", alice.account, True)
    assert len(whole(server)) == 3, "until somebody agrees"
    oldest = whole(server)[0]
    approvals.vote(asked.pk, agrees=True, actor=staff, now=world.now)
    world.work()
    assert oldest not in whole(server)
    assert (len(whole(server)), len(cloud.tokens_of_snapshots())) == (2, 2), "as many as exceed, and no more"
    (event,) = Event.objects.filter(kind="servers.backups.exceeding_deleted", rule="OPR-5")
    assert event.data["copies"] == [oldest.reference]
    world.advance(minutes=5, sweeps=[SWEEP])
    assert (plan(server).exceeding_since, len(world.mails("servers/backup_exceeding"))) == (None, 1)


def test_a_notice_that_never_left_gives_no_deadline(
    world: World, alice: Customer, opr_5: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = exceeding(world, alice)
    (mail,) = world.mails("servers/backup_exceeding")
    type(mail).objects.update(accepted_at=None)
    world.advance(days=30, sweeps=[SWEEP])
    assert (deadline(server), Approval.objects.count()) == (None, 0)


def test_space_again_before_the_word_is_given_and_nothing_goes(
    world: World, alice: Customer, staff: Actor, opr_5: None
) -> None:
    server = exceeding(world, alice)
    world.until(deadline(server), sweeps=[SWEEP])
    copies.delete(whole(server)[-1], actor=alice.actor, now=world.now)
    world.work()
    approvals.vote(Approval.objects.get().pk, agrees=True, actor=staff, now=world.now)
    world.work()
    assert len(whole(server)) == 2
    world.advance(minutes=5, sweeps=[SWEEP])
    assert plan(server).exceeding_since is None


def test_a_word_given_on_an_earlier_excess_is_none_on_this_one(
    world: World, alice: Customer, staff: Actor, opr_5: None
) -> None:
    server = exceeding(world, alice)
    world.until(deadline(server), sweeps=[SWEEP])
    earlier = Approval.objects.get()
    Copy.objects.update(size_bytes=1)
    world.advance(minutes=5, sweeps=[SWEEP])
    Copy.objects.update(size_bytes=80 * 10**9)
    world.advance(minutes=5, sweeps=[SWEEP])
    assert plan(server).exceeding_since is not None
    many = len(whole(server))
    approvals.vote(earlier.pk, agrees=True, actor=staff, now=world.now)
    world.work()
    assert len(whole(server)) == many, "it has its own notice, and its own seven days"
    assert len(world.mails("servers/backup_exceeding")) == 2


def test_the_last_good_one_and_one_that_is_being_used_stay(
    world: World, alice: Customer, staff: Actor, opr_5: None
) -> None:
    server = exceeding(world, alice)
    Copy.objects.update(size_bytes=500 * 10**9)
    world.until(deadline(server), sweeps=[SWEEP])
    oldest, _middle, last = whole(server)
    restoring.restore(server, oldest, typed=server.name, actor=alice.actor, now=world.now)
    approvals.vote(Approval.objects.get().pk, agrees=True, actor=staff, now=world.now)
    world.work(kinds=["core.deliver"])
    assert Copy.objects.get(pk=oldest.pk).state == "ready", "the server is being restored from it"
    world.work()
    assert last in whole(server)
    assert len(whole(server)) == 2


def test_without_the_rule_nobody_is_told_and_nothing_goes(world: World, alice: Customer) -> None:
    server = exceeding(world, alice)
    world.advance(days=6, sweeps=[SWEEP])
    assert (world.mails("servers/backup_exceeding"), Approval.objects.count()) == ([], 0)
    assert plan(server).exceeding_since is None
