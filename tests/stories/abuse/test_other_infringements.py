"""Other infringements end before a person: after seven days the server is eligible for suspension (ABU-6)."""

from datetime import timedelta

import pytest

from abuse import decisions
from panel.core.calendars import same_paris_time_later
from panel.core.errors import RuleViolation
from servers.models import Server
from tests.support.desk import Desk, fees, steps
from tests.support.world import Customer, World
from tickets import conversation

pytestmark = pytest.mark.django_db
SWEEP = ("abuse.escalate",)
ATTACK = {"category": "connection", "type": "login_attack"}


def test_after_seven_days_a_person_may_suspend_the_server(world: World, desk: Desk, server: Server) -> None:
    case = desk.case(server, **ATTACK)
    world.until(same_paris_time_later(case.opened_at, 7), sweeps=SWEEP)
    assert steps(case) == []
    with pytest.raises(RuleViolation):
        decisions.suspend_server(case.pk, actor=desk.staff, reason="It goes on.", now=world.now)
    world.advance(seconds=1, sweeps=SWEEP)
    assert steps(case) == [("eligible", "effective")]
    server.refresh_from_db()
    assert server.state == "running"

    decisions.suspend_server(case.pk, actor=desk.staff, reason="It goes on.", now=world.now)
    world.advance(seconds=5)
    world.advance(seconds=5)
    server.refresh_from_db()
    assert server.state == "suspended"
    statement = case.statements.get()
    assert (statement.restriction_type, statement.automated_decision) == ("server", False)
    assert fees(case) == []


def test_nothing_is_ever_charged_or_cut_off_by_the_clock(world: World, desk: Desk, server: Server) -> None:
    case = desk.case(server, **ATTACK)
    world.advance(days=90, sweeps=SWEEP)
    world.advance(days=90, sweeps=SWEEP)
    assert steps(case) == [("eligible", "effective")]
    assert fees(case) == []


def test_answered_it_is_not_eligible(world: World, desk: Desk, alice: Customer, server: Server) -> None:
    case = desk.case(server, **ATTACK)
    world.advance(days=6)
    conversation.reply(case.ticket, "The bot is off.", actor=alice.actor, via="web", now=world.now)
    world.advance(days=30, sweeps=SWEEP)
    assert steps(case) == []
    decisions.refuse(case.pk, actor=desk.staff, reason="It is not.", now=world.now)
    case.refresh_from_db()
    assert case.due_at == world.now + timedelta(days=1)


def test_it_runs_from_its_opening_even_if_no_mail_went_out(world: World, desk: Desk, server: Server) -> None:
    received = desk.report(str(server.holdings.get().address.ip), **ATTACK)
    case = received.reports[0].case
    assert case is not None
    assert (case.state, case.t0) == ("running", None)
    assert case.due_at == same_paris_time_later(case.opened_at, 7)
