"""What stays unpaid after its account was suspended may end the services; a person decides, and says which (SUB-8).

Proposed when the days of the terms have passed since the suspension, which named that day; paid or contested before the
decision it is withdrawn with the suspension (`relieving`). While a payment of the invoice is with the bank nothing is
proposed or ended.
"""

from collections.abc import Collection
from datetime import datetime

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import translation
from django.utils.translation import gettext as _

from invoicing import rules
from invoicing.chasing import relieving, unpaid
from invoicing.documents import texts
from invoicing.journal import tell
from invoicing.models import (
    Subscription,
    SubscriptionState,
    Suspension,
    SuspensionState,
    Termination,
    TerminationState,
)
from invoicing.paying import settlement
from invoicing.subscribing import subscriptions
from panel import terms
from panel.accounts.models import Restriction
from panel.core import due
from panel.core.actors import CLOCK, Actor
from panel.core.calendars import days_later, is_missed, paris_date
from panel.core.due import SweepReport
from panel.core.errors import RuleViolation
from panel.core.states import move

RULE = "SUB-8"


def allowed_from(terms_version: str, suspended_at: datetime) -> datetime:
    """The instant after which services may be ended for a debt whose account was suspended at `suspended_at`."""
    return days_later(suspended_at, terms.version(terms_version).termination.after_suspension_days)


def running(account_id: int) -> QuerySet[Subscription]:
    """The services of an account that can still be ended."""
    rows = Subscription.objects.filter(account=account_id).exclude(state=SubscriptionState.TERMINATED)
    return rows.select_related("account", "package").order_by("pk")


def run(now: datetime, *, dry_run: bool = False) -> SweepReport:
    """Propose every end for which there is ground at `now`: one an account at a time."""
    waiting = [row for row in _in_force() if _is_due(row, now=now)]
    if dry_run:
        return SweepReport(would=[f"propose to end services for {row.key}" for row in waiting])
    return due.each([row.pk for row in waiting], lambda pk: _propose(pk, now=now))


def _in_force() -> QuerySet[Suspension]:
    spoken_of = Termination.objects.filter(restriction=OuterRef("restriction"))
    open_one = Termination.objects.filter(account=OuterRef("account"), state=TerminationState.PROPOSED)
    runs = running_of_any().filter(account=OuterRef("account"))
    rows = Suspension.objects.filter(state=SuspensionState.APPLIED, restriction__state=Restriction.State.ACTIVE)
    under_way = unpaid.with_the_bank().filter(invoice=OuterRef("invoice"))
    rows = rows.filter(~Exists(spoken_of), ~Exists(open_one), ~Exists(under_way), Exists(runs))
    return rows.order_by("decided_at", "pk")


def running_of_any() -> QuerySet[Subscription]:
    """Every service that can still be ended."""
    return Subscription.objects.exclude(state=SubscriptionState.TERMINATED)


def _is_due(row: Suspension, *, now: datetime) -> bool:
    return row.decided_at is not None and is_missed(now, allowed_from(row.terms_version, row.decided_at))


@transaction.atomic
def _propose(pk: int, *, now: datetime) -> None:
    settlement.lock_account(Suspension.objects.values_list("account_id", flat=True).get(pk=pk))
    row = _in_force().filter(pk=pk).select_related("invoice", "restriction").first()
    if row is None or row.decided_at is None or row.restriction is None or not _is_due(row, now=now):
        return
    made = Termination.objects.create(
        suspension=row, restriction=row.restriction, account_id=row.account_id, proposed_at=now,
        due_on=paris_date(allowed_from(row.terms_version, row.decided_at)),
    )  # fmt: skip
    tell("termination.proposed", made, now=now, actor=CLOCK, rule=RULE, data=relieving.named(row))


# --- a person decides ------------------------------------------------------------------------------------------------


@transaction.atomic
def end(
    termination_id: int, references: Collection[str], *, reason: str, actor: Actor, now: datetime
) -> list[Subscription]:
    """A person ends the named services of the account now: what a commitment still owes falls due, and the customer is
    told of each with the reason. RuleViolation when the debt is settled, contested or being paid by now, or no service
    is named."""
    account_id = Termination.objects.values_list("account_id", flat=True).get(pk=termination_id)
    held = [subscriptions.locked(row.pk) for row in running(account_id).filter(reference__in=references)]
    if not held:
        raise RuleViolation(_("Please choose the services to end."), rule=RULE, field="services")
    row = _open(termination_id, reason)
    if unpaid.with_the_bank().filter(invoice=row.suspension.invoice_id).exists():
        sentence = _("A payment of invoice %(number)s is under way: nothing is ended before it has failed.")
        raise RuleViolation(sentence % {"number": row.suspension.invoice.number}, rule=RULE)
    said = _because(row)
    for one in held:
        subscriptions.terminate(one, because=said, rule=RULE, now=now, actor=actor)
    row.ended = [one.reference for one in held]
    _decided(row, TerminationState.ENDED, reason=reason, actor=actor, now=now)
    return held


@transaction.atomic
def spare(termination_id: int, *, reason: str, actor: Actor, now: datetime) -> Termination:
    """A person decides that this suspension leads to no end; it is not proposed again."""
    row = _open(termination_id, reason)
    _decided(row, TerminationState.REFUSED, reason=reason, actor=actor, now=now)
    return row


def _open(termination_id: int, reason: str) -> Termination:
    if not reason.strip():
        raise RuleViolation(_("Please give the reason."), rule="ACC-13", field="reason")
    settlement.lock_account(Termination.objects.values_list("account_id", flat=True).get(pk=termination_id))
    rows = Termination.objects.select_for_update(of=("self",)).select_related("suspension__invoice", "account")
    row = rows.get(pk=termination_id)
    if row.state != TerminationState.PROPOSED:
        raise RuleViolation(_("This has been decided already, or is no longer due."), rule=RULE)
    return row


def _decided(row: Termination, state: TerminationState, *, reason: str, actor: Actor, now: datetime) -> None:
    move(row, state, rules.TERMINATION_TRANSITIONS)
    row.decided_at, row.decided_by_id, row.reason = now, actor.user_id, reason.strip()[:300]
    row.save(update_fields=["decided_at", "decided_by_id", "reason", "ended"])
    tell(f"termination.{state.value}", row, now=now, actor=actor, rule=RULE,
         data={**relieving.named(row.suspension), "subscriptions": row.ended})  # fmt: skip


def _because(row: Termination) -> str:
    language = texts.language_of(row.account.language)
    invoice, since = row.suspension.invoice, row.suspension.decided_at
    with translation.override(language):
        return _("Invoice %(number)s is still unpaid after the suspension of %(day)s.") % {
            "number": invoice.number, "day": texts.day(language, paris_date(since)) if since else "",
        }  # fmt: skip
