"""What the pages of the books read: balances, the postings behind one, and what an entry was made of (INV-11)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Case as When
from django.db.models import F, Q, QuerySet, Sum, Value
from django.db.models import When as If
from django.urls import reverse
from django.utils.translation import gettext as _

from invoicing.models import (
    Entry,
    Invoice,
    LedgerAccount,
    ManualPayment,
    PaidBack,
    Payment,
    Payout,
    Posting,
    Refund,
    TopUp,
    WriteOff,
)
from panel.accounts.models import Account
from panel.core.models import Event, subject_of
from panel.core.money import Cents


@dataclass(frozen=True, slots=True)
class Balance:
    """An account of the chart with what was posted on it; `balance` is debits less credits."""

    account: LedgerAccount
    debit: Cents
    credit: Cents

    @property
    def balance(self) -> Cents:
        return self.debit - self.credit


def chart() -> list[Balance]:
    """Every account of the chart, in one query."""
    side = {
        "debit": Sum(When(If(postings__cents__gt=0, then=F("postings__cents")), default=Value(0))),
        "credit": Sum(When(If(postings__cents__lt=0, then=-F("postings__cents")), default=Value(0))),
    }
    return [
        Balance(row, getattr(row, "debit") or 0, getattr(row, "credit") or 0)  # noqa: B009 - annotations
        for row in LedgerAccount.objects.annotate(**side).order_by("code")
    ]


def postings(code: str, filters: Mapping[str, str]) -> QuerySet[Posting]:
    """The postings behind the balance of `code`; `filters`: account (its reference), kind of entry, words (its ref)."""
    rows = Posting.objects.filter(ledger_account__code=code).select_related("entry", "account")
    if reference := filters.get("account", "").strip():
        rows = rows.filter(account_id__in=Account.objects.filter(reference__iexact=reference).values("pk"))
    if kind := filters.get("kind", ""):
        rows = rows.filter(entry__kind=kind)
    if words := filters.get("words", "").strip():
        rows = rows.filter(entry__ref__icontains=words)
    return rows


def sum_of(rows: QuerySet[Posting]) -> Cents:
    """Debits less credits."""
    return rows.order_by().aggregate(sum=Sum("cents"))["sum"] or 0


def kinds(code: str) -> list[str]:
    """The kinds of entry that were posted on an account."""
    rows = Entry.objects.filter(postings__ledger_account__code=code).order_by("kind").values_list("kind", flat=True)
    return list(rows.distinct())


@dataclass(frozen=True, slots=True)
class Source:
    """A row that an entry was made of: what it is called, and where it is looked at ("" where it has no page)."""

    row: Any
    name: str
    url: str


def sources(entry: Entry) -> list[Source]:
    """The documents and payments behind an entry, by its kind and reference ("manual_payment:12", "F2026-000001")."""
    words = entry.ref.split(":")
    named = Q(number__in=words) | Q(settlements__entry=entry)
    found: list[Any] = [*Invoice.objects.filter(named).distinct()]
    found += Payment.objects.filter(Q(reference__in=words) | Q(disputes__provider_ref__in=words)).distinct()
    found += TopUp.objects.filter(reference__in=words)
    found += Payout.objects.filter(provider_ref__in=words)
    number = words[-1]
    pk = int(number) if number.isascii() and number.isdigit() and len(number) < 16 else 0
    by_pk: dict[str, Any] = {
        "refund": Refund, "refund_returned": Refund, "paid_back": PaidBack, "manual_payment": ManualPayment,
        "taken_back": ManualPayment, "taken_back_funds": ManualPayment, "write-off": WriteOff,
    }  # fmt: skip
    for kind in {entry.kind, words[0]} & by_pk.keys():
        found += by_pk[kind].objects.filter(pk=pk)
    return [_source(row) for row in found]


def _source(row: Any) -> Source:
    if isinstance(row, Invoice):
        return Source(row, row.number, _page("invoice_detail", row.number))
    if isinstance(row, Payment):
        return Source(row, row.reference, _page("payment_detail", row.reference))
    if isinstance(row, Payout):
        return Source(row, row.provider_ref, _page("payout_detail", row.provider_ref))
    if isinstance(row, Refund):
        name = _("Refund of %(payment)s") % {"payment": row.payment.reference}
        return Source(row, name, _page("payment_detail", row.payment.reference))
    if isinstance(row, WriteOff):
        name = _("Write-off of %(invoice)s") % {"invoice": row.invoice.number}
        return Source(row, name, _page("invoice_detail", row.invoice.number))
    if isinstance(row, PaidBack):
        return Source(
            row,
            _("Paid back by transfer, %(reference)s") % {"reference": row.reference},
            _page("paid_back", row.account.reference),
        )
    if isinstance(row, ManualPayment):
        return Source(row, f"{row.get_means_display()} {row.reference}", _page("manual_payment", str(row.pk)))
    paid = row.payments.order_by("-pk").first()
    return Source(row, str(row), _page("payment_detail", paid.reference) if paid else "")


def _page(name: str, key: str) -> str:
    return reverse(f"invoicing_staff:{name}", args=[key])


def events(found: list[Source]) -> QuerySet[Event]:
    """The journal of everything an entry was made of, newest first."""
    about = Q(pk=None)
    for source in found:
        about |= Q(**subject_of(source.row))
    return Event.objects.filter(about).order_by("-pk")[:30]
