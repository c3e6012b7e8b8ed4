"""Nobody answers: the address, the account, the subscription, each once, each fee once (ABU-2..ABU-5, ABU-11)."""

from datetime import timedelta

import pytest

from abuse.models import Case, CaseStep, Statement
from panel.accounts.models import Restriction
from panel.core.calendars import same_paris_time_later
from servers.models import Server
from servers.providers.simulated.control import Control
from tests.support.desk import Desk, blocked, fees, steps
from tests.support.machines import first_ip
from tests.support.world import Customer, World

pytestmark = pytest.mark.django_db
SWEEP = ("abuse.escalate",)


def test_t0_is_the_mail_servers_acceptance(world: World, desk: Desk, server: Server) -> None:
    received = desk.report(first_ip(server))
    case = received.reports[0].case
    assert case is not None
    assert (case.t0, case.state, case.due_at) == (None, "notifying", None)
    world.advance(minutes=3)
    case.refresh_from_db()
    assert (case.t0, case.state) == (world.now, "running")
    assert case.due_at == world.now + timedelta(hours=48)
    (mail,) = world.mails("abuse_opened", case.account)
    assert case.reference in mail.content.subject
    assert "48 hours" in mail.content.body


def test_at_48_hours_nothing_happens_and_a_second_later_the_address_is_cut_off_and_the_fee_charged(
    world: World, desk: Desk, server: Server
) -> None:
    case = desk.case(server)
    assert case.t0 is not None
    world.until(case.t0 + timedelta(hours=48), sweeps=SWEEP)
    assert (blocked(server), steps(case)) == (set(), [])

    world.advance(seconds=1, sweeps=SWEEP)
    assert blocked(server) == {first_ip(server)}
    assert steps(case) == [("deactivate", "effective")]
    assert fees(case) == [("ABU-3", 9000)]
    step = CaseStep.objects.get(case=case)
    assert step.restriction is not None
    assert (step.restriction.rule, step.restriction.author_kind) == ("ABU-3", "clock")


def test_the_fee_waits_for_the_effect(world: World, desk: Desk, server: Server) -> None:
    case = desk.case(server)
    world.now += timedelta(hours=48, seconds=1)
    world.sweep("abuse.escalate")
    assert steps(case) == [("deactivate", "decided")]
    assert fees(case) == []
    world.work()
    assert fees(case) == [("ABU-3", 9000)]


def test_a_second_and_a_third_sweep_change_nothing(world: World, desk: Desk, server: Server) -> None:
    case = desk.case(server)
    world.advance(hours=48, seconds=1, sweeps=SWEEP)
    for _ in range(3):
        world.advance(seconds=60, sweeps=SWEEP)
    assert steps(case) == [("deactivate", "effective")]
    assert fees(case) == [("ABU-3", 9000)]
    assert Restriction.objects.filter(account=case.account).count() == 1
    assert len(world.mails("abuse_step", case.account)) == 1


def test_the_whole_ladder(world: World, desk: Desk, alice: Customer, server: Server) -> None:
    case = desk.case(server)
    assert case.t0 is not None
    world.until(case.t0 + timedelta(hours=48, seconds=1), sweeps=SWEEP)
    world.until(case.t0 + timedelta(hours=72), sweeps=SWEEP)
    assert steps(case) == [("deactivate", "effective")]
    world.advance(seconds=1, sweeps=SWEEP)
    world.advance(seconds=5)
    server.refresh_from_db()
    assert server.state == "suspended"
    assert steps(case) == [("deactivate", "effective"), ("suspend", "effective")]

    suspended = CaseStep.objects.get(case=case, rung="suspend").effective_at
    assert suspended is not None
    end = same_paris_time_later(suspended, 7)
    world.until(end, sweeps=SWEEP)
    assert len(steps(case)) == 2
    world.advance(seconds=1, sweeps=SWEEP)
    case = Case.objects.get(pk=case.pk)
    assert steps(case)[-1] == ("terminate", "effective")
    assert case.state == "terminated"
    assert fees(case) == [("ABU-3", 9000), ("ABU-5", 28000)]
    case.subscription.refresh_from_db()
    assert (case.subscription.state, case.subscription.end_rule) == ("terminated", "ABU-5")
    world.advance(days=30, sweeps=SWEEP)
    assert len(steps(case)) == 3
    assert world.failed_operations() == []


def test_each_restriction_has_its_statement_of_reasons_before_it_begins(
    world: World, desk: Desk, server: Server
) -> None:
    case = desk.case(server)
    world.advance(hours=48, seconds=1, sweeps=SWEEP)
    world.advance(hours=24, sweeps=SWEEP)
    world.advance(seconds=5)
    statements = list(Statement.objects.filter(case=case))
    assert [(s.restriction_type, s.automated_decision, s.trigger) for s in statements] == [
        ("address", True, "notice"), ("account", True, "notice"),
    ]  # fmt: skip
    for statement, step in zip(statements, case.steps.order_by("pk"), strict=True):
        assert step.effective_at is not None
        assert statement.written_at <= step.effective_at
        fields = (statement.target, statement.duration, statement.facts, statement.contract_ground,
                  statement.explanation, statement.redress)  # fmt: skip
        assert all(fields)
        assert "TOS 6.6" in statement.contract_ground
    body = world.mails("abuse_step", case.account)[0].content.body
    assert statements[0].redress in body
    assert statements[0].facts in body


def test_suspension_waits_for_a_host_that_refuses(world: World, desk: Desk, server: Server, cloud: Control) -> None:
    """ABU-4 never before ABU-3 took effect: while the block fails, no fee and no suspension."""
    case = desk.case(server)
    cloud.plan("block_address", "transient", times=50)
    world.advance(hours=48, seconds=1, sweeps=SWEEP)
    world.advance(hours=30, sweeps=SWEEP)
    assert steps(case) == [("deactivate", "decided")]
    assert fees(case) == []


def test_a_service_that_went_to_another_account_is_never_ended_by_the_ladder(
    world: World, desk: Desk, server: Server
) -> None:
    """SRV-3: who had it at the time answers; what is somebody else's by now is a person's to judge (ABU-5)."""
    case = desk.case(server)
    bob = world.customer("Bob")
    world.advance(hours=73, sweeps=SWEEP)
    world.advance(minutes=5, sweeps=SWEEP)
    subscription = case.subscription
    subscription.account = bob.account
    subscription.save(update_fields=["account"])
    world.advance(days=9, sweeps=SWEEP)
    world.advance(minutes=5, sweeps=SWEEP)
    held = CaseStep.objects.get(case=case, rung="terminate")
    assert (held.state, held.held_because) == ("held", "not_held")
    subscription.refresh_from_db()
    assert subscription.ended_at is None
