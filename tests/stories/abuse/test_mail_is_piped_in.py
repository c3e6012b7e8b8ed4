"""A mail server pipes the abuse mailbox into `manage.py abuse receive` (ABU-1, ABU-9)."""

import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from abuse.management.commands import abuse as command
from abuse.models import Case, Report
from servers.models import Server
from tests.support.desk import Desk, NoNames
from tests.support.machines import first_ip
from tests.support.world import Customer, World
from tickets import return_address
from tickets.models import Ticket

pytestmark = pytest.mark.django_db


@pytest.fixture
def pipe(world: World, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:
    monkeypatch.setattr(command, "DnsResolver", NoNames)

    def run(raw: bytes, *options: str) -> dict[str, Any]:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(raw)))
        out = io.StringIO()
        call_command("abuse", "receive", "--json", "--now", world.now.isoformat(), *options, stdout=out)
        answer: dict[str, Any] = json.loads(out.getvalue())
        return answer

    return run


def test_a_report_opens_a_case(world: World, desk: Desk, server: Server, pipe: Callable[..., dict[str, Any]]) -> None:
    answer = pipe(desk.xarf(first_ip(server)), "--recipient", desk.secret)
    assert answer["reports"][0]["case"] == Case.objects.get().reference


def test_an_answer_stops_the_clock(
    world: World, desk: Desk, alice: Customer, server: Server, pipe: Callable[..., dict[str, Any]]
) -> None:
    case = desk.case(server)
    to = return_address.of(Ticket.objects.get())
    mail = desk.letter(sender=alice.user.email, to=to, subject="Re", body="Gone.")
    assert pipe(mail.as_bytes())["ticket"] == case.ticket.number
    case.refresh_from_db()
    assert case.state == "answered"


def test_nothing_on_standard_input_is_an_error_and_rubbish_is_kept(
    world: World, desk: Desk, pipe: Callable[..., dict[str, Any]]
) -> None:
    with pytest.raises(CommandError):
        pipe(b"\n")
    with pytest.raises(CommandError):
        pipe(b"x", "--arrived", "yesterday")
    assert pipe(b"\xff\xfe rubbish")["reports"][0]["why"] == "unread"
    assert Report.objects.get().body.original is not None
