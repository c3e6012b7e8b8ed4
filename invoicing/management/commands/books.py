"""The books by hand: write an archive, prove one, prove the database itself."""

import argparse
import json
from datetime import date
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from invoicing.accounting import archive, closings
from invoicing.issuing import invoices
from invoicing.taxing.report_rules import Span
from panel.core import clock


class Command(BaseCommand):
    help = "manage.py books archive 2026-01-01 2027-01-01 FILE; books verify FILE; books verify"

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        deeds = parser.add_subparsers(dest="deed", required=True)
        writing = deeds.add_parser("archive", help="from the first day to before the second")
        writing.add_argument("start", type=date.fromisoformat)
        writing.add_argument("end", type=date.fromisoformat)
        writing.add_argument("file", type=Path)
        proving = deeds.add_parser("verify", help="an archive, or without FILE the documents and closings here")
        proving.add_argument("file", type=Path, nargs="?")
        for each in (writing, proving):
            each.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["deed"] == "archive":
            self._write(options)
        else:
            self._prove(options)

    def _write(self, options: dict[str, Any]) -> None:
        if options["start"] >= options["end"]:
            raise CommandError("the archive ends before it begins")
        path: Path = options["file"]
        if path.exists():
            raise CommandError(f"{path} exists")
        manifest = archive.make(Span(options["start"], options["end"]), path, now=clock.now())
        said = {"file": str(path), "documents": len(manifest["documents"]), "keep_until": manifest["keep_until"]}
        plain = f"{said['documents']} documents, to be kept until {said['keep_until']}"
        self.stdout.write(json.dumps(said) if options["json"] else plain)

    def _prove(self, options: dict[str, Any]) -> None:
        try:
            broken = archive.verify(options["file"]) if options["file"] else [*invoices.verify(), *closings.verify()]
        except (archive.Unreadable, OSError) as wrong:
            raise CommandError(str(wrong)) from None
        if options["json"]:
            self.stdout.write(json.dumps({"broken": broken}))
        else:
            self.stdout.write("\n".join(broken) or "It holds: nothing was removed or altered.")
        if broken:
            raise CommandError(f"{len(broken)} breaks")
