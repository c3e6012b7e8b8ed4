"""The brake on restrictions: too many at once, or due while the clock stood still, wait for two persons (ABU-12)."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.utils import translation
from django.utils.translation import gettext as _

from abuse import cases, notices, rules
from abuse.models import Case, CaseStep
from panel.accounts import approvals, brake_rules
from panel.accounts.models import Approval
from panel.core import events
from panel.core.actors import CLOCK
from panel.core.models import ClockGap, Event

APPROVAL = "abuse.brake"
RESTRICTING = (rules.Rung.DEACTIVATE, rules.Rung.SUSPEND, rules.Rung.TERMINATE)


def reason_to_wait(case: Case, step: rules.Step, *, now: datetime) -> str:
    """Why this step must wait: "many", "gap", or "" when it may be taken. A released one waits no second time."""
    law = cases.terms_of(case).brake
    if step.rung not in RESTRICTING or case.steps.filter(rung=step.rung, released_at__isnull=False).exists():
        return ""
    gaps = ClockGap.objects.filter(since__lte=step.due, until__gte=step.due)
    stood = any(gap.until - gap.since > law.gap for gap in gaps)
    recent = (now - law.window, now)
    mine = CaseStep.objects.filter(rung__in=RESTRICTING, automatic=True, released_at=None)
    decided = mine.filter(decided_at__gt=recent[0], decided_at__lte=recent[1]).count()
    held = mine.filter(held_at__gt=recent[0], held_at__lte=recent[1], decided_at=None).count()
    return brake_rules.brake(decided_in_window=decided + held + _due_now(now), fell_due_in_gap=stood, terms=law)


def _due_now(now: datetime) -> int:
    """How many restrictions would be decided now, besides those that have been released."""
    overdue = Case.objects.filter(due_at__lt=now, kind=rules.Kind.COPYRIGHT)
    released = overdue.filter(steps__released_at__isnull=False, steps__decided_at=None)
    return overdue.count() - released.distinct().count()


def hold(case: Case, step: rules.Step, *, because: str, now: datetime) -> CaseStep:
    """Keep a step back and ask for its release. One open approval gathers all that the brake holds. A step that was
    released, and cannot be taken all the same, is held again."""
    row = case.steps.filter(rung=step.rung, state=CaseStep.State.HELD).first() or CaseStep(
        case=case, account_id=case.account_id, rung=step.rung, attempt=attempt_of(case, step.rung),
        state=CaseStep.State.HELD,
    )  # fmt: skip
    row.due_at, row.held_at, row.held_because, row.released_at = step.due, now, because, None
    row.approval = _open_approval(because, now)
    row.save()
    cases.tell("abuse.step.held", case, actor=CLOCK, now=now, rule="ABU-12", step=step.rung, because=because)
    return row


def attempt_of(case: Case, rung: str) -> int:
    """Which attempt at this step is next: a further one only after one that an answer had overtaken."""
    return case.steps.filter(rung=rung, state=CaseStep.State.OVERTAKEN).count() + 1


def _open_approval(because: str, now: datetime) -> Approval | None:
    if because not in {"many", "gap"}:
        return None
    summary = _(
        "Release the restrictions that the brake holds back. Each affected customer is told and then has at "
        "least the notice period of the terms."
    )
    return approvals.to_release(APPROVAL, summary, now=now)


@events.subscriber("accounts.approval.granted", "abuse.brake")
def released(event: Event, *, now: datetime) -> None:
    """ABU-12: what was held comes due again, and each affected customer gets at least the notice period."""
    if event.data["kind"] == APPROVAL:
        held = CaseStep.objects.filter(approval_id=event.data["approval"], state=CaseStep.State.HELD, released_at=None)
        for step_id, case_id in held.values_list("pk", "case_id"):
            _release(step_id, case_id, at=event.at, now=now)


@transaction.atomic
def _release(step_id: int, case_id: int, *, at: datetime, now: datetime) -> None:
    case = cases.lock(case_id)
    CaseStep.objects.filter(pk=step_id, released_at=None).update(released_at=at)
    cases.tell("abuse.step.released", case, actor=CLOCK, now=now, rule="ABU-12", step_id=step_id)
    cases.set_due(case)
    if case.state in rules.OPEN:
        step = CaseStep.objects.get(pk=step_id)
        with translation.override(case.account.language):
            notices.to_customer("abuse_released", case, key=f"released:{step_id}", now=now, due=case.due_at, step=step)
