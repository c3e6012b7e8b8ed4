"""ACC-13: as a customer I want every restriction to name its rule and author, and to end with a recorded reason."""

import pytest

from panel.accounts import approvals, restrictions
from panel.accounts.models import Restriction
from panel.core.actors import CLOCK
from panel.core.errors import RuleViolation
from panel.core.models import Event
from tests.support.world import Customer, World

pytestmark = pytest.mark.django_db


def suspend(world: World, customer: Customer, key: str = "case:1:ABU-4", *, waiting: bool = False) -> Restriction:
    return restrictions.restrict(
        customer.account, scope="account", rule="ABU-4", statement="No answer within 72 h.", author=CLOCK,
        now=world.now, key=key, evidence={"case": 1}, waiting=waiting,
    )  # fmt: skip


def test_it_is_decided_once_and_forbids_what_it_should() -> None:
    world = World()
    alice = world.customer()
    first, again = suspend(world, alice), suspend(world, alice)
    assert first.pk == again.pk
    assert (first.rule, first.author_kind, first.evidence) == ("ABU-4", "clock", {"case": 1})
    assert restrictions.blocking(alice.account.pk, "order") == first
    assert restrictions.blocking(alice.account.pk, "pay") is None
    assert restrictions.blocking(world.customer("Bob").account.pk, "order") is None


def test_lifting_keeps_the_reason_and_happens_once() -> None:
    world = World()
    alice, staff = world.customer(), world.staff("abuse")
    row = suspend(world, alice)
    for _ in range(2):
        restrictions.lift(row.pk, reason="The report was false.", actor=staff, now=world.now)
    row.refresh_from_db()
    assert (row.state, row.lifted_reason, row.lifted_by_id) == ("lifted", "The report was false.", staff.user_id)
    assert restrictions.blocking(alice.account.pk, "order") is None
    assert Event.objects.filter(kind="accounts.restriction.lifted").count() == 1


def test_two_restrictions_stand_by_themselves() -> None:
    world = World()
    alice, staff = world.customer(), world.staff("abuse")
    first, second = suspend(world, alice), suspend(world, alice, "case:2:ABU-4")
    restrictions.lift(first.pk, reason="settled", actor=staff, now=world.now)
    assert restrictions.blocking(alice.account.pk, "use_service") == second


def test_one_that_waits_forbids_nothing_until_it_is_released() -> None:
    world = World()
    alice, staff = world.customer(), world.staff("abuse")
    row = suspend(world, alice, waiting=True)
    assert restrictions.blocking(alice.account.pk, "order") is None
    restrictions.release(row.pk, actor=staff, now=world.now)
    assert restrictions.blocking(alice.account.pk, "order") is not None


def test_two_persons_means_two_persons() -> None:
    world = World()
    sam, tess, alice = world.staff("abuse"), world.staff("abuse", name="Tess"), world.customer()
    asked = approvals.ask("brake", key="b1", summary="Release", needed=2, now=world.now, actor=CLOCK)
    approvals.vote(asked.pk, agrees=True, actor=sam, now=world.now)
    with pytest.raises(RuleViolation):
        approvals.vote(asked.pk, agrees=True, actor=sam, now=world.now)
    with pytest.raises(RuleViolation):
        approvals.vote(asked.pk, agrees=True, actor=alice.actor, now=world.now)
    assert approvals.vote(asked.pk, agrees=True, actor=tess, now=world.now).state == "granted"
    assert Event.objects.filter(kind="accounts.approval.granted").count() == 1
