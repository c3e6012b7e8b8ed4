"""As staff I see what a server still waits for although I discarded it, and can take it up again (SUB-6, ACC-13)."""

from typing import Any

import pytest
from django.test import Client

from panel.accounts import restrictions
from panel.accounts.models import Restriction, User
from panel.console import repairs
from panel.core.errors import RuleViolation
from panel.core.models import Operation
from servers import provisioning, undone
from servers.models import Server, ServerAction
from servers.providers.simulated.control import Control
from servers.rules import Verb
from servers.verbs import power
from tests.support.machines import server_of
from tests.support.personas import logged_in
from tests.support.world import World

pytestmark = pytest.mark.django_db


@pytest.fixture
def world(settings: Any) -> World:
    settings.CLAUSE_REQUIRE_STAFF_MFA = False
    return World()


def fresh(server: Server) -> Server:
    return Server.objects.select_related("subscription").get(pk=server.pk)


def discarded(world: World, kind: str) -> Operation:
    op = Operation.objects.get(kind=kind, state="due")
    return repairs.discard(op.pk, reason="by mistake", actor=world.staff("infrastructure"), now=world.now)


def taken_up(world: World, op: Operation) -> None:
    repairs.retry(op.pk, actor=world.staff("infrastructure"), now=world.now)
    world.work()


def restricted(world: World, server: Server) -> Restriction:
    return restrictions.restrict(
        server.account, scope="account", rule="ABU-4", author=world.staff("abuse"), statement="No answer.", key="r",
        now=world.now,
    )  # fmt: skip


def test_a_removal(world: World, cloud: Control) -> None:
    server = server_of(world, world.customer())
    provisioning.terminate(server, because="the end", now=world.now)
    assert undone.left_undone(fresh(server)) is None
    op = discarded(world, "servers.destroy")
    world.work()
    assert fresh(server).state == "destroying"
    assert server.actions.get(verb=Verb.DESTROY).state == ServerAction.State.FAILED
    assert undone.left_undone(fresh(server)) == op
    staff: Client = logged_in(User.objects.get(pk=world.staff("infrastructure").user_id))
    assert "Left undone" in staff.get(f"/ops/servers/{server.reference}/").content.decode()
    assert "Try again now" in staff.get(f"/ops/operations/{op.pk}/").content.decode()
    taken_up(world, op)
    assert fresh(server).state == "destroyed"
    assert server.actions.get(verb=Verb.DESTROY).state == ServerAction.State.DONE
    assert undone.left_undone(fresh(server)) is None


def test_a_suspension_and_that_it_took_effect(world: World, cloud: Control) -> None:
    server = server_of(world, world.customer())
    row = restricted(world, server)
    world.work(kinds=["core.deliver"])
    ops = [discarded(world, kind) for kind in ("servers.suspend", "servers.suspended")]
    world.work()
    assert fresh(server).state == "running"
    assert undone.left_undone(fresh(server)) == ops[0]
    for op in ops:
        taken_up(world, op)
    row.refresh_from_db()
    assert (fresh(server).state, row.effective_at) == ("suspended", world.now)
    restrictions.lift(row.pk, reason="y", actor=world.staff("abuse"), now=world.now)
    world.work(kinds=["core.deliver"])
    op = discarded(world, "servers.resume")
    assert undone.left_undone(fresh(server)) == op
    taken_up(world, op)
    assert fresh(server).state == "running"


def test_what_nothing_waits_for_stays_discarded(world: World, cloud: Control) -> None:
    alice = world.customer()
    server = server_of(world, alice)
    asked = power.request(server, Verb.STOP, actor=alice.actor, now=world.now)
    op = discarded(world, "servers.stop")
    with pytest.raises(RuleViolation):
        repairs.retry(op.pk, actor=world.staff("infrastructure"), now=world.now)
    assert undone.left_undone(fresh(server)) is None
    asked.refresh_from_db()
    assert asked.state == ServerAction.State.FAILED
