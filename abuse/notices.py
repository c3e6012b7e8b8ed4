"""What the customer and the reporter are told by mail, and in which words (ABU-1, ABU-2, ABU-11)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext as _

from abuse.models import Case, Notice, Report
from panel import terms
from panel.core import mail
from servers.models import AddressHolding
from tickets import conversation, return_address

OPENING = "abuse_opened"


def opening_words(report: Report, holding: AddressHolding) -> str:
    """The first message of the thread: the allegation as reported, in the account's language around it."""
    words = [
        _("We received a report about your address %(address)s (server %(server)s).")
        % {"address": holding.address.ip, "server": holding.server.name}
    ]
    body = report.body
    if body.work:
        words.append(_("Work: %(work)s") % {"work": body.work})
    if body.right_holder:
        words.append(_("Right holder: %(holder)s") % {"holder": body.right_holder})
    if body.url and report.alone:
        words.append(_("Location: %(url)s") % {"url": body.url})
    said = allegation(report)
    if said:
        words.append(_("The report says:") + "\n" + said)
    return "\n\n".join(words)


def allegation(report: Report) -> str:
    """The reporter's words as the customer may see them. Of a report about several addresses only the lines that name
    this one: no customer ever sees another's address."""
    text = report.body.explanation.strip()
    if report.alone or not text:
        return text
    return "\n".join(line for line in text.splitlines() if str(report.source_ip) in line)


def send_opening(case: Case, *, now: datetime, again: int = 0) -> int:
    """The notice of ABU-2, to everybody of the account who may answer it; returns how many those are."""
    numbers = terms.version(case.terms_version)
    people = conversation.participants(case.ticket)
    for user in people:
        message = mail.send(
            OPENING, to=user.email, lang=user.language, now=now, account_id=case.account_id, subject=case,
            key=f"{case.reference}:opened:{again}:{user.pk}", reply_to=return_address.of(case.ticket),
            context={
                "case": case, "user": user, "path": page(case), "terms": numbers,
                "hours": int(numbers.copyright.response.total_seconds() // 3600),
                "suspend_hours": int(numbers.copyright.suspend_after.total_seconds() // 3600),
                "report": case.reports.select_related("body").order_by("pk").first(),
            },
        )  # fmt: skip
        Notice.objects.get_or_create(mail=message, defaults={"case": case, "account_id": case.account_id, "user": user})
    return len(people)


def to_customer(template: str, case: Case, *, key: str, now: datetime, **context: Any) -> None:
    """A mail about the case to everybody of the account who may answer it."""
    for user in conversation.participants(case.ticket):
        mail.send(
            template, to=user.email, lang=user.language, now=now, account_id=case.account_id, subject=case.ticket,
            key=f"{case.reference}:{key}:{user.pk}", reply_to=return_address.of(case.ticket),
            context={"case": case, "user": user, "path": page(case), **context},
        )  # fmt: skip


def to_reporter(template: str, report: Report, *, now: datetime, **context: Any) -> None:
    """A mail to who reported, if there is an address (DSA Art. 16(4), 16(5)). It names no customer."""
    again = ":reversed" if context.get("reversed") else ""
    if report.body.reporter_email:
        mail.send(
            template, to=report.body.reporter_email, lang=report.language or "en", now=now, subject=report,
            key=f"{report.reference}:{template}{again}", context={"report": report, **context},
            reply_to=f"abuse@{settings.CLAUSE_MAIL_DOMAIN}",
        )  # fmt: skip


def page(case: Case) -> str:
    """The path of the customer's page of the case."""
    return reverse("abuse:case_detail", args=[case.reference])
