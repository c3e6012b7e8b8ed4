"""Who may do what with reports and cases."""

from typing import Any

from django.utils.translation import gettext_lazy as _

from abuse import rules
from abuse.models import OWED, Case
from panel.core import live
from panel.core.actions import Action, Danger, Reason
from panel.core.actors import Actor

STAFF = ("abuse", "support", "billing", "infrastructure")
DESK = ("abuse",)


def _open(actor: Actor, case: Any) -> Reason:
    if isinstance(case, Case) and case.state not in rules.OPEN:
        return _("This case is closed.")
    return None


def _not_finished(actor: Actor, case: Any) -> Reason:
    if isinstance(case, Case) and case.state in {rules.State.RESOLVED, rules.State.REVERSED}:
        return _("This case has been closed already.")
    return None


def _judged(actor: Actor, case: Any) -> Reason:
    if isinstance(case, Case) and not case.pauses.filter(until=None).exclude(reason="staff").exists():
        return _("There is no answer to judge.")
    return None


def _running(actor: Actor, case: Any) -> Reason:
    if isinstance(case, Case) and case.pauses.filter(until=None, reason="staff").exists():
        return _("The clock stands already.")
    return _open(actor, case)


def _paused(actor: Actor, case: Any) -> Reason:
    if isinstance(case, Case) and not case.pauses.filter(until=None, reason="staff").exists():
        return _("Staff has not paused the clock.")
    return _open(actor, case)


def _not_reversed(actor: Actor, case: Any) -> Reason:
    if isinstance(case, Case) and case.state == rules.State.REVERSED:
        return _("This case has been reversed already.")
    return None


def _eligible(actor: Actor, case: Any) -> Reason:
    if not isinstance(case, Case):
        return None
    step = case.steps.filter(rung=rules.Rung.ELIGIBLE, restriction=None, effective_at__isnull=False)
    return None if step.exists() and case.state in rules.OPEN else _("This server is not eligible for suspension.")


def _owes(actor: Actor, case: Any) -> Reason:
    if isinstance(case, Case) and not case.steps.filter(OWED).exists():
        return _("Nothing is owed for this case.")
    return None


def _unnoticed(actor: Actor, case: Any) -> Reason:
    if isinstance(case, Case) and (case.t0 is not None or case.state not in rules.OPEN):
        return _("The notice has reached somebody.")
    return None


SEE = Action("abuse.see", _("See infringement notices"), permission="tickets")
ANSWER = Action("abuse.answer", _("Answer the notice"), permission="tickets")
REPORT = Action("abuse.report", _("Report an infringement"), public=True)
STAFF_SEE = Action("abuse.staff_see", _("Cases of all customers"), roles=STAFF)
REPORTS = Action("abuse.reports", _("Reports"), roles=DESK)
DECIDE_REPORT = Action("abuse.decide_report", _("Decide about a report"), roles=DESK, danger=Danger.CONFIRM)
REPORTERS = Action("abuse.reporters", _("Reporters and their trust"), roles=DESK)
ACCEPT = Action("abuse.accept", _("Resolve"), roles=DESK, danger=Danger.CONFIRM, why_not=_not_finished)
REFUSE = Action("abuse.refuse", _("Refuse the answer"), roles=DESK, danger=Danger.CONFIRM, why_not=_judged)
REVERSE = Action("abuse.reverse", _("Reverse"), roles=DESK, danger=Danger.COSTS, why_not=_not_reversed)
PAUSE = Action("abuse.pause", _("Pause the clock"), roles=DESK, why_not=_running)
RESUME = Action("abuse.resume", _("Let the clock run"), roles=DESK, why_not=_paused)
SUSPEND_SERVER = Action(
    "abuse.suspend_server", _("Suspend the server"), roles=DESK, danger=Danger.DESTROYS, why_not=_eligible
)
AMENDS = Action("abuse.amends", _("Make an offer"), roles=DESK, danger=Danger.CONFIRM, why_not=_owes)
NOTIFY = Action("abuse.notify", _("Send the notice again"), roles=DESK, why_not=_unnoticed)


def may_watch(actor: Actor, name: str) -> bool:
    """Whether `actor` may hear of the topic "case:<id>"."""
    allowed = STAFF_SEE if actor.is_staff and actor.account_id is None else SEE
    return name.isdecimal() and allowed.permits(actor) and Case.objects.visible_to(actor).filter(pk=int(name)).exists()


live.register_topic("case", may_watch)
