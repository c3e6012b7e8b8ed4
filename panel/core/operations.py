"""Operations: the one way to the outside world.

A use case writes an Operation in its own transaction (`enqueue`); a worker claims it, carries it out between two
transactions, asks "did it happen?" before doing anything again, retries with back-off, and gives up into the
staff's queue. `completed` and `gave_up` run in the transaction that closes the operation.
"""

import logging
import random
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import cache
from typing import Any, ClassVar

from django.db import connection, models, transaction
from django.db.models import Case, F, Q, Subquery, Value, When
from django.utils.functional import Promise

from panel.core import bulk, clock, crash, prepared
from panel.core.errors import Failure, NotYet, ProviderError
from panel.core.models import Attempt, Operation, subject_of
from panel.core.prepared import slot

log = logging.getLogger(__name__)

LEASE = timedelta(seconds=120)
FIRST_PAUSE = timedelta(seconds=5)
LONGEST_PAUSE = timedelta(hours=1)
LONGEST_WAIT = timedelta(days=1)  # that the other side may ask for
GAVE_UP = "gave_up"
NOBODY = "nobody knows how to do"
DISCARDED = "discarded: "
_INSTANT: "models.DateTimeField[Any, Any]" = models.DateTimeField()


class Handler(ABC):
    """How one kind of operation is carried out. Subclass, set `kind` and `label`, and `@register` it."""

    kind: ClassVar[str]
    label: ClassVar[str | Promise]
    max_attempts: ClassVar[int] = 8
    resumable: ClassVar[bool] = False  # something waits for it still when it was discarded: it may be taken up again
    kept: ClassVar[timedelta | None] = None  # how long a done one is kept; None: always

    @abstractmethod
    def perform(self, op: Operation, *, now: datetime) -> dict[str, Any]:
        """Do it, outside any transaction; `to_keep` of the result is kept. Raises ProviderError or NotYet."""

    def happened(self, op: Operation) -> dict[str, Any] | None:
        """Asked before every attempt after the first: the result if it was done already, else None."""
        return None

    def completed(self, op: Operation, result: dict[str, Any], *, now: datetime) -> None:  # noqa: B027 - may be nothing
        """Write down what is now true; in the closing transaction."""

    def to_keep(self, result: dict[str, Any]) -> dict[str, Any]:
        """What of the result stays on the operation: ids and codes. Personal values are `completed`'s to put where they
        can be erased (PRV-4)."""
        return result

    def stumbled(self, op: Operation, *, now: datetime) -> None:  # noqa: B027 - may be nothing
        """It went wrong and will be tried again; in the transaction that says so."""

    def gave_up(self, op: Operation, error: str, *, now: datetime) -> None:  # noqa: B027 - may be nothing
        """The operation is in the staff's queue, or discarded before it was done; in the closing transaction. Told once
        more when staff tried again in vain."""


HANDLERS: dict[str, Handler] = {}
_wakers: list[Callable[[], None]] = []


def register(handler: type[Handler]) -> type[Handler]:
    """Make `handler` the one for its kind."""
    HANDLERS[handler.kind] = handler()
    return handler


def on_wake(call: Callable[[], None]) -> None:
    """Have `call` run after each commit that enqueued something (embedded: wakes the workers; production: Celery)."""
    if call not in _wakers:
        _wakers.append(call)


def wake_after_commit() -> None:
    """Something is due once this transaction is committed; at once where there is none."""
    transaction.on_commit(_wake, robust=True)


def _wake() -> None:
    for call in _wakers:
        call()


def enqueue(
    kind: str,
    *,
    key: str,
    now: datetime,
    account_id: int | None = None,
    subject: models.Model | None = None,
    payload: dict[str, Any] | None = None,
    due_at: datetime | None = None,
) -> Operation:
    """Write down that `kind` must be done, once per `key`; a repeat returns the operation that exists.

    Must run inside the transaction of the decision. `payload` holds ids and codes, never secrets or personal values.
    """
    return enqueue_row(
        operation_of(
            kind, key=key, now=now, account_id=account_id, subject=subject, payload=payload, due_at=due_at
        )
    )  # fmt: skip


