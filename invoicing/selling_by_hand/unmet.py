"""What was agreed upon and could not be carried out, because its money was spent meanwhile (INV-11): it waits for a
person in their work, until it is carried out after all or somebody says that it is settled."""

from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from invoicing.journal import tell
from invoicing.models import ManualPayment, Payment, Unmet
from panel.accounts.models import Approval
from panel.core.actors import SYSTEM, Actor
from panel.core.models import subject_of
from panel.core.money import Cents


def waiting() -> QuerySet[Unmet]:
    """Nobody has settled these yet, the oldest first."""
    return Unmet.objects.filter(closed_at=None).select_related("account", "received", "payment").order_by("at", "pk")


def of(subject: ManualPayment | Payment) -> QuerySet[Unmet]:
    """Of one payment."""
    return (
        waiting().filter(received=subject) if isinstance(subject, ManualPayment) else waiting().filter(payment=subject)
    )


def arose(approval: Approval, subject: ManualPayment | Payment, cents: Cents, *, now: datetime) -> None:
    """`cents` of what was agreed upon about a payment cannot be carried out; once per approval and payment."""
    about: dict[str, Any] = {"received" if isinstance(subject, ManualPayment) else "payment": subject}
    row, made = Unmet.objects.get_or_create(
        approval=approval, **about, defaults={"account_id": subject.account_id, "cents": cents, "at": now}
    )
    if made:
        tell("unmet.arose", row, now=now, actor=SYSTEM, rule="INV-11", data=_named(row))


def carried_out(subject: ManualPayment | Payment, *, now: datetime) -> None:
    """What had not been possible is done now."""
    of(subject).update(closed_at=now)


@transaction.atomic
def close(row: Unmet, *, actor: Actor, now: datetime) -> None:
    """A person says that it is settled otherwise, or left; said twice, nothing more happens."""
    if Unmet.objects.filter(pk=row.pk, closed_at=None).update(closed_at=now, closed_by=actor.user_id):
        tell("unmet.closed", row, now=now, actor=actor, rule="INV-11", data=_named(row))


def asked_about(subject: ManualPayment | Payment, kind: str) -> Approval:
    """The approval that was granted last."""
    rows = Approval.objects.filter(kind=kind, state=Approval.State.GRANTED, **subject_of(subject))
    return rows.latest("pk")


def _named(row: Unmet) -> dict[str, object]:
    return {"amount_cents": row.cents, "payment": str(row.received or row.payment)}
