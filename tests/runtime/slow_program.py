"""`manage.py serve` with two more kinds of operation: a slow one that writes its key into a file, and a loud one."""

import os
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
os.environ["DJANGO_SETTINGS_MODULE"] = "panel.settings"

import django

django.setup()

from datetime import datetime  # noqa: E402

from django.conf import settings  # noqa: E402
from django.core.management import call_command  # noqa: E402

from panel.core import live, operations  # noqa: E402
from panel.core.models import Operation  # noqa: E402

EFFECTS = Path(settings.CLAUSE_DATA) / "effects.txt"


@operations.register
class Slow(operations.Handler):
    kind = "test.slow"
    label = "Takes its time"

    def perform(self, op: Operation, *, now: datetime) -> dict[str, Any]:
        time.sleep(op.payload["seconds"])
        with EFFECTS.open("a") as effects:
            effects.write(f"{op.key}\n")
        return {}

    def happened(self, op: Operation) -> dict[str, Any] | None:
        return {} if EFFECTS.exists() and op.key in EFFECTS.read_text().splitlines() else None


@operations.register
class Publish(operations.Handler):
    kind = "test.publish"
    label = "Tells open pages something"

    def perform(self, op: Operation, *, now: datetime) -> dict[str, Any]:
        return {}

    def completed(self, op: Operation, result: dict[str, Any], *, now: datetime) -> None:
        if "leave" in op.payload:
            live.close_sockets(op.payload["leave"])
        else:
            live.publish(op.payload["topics"], op.payload["event"], op.payload["payload"])


if __name__ == "__main__":
    call_command("serve", *sys.argv[1:])