def operation_of(
    kind: str,
    *,
    key: str,
    now: datetime,
    account_id: int | None = None,
    subject: models.Model | None = None,
    payload: dict[str, Any] | None = None,
    due_at: datetime | None = None,
) -> Operation:
    """An operation as `enqueue` writes it, not written yet."""
    return bulk.new(
        Operation, kind=kind, key=key, account_id=account_id, payload=payload or {}, created_at=now,
        due_at=due_at or now, **subject_of(subject),
    )  # fmt: skip


def enqueue_row(row: Operation) -> Operation:
    """`enqueue` for an operation that is made already (`operation_of`)."""
    _in_a_transaction()
    if not prepared.insert(row, unless="key"):
        return Operation.objects.get(key=row.key)
    wake_after_commit()
    return row


def enqueue_all(rows: Sequence[Operation]) -> None:
    """`enqueue` for many at once; IntegrityError where one of their keys exists already."""
    if rows:
        _in_a_transaction()
        bulk.insert(rows)
        wake_after_commit()


def _in_a_transaction() -> None:
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError("an operation belongs to the transaction of its decision")


def run_due(
    now: datetime | None = None,
    stop: Callable[[], bool] | None = None,
    *,
    limit: int = 1000,
    kinds: Collection[str] | None = None,
) -> int:
    """Carry out what is due, one after the other; returns how many were tried. `now` None: the wall clock."""
    tried = 0
    while tried < limit and not (stop and stop()):
        instant = now or clock.now()
        op = _claim(instant, kinds)
        if op is None:
            break
        _carry_out(op, instant if now else None)
        tried += 1
    return tried


@cache
def _claiming(kinds: frozenset[str] | None) -> prepared.Change[Operation]:
    """Takes the oldest operation that is due, or whose worker died; what another worker is taking is passed over."""

    def build() -> tuple[models.QuerySet[Operation], dict[str, Any]]:
        due = Q(state=Operation.State.DUE.value, due_at__lte=slot("now", _INSTANT))
        candidates = Operation.objects.filter(
            due | Q(state=Operation.State.RUNNING.value, lease_until__lt=slot("now", _INSTANT))
        )
        if kinds is not None:
            candidates = candidates.filter(kind__in=sorted(kinds))
        skipping = connection.features.has_select_for_update_skip_locked
        oldest = candidates.order_by("due_at", "pk").select_for_update(skip_locked=skipping).values("pk")[:1]
        changed = {
            "state": Value(Operation.State.RUNNING.value), "lease_until": slot("lease_until", _INSTANT),
            "attempts": F("attempts") + 1,
            "failures": Case(  # a worker that died with it counts as a failure
                When(state=Operation.State.RUNNING.value, then=F("failures") + 1), default=F("failures"),
                output_field=models.PositiveIntegerField(),
            ),
        }  # fmt: skip
        return Operation.objects.filter(pk=Subquery(oldest)), changed

    return prepared.Change(build)


def _claim(now: datetime, kinds: Collection[str] | None) -> Operation | None:
    """Take what `_claiming` finds, and write down the attempt."""
    with transaction.atomic():
        taken = _claiming(None if kinds is None else frozenset(kinds)).rows(now=now, lease_until=now + LEASE)
        if not taken:
            return None
        op = taken[0]
        if op.attempts > 1:
            Attempt.objects.filter(operation=op, ended_at=None).update(ended_at=now, outcome="lost")
        prepared.insert(bulk.new(Attempt, operation_id=op.pk, number=op.attempts, started_at=now))
    crash.point(f"{op.kind}:claimed")
    return op


