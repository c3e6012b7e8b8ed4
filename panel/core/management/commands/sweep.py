"""`manage.py sweep <name>`: runs one sweep by hand, for any instant, or says what it would do."""

import json
import sys
from argparse import ArgumentParser
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from panel.core import clock, due, ticking


class Command(BaseCommand):
    help = "Run one sweep: --now for another instant, --dry-run to change nothing, --list for what there is."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", nargs="?", help="the sweep, as --list names it")
        parser.add_argument("--list", action="store_true", help="name every sweep and how often it runs by itself")
        parser.add_argument("--now", type=instant, help="ISO 8601 with its zone, as 2026-11-22T09:00:00+01:00")
        parser.add_argument("--dry-run", action="store_true", help="say what would happen, change nothing")
        parser.add_argument("--json", action="store_true", help="answer in JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["list"]:
            self._list(as_json=options["json"])
            return
        name = options["name"]
        if name not in due.SWEEPS:
            raise CommandError(f"There is no sweep {name!r}. There are: {', '.join(sorted(due.SWEEPS))}.")
        now, dry_run = options["now"] or clock.now(), options["dry_run"]
        live = not dry_run and options["now"] is None  # a run for a chosen instant is no tick of the clock
        if live:
            ticking.pulse(now)  # a gap of the clock is on the book before anything is enforced (ABU-12)
        report = ticking.run(name, now=now) if live else due.SWEEPS[name].run(now, dry_run=dry_run)
        answer = {"sweep": name, "now": now.isoformat(), "dry_run": dry_run, **report.as_dict()}
        self.stdout.write(json.dumps(answer, indent=2, default=str) if options["json"] else as_text(answer, report))
        if report.failed:
            sys.exit(1)

    def _list(self, *, as_json: bool) -> None:
        every = {name: int(sweep.every.total_seconds()) for name, sweep in sorted(due.SWEEPS.items())}
        if as_json:
            self.stdout.write(json.dumps(every, indent=2))
            return
        for name, seconds in every.items():
            self.stdout.write(f"{name:32} every {seconds} s")


def instant(text: str) -> datetime:
    """An aware instant from ISO 8601."""
    try:
        value = datetime.fromisoformat(text)
    except ValueError as error:
        raise CommandError(f"{text!r} is not an instant in ISO 8601.") from error
    if value.tzinfo is None:
        raise CommandError(f"{text!r} names no time zone; write {text}Z for UTC.")
    return value


def as_text(answer: dict[str, Any], report: due.SweepReport) -> str:
    """The report for a person."""
    head = f"{answer['sweep']} at {answer['now']}"
    if answer["dry_run"]:
        return (
            "\n".join([f"{head} would:", *(f"  {line}" for line in report.would)])
            if report.would
            else f"{head}: nothing to do"
        )
    return "\n".join(
        [f"{head}: {report.done} done, {len(report.failed)} failed", *(f"  {line}" for line in report.failed)]
    )
