"""A debt that is settled ends what it led to, at once: in the very transaction that settles it (SUB-8, invariant 24).

The caller holds the lock of the account (`settlement.lock_account`), under which suspensions are decided too: whichever
comes first, a paid account is not suspended.
"""

from datetime import datetime

from django.utils import translation
from django.utils.translation import gettext as _

from invoicing import rules
from invoicing.chasing import unpaid
from invoicing.documents import texts
from invoicing.journal import tell
from invoicing.models import Suspension, SuspensionState, TerminationState
from panel.accounts import restrictions
from panel.accounts.models import Account
from panel.core import mail
from panel.core.actors import Actor
from panel.core.states import move

ALIVE = (SuspensionState.PROPOSED, SuspensionState.HELD, SuspensionState.APPLIED)


def relieve(account: Account, *, now: datetime, actor: Actor) -> None:
    """End the proposals and suspensions of an account whose debt is settled, or contested."""
    alive = Suspension.objects.filter(account=account, state__in=ALIVE).select_related("invoice", "account")
    for row in alive.order_by("pk"):
        if row.invoice.state in unpaid.UNPAID and row.invoice.contested_at is None:
            continue
        if row.state == SuspensionState.APPLIED:
            lift(row, now=now, actor=actor)
        else:
            withdraw(row, now=now, actor=actor)


def withdraw(row: Suspension, *, now: datetime, actor: Actor) -> None:
    """What was proposed, or kept back, is no longer due."""
    move(row, SuspensionState.WITHDRAWN, rules.SUSPENSION_TRANSITIONS)
    Suspension.objects.filter(pk=row.pk).update(ended_at=now)
    tell("suspension.withdrawn", row, now=now, actor=actor, rule=row.rule, data=named(row))


def lift(row: Suspension, *, now: datetime, actor: Actor) -> None:
    """The debt is settled, or contested: services come back, and the customer is told."""
    language = texts.language_of(row.account.language)
    with translation.override(language):
        reason = _("Invoice %(number)s is settled or contested.") % {"number": row.invoice.number}
    if row.restriction_id is not None:
        restrictions.lift(row.restriction_id, reason=reason, actor=actor, now=now)
    move(row, SuspensionState.LIFTED, rules.SUSPENSION_TRANSITIONS)
    Suspension.objects.filter(pk=row.pk).update(ended_at=now)
    for proposed in row.terminations.filter(state=TerminationState.PROPOSED):
        move(proposed, TerminationState.WITHDRAWN, rules.TERMINATION_TRANSITIONS)
        tell("termination.withdrawn", proposed, now=now, actor=actor, rule="SUB-8", data=named(row))
    tell("suspension.lifted", row, now=now, actor=actor, rule=row.rule, data=named(row))
    mail.send(
        "suspension_lifted", to=row.account.billing_email, lang=language, key=f"lifted:{row.pk}:{row.restriction_id}",
        now=now, account_id=row.account_id, subject=row,
        context={"name": row.account.name, "number": row.invoice.number, "path": "/servers/"},
    )  # fmt: skip


def named(row: Suspension) -> dict[str, str]:
    """What the journal says of a suspension."""
    return {"invoice": row.invoice.number, "key": row.key}
