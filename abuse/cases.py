"""Opening cases, and joining the open one of the same incident (ABU-1, ABU-2)."""

from __future__ import annotations

from datetime import datetime

from django.db import IntegrityError, transaction
from django.utils import translation
from django.utils.translation import gettext as _

from abuse import notices, rules
from abuse.models import Case, Report
from invoicing.models import Subscription
from panel import terms
from panel.accounts import terms_in_force
from panel.core import events, live, references
from panel.core.actors import SYSTEM, Actor
from panel.core.models import subject_of
from panel.core.states import move
from servers.models import AddressHolding
from tickets import conversation
from tickets.models import Ticket
from tickets.rules import TRANSITIONS as TICKET_TRANSITIONS
from tickets.rules import State as TicketState
from tickets.rules import Via


def terms_of(case: Case) -> terms.Terms:
    """The version the case began under (LEG-1)."""
    return terms.version(case.terms_version)


@transaction.atomic
def open_or_join(report: Report, holding: AddressHolding, *, actor: Actor, now: datetime) -> Case:
    """The open case of this customer, address and kind takes the report in without its clock moving; else a new one is
    opened and its notice sent. Two reports at the same instant make one case."""
    case = _open_one(holding, report.category)
    if case is None:
        try:
            with transaction.atomic():
                case = _open(report, holding, actor=actor, now=now)
        except IntegrityError:
            case = _open_one(holding, report.category)
            if case is None:
                raise
    else:
        conversation.reply(case.ticket, _further(case), actor=SYSTEM, via=Via.PANEL, now=now)
    report.case, report.state, report.why = case, Report.State.JOINED, ""
    report.decided_at, report.decided_by_id = now, actor.user_id
    report.save(update_fields=["case", "state", "why", "decided_at", "decided_by_id"])
    tell("abuse.case.reported", case, actor=actor, now=now, rule="ABU-1", report=report.pk)
    return case


def _open_one(holding: AddressHolding, kind: str) -> Case | None:
    """Locked: a case that is just being closed takes no report in any more."""
    open_ones = Case.objects.select_for_update(of=("self",)).filter(account_id=holding.account_id, kind=kind)
    mine = open_ones.filter(address_id=holding.address_id, closed_at=None)
    return mine.select_related("ticket", "account").first()


def _open(report: Report, holding: AddressHolding, *, actor: Actor, now: datetime) -> Case:
    account = holding.account
    before = Case.objects.filter(account=account, address=holding.address, kind=report.category).order_by("-pk").first()
    reference = references.new("CASE")
    with translation.override(account.language):
        title = _("Infringement notice: %(kind)s, %(address)s") % {
            "kind": report.get_category_display(), "address": holding.address.ip,
        }  # fmt: skip
        ticket = conversation.open_ticket(
            account, department=Ticket.Department.ABUSE, title=title, body=notices.opening_words(report, holding),
            actor=SYSTEM, via=Via.PANEL, now=now, kind="infringement",
        )  # fmt: skip
    move(ticket, TicketState.WAITING_CUSTOMER, TICKET_TRANSITIONS)
    case = Case.objects.create(
        reference=reference, account=account, kind=report.category, ticket=ticket, address=holding.address,
        server=holding.server, subscription=holding.server.subscription, repeats=before, opened_at=now,
        opened_by=actor.kind, terms_version=terms_in_force.at(account, now).name,
    )  # fmt: skip
    Ticket.objects.filter(pk=ticket.pk).update(**subject_of(case))
    tell("abuse.case.opened", case, actor=actor, now=now, rule="ABU-1", kind=case.kind)
    set_state(case, standing_state(case))
    report.case = case
    report.save(update_fields=["case"])
    if notices.send_opening(case, now=now):
        set_due(case)
    else:
        nobody_was_told(case, now=now)
    return case


def _further(case: Case) -> str:
    with translation.override(case.account.language):
        return _("A further report about the same incident was received. It changes no deadline.")


def lock(case_id: int) -> Case:
    """The case's row, locked for the running transaction: every decision about a case begins so."""
    return Case.objects.select_for_update(of=("self",)).select_related("account", "ticket", "address").get(pk=case_id)


def set_due(case: Case) -> None:
    """Write down when the next step is due, for the sweep to find; a case that cannot come due has none."""
    case.due_at = rules.due_at(case.facts(), terms_of(case))
    case.save(update_fields=["due_at"])
    live.publish([f"case:{case.pk}", f"account:{case.account_id}", "staff"], "abuse.case.changed", {"id": case.pk})


def set_state(case: Case, state: str) -> None:
    """Move the case by the table; being there already is no move."""
    if case.state != state:
        move(case, state, rules.TRANSITIONS)


def standing_state(case: Case) -> str:
    """The state an open case is in by its pauses and its T0."""
    reasons = set(case.pauses.filter(until=None).values_list("reason", flat=True))
    if reasons - {"staff"}:
        return rules.State.ANSWERED
    if reasons:
        return rules.State.PAUSED
    return rules.State.RUNNING if case.t0 or case.kind != rules.Kind.COPYRIGHT else rules.State.NOTIFYING


def tell(event: str, case: Case, *, actor: Actor, now: datetime, rule: str = "", **data: object) -> None:
    """An entry of the journal about the case."""
    events.record(
        event, now=now, actor=actor, subject=case, account_id=case.account_id, rule=rule,
        data={"case": case.reference, **data},
    )  # fmt: skip


def nobody_was_told(case: Case, *, now: datetime) -> None:
    """ABU-2: no channel accepted the notice, or all of it came back: T0 is unset and staff is told."""
    case.t0, case.unnoticed_at = None, now
    case.save(update_fields=["t0", "unnoticed_at"])
    set_state(case, standing_state(case))
    tell("abuse.case.unnoticed", case, actor=SYSTEM, now=now, rule="ABU-2")
    set_due(case)


def objection_to_transfer(subscription: Subscription) -> str:
    """A service does not change hands while an infringement on it is open; "" when none is."""
    if Case.objects.filter(subscription=subscription, closed_at=None).exists():
        return _("An infringement notice on this service is open. It can be transferred once that is closed.")
    return ""
