"""`manage.py operations`: what the panel owes the outside world; retry what was given up."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from panel.core import clock, operations
from panel.core.models import Operation


class Command(BaseCommand):
    help = "List open operations, or the failed ones, or try one again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--failed", action="store_true", help="those that were given up")
        parser.add_argument("--json", action="store_true", help="answer in JSON")
        parser.add_argument("--limit", type=int, default=100, help="at most so many (default 100)")
        parser.add_argument("--retry", type=int, metavar="ID", help="try this one again, with all its attempts")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["retry"] is not None:
            self._retry(options["retry"])
            return
        states = ["failed"] if options["failed"] else ["due", "running"]
        rows = [as_dict(op) for op in Operation.objects.filter(state__in=states).order_by("-pk")[: options["limit"]]]
        if options["json"]:
            self.stdout.write(json.dumps(rows, indent=2, default=str))
            return
        for row in rows:
            self.stdout.write("{id:>8}  {state:8} {attempts:>3}x  {kind:28} {key}  {error}".format(**row).rstrip())
        self.stdout.write(f"{len(rows)} {'failed' if options['failed'] else 'open'} operations")

    def _retry(self, op_id: int) -> None:
        op = Operation.objects.filter(pk=op_id).first()
        if op is None:
            raise CommandError(f"There is no operation {op_id}.")
        if op.state not in ("failed", "due"):
            raise CommandError(f"Operation {op_id} is {op.state}: only a failed or waiting one can be tried again.")
        operations.retry(op_id, now=clock.now())
        self.stdout.write(f"operation {op_id} ({op.kind}) is due again")


def as_dict(op: Operation) -> dict[str, Any]:
    """What the list shows of an operation."""
    return {
        "id": op.pk, "kind": op.kind, "key": op.key, "state": op.state, "attempts": op.attempts,
        "due_at": op.due_at and op.due_at.isoformat(), "created_at": op.created_at.isoformat(),
        "account": op.account_id, "error": op.last_error,
    }  # fmt: skip
