"""`manage.py abuse receive`: a mail server pipes the abuse mailbox to it (ABU-1).

The exit code is for the mail server: 0 means that the message is kept; anything else, that it must try again.
"""

import json
import sys
from argparse import ArgumentParser
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from abuse import intake
from domains.dns.resolver import DnsResolver
from panel.core import clock
from tickets import letters


class Command(BaseCommand):
    help = "Read one e-mail message from standard input: a report, an answer to a case, or a returned notice."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("what", choices=["receive"])
        parser.add_argument("--recipient", action="append", default=[], help="of the envelope; may be given often")
        parser.add_argument("--arrived", help="ISO 8601: when our mail server took it, if it had to wait in a queue")
        parser.add_argument("--now", help="ISO 8601: the instant to work at (default: the clock)")
        parser.add_argument("--json", action="store_true", help="answer in JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        now = _instant(options["now"]) or clock.now()
        raw = sys.stdin.buffer.read(letters.MAX_BYTES + 1)
        if not raw.strip():
            raise CommandError("nothing came in on standard input")
        received = intake.receive(
            raw, recipients=options["recipient"], resolver=DnsResolver(), now=now, arrived=_instant(options["arrived"])
        )
        answer = {
            "reports": [
                {
                    "reference": report.reference, "state": report.state, "why": report.why,
                    "case": report.case.reference if report.case else None,
                }
                for report in received.reports
            ],
            "ticket": received.ticket.number if received.ticket else None,
            "bounced": received.bounced,
        }  # fmt: skip
        self.stdout.write(json.dumps(answer) if options["json"] else _words(answer))


def _instant(text: str | None) -> datetime | None:
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise CommandError(f"{text!r} is not an ISO 8601 time") from error
    if moment.tzinfo is None:
        raise CommandError(f"{text!r} has no zone")
    return moment


def _words(answer: dict[str, Any]) -> str:
    if answer["bounced"]:
        return "a notice came back"
    if answer["ticket"]:
        return f"an answer to {answer['ticket']}"
    return "\n".join(
        f"{report['reference']}: {report['state']} {report['case'] or report['why']}" for report in answer["reports"]
    )
