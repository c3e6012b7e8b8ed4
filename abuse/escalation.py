"""The ladder, carried out (ABU-2..ABU-6, ABU-11): the sweep finds what is due, `advance` asks the rules and does it.

Each step is decided once, under the case's lock, with its statement of reasons written first. What it does to the
world is carried out by operations; their confirmation starts the next clock and charges the fee.
"""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from abuse import brake, cases, matching, notices, rules, statements
from abuse.models import Case, CaseStep, Statement
from invoicing.issuing import charging
from invoicing.subscribing import subscriptions
from panel.accounts import restrictions
from panel.accounts.models import Restriction
from panel.core import crash, due, events, money
from panel.core.actors import CLOCK, SYSTEM
from panel.core.models import Event
from servers.addressing.holdings import current_holding

BATCH = 500


@due.sweep("abuse.escalate", every_seconds=60)
def escalate(now: datetime, *, dry_run: bool = False) -> due.SweepReport:
    """Every case whose step is due, each in its own transaction, the longest overdue first."""
    overdue = Case.objects.filter(due_at__lt=now).order_by("due_at", "pk")
    if dry_run:
        return due.SweepReport(would=[_would(case, now) for case in overdue[:BATCH]])
    report = due.each(overdue.values_list("pk", flat=True)[:BATCH], lambda pk: advance(pk, now=now))
    crash.point("abuse.escalate:decided")
    return report


def _would(case: Case, now: datetime) -> str:
    step = rules.next_step(case.facts(), cases.terms_of(case), now)
    if step is None:
        return f"{case.reference}: nothing"
    waits = brake.reason_to_wait(case, step, now=now) or _cannot(case, step)
    return f"{case.reference}: {rules.RULES[step.rung]} {step.rung}{f', held ({waits})' if waits else ''}"


@transaction.atomic
def advance(case_id: int, *, now: datetime) -> rules.Step | None:
    """Take the step that the contract asks for at `now`, at most one; None when there is none or it must wait."""
    case = cases.lock(case_id)
    step = rules.next_step(case.facts(), cases.terms_of(case), now)
    if step is None:
        cases.set_due(case)
        return None
    waits = brake.reason_to_wait(case, step, now=now) or _cannot(case, step)
    if waits:
        brake.hold(case, step, because=waits, now=now)
        cases.set_due(case)
        return None
    row = _decide(case, step, now)
    match step:
        case rules.DeactivateAddress():
            _restrict(case, row, scope=Restriction.Scope.ADDRESS, now=now)
        case rules.SuspendAccount():
            _restrict(case, row, scope=Restriction.Scope.ACCOUNT, now=now)
        case rules.TerminateSubscription(fee=fee):
            _terminate(case, row, fee, now=now)
        case rules.SuggestSuspension():
            _took_effect(case, row, at=now, now=now)
    cases.set_due(case)
    return step


def _cannot(case: Case, step: rules.Step) -> str:
    """What makes a step a person's to judge: the address is never cut off, or no longer this customer's, or the
    subscription has ended."""
    match step:
        case rules.DeactivateAddress():
            if matching.protected(str(case.address.ip)):
                return "protected"
            holding = current_holding(case.address)
            return "" if holding is not None and holding.account_id == case.account_id else "not_held"
        case rules.TerminateSubscription():
            if case.subscription.account_id != case.account_id:
                return "not_held"
            return "has_ended" if case.subscription.ended_at else ""
    return ""


def _decide(case: Case, step: rules.Step, now: datetime) -> CaseStep:
    """The step's row, its statement of reasons, and the entry in the journal."""
    held = case.steps.filter(rung=step.rung, state=CaseStep.State.HELD).first()
    row = held or CaseStep(
        case=case, account_id=case.account_id, rung=step.rung, attempt=brake.attempt_of(case, step.rung),
        due_at=step.due,
    )  # fmt: skip
    row.state, row.decided_at, row.automatic = CaseStep.State.DECIDED, now, True
    row.save()
    rule = rules.RULES[step.rung]
    if step.rung != rules.Rung.ELIGIBLE:
        statements.write(case, row, source=source_of(case, rule), actor=CLOCK, now=now)
    cases.tell("abuse.step.decided", case, actor=CLOCK, now=now, rule=rule, step=step.rung, due=step.due.isoformat())
    return row


