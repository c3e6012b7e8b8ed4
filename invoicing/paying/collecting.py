"""Which means an account's invoices are collected from, and collecting one that had to wait, or was refused
(INV-1, INV-5, INV-7). Cards that are about to end are told beforehand.

An issued invoice is collected by `payments.collect`, which hears of it from the journal.
"""

from datetime import datetime

from django.db.models import Q

from invoicing.documents import texts
from invoicing.journal import tell
from invoicing.models import ClockStop, Invoice, InvoiceState, PaymentMethod
from invoicing.paying import collection_rules, means, payment_rules, payments, rejections
from panel.accounts import terms_in_force
from panel.accounts.models import Account
from panel.core import due, events, mail
from panel.core.actors import CLOCK, SYSTEM
from panel.core.calendars import add_months, paris_date
from panel.core.due import SweepReport
from panel.core.models import Event

OWED = [InvoiceState.OPEN, InvoiceState.OVERDUE]


def default_means(account: Account) -> PaymentMethod | None:
    """The card or mandate that renewals are collected from."""
    return PaymentMethod.objects.filter(account=account, is_default=True, removed_at=None).first()


def has_means(account: Account) -> bool:
    """Whether an invoice issued now would be collected by itself."""
    return default_means(account) is not None


def collect_released(ended: ClockStop, *, now: datetime) -> None:
    """An invoice that waited, contested, is collected now, once for each contest that ended; in the transaction that
    released it. Not while another contest still holds it."""
    invoice = Invoice.objects.select_related("account").get(pk=ended.invoice_id)
    if invoice.contested_at is None:
        collect_now(invoice, f"released-{ended.pk}", now=now)


def collect_now(invoice: Invoice, again: str, *, now: datetime) -> bool:
    """Collect what is due of an invoice from the default means, once for each `again`; whether there was a way."""
    method = default_means(invoice.account)
    if method is None or not invoice.collectable or invoice.due_cents < payment_rules.SMALLEST_CENTS:
        return False
    key = f"{rejections.AUTOMATIC}{invoice.number}:{again}"
    payments.pay_invoice(invoice, method=method, key=key, actor=SYSTEM, now=now)
    return True


# --- tried again -----------------------------------------------------------------------------------------------------


def run(now: datetime, *, dry_run: bool = False) -> SweepReport:
    """Refused invoices whose day has come are tried again; owners of cards about to end are told."""
    report = retry(now, dry_run=dry_run)
    told = expiring(now, dry_run=dry_run)
    return SweepReport(report.done + told.done, report.failed + told.failed, report.would + told.would)


due.sweep("payments.collect", every_seconds=600)(run)


def retry(now: datetime, *, dry_run: bool = False) -> SweepReport:
    """INV-5: what was refused is tried again after the days of the terms, as often as they say; what never reached the
    means until it does."""
    refused = Q(payments__key__startswith=rejections.AUTOMATIC, payments__state="failed")
    rows = Invoice.objects.filter(refused, state__in=OWED, collectable=True, contested_at=None).distinct()
    waiting = [invoice for invoice in rows.select_related("account").order_by("pk") if _is_due(invoice, now=now)]
    if dry_run:
        return SweepReport(would=[f"collect {invoice.number} again" for invoice in waiting])
    return due.each([invoice.pk for invoice in waiting], lambda pk: _again(pk, now=now))


def _is_due(invoice: Invoice, *, now: datetime) -> bool:
    if invoice.state not in OWED or invoice.contested_at or invoice.payments.filter(state__in=payments.LIVE).exists():
        return False
    again = rejections.next_attempt(invoice, now=now)
    return again is not None and again <= now


def _again(pk: int, *, now: datetime) -> None:
    invoice = Invoice.objects.select_for_update(of=("self",)).select_related("account").get(pk=pk)
    if _is_due(invoice, now=now):  # still: it may have been contested or settled since it was found
        before = invoice.payments.filter(key__startswith=rejections.AUTOMATIC).count()
        collect_now(invoice, f"after-{before}", now=now)


@events.subscriber("invoicing.means.added", "collecting.new_means")
@events.subscriber("invoicing.means.default", "collecting.other_means")
def from_the_new_means(event: Event, *, now: datetime) -> None:
    """Another means is the default now: what the old one was refused for, or was withdrawn with its mandate, is
    collected at once. One that was only added beside it changes nothing: the refused one is tried again on its own
    days."""
    if not PaymentMethod.objects.filter(pk=event.data["method"], is_default=True, removed_at=None).exists():
        return
    unpaid = Q(payments__key__startswith=rejections.AUTOMATIC, payments__state__in=("failed", "cancelled"))
    rows = Invoice.objects.filter(
        unpaid, account=event.account_id, state__in=OWED, collectable=True, contested_at=None
    ).distinct()
    for invoice in rows.select_related("account").order_by("pk"):
        if not invoice.payments.filter(state__in=payments.LIVE).exists():
            collect_now(invoice, f"means-{event.pk}", now=now)


# --- cards that end --------------------------------------------------------------------------------------------------


def expiring(now: datetime, *, dry_run: bool = False) -> SweepReport:
    """Cards that invoices are collected from and that end soon: told once, in time to add another."""
    today = paris_date(now)
    soon = add_months(today, 2)
    rows = PaymentMethod.objects.filter(
        Q(exp_year__lt=soon.year) | Q(exp_year=soon.year, exp_month__lte=soon.month),
        Q(exp_year__gt=today.year) | Q(exp_year=today.year, exp_month__gte=today.month),
        kind="card", is_default=True, removed_at=None, expiry_told_at=None,
    ).select_related("account")  # fmt: skip
    near = [row for row in rows if _ends_soon(row, now=now)]
    if dry_run:
        return SweepReport(would=[f"tell that the card {row} ends" for row in near])
    return due.each([row.pk for row in near], lambda pk: _tell_expiry(pk, now=now))


def _ends_soon(card: PaymentMethod, *, now: datetime) -> bool:
    days = terms_in_force.at(card.account, now).collection.card_notice_days
    return collection_rules.expires_soon(card.exp_year or 0, card.exp_month or 1, paris_date(now), days)


def _tell_expiry(pk: int, *, now: datetime) -> None:
    if not PaymentMethod.objects.filter(pk=pk, expiry_told_at=None).update(expiry_told_at=now):
        return
    card = PaymentMethod.objects.select_related("account").get(pk=pk)
    account, language = card.account, texts.language_of(card.account.language)
    tell("means.expiring", card, now=now, actor=CLOCK, data=means.named(card))
    mail.send(
        "card_expiring", to=account.billing_email, lang=language, key=f"card-expiring:{card.pk}", now=now,
        account_id=account.pk, subject=card,
        context={"name": account.name, "means": str(card),
                 "ends": f"{card.exp_month:02d}/{card.exp_year}"},
    )  # fmt: skip
