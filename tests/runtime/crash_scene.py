"""A small scene for the crash harness: one decision, one call to the outside world, one consequence."""

from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction

from panel.core import clock, crash, events, operations
from panel.core.actors import SYSTEM
from panel.core.models import Event, Operation


def _outside() -> Path:
    return Path(settings.CLAUSE_DATA) / "outside.txt"


@operations.register
class Once(operations.Handler):
    kind = "test.once"
    label = "Writes a line in the outside world"

    def perform(self, op: Operation, *, now: datetime) -> dict[str, Any]:
        with _outside().open("a") as outside:
            outside.write(f"{op.key}\n")
        crash.point("test.once:written")
        return {}

    def happened(self, op: Operation) -> dict[str, Any] | None:
        return {} if _outside().exists() else None

    def completed(self, op: Operation, result: dict[str, Any], *, now: datetime) -> None:
        events.record("test.written", now=now, actor=SYSTEM)


def act() -> None:
    now = clock.now()
    with transaction.atomic():
        events.record("test.decided", now=now, actor=SYSTEM)
        operations.enqueue("test.once", key="only", now=now)
    operations.run_due()


def resume() -> None:
    operations.take_back_running(clock.now())
    if not Event.objects.exists():
        act()  # the decision was never committed: whoever wanted it asks again
    operations.run_due()


def verify() -> dict[str, int]:
    return {
        "decided": Event.objects.filter(kind="test.decided").count(),
        "outside": len(_outside().read_text().splitlines()),
        "written": Event.objects.filter(kind="test.written").count(),
        "open": Operation.objects.exclude(state="done").count(),
    }
