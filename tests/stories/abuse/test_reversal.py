"""Staff finds that a report was wrong: everything it led to is undone, the fee credited (ABU-10)."""

import pytest

from abuse import decisions
from abuse.models import Reporter, Statement
from abuse.selectors import visible_cases
from panel.accounts.models import Restriction
from panel.console import work
from panel.core.errors import RuleViolation
from servers.models import Server
from tests.support.desk import Desk, blocked, fees, invoices, steps
from tests.support.personas import logged_in
from tests.support.world import Customer, World

pytestmark = pytest.mark.django_db
SWEEP = ("abuse.escalate",)


def test_packets_pass_again_and_a_credit_note_exists(world: World, desk: Desk, server: Server) -> None:
    case = desk.case(server)
    world.advance(hours=48, seconds=1, sweeps=SWEEP)
    (invoice,) = invoices(case)
    assert blocked(server)
    decisions.reverse(case.pk, actor=desk.staff, reason="The right holder withdrew.", now=world.now)
    world.work()
    case.refresh_from_db()
    assert blocked(server) == set()
    assert (case.state, steps(case), fees(case)) == ("reversed", [("deactivate", "undone")], [])
    first, note = invoices(case)
    assert (first.pk, first.number) == (invoice.pk, invoice.number)
    assert (note.kind, note.total_cents, note.credits) == ("credit_note", first.total_cents, first)
    assert Restriction.objects.get(account=case.account).lifted_reason == "The right holder withdrew."
    old, new = Statement.objects.filter(case=case)
    assert new.supersedes == old
    assert len(world.mails("abuse_reversed", case.account)) == 1
    assert Reporter.objects.get(pk=desk.reporter.pk).dismissed == 1


def test_the_suspended_account_comes_back_too(world: World, desk: Desk, server: Server) -> None:
    case = desk.case(server)
    world.advance(hours=48, seconds=1, sweeps=SWEEP)
    world.advance(hours=24, sweeps=SWEEP)
    world.advance(seconds=5)
    server.refresh_from_db()
    assert server.state == "suspended"
    decisions.reverse(case.pk, actor=desk.staff, reason="Wrong address.", now=world.now)
    world.advance(seconds=5)
    world.advance(seconds=5)
    server.refresh_from_db()
    assert server.state == "running"
    world.advance(days=60, sweeps=SWEEP)
    assert [state for _, state in steps(case)] == ["undone", "undone"]


def test_reversed_before_the_effect_nothing_is_charged(world: World, desk: Desk, server: Server) -> None:
    case = desk.case(server)
    world.now = world.now.replace() if case.due_at is None else case.due_at
    world.advance(seconds=1)
    world.sweep("abuse.escalate")
    decisions.reverse(case.pk, actor=desk.staff, reason="Wrong.", now=world.now)
    world.work()
    assert (fees(case), invoices(case), blocked(server)) == ([], [], set())


def test_reversing_twice_is_refused_and_changes_nothing(world: World, desk: Desk, server: Server) -> None:
    case = desk.case(server)
    world.advance(hours=48, seconds=1, sweeps=SWEEP)
    decisions.reverse(case.pk, actor=desk.staff, reason="Wrong.", now=world.now)
    with pytest.raises(RuleViolation):
        decisions.reverse(case.pk, actor=desk.staff, reason="Wrong.", now=world.now)
    assert len(invoices(case)) == 2


def test_a_decision_needs_its_reason(world: World, desk: Desk, server: Server) -> None:
    case = desk.case(server)
    with pytest.raises(RuleViolation):
        decisions.reverse(case.pk, actor=desk.staff, reason="  ", now=world.now)


def test_a_subscription_that_had_ended_is_not_said_to_be_lifted_and_staff_owes_an_offer(
    world: World, desk: Desk, alice: Customer, server: Server
) -> None:
    case = desk.case(server)
    world.advance(hours=48, seconds=1, sweeps=SWEEP)
    world.advance(hours=24, sweeps=SWEEP)
    world.advance(seconds=5)
    world.advance(days=7, seconds=1, sweeps=SWEEP)
    assert steps(case)[-1] == ("terminate", "effective")
    decisions.reverse(case.pk, actor=desk.staff, reason="Wrong.", now=world.now)
    world.work()
    case.refresh_from_db()
    assert case.subscription.state == "terminated"
    corrected = {said.restriction_type: said for said in case.statements.exclude(supersedes=None)}
    assert "the restriction is lifted" in corrected["address"].duration
    assert "the restriction is lifted" not in corrected["subscription"].duration
    assert "new server or compensation" in corrected["subscription"].explanation
    assert "new server or compensation" in world.mails("abuse_reversed", case.account)[0].content.body

    page = logged_in(alice.user, alice.account).get(f"/support/cases/{case.reference}/").content.decode()
    assert "found unjustified; the subscription stays ended" in page

    def owed() -> list[str]:
        (queue,) = (queue for queue in work.queues(desk.staff, now=world.now) if queue.title.startswith("Offers owed"))
        assert [row.title for row in queue.rows] == [
            found.reference for found in visible_cases(desk.staff, which="owed")
        ]
        return [row.title for row in queue.rows]

    assert owed() == [case.reference]
    decisions.make_amends(case.pk, actor=desk.staff, reason="Two months for free.", now=world.now)
    world.work()
    assert owed() == []
    assert "Two months for free." in world.mails("abuse_amends", case.account)[0].content.body
    with pytest.raises(RuleViolation):
        decisions.make_amends(case.pk, actor=desk.staff, reason="Again.", now=world.now)


def test_two_cases_suspend_the_account_until_both_are_gone(world: World, desk: Desk, server: Server) -> None:
    """Edge case 28: each restriction stands by itself."""
    first = desk.case(server)
    second = desk.case(server, category="connection", type="login_attack")
    assert first.pk != second.pk
    world.advance(days=7, seconds=1, sweeps=SWEEP)
    second.refresh_from_db()
    assert steps(second) == [("eligible", "effective")]
    decisions.suspend_server(second.pk, actor=desk.staff, reason="Still attacking.", now=world.now)
    world.advance(seconds=5, sweeps=SWEEP)
    world.advance(seconds=5, sweeps=SWEEP)
    decisions.reverse(first.pk, actor=desk.staff, reason="Wrong.", now=world.now)
    world.advance(seconds=5)
    world.advance(seconds=5)
    server.refresh_from_db()
    assert server.state == "suspended"
    decisions.accept(second.pk, actor=desk.staff, reason="It stopped.", now=world.now)
    world.advance(seconds=5)
    world.advance(seconds=5)
    server.refresh_from_db()
    assert server.state == "running"


def test_a_reporter_who_was_told_yes_is_told_of_the_reversal(world: World, desk: Desk, server: Server) -> None:
    case = desk.case(server)
    decisions.accept(case.pk, actor=desk.staff, reason="Removed.", now=world.now)
    decisions.reverse(case.pk, actor=desk.staff, reason="Wrong.", now=world.now)
    first, second = (mail.content.body for mail in world.mails("abuse_decision"))
    assert "we have acted" in first
    assert "it does not hold" in second
