"""Walking the clock: the sweeps and the worker run for the walked instant, as they would have run then."""

from collections.abc import Callable
from datetime import datetime, timedelta

from panel.core import due, operations
from panel.core.calendars import paris_date
from panel.core.models import Operation
from panel.core.operation_states import State

STEP = timedelta(hours=6)
SHORT = timedelta(minutes=3)  # what is due this soon is waited for: a machine that starts, a bank that answers
SWEEPS = (
    "servers.meter",
    "servers.maintenance",
    "servers.backups",
    "invoicing.check_vat",
    "invoicing.renew",
    "invoicing.report",
    "invoicing.close",
    "invoicing.follow",
    "abuse.escalate",
)
DAILY = ("payments.collect", "invoicing.quotes", "invoicing.dun")


class Walk:
    """`now` only goes forward. A sweep's failing row fails the walk: a demo must not hide a fault."""

    def __init__(self, start: datetime, tell: Callable[[datetime], None]) -> None:
        """`tell`: who else lives by this clock."""
        self.now, self._tell = start, tell
        tell(start)

    def settle(self) -> None:
        """Carry out what is due now or within minutes, and what follows from it."""
        while True:
            if operations.run_due(self.now):
                continue
            soon = Operation.objects.filter(state=State.DUE, due_at__lte=self.now + SHORT)
            following = soon.order_by("due_at").first()
            if following is None or following.due_at is None:
                return
            self.now = max(self.now, following.due_at)

    def until(self, instant: datetime, *, step: timedelta = STEP) -> None:
        """Live up to `instant`, looking around every `step`."""
        while self.now < instant:
            before, self.now = paris_date(self.now), min(self.now + step, instant)
            self._tell(self.now)
            for name in (*SWEEPS, *(DAILY if paris_date(self.now) > before else ())):
                report = due.SWEEPS[name].run(self.now)
                if report.failed:
                    raise RuntimeError(f"{name} at {self.now.isoformat()}: {report.failed}")
            self.settle()

    def on(self, **delta: float) -> None:
        """Live on for so long."""
        self.until(self.now + timedelta(**delta))
