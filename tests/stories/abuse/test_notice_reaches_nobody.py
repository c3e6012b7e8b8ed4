"""The notice is refused by every mail server, or comes back: T0 is unset and staff is told (ABU-2)."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.mail.backends.base import BaseEmailBackend

from abuse import delivery
from abuse.models import Case
from panel.core.models import Event
from servers.models import Server
from tests.support.desk import Desk, steps
from tests.support.machines import first_ip
from tests.support.world import Customer, World
from tickets import return_address

pytestmark = pytest.mark.django_db
SWEEP = ("abuse.escalate",)


class Refusing(BaseEmailBackend):
    """A server that refuses everybody for good."""

    def send_messages(self, messages: Any) -> int:
        import smtplib

        raise smtplib.SMTPRecipientsRefused({"x": (550, b"no such user")})


def test_refused_by_the_server_t0_is_unset_and_staff_is_told(
    world: World, desk: Desk, server: Server, settings: Any
) -> None:
    settings.EMAIL_BACKEND = f"{__name__}.Refusing"
    received = desk.report(first_ip(server))
    world.work()
    case = Case.objects.get(pk=received.reports[0].case_id)
    assert (case.t0, case.due_at, case.state) == (None, None, "notifying")
    assert case.unnoticed_at is not None
    assert Event.objects.filter(kind="abuse.case.unnoticed").count() == 1
    world.advance(days=30, sweeps=SWEEP)
    assert steps(case) == []

    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    delivery.send_again(case.pk, actor=desk.staff, now=world.now)
    world.work()
    case.refresh_from_db()
    assert (case.t0, case.unnoticed_at, case.state) == (world.now, None, "running")
    assert case.due_at == world.now + timedelta(hours=48)


def bounce(case: Case, *recipients: str) -> bytes:
    blocks = "\n".join(f"Final-Recipient: rfc822; {one}\nAction: failed\nStatus: 5.1.1\n" for one in recipients)
    return f"""From: MAILER-DAEMON@mx.example
To: response@clause.example
Content-Type: multipart/report; report-type=delivery-status; boundary=b

--b
Content-Type: text/plain

No such user.
--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example

{blocks}
--b
Content-Type: text/rfc822-headers

Reply-To: {return_address.of(case.ticket)}
--b--
""".encode()


def test_all_come_back_and_t0_is_unset(world: World, desk: Desk, alice: Customer, server: Server) -> None:
    carl = world.contact(alice, ["tickets"])
    case = desk.case(server)
    assert case.notices.count() == 2
    world.advance(hours=1)
    assert desk.receive(bounce(case, carl.user.email)).bounced
    case.refresh_from_db()
    assert case.t0 is not None
    desk.receive(bounce(case, alice.user.email))
    case.refresh_from_db()
    assert (case.t0, case.state, case.due_at) == (None, "notifying", None)
    world.advance(days=30, sweeps=SWEEP)
    assert steps(case) == []


def test_a_forged_bounce_without_our_return_address_unsets_nothing(
    world: World, desk: Desk, alice: Customer, server: Server
) -> None:
    case = desk.case(server)
    forged = bounce(case, alice.user.email).replace(b"Reply-To: abuse+", b"Reply-To: abuse+x")
    assert not desk.receive(forged).bounced
    case.refresh_from_db()
    assert case.t0 is not None


def test_only_those_who_may_answer_are_told(world: World, desk: Desk, alice: Customer, server: Server) -> None:
    world.contact(alice, ["pay"])
    case = desk.case(server)
    assert [notice.user for notice in case.notices.all()] == [alice.user]
