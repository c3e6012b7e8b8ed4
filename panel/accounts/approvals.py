"""The second pair of eyes: ask, agree, refuse. Nobody counts twice; what follows is told by an event."""

from datetime import datetime

from django.conf import settings
from django.db import IntegrityError, models, transaction
from django.utils.translation import gettext as _

from panel.accounts.models import Account, Approval, ApprovalVote
from panel.core import events
from panel.core.actors import CLOCK, Actor
from panel.core.errors import RuleViolation
from panel.core.models import subject_of


@transaction.atomic
def ask(
    kind: str,
    *,
    key: str,
    summary: str,
    needed: int,
    now: datetime,
    actor: Actor,
    rule: str = "",
    account: Account | None = None,
    subject: models.Model | None = None,
) -> Approval:
    """Ask staff for `needed` persons' word on something, once per `key`. Granted: event `accounts.approval.granted`."""
    row = Approval(
        kind=kind, key=key, rule=rule, account=account, summary=summary, needed=needed, asked_at=now,
        **subject_of(subject),
    )  # fmt: skip
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError:
        return Approval.objects.get(key=key)
    _tell("asked", row, actor, now)
    return row


@transaction.atomic
def to_release(kind: str, summary: str, *, now: datetime) -> Approval:
    """The one approval of that kind which releases what the brake holds: the open one, while nobody has given their
    word to less than it holds by now, or else a new one (ABU-12)."""
    asked = Approval.objects.select_for_update().filter(kind=kind, state=Approval.State.OPEN)
    waiting = asked.order_by("-pk").first()
    if waiting is not None and not waiting.votes.exists():
        return waiting
    needed = 1 if settings.CLAUSE_RELEASE_BY_ONE else 2
    key = f"{kind}:{now.isoformat()}"
    return ask(kind, key=key, needed=needed, summary=summary, now=now, actor=CLOCK, rule="ABU-12")


@transaction.atomic
def vote(approval_id: int, *, agrees: bool, actor: Actor, now: datetime, reason: str = "") -> Approval:
    """One person's word. The last one needed grants it; one refusal ends it. RuleViolation when it is decided
    already."""
    row = Approval.objects.select_for_update().get(pk=approval_id)
    if row.state != Approval.State.OPEN:
        raise RuleViolation(_("This has been decided already."))
    if actor.user_id is None or not actor.is_staff:
        raise RuleViolation(_("Only a member of staff can approve."))
    try:
        with transaction.atomic():
            ApprovalVote.objects.create(approval=row, user_id=actor.user_id, agrees=agrees, reason=reason, at=now)
    except IntegrityError:
        raise RuleViolation(_("You have given your word already; another person must decide.")) from None
    if not agrees:
        row.state = Approval.State.REFUSED
    elif row.votes.filter(agrees=True).count() >= row.needed:
        row.state = Approval.State.GRANTED
    else:
        return row
    row.decided_at = now
    row.save(update_fields=["state", "decided_at"])
    _tell(row.state, row, actor, now)
    return row


def _tell(verb: str, row: Approval, actor: Actor, now: datetime) -> None:
    events.record(
        f"accounts.approval.{verb}", now=now, actor=actor, subject=row, account_id=row.account_id, rule=row.rule,
        data={"approval": row.pk, "kind": row.kind, "on": row.subject_type, "on_id": row.subject_id},
    )  # fmt: skip
