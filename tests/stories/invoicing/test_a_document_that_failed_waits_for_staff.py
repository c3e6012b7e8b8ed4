"""As staff I find a PDF that could not be made, or a mail that no server took, in my queue; tried again from there it
is finished, with the number it had and in one mail (INV-2, INV-3)."""

import smtplib
from typing import Any

import pytest
from django.core import mail as outbox
from django.core.mail import EmailMessage
from django.test import Client

from invoicing.issuing import invoices, printing
from invoicing.models import Invoice, NumberSeries
from panel.core import clock
from panel.core.errors import ProviderError
from panel.core.models import Operation
from tests.support.personas import logged_in, staff
from tests.support.shop import Shop
from tests.support.world import World

pytestmark = pytest.mark.django_db
HOURS = 12  # within which every attempt has been made


@pytest.fixture
def browser(world: World, monkeypatch: pytest.MonkeyPatch) -> Client:
    monkeypatch.setattr(clock, "now", lambda: world.now)
    return logged_in(staff(world, "administrator"))


def given_up(world: World, kind: str) -> Operation:
    """Tried again and again until nobody tries any more."""
    for _ in range(HOURS):
        world.advance(hours=1)
    (op,) = world.failed_operations()
    assert op.kind == kind
    return op


def tried_again(world: World, browser: Client, op: Operation) -> None:
    """From the queue, by a double click."""
    where = f"/ops/operations/{op.pk}/"
    assert where in browser.get("/ops/").content.decode()
    assert f"{where}retry/" in browser.get(where).content.decode()
    for _ in range(2):
        assert browser.post(f"{where}retry/").status_code == 302
    world.work()


def numbers() -> tuple[str, int]:
    """The only number, and how many its series has given."""
    assert invoices.verify() == []
    return Invoice.objects.get().number, NumberSeries.objects.get().last_number


def sent() -> list[EmailMessage]:
    """What reached the customer about the invoice."""
    return [one for one in outbox.outbox if "F2026-000001" in one.subject]


@pytest.mark.parametrize("trouble", [ProviderError("no font", permanent=True), MemoryError("no room")])
def test_a_pdf_that_cannot_be_made(
    world: World, shop: Shop, browser: Client, monkeypatch: pytest.MonkeyPatch, trouble: Exception
) -> None:
    def broken(document: Any) -> printing.Files:
        raise trouble

    working = printing.files_of
    monkeypatch.setattr(printing, "files_of", broken)
    shop.buy(world.customer())
    assert numbers() == ("F2026-000001", 1), "issued whatever becomes of its paper"
    op = given_up(world, "invoicing.render_pdf")
    assert (Invoice.objects.get().pdf, world.mails("invoice_issued")) == (None, [])
    assert str(trouble) in op.last_error
    monkeypatch.setattr(printing, "files_of", working)
    tried_again(world, browser, op)
    pdf = Invoice.objects.get().pdf
    assert pdf is not None
    browser.post(f"/ops/operations/{op.pk}/retry/")  # from a page that was open still
    world.work()
    assert (world.failed_operations(), numbers()) == ([], ("F2026-000001", 1))
    assert [[name for name, *_ in one.attachments] for one in sent()] == [["F2026-000001.pdf"]]
    assert (Invoice.objects.get().pdf, len(world.mails("invoice_issued"))) == (pdf, 1)


def test_a_mail_that_no_server_takes(
    world: World, shop: Shop, browser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Refused for the time being, until nobody tries any more; the document is in the account all the while."""
    send, busy = EmailMessage.send, [True]

    def refuse(self: EmailMessage, **how: Any) -> int:
        if busy and "F2026-000001" in self.subject:
            raise smtplib.SMTPSenderRefused(451, b"busy", "billing@clause.example")
        return int(send(self, **how))

    monkeypatch.setattr(EmailMessage, "send", refuse)
    shop.buy(world.customer())
    op = given_up(world, "mail.send")
    pdf = Invoice.objects.get().pdf
    assert (pdf is not None, sent(), op.last_error) == (True, [], "SMTP 451")
    busy.clear()
    tried_again(world, browser, op)
    browser.post(f"/ops/operations/{op.pk}/retry/")
    world.work()
    assert (world.failed_operations(), numbers()) == ([], ("F2026-000001", 1))
    assert (len(sent()), len(world.mails("invoice_issued")), Invoice.objects.get().pdf) == (1, 1, pdf)
