"""What staff does about an operation that gave up: try it again, or discard it with a reason. Both stand in the
journal."""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from panel.core import events, operations
from panel.core.actors import Actor
from panel.core.errors import RuleViolation
from panel.core.models import Operation

OPEN = (Operation.State.FAILED, Operation.State.DUE)


@transaction.atomic
def retry(op_id: int, *, actor: Actor, now: datetime) -> Operation:
    """Try a failed or waiting operation again at once, with a fresh budget of attempts; or take one up that was
    discarded while something waits for it. RuleViolation when it is neither."""
    op = _open(op_id, discarded=True)
    done = operations.retry(op.pk, now=now)
    _tell("retried", op, actor, now)
    return done


@transaction.atomic
def discard(op_id: int, *, reason: str, actor: Actor, now: datetime) -> Operation:
    """Give an operation up for good: what waited for it hears that it failed, the reason is kept. RuleViolation when it
    is not open."""
    if not reason.strip():
        raise RuleViolation(_("Please give a reason."), field="reason")
    op = _open(op_id)
    done = operations.discard(op.pk, reason=reason.strip(), now=now)
    _tell("discarded", op, actor, now)
    return done


def _open(op_id: int, *, discarded: bool = False) -> Operation:
    op = Operation.objects.select_for_update().get(pk=op_id)
    if op.state not in OPEN and not (discarded and operations.resumable(op)):
        raise RuleViolation(_("Only a failed or waiting operation can be tried again or discarded."))
    return op


def _tell(verb: str, op: Operation, actor: Actor, now: datetime) -> None:
    events.record(
        f"core.operation.{verb}", now=now, actor=actor, subject=op, account_id=op.account_id,
        data={"operation": op.pk, "kind": op.kind},
    )  # fmt: skip
