"""What the pages of the books read."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Count, QuerySet

from invoicing.accounting import closing_rules
from invoicing.models import Closing, EReport, Invoice, ReportKind, Transmission
from invoicing.taxing import channel_rules, declared
from invoicing.taxing.report_rules import Span
from invoicing.taxing.tax_rules import AT_HOME
from panel.accounts.models import Account
from panel.core.calendars import add_months, paris_date
from panel.core.money import Cents

UNHAPPY = ("refused", "rejected")


def transmissions(state: str) -> QuerySet[Transmission]:
    """What goes by e-invoicing, newest first; `state` narrows it."""
    rows = Transmission.objects.select_related("invoice", "account")
    return rows.filter(state=state) if state in dict(Transmission._meta.get_field("state").flatchoices) else rows


def transmission_counts() -> dict[str, int]:
    """How many documents stand in each state."""
    return dict(Transmission.objects.order_by().values_list("state").annotate(count=Count("pk")))


def report_of(invoice: Invoice) -> EReport | None:
    """The report of sales that a document is in, once its period is over."""
    if channel_rules.way(invoice.channel) != channel_rules.E_REPORTING:
        return None
    day = invoice.issued_on
    return EReport.objects.filter(kind=ReportKind.SALES, start__lte=day, end__gt=day).first()


def leaving(invoice: Invoice) -> dict[str, Any]:
    """By which way a document leaves, and how far it is, for its page."""
    return {
        "transmission": Transmission.objects.filter(invoice=invoice).prefetch_related("statuses").first(),
        "way": channel_rules.way(invoice.channel), "report": report_of(invoice),
    }  # fmt: skip


def last_month(now: datetime) -> Span:
    """The calendar month before the present one."""
    return closing_rules.span_of(closing_rules.MONTH, paris_date(now).replace(day=1) - timedelta(days=1))


CLOSINGS_SHOWN, MONTHS_SHOWN, FOUND = 31, 3, 10


def closings(kind: str) -> list[Closing]:
    """The newest closings of a kind."""
    return list(Closing.objects.filter(kind=kind).order_by("-start")[:CLOSINGS_SHOWN])


@dataclass(frozen=True, slots=True)
class Taxed:
    """What was sold in a month at one rate, in cents, credit notes taken off."""

    month: str
    country: str
    code: str
    rate: Decimal
    net: Cents
    vat: Cents


def rates(now: datetime) -> list[Taxed]:
    """VAT of this month and the ones before it, newest first."""
    start = add_months(paris_date(now).replace(day=1), 1 - MONTHS_SHOWN)
    sums: dict[tuple[str, str, str, Decimal], tuple[Cents, Cents]] = {}
    for row in declared.sold(start, paris_date(now) + timedelta(days=1)):
        key = (f"{row.day:%Y-%m}", row.country, row.code, row.rate)
        net, vat = sums.get(key, (0, 0))
        sums[key] = (net + row.net, vat + row.vat)
    months = sorted({key[0] for key in sums}, reverse=True)
    return [Taxed(*key, *both) for month in months for key, both in sorted(sums.items()) if key[0] == month]


def unlocated() -> list[Invoice]:
    """The newest sales with fewer than two pieces of evidence of where the customer is."""
    rows = Invoice.objects.filter(vat_evidence__located=False, kind="invoice").exclude(channel="B2BINT")
    return list(rows.order_by("-pk")[:FOUND])


def without_siren() -> list[Account]:
    """French businesses that no e-invoice can reach."""
    rows = Account.objects.filter(kind=Account.Kind.BUSINESS, country__in=AT_HOME, siren="", state="open")
    return list(
        rows.exclude(vat_number__startswith="FR").filter(invoices__isnull=False).distinct().order_by("-pk")[:FOUND]
    )