def _carry_out(op: Operation, fixed_now: datetime | None) -> None:
    def instant() -> datetime:
        return fixed_now or clock.now()

    handler = HANDLERS.get(op.kind)
    if handler is None:
        _close_failed(op, None, ProviderError(f"{NOBODY} {op.kind}", permanent=True), now=instant())
        return
    if op.failures >= handler.max_attempts:  # what kills its workers is not tried for ever
        died = ProviderError(f"{op.failures} tries failed, the last worker died with it", permanent=True)
        _close_failed(op, handler, died, now=instant())
        return
    try:
        with _held(op):
            result = handler.happened(op) if op.attempts > 1 else None
            outcome = "done" if result is None else "happened"
            if result is None:
                result = handler.perform(op, now=instant())
        crash.point(f"{op.kind}:performed")
        _close_done(op, handler, result, outcome, now=instant())
    except NotYet as later:
        _close_later(op, later, now=instant())
    except ProviderError as error:
        _close_failed(op, handler, error, now=instant())
    except Exception as error:
        log.exception("operation %s", op.pk)
        _close_failed(op, handler, ProviderError(f"{type(error).__name__}: {error}"), now=instant())
    crash.point(f"{op.kind}:closed")


@contextmanager
def _held(op: Operation) -> Iterator[None]:
    """Renews the lease while a call to the outside world takes long, so that nobody else takes the operation up."""
    ended = threading.Event()

    def renew() -> None:
        pause = LEASE.total_seconds() / 3
        while not ended.wait(pause):
            try:
                _mine(op).update(lease_until=clock.now() + LEASE)
                pause = LEASE.total_seconds() / 3
            except Exception:  # a lease that is lost means that somebody else does it too: so it is tried on and on
                log.exception("the lease of operation %s", op.pk)
                connection.close()
                pause = LEASE.total_seconds() / 24
        connection.close()

    keeper = threading.Timer(LEASE.total_seconds() / 3, renew)
    keeper.daemon = True
    keeper.start()
    try:
        yield
    finally:
        ended.set()
        keeper.cancel()


def _mine(op: Operation) -> Any:
    """The row, only while this worker's attempt still holds it."""
    return Operation.objects.filter(pk=op.pk, state=Operation.State.RUNNING, attempts=op.attempts)


_ATTEMPT_ENDS: prepared.Change[Attempt] = prepared.Change(
    lambda: (
        Attempt.objects.filter(operation_id=slot("op"), number=slot("number")).order_by(),
        {
            "ended_at": slot("now", _INSTANT), "outcome": slot("outcome", models.CharField()),
            "error": slot("error", models.TextField()),
        },
    )
)  # fmt: skip
_IS_DONE: prepared.Change[Operation] = prepared.Change(
    lambda: (
        Operation.objects.filter(
            pk=slot("pk"), state=Operation.State.RUNNING.value, attempts=slot("attempts")
        ),
        {
            "state": Value(Operation.State.DONE.value), "result": slot("result", models.JSONField()),
            "finished_at": slot("now", _INSTANT), "due_at": None, "lease_until": None, "last_error": Value(""),
        },
    )
)  # fmt: skip


def _close_attempt(op: Operation, outcome: str, now: datetime, error: str = "") -> None:
    _ATTEMPT_ENDS.rows(op=op.pk, number=op.attempts, now=now, outcome=outcome, error=error)


def _close_done(op: Operation, handler: Handler, result: dict[str, Any], outcome: str, *, now: datetime) -> None:
    with transaction.atomic():
        closed = _IS_DONE.rows(pk=op.pk, attempts=op.attempts, result=handler.to_keep(result), now=now)
        if not closed:
            return  # the lease was lost: whoever holds it now asks `happened` and closes it
        _close_attempt(op, outcome, now)
        handler.completed(closed[0], result, now=now)


def _close_later(op: Operation, later: NotYet, *, now: datetime) -> None:
    with transaction.atomic():
        if _mine(op).update(
            state=Operation.State.DUE, due_at=now + timedelta(seconds=later.seconds), lease_until=None,
            last_error=str(later),
        ):  # fmt: skip
            _close_attempt(op, "later", now, str(later))


