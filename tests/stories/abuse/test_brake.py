"""Too many restrictions at once, or due while the clock stood still, wait for two persons (ABU-12)."""

from datetime import timedelta

import pytest
from django.test import override_settings

from abuse.models import Case, CaseStep
from panel.accounts import approvals
from panel.accounts.models import Approval
from panel.core.errors import RuleViolation
from panel.core.models import ClockGap
from servers.models import Server
from tests.support.desk import Desk, fees, steps
from tests.support.machines import first_ip, server_of
from tests.support.world import World

pytestmark = [pytest.mark.django_db, pytest.mark.long]
SWEEP = ("abuse.escalate",)


def many(world: World, desk: Desk, count: int) -> list[Case]:
    servers = [server_of(world, world.customer(f"C{n}"), name=f"c{n}") for n in range(count)]
    at = world.now
    return [desk.case(server, at=at) for server in servers]


def test_eleven_at_once_all_wait_for_two_persons_and_then_get_a_day(cloud: object, world: World, desk: Desk) -> None:
    found = many(world, desk, 11)
    world.advance(hours=48, seconds=1, sweeps=SWEEP)
    assert {state for case in found for _, state in steps(case)} == {"held"}
    approval = Approval.objects.get()
    assert approval.needed == 2

    approvals.vote(approval.pk, agrees=True, actor=desk.staff, now=world.now)
    with pytest.raises(RuleViolation):
        approvals.vote(approval.pk, agrees=True, actor=desk.staff, now=world.now)
    world.advance(minutes=1, sweeps=SWEEP)
    assert {state for case in found for _, state in steps(case)} == {"held"}
    approvals.vote(approval.pk, agrees=True, actor=world.staff("abuse", name="Eve"), now=world.now)
    released = world.now
    world.work()
    assert len(world.mails("abuse_released")) == 11
    world.until(released + timedelta(hours=24), sweeps=SWEEP)
    assert {state for case in found for _, state in steps(case)} == {"held"}
    world.advance(seconds=1, sweeps=SWEEP)
    assert [steps(case) for case in found] == [[("deactivate", "effective")]] * 11
    assert [fees(case) for case in found] == [[("ABU-3", 9000)]] * 11


def test_ten_are_carried_out(cloud: object, world: World, desk: Desk) -> None:
    found = many(world, desk, 10)
    world.advance(hours=48, seconds=1, sweeps=SWEEP)
    assert [steps(case) for case in found] == [[("deactivate", "effective")]] * 10


def test_what_fell_due_in_a_gap_of_the_clock_waits(world: World, desk: Desk, server: Server) -> None:
    case = desk.case(server)
    since = world.now + timedelta(hours=47)
    world.advance(hours=50)
    ClockGap.objects.create(since=since, until=world.now)
    world.sweep("abuse.escalate")
    assert steps(case) == [("deactivate", "held")]
    assert CaseStep.objects.get(case=case).held_because == "gap"


def test_a_gap_of_an_hour_holds_nothing(world: World, desk: Desk, server: Server) -> None:
    case = desk.case(server)
    assert case.due_at is not None
    ClockGap.objects.create(since=case.due_at - timedelta(minutes=30), until=case.due_at + timedelta(minutes=30))
    world.until(case.due_at + timedelta(minutes=30), sweeps=SWEEP)
    assert steps(case) == [("deactivate", "effective")]


def test_a_gap_of_a_little_more_than_an_hour_holds(world: World, desk: Desk, server: Server) -> None:
    case = desk.case(server)
    assert case.due_at is not None
    ClockGap.objects.create(since=case.due_at - timedelta(minutes=30), until=case.due_at + timedelta(minutes=31))
    world.until(case.due_at + timedelta(minutes=31), sweeps=SWEEP)
    assert steps(case) == [("deactivate", "held")]


@pytest.mark.parametrize(("minutes", "state"), [(59, "held"), (61, "effective")])
def test_the_count_is_of_the_last_hour(cloud: object, world: World, desk: Desk, minutes: int, state: str) -> None:
    many(world, desk, 10)
    world.advance(minutes=minutes)
    (last,) = many(world, desk, 1)
    world.advance(hours=48, seconds=30 - minutes * 60 - 20, sweeps=SWEEP)
    assert last.due_at is not None
    world.until(last.due_at + timedelta(seconds=1), sweeps=SWEEP)
    assert steps(last) == [("deactivate", state)]


@override_settings(CLAUSE_RELEASE_BY_ONE=True)
def test_one_person_is_enough_if_the_operator_says_so(world: World, desk: Desk, server: Server) -> None:
    case = desk.case(server)
    world.advance(hours=50)
    ClockGap.objects.create(since=world.now - timedelta(hours=3), until=world.now)
    world.sweep("abuse.escalate")
    approvals.vote(Approval.objects.get().pk, agrees=True, actor=desk.staff, now=world.now)
    world.advance(hours=24, sweeps=SWEEP)
    world.advance(seconds=1, sweeps=SWEEP)
    assert steps(case) == [("deactivate", "effective")]


def test_a_word_given_for_some_covers_no_later_ones(cloud: object, world: World, desk: Desk) -> None:
    first = many(world, desk, 11)
    world.advance(minutes=30)
    later = many(world, desk, 1)
    world.advance(hours=47, minutes=30, seconds=1, sweeps=SWEEP)
    asked = Approval.objects.get()
    approvals.vote(asked.pk, agrees=True, actor=desk.staff, now=world.now)
    world.advance(minutes=30, sweeps=SWEEP)
    approvals.vote(asked.pk, agrees=True, actor=world.staff("abuse", name="Eve"), now=world.now)
    world.work()
    world.advance(hours=24, seconds=1, sweeps=SWEEP)
    assert {state for case in first for _, state in steps(case)} == {"effective"}
    assert [steps(case) for case in later] == [[("deactivate", "held")]], "two persons look at this one too"


@override_settings(CLAUSE_RELEASE_BY_ONE=True)
def test_what_was_released_and_cannot_be_taken_is_held_again(world: World, desk: Desk, server: Server) -> None:
    case = desk.case(server)
    world.advance(hours=50)
    ClockGap.objects.create(since=world.now - timedelta(hours=3), until=world.now)
    world.sweep("abuse.escalate")
    approvals.vote(Approval.objects.get().pk, agrees=True, actor=desk.staff, now=world.now)
    world.work()
    with override_settings(CLAUSE_NEVER_BLOCK=[f"{first_ip(server)}/32"]):
        world.advance(hours=24, seconds=1, sweeps=SWEEP)
        world.advance(minutes=1, sweeps=SWEEP)
    assert steps(case) == [("deactivate", "held")]
    assert CaseStep.objects.get(case=case).held_because == "protected"
