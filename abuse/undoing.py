"""Taking a step back: the restriction is lifted, the fee credited, the statement superseded (ABU-9, ABU-10)."""

from __future__ import annotations

from datetime import datetime

from abuse import cases, statements
from abuse.models import Case, CaseStep, Statement
from invoicing.issuing import charging
from panel.accounts import restrictions
from panel.core.actors import Actor


def undo(case: Case, step: CaseStep, *, reason: str, actor: Actor, now: datetime, overtaken: bool = False) -> None:
    """Undo one step of a locked case. `overtaken`: an answer had come in time, so that it may come once more later."""
    if step.state in {CaseStep.State.UNDONE, CaseStep.State.OVERTAKEN}:
        return
    decided = step.decided_at is not None
    step.state = CaseStep.State.OVERTAKEN if overtaken else CaseStep.State.UNDONE
    step.undone_at = now
    step.save(update_fields=["state", "undone_at"])
    if not decided:
        return
    if step.restriction_id is not None:
        restrictions.lift(step.restriction_id, reason=reason, actor=actor, now=now)
    if step.fee_key:
        charging.reverse(step.fee_key, reason=reason, actor=actor, now=now)
    statement = Statement.objects.filter(key=step.once).first()
    if statement is not None:
        statements.supersede(statement, reason=reason, actor=actor, now=now)
    cases.tell("abuse.step.undone", case, actor=actor, now=now, rule="ABU-10", step=step.rung, overtaken=overtaken)
