"""A credit for a service that fell short of its promise (SUB-15): once for each cause, on the next invoice of its
subscription as a line that takes it off; what finds no invoice any more is given back by credit notes.

The next invoice takes as much of it as it asks for, the one after the rest: none ever asks for less than nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import Sum

from invoicing.documents import texts
from invoicing.issuing import invoices
from invoicing.journal import tell
from invoicing.models import Invoice, InvoiceKind, InvoiceLine, ServiceCredit, ServiceCreditUse, Subscription
from invoicing.paying import settlement
from invoicing.rules import Line
from panel.accounts.models import Account
from panel.core import mail
from panel.core.actors import SYSTEM, Actor
from panel.core.models import subject_of
from panel.core.money import Cents, euros


@transaction.atomic
def grant_credit(
    account: Account, subscription: Subscription, cents: Cents, reason: str, evidence: Mapping[str, Any], *, rule: str,
    once: str, now: datetime, actor: Actor = SYSTEM,
) -> ServiceCredit:  # fmt: skip
    """Grant `cents` (excluding VAT) for `subscription` by `rule`, once per `once`; a repeat returns what was granted.

    `reason` is printed, in the customer's language; `evidence` holds ids and numbers, from which the amount can be
    reckoned again. ValueError for an amount that is not above zero.
    """
    if cents <= 0:
        raise ValueError("a credit gives something")
    row = Subscription.objects.select_for_update().get(pk=subscription.pk)
    held = settlement.lock_account(account.pk)
    if (before := ServiceCredit.objects.filter(once=once).first()) is not None:
        return before
    credit = ServiceCredit.objects.create(
        account=held, subscription=subscription, once=once, rule=rule, cents=cents, reason=reason[:300],
        evidence=dict(evidence), granted_at=now,
    )  # fmt: skip
    tell("credit.granted", credit, now=now, actor=actor, rule=rule,
         data={"subscription": subscription.reference, "amount_cents": cents})  # fmt: skip
    language = texts.language_of(held.language)
    mail.send(
        "service_credit", to=held.billing_email, lang=language, key=f"service-credit:{credit.pk}", now=now,
        account_id=held.pk, subject=credit,
        context={"name": held.name, "amount": texts.money(language, cents), "reason": credit.reason, "rule": rule,
                 "subscription": subscription.reference, "path": "/billing/next/"},
    )  # fmt: skip
    if held.pk != row.account_id:  # no invoice of it is to come for who had it before
        give_back(row, now=now, holder=held.pk)
    give_back_after_the_end(row, now=now)
    return credit


@dataclass(frozen=True, slots=True)
class Left:
    """What is left of a credit, or what a document takes of it."""

    credit: ServiceCredit
    cents: Cents


@dataclass(frozen=True, slots=True)
class Taken:
    """What an invoice takes of a credit, off its lines of one VAT rate."""

    credit: ServiceCredit
    cents: Cents
    vat_code: str
    vat_rate: Decimal


def waiting(subscription: Subscription, holder: int | None = None) -> list[Left]:
    """What is left of each credit of a subscription, the oldest first: of the account `holder`, by default of who has
    it."""
    mine = ServiceCredit.objects.filter(subscription=subscription, account=holder or subscription.account_id)
    rows = mine.annotate(used=Sum("uses__cents"))
    found = [Left(row, row.cents - (row.used or 0)) for row in rows.order_by("pk")]
    return [one for one in found if one.cents > 0]


def taken_by(subscription: Subscription, lines: Sequence[Line]) -> list[Taken]:
    """What the next invoice over `lines` takes of the credits of `subscription`: no VAT rate more than it asks for."""
    room: dict[tuple[str, Decimal], Cents] = {}
    for line in lines:
        room[line.vat_code, line.vat_rate] = room.get((line.vat_code, line.vat_rate), 0) + line.net
    found = []
    for one in waiting(subscription) if any(cents > 0 for cents in room.values()) else ():
        left = one.cents
        for rate, asked in room.items():
            cents = min(left, asked)
            if cents > 0:
                left, room[rate] = left - cents, asked - cents
                found.append(Taken(one.credit, cents, *rate))
    return found


def line_off(taken: Taken) -> Line:
    """The line that takes it off, taxed as what it is taken off from."""
    credit = taken.credit
    return Line(
        code=f"credit:{credit.rule}", description=credit.reason, quantity=Decimal(-1), unit_price=euros(taken.cents),
        net=-taken.cents, rule=credit.rule, vat_code=taken.vat_code, vat_rate=taken.vat_rate,
        evidence={**credit.evidence, **subject_of(credit)},
    )  # fmt: skip


def remember(taken: Iterable[Taken | Left], document: Invoice, *, now: datetime) -> None:
    """Written with the document that took them: no credit lands twice."""
    sums: dict[int, Cents] = {}
    for one in taken:
        sums[one.credit.pk] = sums.get(one.credit.pk, 0) + one.cents
    for credit, cents in sums.items():
        ServiceCreditUse.objects.create(
            credit_id=credit, account_id=document.account_id, invoice=document, cents=cents, at=now
        )


def give_back_after_the_end(row: Subscription, *, now: datetime) -> None:
    """No invoice of an ended (locked) subscription is to come: what is left of its credits is given back."""
    if row.ended_at is not None and row.next_due_on is None:
        give_back(row, now=now)


def give_back(row: Subscription, *, now: datetime, holder: int | None = None) -> None:
    """What is left of the credits of a (locked) subscription's holder, or of `holder` who had it before, is given back
    by credit notes on their newest invoices; what was paid goes to their funds."""
    for one in waiting(row, holder):
        left = one.cents
        billed = InvoiceLine.objects.filter(
            subscription=row, account=one.credit.account_id, net_cents__gt=0, invoice__kind=InvoiceKind.INVOICE
        )
        for invoice in Invoice.objects.filter(pk__in=billed.values("invoice")).order_by("-issued_at", "-pk"):
            amounts = _amounts(invoice, row, left)
            if not any(amounts):
                continue
            note = invoices.credit(
                invoice, amounts, reason=one.credit.reason, now=now, actor=SYSTEM,
                once=f"service-credit:{one.credit.pk}:{invoice.number}",
            )  # fmt: skip
            remember([Left(one.credit, note.net_cents)], note, now=now)
            left -= note.net_cents


def _amounts(invoice: Invoice, subscription: Subscription, wanted: Cents) -> list[Cents]:
    """How much of each line of an invoice can be given back: of the subscription's own lines, and of the whole no more
    than the invoice still asks for."""
    rows = list(invoice.lines.all())
    left = [line.net - line.credited for line in invoices.creditable(rows)]
    room, found = min(wanted, sum(left)), []
    for row, cents in zip(rows, left, strict=True):
        part = min(room, cents) if row.subscription_id == subscription.pk and cents > 0 and room > 0 else 0
        room -= part
        found.append(part)
    return found