def _close_failed(op: Operation, handler: Handler | None, error: ProviderError, *, now: datetime) -> None:
    last = error.permanent or handler is None or op.failures + 1 >= handler.max_attempts
    with transaction.atomic():
        if last:
            changed = {"state": Operation.State.FAILED, "finished_at": now, "due_at": None}
        else:
            pause = max(pause_after(op.failures + 1), min(timedelta(seconds=error.wait), LONGEST_WAIT))
            changed = {"state": Operation.State.DUE, "due_at": now + pause}
        words = str(error)[:2000]
        if not _mine(op).update(**changed, failures=F("failures") + 1, last_error=words, lease_until=None):
            return
        op.refresh_from_db()
        _close_attempt(op, GAVE_UP if last else error.kind, now, words)
        if handler is not None and last:
            handler.gave_up(op, str(error), now=now)
        elif handler is not None:
            handler.stumbled(op, now=now)


def pause_after(failures: int) -> timedelta:
    """Back-off: 5 s doubled with each failure up to an hour, with a little spread."""
    doublings: int = min(failures - 1, 12)
    pause = min(FIRST_PAUSE * (1 << doublings), LONGEST_PAUSE)
    return pause * random.uniform(0.8, 1.2)


def hurry(op_id: int, *, now: datetime) -> bool:
    """Something outside says that it is worth trying now: what waits is due at once; whether it waited. What the other
    side asked to be left alone for is left alone."""
    waiting = Operation.objects.filter(pk=op_id, state=Operation.State.DUE, due_at__gt=now)
    last = Attempt.objects.filter(operation=op_id).order_by("number").last()
    if (last is not None and last.outcome == Failure.WAIT) or not waiting.update(due_at=now):
        return False
    wake_after_commit()
    return True


def take_back_running(now: datetime) -> int:
    """At the start of the only process on this data: what was running when it died is due again."""
    return Operation.objects.filter(state=Operation.State.RUNNING).update(
        state=Operation.State.DUE, due_at=now, lease_until=None
    )


@transaction.atomic
def retry(op_id: int, *, now: datetime) -> Operation:
    """Staff: try a failed (or waiting) operation again at once, with a fresh budget of attempts; so also one that was
    discarded and that something still waits for (`resumable`)."""
    op = Operation.objects.select_for_update().get(pk=op_id)
    if op.state in (Operation.State.FAILED, Operation.State.DUE) or resumable(op):
        op.state, op.due_at, op.failures, op.finished_at = Operation.State.DUE, now, 0, None
        op.save(update_fields=["state", "due_at", "failures", "finished_at"])
        wake_after_commit()
    return op


def resumable(op: Operation) -> bool:
    """Whether it was discarded and may be taken up again all the same."""
    handler = HANDLERS.get(op.kind)
    discarded = op.state == Operation.State.CANCELLED and op.last_error.startswith(DISCARDED)
    return discarded and handler is not None and handler.resumable


@transaction.atomic
def discard(op_id: int, *, reason: str, now: datetime) -> Operation:
    """Staff: this will not be done any more; the reason is kept, and its handler told as when it had given up."""
    op = Operation.objects.select_for_update().get(pk=op_id)
    if op.state not in (Operation.State.FAILED, Operation.State.DUE):
        return op
    op.state, op.due_at, op.finished_at = Operation.State.CANCELLED, None, now
    op.last_error = f"{DISCARDED}{reason}"
    op.save(update_fields=["state", "due_at", "finished_at", "last_error"])
    handler = HANDLERS.get(op.kind)
    if handler is not None and not _told(op):
        handler.gave_up(op, op.last_error, now=now)
    return op


def _told(op: Operation) -> bool:
    """Whether the handler heard already that its operation gave up, and nothing was tried since."""
    last = op.tries.order_by("number").last()
    return last is not None and last.outcome == GAVE_UP and not last.error.startswith(NOBODY)
