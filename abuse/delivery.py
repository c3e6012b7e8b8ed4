"""Did the notice reach anybody? T0 is the instant at which the outgoing mail server first accepted it (ABU-2)."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from abuse import cases, notices, rules
from abuse.models import Case, Notice
from panel.core import events
from panel.core.actors import SYSTEM, Actor
from panel.core.models import Event, MailMessage


@transaction.atomic
def send_again(case_id: int, *, actor: Actor, now: datetime) -> None:
    """Staff, after every notice had failed: send it once more; the first acceptance sets T0."""
    case = cases.lock(case_id)
    case.unnoticed_at = None
    case.save(update_fields=["unnoticed_at"])
    cases.tell("abuse.case.notified_again", case, actor=actor, now=now, rule="ABU-2")
    if not notices.send_opening(case, now=now, again=case.notices.count()):
        cases.nobody_was_told(case, now=now)


@events.subscriber("core.mail.", "abuse.notices")
def heard(event: Event, *, now: datetime) -> None:
    """ABU-2: the first acceptance by the outgoing server is T0; when all failed, T0 stays unset and staff is told."""
    if event.data.get("about") != Case._meta.label_lower or event.data.get("template") != notices.OPENING:
        return
    case = cases.lock(event.data["about_id"])
    message = MailMessage.objects.get(pk=event.data["mail"])
    if event.kind == "core.mail.failed":
        _check_all(case, now=now)
    elif case.t0 is None and case.state in rules.OPEN:
        case.t0, case.unnoticed_at = message.accepted_at, None
        case.save(update_fields=["t0", "unnoticed_at"])
        cases.tell("abuse.case.t0", case, actor=SYSTEM, now=now, rule="ABU-2", mail=message.pk)
        cases.set_state(case, cases.standing_state(case))
        cases.set_due(case)


@transaction.atomic
def bounced(case_id: int, recipients: tuple[str, ...], *, now: datetime) -> None:
    """A delivery report came back: once every notice has failed or come back, T0 is unset, unless a step was taken."""
    case = cases.lock(case_id)
    Notice.objects.filter(case=case, user__email__in=recipients, bounced_at=None).update(bounced_at=now)
    _check_all(case, now=now)


def _check_all(case: Case, *, now: datetime) -> None:
    waiting = case.notices.filter(bounced_at=None, mail__failed_at=None)
    if case.state in rules.OPEN and not waiting.exists() and not case.steps.exists():
        cases.nobody_was_told(case, now=now)
