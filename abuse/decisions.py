"""What staff decides about a case: accept, refuse, reverse, pause, resume, suspend by hand (ABU-6, ABU-9, ABU-10)."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction
from django.utils import translation
from django.utils.translation import gettext as _

from abuse import cases, notices, rules, statements, undoing
from abuse.escalation import source_of
from abuse.models import OWED, Case, CaseStep, Pause, Reporter
from invoicing.issuing import charging
from panel.accounts import restrictions
from panel.accounts.models import Restriction
from panel.core.actors import Actor
from panel.core.errors import RuleViolation
from tickets import conversation
from tickets.rules import Via


@transaction.atomic
def accept(case_id: int, *, actor: Actor, reason: str, now: datetime) -> Case:
    """The matter is resolved: the clock ends, restrictions of this case are lifted, fees that were due stay."""
    case = _locked(case_id, reason)
    if case.state in {rules.State.RESOLVED, rules.State.REVERSED}:
        raise RuleViolation(_("This case has been closed already."), rule="ABU-9")
    _end_pauses(case, "accepted", actor=actor, note=reason, now=now)
    for step in case.steps.exclude(restriction=None):
        restrictions.lift(step.restriction_id or 0, reason=reason, actor=actor, now=now)
    for step in case.steps.exclude(fee_key=""):
        charging.settle_contest(step.fee_key, now=now)
    return _close(case, rules.State.RESOLVED, "abuse_resolved", actor=actor, reason=reason, now=now)


@transaction.atomic
def refuse(case_id: int, *, actor: Actor, reason: str, now: datetime) -> Case:
    """ABU-9: the answer does not resolve it. The clock runs on with what was left, once with at least the minimum."""
    case = _locked(case_id, reason)
    judged = case.pauses.filter(until=None).exclude(reason=Pause.Reason.STAFF).first()
    if judged is None:
        raise RuleViolation(_("There is no answer to judge."), rule="ABU-9")
    _end_pauses(case, "refused", actor=actor, note=reason, now=now)
    judged.refresh_from_db()
    added = rules.grace(case.facts(), cases.terms_of(case), now)
    if added:
        judged.grace = added
        judged.save(update_fields=["grace"])
    for step in case.steps.exclude(fee_key=""):
        charging.settle_contest(step.fee_key, now=now)
    cases.set_state(case, cases.standing_state(case))
    cases.tell("abuse.case.refused", case, actor=actor, now=now, rule="ABU-9", grace=added.total_seconds())
    cases.set_due(case)
    _say(case, reason, actor=actor, now=now)
    ladder = rules.ladder(case.facts(), cases.terms_of(case))
    notices.to_customer("abuse_refused", case, key=f"refused:{judged.pk}", now=now, reason=reason, ladder=ladder)
    return case


@transaction.atomic
def reverse(case_id: int, *, actor: Actor, reason: str, now: datetime) -> Case:
    """ABU-10: the report was wrong. Every step is undone: restrictions lifted, fees credited, statements superseded.
    A subscription that had ended stays ended: then staff owes the customer an offer (`make_amends`)."""
    case = _locked(case_id, reason)
    if case.state == rules.State.REVERSED:
        raise RuleViolation(_("This case has been reversed already."), rule="ABU-10")
    _end_pauses(case, "accepted", actor=actor, note=reason, now=now)
    for step in case.steps.order_by("-pk"):
        undoing.undo(case, step, reason=reason, actor=actor, now=now)
    for reporter_id in set(case.reports.exclude(reporter=None).values_list("reporter_id", flat=True)):
        reporter = Reporter.objects.select_for_update().get(pk=reporter_id)
        reporter.dismissed, reporter.accepted = reporter.dismissed + 1, max(reporter.accepted - 1, 0)
        reporter.save(update_fields=["dismissed", "accepted"])
    return _close(case, rules.State.REVERSED, "abuse_reversed", actor=actor, reason=reason, now=now)


@transaction.atomic
def make_amends(case_id: int, *, actor: Actor, reason: str, now: datetime) -> Case:
    """ABU-10: an ended subscription does not come back with a reversal; staff offers a new server or compensation.
    `reason` is the offer, which the customer reads in the case and by mail."""
    case = _locked(case_id, reason)
    if not case.steps.filter(OWED).update(amends_at=now):
        raise RuleViolation(_("Nothing is owed for this case."), rule="ABU-10")
    cases.tell("abuse.case.amends_made", case, actor=actor, now=now, rule="ABU-10")
    _say(case, reason, actor=actor, now=now)
    notices.to_customer("abuse_amends", case, key="amends", now=now, offer=reason)
    return case


@transaction.atomic
def pause(case_id: int, *, actor: Actor, reason: str, now: datetime) -> Case:
    """The clock stands because staff says so; steps already taken stay."""
    case = _locked(case_id, reason)
    _must_be_open(case)
    if case.pauses.filter(until=None, reason=Pause.Reason.STAFF).exists():
        raise RuleViolation(_("The clock stands already."), rule="ABU-9")
    Pause.objects.create(
        case=case, account_id=case.account_id, reason=Pause.Reason.STAFF, since=now, grace=timedelta(0),
        judged_by_id=actor.user_id, note=reason,
    )  # fmt: skip
    cases.set_state(case, cases.standing_state(case))
    cases.tell("abuse.case.paused", case, actor=actor, now=now, rule="ABU-9")
    cases.set_due(case)
    return case


@transaction.atomic
def resume(case_id: int, *, actor: Actor, now: datetime) -> Case:
    """ABU-9: a pause by staff ends with exactly what was left."""
    case = cases.lock(case_id)
    _must_be_open(case)
    open_pause = case.pauses.filter(until=None, reason=Pause.Reason.STAFF)
    if not open_pause.update(until=now, outcome="ended"):
        raise RuleViolation(_("The clock is running."), rule="ABU-9")
    cases.set_state(case, cases.standing_state(case))
    cases.tell("abuse.case.resumed", case, actor=actor, now=now, rule="ABU-9")
    cases.set_due(case)
    ladder = rules.ladder(case.facts(), cases.terms_of(case))
    notices.to_customer("abuse_resumed", case, key=f"resumed:{now.isoformat()}", now=now, ladder=ladder)
    return case


@transaction.atomic
def suspend_server(case_id: int, *, actor: Actor, reason: str, now: datetime) -> Case:
    """ABU-6: the server became eligible for suspension, and a person confirms it."""
    case = _locked(case_id, reason)
    _must_be_open(case)
    step = case.steps.filter(rung=rules.Rung.ELIGIBLE, state=CaseStep.State.EFFECTIVE).first()
    if step is None or step.restriction_id is not None:
        raise RuleViolation(_("This server is not eligible for suspension."), rule="ABU-6")
    statement = statements.write(case, step, source=source_of(case, "ABU-6"), actor=actor, now=now)
    step.automatic = False
    step.restriction = restrictions.restrict(
        case.account, scope=Restriction.Scope.SERVER, rule="ABU-6", statement=statements.text(statement), author=actor,
        now=now, key=step.once, subject=case.server, evidence={"case": case.pk, "statement": statement.pk},
    )  # fmt: skip
    step.save(update_fields=["restriction", "automatic"])
    cases.tell("abuse.case.server_suspended", case, actor=actor, now=now, rule="ABU-6")
    notices.to_customer(
        "abuse_step", case, key=step.once, now=now, step=step, statement=statements.text(statement), ladder=[]
    )
    return case


def _locked(case_id: int, reason: str) -> Case:
    if not reason.strip():
        raise RuleViolation(_("Please give the reason; the customer reads it."), rule="ACC-13", field="reason")
    return cases.lock(case_id)


def _must_be_open(case: Case) -> None:
    if case.state not in rules.OPEN:
        raise RuleViolation(_("This case is closed."), rule="ABU-9")


def _end_pauses(case: Case, outcome: str, *, actor: Actor, note: str, now: datetime) -> None:
    judged = case.pauses.filter(until=None)
    if outcome == "refused":
        judged = judged.exclude(reason=Pause.Reason.STAFF)
    judged.update(until=now, outcome=outcome, judged_by_id=actor.user_id, note=note)


def _close(case: Case, state: str, template: str, *, actor: Actor, reason: str, now: datetime) -> Case:
    before = case.state
    cases.set_state(case, state)
    case.closed_at = case.closed_at or now
    case.save(update_fields=["closed_at"])
    cases.tell(f"abuse.case.{state}", case, actor=actor, now=now, rule="ABU-10" if state == "reversed" else "ABU-9")
    cases.set_due(case)
    _say(case, reason, actor=actor, now=now)
    conversation.close(case.ticket, actor=actor, now=now)
    notices.to_customer(template, case, key=state, now=now, reason=reason, ended=case.steps.filter(OWED).exists())
    for report in case.reports.select_related("body"):
        notices.to_reporter(
            "abuse_decision", report, now=now, upheld=state == rules.State.RESOLVED,
            reversed=before == rules.State.RESOLVED,
        )  # fmt: skip
    return case


def _say(case: Case, reason: str, *, actor: Actor, now: datetime) -> None:
    """The decision's reason stands in the thread; the mail about it is the decision's own."""
    with translation.override(case.account.language):
        conversation.note_decision(case.ticket, reason, actor=actor, via=Via.PANEL, now=now)
