"""`manage.py tickets receive`: a mail server pipes mail for support@, billing@ and response@ to it (TIC-3)."""

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from panel.core import clock
from tickets import letters, mailbox

NOBODY = 67  # EX_NOUSER: the mail server tells the sender


class Command(BaseCommand):
    help = "Read one e-mail message from standard input and file it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("what", choices=["receive"])
        parser.add_argument("--recipient", action="append", default=[], help="of the envelope; may be given often")

    def handle(self, *args: Any, **options: Any) -> None:
        letter = letters.parse(sys.stdin.buffer.read(letters.MAX_BYTES + 1))
        recipients = options["recipient"] or list(letter.recipients)
        try:
            ticket = mailbox.receive(letter, recipients, now=clock.now())
        except mailbox.NobodysMail as error:
            self.stderr.write(f"{error} is no customer of ours, and this answers no request.")
            sys.exit(NOBODY)
        self.stdout.write(ticket.number)
