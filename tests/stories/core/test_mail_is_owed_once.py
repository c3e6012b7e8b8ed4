"""As a customer I want each mail once, and the panel to know whether my mail server took it."""

import smtplib
from typing import Any

import pytest
from django.core import mail as outbox
from django.core.mail import EmailMessage
from django.db import transaction

from panel.core import mail
from panel.core.models import Event, MailMessage
from tests.support.world import World

pytestmark = pytest.mark.django_db


def owe(world: World, key: str = "notice:1") -> MailMessage:
    with transaction.atomic():
        return mail.send_text(
            "notice", to="alice@customer.example", title="A\nnotice", body="Hello", now=world.now, key=key
        )


def kinds() -> list[str]:
    return list(Event.objects.filter(kind__startswith="core.mail.").values_list("kind", flat=True))


def test_it_is_sent_once_and_its_acceptance_is_an_event() -> None:
    world = World()
    owe(world)
    owe(world)
    assert outbox.outbox == []
    world.work()
    world.work()
    [sent] = outbox.outbox
    assert (sent.subject, sent.extra_headers["Auto-Submitted"]) == ("A notice", "auto-generated")
    assert kinds() == ["core.mail.accepted"]
    assert MailMessage.objects.get().accepted_at == world.now


def test_a_recipient_refused_for_good_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: EmailMessage, **kwargs: Any) -> int:
        raise smtplib.SMTPRecipientsRefused({"alice@customer.example": (550, b"no such mailbox")})

    monkeypatch.setattr(EmailMessage, "send", refuse)
    world = World()
    owe(world)
    world.work()
    assert kinds() == ["core.mail.failed"]
    assert [op.kind for op in world.failed_operations()] == ["mail.send"]


@pytest.mark.parametrize("address", ["alicé@customer.example@", "alice@customer.example\nBcc: x@y.example"])
def test_a_malformed_address_is_given_up_without_being_repeated(address: str) -> None:
    """PRV-4: an operation's error is kept for ever; the address stands in the erasable part of the mail alone."""
    world = World()
    with transaction.atomic():
        mail.send_text("notice", to=address, title="A notice", body="Hello", now=world.now, key="notice:1")
    world.work()
    (op,) = world.failed_operations()
    assert "malformed" in op.last_error
    assert "customer.example" not in op.last_error + "".join(op.tries.values_list("error", flat=True))
    assert kinds() == ["core.mail.failed"]


def test_a_busy_server_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    sent, send = [], EmailMessage.send

    def busy_once(self: EmailMessage, **kwargs: Any) -> int:
        sent.append(self)
        if len(sent) == 1:
            raise smtplib.SMTPServerDisconnected("try later")
        return int(send(self, **kwargs))

    monkeypatch.setattr(EmailMessage, "send", busy_once)
    world = World()
    owe(world)
    world.work()
    world.advance(minutes=1)
    assert kinds() == ["core.mail.accepted"]
