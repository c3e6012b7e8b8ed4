"""An abuse desk for stories: a trusted reporter with a secret address, mails to the mailbox, no name servers."""

import io
import json
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from itertools import count
from typing import Any
from unittest.mock import patch

from django.core.management import call_command

from abuse import intake, reporters
from abuse.intake import Received
from abuse.models import Case, CaseStep, Reporter
from invoicing.issuing import charging
from invoicing.models import Invoice
from servers import providers
from servers.models import Server
from tests.support.machines import first_ip
from tests.support.world import World
from tickets import return_address
from tickets.models import Ticket

_numbers = count(1)


class NoNames:
    """A resolver that knows nothing."""

    def txt(self, name: str) -> list[bytes]:
        return []

    def addresses(self, name: str) -> list[str]:
        return []

    def names_of(self, address: str) -> list[str]:
        return []


@dataclass
class Desk:
    """`world` tells the time; `trusted` is a reporter whose reports start a clock."""

    world: World

    def __post_init__(self) -> None:
        staff = self.world.staff("abuse", name="Ada")
        self.staff = staff
        self.reporter: Reporter = reporters.add(
            "notices@rights.example", name="Harbour Rights Desk", domain="rights.example", trusted=True, actor=staff,
            now=self.world.now,
        )  # fmt: skip
        self.secret = reporters.give_address(self.reporter, actor=staff, now=self.world.now)
        self.reporter.refresh_from_db()

    def report(self, ip: str, *, to: str | None = None, at: datetime | None = None, **changes: Any) -> Received:
        """A XARF copyright report by mail about `ip`, from the trusted reporter unless sent `to` the plain address."""
        return self.receive(self.xarf(ip, at=at, **changes), to or self.secret)

    def xarf(self, ip: str, *, at: datetime | None = None, **changes: Any) -> bytes:
        report = {
            "xarf_version": "4.2.0", "report_id": f"report-{next(_numbers)}", "source_identifier": ip,
            "timestamp": (at or self.world.now).isoformat(), "category": "copyright", "type": "p2p",
            "reporter": {"org": "Harbour Rights Desk", "contact": "notices@rights.example", "domain": "rights.example"},
            "work_title": "The Lighthouse Keeper's Almanac",
        } | changes  # fmt: skip
        mail = self.letter(sender="notices@rights.example", to="abuse@clause.example", subject="Copyright notice")
        mail.add_attachment(json.dumps(report).encode(), maintype="application", subtype="json", filename="xarf.json")
        return mail.as_bytes()

    @staticmethod
    def letter(*, sender: str, to: str, subject: str, body: str = "See the report.", **headers: str) -> EmailMessage:
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Subject"] = sender, to, subject
        mail["Message-ID"] = f"<mail-{next(_numbers)}@sender.example>"
        for name, value in headers.items():
            mail[name.replace("_", "-")] = value
        mail.set_content(body)
        return mail

    def receive(self, raw: bytes, *recipients: str, arrived: datetime | None = None) -> Received:
        return intake.receive(raw, recipients=recipients, resolver=NoNames(), now=self.world.now, arrived=arrived)

    def pipe(self, raw: bytes, *recipients: str) -> dict[str, Any]:
        """The mail server pipes a message to `manage.py abuse receive`; what the command answers."""
        words = [word for recipient in recipients for word in ("--recipient", recipient)]
        said = io.StringIO()
        with patch("sys.stdin", io.TextIOWrapper(io.BytesIO(raw))):
            call_command("abuse", "receive", *words, "--now", self.world.now.isoformat(), "--json", stdout=said)
        return dict(json.loads(said.getvalue()))

    def case(self, server: Server, **changes: Any) -> Case:
        """A running case about the server's address, its notice accepted at the world's now."""
        received = self.report(first_ip(server), **changes)
        case = received.reports[0].case
        assert case is not None, received.reports[0].why
        self.world.work()
        return Case.objects.get(pk=case.pk)

    def answer_by_mail(self, case: Case, sender: str, body: str = "Removed.", arrived: datetime | None = None,
                       **headers: str) -> Received:  # fmt: skip
        """The customer answers the notice from their mail program."""
        to = return_address.of(Ticket.objects.get(pk=case.ticket_id))
        mail = self.letter(sender=sender, to=to, subject="Re: notice", body=body, **headers)
        return self.receive(mail.as_bytes(), to, arrived=arrived)


def steps(case: Case) -> list[tuple[str, str]]:
    """The case's steps with their states."""
    return list(CaseStep.objects.filter(case=case).order_by("pk").values_list("rung", "state"))


def fees(case: Case) -> list[tuple[str, int]]:
    """Rule and net cents of everything charged for the case, credited ones left out."""
    charges = [charging.find(step.fee_key) for step in case.steps.exclude(fee_key="").order_by("pk")]
    return [(charge.rule, charge.net_cents) for charge in charges if charge and charge.reversal is None]


def invoices(case: Case) -> list[Invoice]:
    """Every invoice and credit note of the case's account, oldest first."""
    return list(Invoice.objects.filter(account=case.account).order_by("pk"))


def blocked(server: Server) -> set[str]:
    """What the cloud cuts off for a server."""
    server = Server.objects.get(pk=server.pk)
    return {str(ip) for ip in providers.get(server.place).blocked(server.provider_ref)}
