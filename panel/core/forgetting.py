"""Operations that leave nothing worth keeping (a journal entry handed on, a question asked) are forgotten in time."""

from datetime import datetime

from panel.core import due, operations
from panel.core.models import Operation
from panel.core.operation_states import State

BATCH = 5000


@due.sweep("core.forget", every_seconds=3600)
def forget(now: datetime, *, dry_run: bool = False) -> due.SweepReport:
    """Delete done operations, with their attempts, whose handler says how long they are kept; a batch at a time."""
    report = due.SweepReport()
    for handler in operations.HANDLERS.values():
        if handler.kept is None:
            continue
        old = Operation.objects.filter(kind=handler.kind, state=State.DONE, finished_at__lt=now - handler.kept)
        if dry_run:
            report.would.append(f"forget {old.count()} of {handler.kind}")
            continue
        ids = list(old.order_by("pk").values_list("pk", flat=True)[:BATCH])
        report.done += Operation.objects.filter(pk__in=ids).delete()[1].get("core.Operation", 0)
    return report
