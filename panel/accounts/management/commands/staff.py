"""`manage.py staff`: appoint, dismiss and list staff on the machine itself; so the first administrator is made."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.urls import reverse

from panel.accounts import contacts, staffing
from panel.accounts.models import User
from panel.core import clock
from panel.core.actors import STAFF_ROLES, SYSTEM
from panel.core.errors import RuleViolation


class Command(BaseCommand):
    help = "Appoint, dismiss or list the staff."

    def add_arguments(self, parser: ArgumentParser) -> None:
        deeds = parser.add_subparsers(dest="deed", required=True)
        appoint = deeds.add_parser("appoint", help="make a person staff, with exactly these roles")
        appoint.add_argument("email")
        appoint.add_argument("--name", default="")
        appoint.add_argument("--role", dest="roles", action="append", required=True, choices=STAFF_ROLES)
        deeds.add_parser("dismiss", help="take every role away, and log out everywhere").add_argument("email")
        deeds.add_parser("list", help="who is staff, with which roles")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            match options["deed"]:
                case "appoint":
                    self._appoint(options["email"], options["name"], options["roles"])
                case "dismiss":
                    user = staffing.dismiss(options["email"], actor=SYSTEM, now=clock.now())
                    self.stdout.write(f"{user.email} is not staff any more.")
                case _:
                    self._list()
        except RuleViolation as refusal:
            raise CommandError(refusal.sentence) from None

    def _appoint(self, email: str, name: str, roles: list[str]) -> None:
        user = staffing.appoint(email, name=name, roles=roles, actor=SYSTEM, now=clock.now())
        self.stdout.write(f"{user.email} is staff: {', '.join(sorted(roles))}.")
        if not user.has_usable_password():
            path = reverse("account_reset_password_from_key", kwargs={"uidb36": "UID", "key": "KEY"})
            link = settings.CLAUSE_BASE_URL + path.replace("UID-KEY", "{uid}-{key}")
            self.stdout.write(f"To choose a password, once: {contacts.password_link(link, user)}")

    def _list(self) -> None:
        for user in User.objects.filter(staff_roles__isnull=False).distinct().order_by("email"):
            roles = ", ".join(sorted(user.staff_roles.values_list("role", flat=True)))
            self.stdout.write(f"{user.email:<40} {roles}")
