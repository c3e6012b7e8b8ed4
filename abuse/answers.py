"""The customer's answer stops the clock, by web, mail or API, from the instant it arrived (ABU-9)."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from abuse import cases, rules, undoing
from abuse.models import Case, Pause
from invoicing.issuing import charging
from panel.core.actors import Actor
from tickets.kinds import Card
from tickets.models import Message, Ticket


class Infringement:
    """What a message means in the thread of a case. (A `tickets.kinds.RequestKind`.)"""

    label = _("Infringement notice")

    def replied(self, ticket: Ticket, message: Message, *, actor: Actor, now: datetime) -> None:
        human = rules.is_answer(
            automatic=message.automatic, from_customer=message.author_kind == "customer", internal=message.internal
        )
        case = Case.objects.filter(ticket=ticket).first()
        if human and case is not None:
            answered(case.pk, message, actor=actor, now=now)

    def page(self, ticket: Ticket, *, staff: bool) -> str:
        case = Case.objects.filter(ticket=ticket).first()
        if case is None:
            return ""
        return reverse("abuse_staff:case_detail" if staff else "abuse:case_detail", args=[case.reference])

    def card(self, ticket: Ticket, *, staff: bool) -> Card | None:
        return None

    def settled(self, ticket: Ticket) -> bool:
        return False  # its case is decided on the case's page


def answered(case_id: int, message: Message, *, actor: Actor, now: datetime) -> None:
    """ABU-9: any human answer of the customer's side stops the clock until staff has judged it.

    A step that was taken although the answer had arrived in time is undone; one whose deadline the answer missed
    stands. What the case has cost so far is not collected while it is contested (INV-1). On a closed case the answer
    waits for staff in the thread.
    """
    case = cases.lock(case_id)
    if case.state not in rules.OPEN:
        cases.tell("abuse.case.complained", case, actor=actor, now=now, rule="ABU-10", message=message.pk)
        return
    for rung in rules.overtaken(case.facts(), cases.terms_of(case), message.at):
        step = case.steps.exclude(state="overtaken").get(rung=rung)
        undoing.undo(case, step, reason=str(_("An answer had arrived in time.")), actor=actor, now=now, overtaken=True)
    decided = case.steps.filter(state__in=["decided", "effective"])
    if not case.pauses.filter(until=None).exclude(reason=Pause.Reason.STAFF).exists():
        Pause.objects.create(
            case=case, account_id=case.account_id, since=message.at, message=message, grace=timedelta(0),
            reason=Pause.Reason.COMPLAINT if decided.exists() else Pause.Reason.ANSWER,
        )  # fmt: skip
        cases.tell("abuse.case.answered", case, actor=actor, now=now, rule="ABU-9", message=message.pk)
    for step in decided.exclude(fee_key=""):
        charging.contest(step.fee_key, now=now)
    cases.set_state(case, cases.standing_state(case))
    cases.set_due(case)
