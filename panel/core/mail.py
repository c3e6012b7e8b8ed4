"""Outgoing mail: written with the decision, sent by an operation, once per key; acceptance and failure are events.

A template is a text file `mail/<name>.<language>.txt` whose first line is `Subject: ...`.
"""

import re
import smtplib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage
from django.db import IntegrityError, models, transaction
from django.template.loader import select_template
from django.utils import translation
from django.utils.translation import gettext_lazy as _

from panel.core import files, operations, proofs
from panel.core.actors import SYSTEM
from panel.core.errors import ProviderError
from panel.core.models import Blob, MailContent, MailMessage, Operation, subject_of

FINAL = 500  # SMTP: from here on trying again is of no use


def send(
    template: str,
    *,
    to: str,
    context: Mapping[str, Any],
    now: datetime,
    key: str,
    account_id: int | None = None,
    subject: models.Model | None = None,
    lang: str = "en",
    attachments: Sequence[Blob] = (),
    reply_to: str = "",
) -> MailMessage:
    """Owe `to` a mail, once per `key`; inside the transaction of what it tells.

    Follow-ups in the journal: `core.mail.accepted` when the outgoing server took it, `core.mail.failed` when it was
    given up; both with the mail's own subject object.
    """
    with translation.override(lang):
        text = select_template([f"mail/{template}.{lang}.txt", f"mail/{template}.en.txt"]).render(
            {"brand": settings.CLAUSE_BRAND, "base_url": settings.CLAUSE_BASE_URL, **context}
        )
    first, _, body = text.partition("\n")
    return send_text(
        template, to=to, title=first.removeprefix("Subject:"), body=body, now=now, key=key, account_id=account_id,
        subject=subject, attachments=attachments, reply_to=reply_to,
    )  # fmt: skip


def send_text(
    template: str,
    *,
    to: str,
    title: str,
    body: str,
    now: datetime,
    key: str,
    account_id: int | None = None,
    subject: models.Model | None = None,
    attachments: Sequence[Blob] = (),
    reply_to: str = "",
) -> MailMessage:
    """Like `send`, for a text that is rendered already; `template` names its kind."""
    message = MailMessage(key=key, template=template, account_id=account_id, created_at=now, **subject_of(subject))
    try:
        with transaction.atomic():
            message.save(force_insert=True)
    except IntegrityError:
        return MailMessage.objects.get(key=key)
    MailContent.objects.create(
        message=message, to=to, subject=" ".join(title.split())[:300], body=body.strip() + "\n", reply_to=reply_to,
        attachments=[blob.pk for blob in attachments],
    )  # fmt: skip
    operations.enqueue(
        SendMail.kind, key=f"mail:{message.pk}", now=now, account_id=account_id, subject=message,
        payload={"mail": message.pk, "template": template},
    )  # fmt: skip
    return message


class SendMail(operations.Handler):
    """Hands a mail to the outgoing server. A lost answer may send it twice; the Message-ID stays the same."""

    kind = "mail.send"
    label = _("Send a mail")
    max_attempts = 10

    def perform(self, op: Operation, *, now: datetime) -> dict[str, Any]:
        message = MailMessage.objects.get(pk=op.payload["mail"])
        content = MailContent.objects.filter(message=message).first()
        if content is None:
            raise ProviderError("the mail's content was erased", permanent=True)
        outgoing = EmailMessage(
            content.subject, content.body, settings.DEFAULT_FROM_EMAIL, [content.to],
            headers={"Message-ID": _id_of(message, op), "Auto-Submitted": "auto-generated"},
            reply_to=[content.reply_to] if content.reply_to else None,
        )  # fmt: skip
        for blob in Blob.objects.filter(pk__in=content.attachments):
            outgoing.attach(blob.name, files.read(blob), blob.content_type)
        try:
            outgoing.send()
        except smtplib.SMTPRecipientsRefused as refused:
            codes = [code for code, _ in refused.recipients.values()]
            final = min(codes) >= FINAL
            raise ProviderError("the server refused the recipient", permanent=final, code=str(codes[0])) from refused
        except smtplib.SMTPResponseException as refused:
            raise ProviderError(f"SMTP {refused.smtp_code}", permanent=refused.smtp_code >= FINAL) from refused
        except ValueError as error:  # says the address, which is not ours to repeat
            raise ProviderError("the address or the subject is malformed", permanent=True, code="address") from error
        except (OSError, smtplib.SMTPException) as error:
            raise ProviderError(f"{type(error).__name__}: {error}") from error
        return {}

    def completed(self, op: Operation, result: dict[str, Any], *, now: datetime) -> None:
        self._tell(op, "core.mail.accepted", now, accepted_at=now)

    def gave_up(self, op: Operation, error: str, *, now: datetime) -> None:
        self._tell(op, "core.mail.failed", now, failed_at=now)

    def _tell(self, op: Operation, kind: str, now: datetime, **instants: datetime) -> None:
        from panel.core import events  # events hands its own entries over by operations

        MailMessage.objects.filter(pk=op.payload["mail"]).update(**instants)
        message = MailMessage.objects.get(pk=op.payload["mail"])
        events.record(
            kind, now=now, actor=SYSTEM, account_id=message.account_id, subject=message,
            data={"mail": message.pk, "template": message.template, "about": message.subject_type,
                  "about_id": message.subject_id},
        )  # fmt: skip


_PURPOSE = "message-id"
_OURS = re.compile(r"<(clause-(\d{1,18})-\d{1,18})\.([a-z2-7]{16})@[^<>@\s]+>")


def _id_of(message: MailMessage, op: Operation) -> str:
    """The mail's Message-ID: whoever names it in an answer has read the mail."""
    name = f"clause-{message.pk}-{op.pk}"
    return f"<{name}.{proofs.of(_PURPOSE, name)}@{settings.CLAUSE_MAIL_DOMAIN}>"


def answered(text: str) -> list[int]:
    """Which mails of ours an In-Reply-To or References header proves to answer: ids of MailMessage."""
    found = _OURS.finditer(text)
    return [int(match[2]) for match in found if proofs.holds(_PURPOSE, match[1], match[3])]


def install() -> None:
    operations.register(SendMail)