def source_of(case: Case, rule: str) -> str:
    """The clause of the terms that a rule comes from."""
    return str(cases.terms_of(case).table[rule]["source"])


def _restrict(case: Case, row: CaseStep, *, scope: str, now: datetime) -> None:
    statement = Statement.objects.get(key=row.once)
    row.restriction = restrictions.restrict(
        case.account, scope=scope, rule=rules.RULES[rules.Rung(row.rung)], statement=statements.text(statement),
        author=CLOCK, now=now, key=row.once, subject=case.address if scope == Restriction.Scope.ADDRESS else None,
        evidence={"case": case.pk, "statement": statement.pk},
    )  # fmt: skip
    row.save(update_fields=["restriction"])
    notices.to_customer(
        "abuse_step", case, key=row.once, now=now, step=row, statement=statements.text(statement),
        ladder=rules.ladder(case.facts(), cases.terms_of(case)),
    )  # fmt: skip


def _terminate(case: Case, row: CaseStep, fee: int, *, now: datetime) -> None:
    """ABU-5: the subscription that carried the address ends, and the fee is charged."""
    statement = Statement.objects.get(key=row.once)
    subscriptions.terminate(
        case.subscription, because=f"{case.reference}: {statement.explanation}", rule="ABU-5", now=now, actor=CLOCK
    )
    _took_effect(case, row, at=now, now=now)
    _charge(case, row, fee, "subscription_terminated", now=now)
    notices.to_customer(
        "abuse_step", case, key=row.once, now=now, step=row, statement=statements.text(statement), ladder=[]
    )
    cases.set_state(case, rules.State.TERMINATED)
    case.closed_at = now
    case.save(update_fields=["closed_at"])


@events.subscriber("servers.address.blocked", "abuse.address_blocked")
def address_blocked(event: Event, *, now: datetime) -> None:
    """The host confirmed that no packet passes: the fee of ABU-3 is charged now, and ABU-4 may follow."""
    _confirmed(event, now=now)


@events.subscriber("servers.account.suspended", "abuse.account_suspended")
def account_suspended(event: Event, *, now: datetime) -> None:
    """Every machine of the account is off: the clock of ABU-5 starts."""
    _confirmed(event, now=now)


@transaction.atomic
def _confirmed(event: Event, *, now: datetime) -> None:
    row = CaseStep.objects.filter(restriction_id=event.data["restriction_id"]).first()
    if row is None:
        return
    case = cases.lock(row.case_id)
    row.refresh_from_db()
    if row.state != CaseStep.State.DECIDED:
        return
    _took_effect(case, row, at=event.at, now=now)
    if row.rung == rules.Rung.DEACTIVATE and event.data.get("held", True):
        _charge(case, row, cases.terms_of(case).copyright.address_fee, "address_deactivated", now=now)
    cases.set_due(case)


def _took_effect(case: Case, row: CaseStep, *, at: datetime, now: datetime) -> None:
    row.state, row.effective_at = CaseStep.State.EFFECTIVE, at
    row.save(update_fields=["state", "effective_at"])
    rule = rules.RULES[rules.Rung(row.rung)]
    cases.tell("abuse.step.effective", case, actor=SYSTEM, now=now, rule=rule, step=row.rung, at=at.isoformat())


def _charge(case: Case, row: CaseStep, fee: money.Cents, words: str, *, now: datetime) -> None:
    """ABU-11: once per case and step, whatever crashes or repeats."""
    row.fee_key = row.once
    row.save(update_fields=["fee_key"])
    charging.charge(
        case.account, fee, description_key=words, because=case, rule=rules.RULES[rules.Rung(row.rung)], once=row.once,
        terms_version=case.terms_version, now=now, contested=case.state == rules.State.ANSWERED,
    )  # fmt: skip
