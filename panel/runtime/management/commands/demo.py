"""`manage.py demo`: build the demo world, renew it, or say a staff log-in's present code."""

from argparse import ArgumentParser
from typing import Any

from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value, yield_hotp_counters_from_time
from allauth.mfa.utils import decrypt
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from panel.accounts.models import User
from panel.core import clock
from panel.demo import logins, story
from panel.runtime import bank, demo_data
from panel.runtime.lock import DataLock, Running

NOTE = "Staff's second factor: `make code` prints the present one."


class Command(BaseCommand):
    help = "Build the demo world; --if-empty: only in an empty database; --code: the second factor of the demo's staff."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--if-empty", action="store_true", help="do nothing when there are users already")
        parser.add_argument("--code", action="store_true", help="print the present second factor of the demo's staff")

    def handle(self, *args: Any, **options: Any) -> None:
        if settings.PRODUCTION:
            raise CommandError("The demo world is for the embedded runtime alone.")
        if options["code"]:
            self._code()
        elif options["if_empty"]:
            if not User.objects.exists():
                self._build(str(settings.CLAUSE_GATEWAY["api_base"]))
        else:
            self._renew()

    def _renew(self) -> None:
        """Throw this installation's data away and build the world anew; refused while it runs."""
        lock = DataLock(settings.CLAUSE_DATA)
        try:
            lock.take("renewing the demo world")
        except Running as running:
            raise CommandError(f"{running}. Stop it first.") from None
        try:
            demo_data.throw_away()
            call_command("migrate", interactive=False, verbosity=0, skip_checks=True)
            opened = bank.open_bank(f"{settings.CLAUSE_BASE_URL}/hooks/stripe/")
            try:
                self._build(opened.base)
            finally:
                opened.stop()
        finally:
            lock.release()

    def _build(self, bank_address: str) -> None:
        self.stdout.write("Building the demo world: two months of a small provider, a minute or two ...")
        self.stdout.flush()
        with demo_data.building():
            logins.write(story.build(clock.now(), bank_address), note=NOTE)
        self.stdout.write("The demo world is ready.")

    def _code(self) -> None:
        rows = Authenticator.objects.filter(type=Authenticator.Type.TOTP, user__email__endswith="@staff.example")
        for row in rows.select_related("user"):
            counter = next(iter(yield_hotp_counters_from_time()))
            code = format_hotp_value(hotp_value(decrypt(row.data["secret"]), counter))
            self.stdout.write(f"{row.user.email:<34} {code}")
