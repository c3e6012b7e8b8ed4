"""What is declared of sales and collections, read from issued documents and their entries in the books (INV-10).

The VAT of a document's rate group is the one that was booked, so that every declaration adds up to the VAT accounts.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from django.db.models import QuerySet, Sum

from invoicing.accounting import ledger
from invoicing.models import Entry, Invoice, InvoiceKind, Posting, Settlement
from invoicing.paying.settlement import NO_MONEY
from invoicing.taxing import channel_rules, report_rules
from invoicing.taxing.report_rules import Collected, Sold
from panel.core.calendars import paris_date, start_of_paris_day
from panel.core.money import CENT, Cents

HOME = "FR"


@dataclass(frozen=True, slots=True)
class Group:
    """One rate group of a document as it was booked, in cents; those of a credit note are negative."""

    code: str
    country: str
    rate: Decimal
    net: Cents
    vat: Cents


def documents(start: date, end: date) -> QuerySet[Invoice]:
    """Documents issued on days from `start` to before `end` (Paris), in the order of issue."""
    return Invoice.objects.filter(issued_on__gte=start, issued_on__lt=end).order_by("issued_at", "pk")


def groups_of(numbers: Iterable[str] | QuerySet[Invoice]) -> dict[str, list[Group]]:
    """The rate groups of documents by their number; `numbers` may be a query of documents."""
    wanted = numbers.order_by().values("number") if isinstance(numbers, QuerySet) else list(numbers)
    rows = (
        Posting.objects.filter(
            entry__ref__in=wanted, entry__kind__in=InvoiceKind.values,
            ledger_account__code__in=(ledger.SALES, ledger.DOWN_PAYMENTS, ledger.VAT),
        )
        .exclude(tax_code="")
        .order_by("pk")
        .values_list("entry__ref", "tax_code", "ledger_account__code", "cents")
    )  # fmt: skip
    sums: dict[str, dict[str, list[Cents]]] = defaultdict(lambda: defaultdict(lambda: [0, 0]))
    for number, tax, account, cents in rows:
        sums[number][tax][account == ledger.VAT] -= cents
    return defaultdict(list, {number: [_group(tax, *both) for tax, both in taxes.items()]
                              for number, taxes in sums.items()})  # fmt: skip


def _group(tax_code: str, net: Cents, vat: Cents) -> Group:
    code, country, rate = tax_code.split(":")
    return Group(code, country, Decimal(rate).quantize(CENT), net, vat)


def sold(start: date, end: date, *, channels: Iterable[str] | None = None) -> list[Sold]:
    """Every rate group of every document issued in the days, of `channels` alone if given."""
    rows = documents(start, end)
    if channels is not None:
        rows = rows.filter(channel__in=tuple(channels))
    groups = groups_of(rows)
    return [
        Sold(row.number, row.issued_on, row.channel, group.code, group.rate, group.country, group.net, group.vat,
             str(row.vat_evidence.get("vat_number") or ""))
        for row in rows for group in groups[row.number]
    ]  # fmt: skip


def collected(start: date, end: date) -> list[Collected]:
    """Money that came in for reported documents in the days, by French VAT rate, and what credit notes gave back.

    Reverse charge and other countries' VAT are no matter of this report; domestic e-invoices tell the platform
    themselves (status 212).
    """
    reported = channel_rules.of_way(channel_rules.E_REPORTING)
    since, until = start_of_paris_day(start), start_of_paris_day(end)
    came_in = Settlement.objects.filter(at__gte=since, at__lt=until, invoice__channel__in=reported)
    rows = list(came_in.exclude(means__in=NO_MONEY).select_related("invoice").order_by("at", "pk"))
    groups = groups_of({row.invoice.number for row in rows})
    paid_before = _paid_before(rows)
    found = []
    for row in rows:
        parts = _at_home(groups[row.invoice.number], paid_before[row.invoice_id], row.cents)
        paid_before[row.invoice_id] += row.cents
        if parts:
            found.append(Collected(row.invoice.number, paris_date(row.at), row.invoice.channel, parts))
    return found + _given_back(start, end, reported)


def paid_by_rate(invoice: Invoice) -> dict[str, Cents]:
    """The money that came in for a document, VAT included, by rate; what was credited or given up is not in it."""
    cents = invoice.settlements.exclude(means__in=NO_MONEY).aggregate(sum=Sum("cents"))["sum"] or 0
    weights = [(group.rate, abs(group.net + group.vat)) for group in groups_of([invoice.number])[invoice.number]]
    return {str(rate): part for rate, part in report_rules.by_rate(weights, 0, cents).items()}


def _paid_before(rows: list[Settlement]) -> dict[int, Cents]:
    """What had come in for each invoice before the first of these rows."""
    if not rows:
        return defaultdict(int)
    earlier = Settlement.objects.filter(
        invoice__in={row.invoice_id for row in rows}, pk__lt=min(row.pk for row in rows)
    )
    sums = earlier.exclude(means__in=NO_MONEY).order_by().values_list("invoice_id").annotate(sum=Sum("cents"))
    return defaultdict(int, sums)


def _at_home(groups: list[Group], before: Cents, cents: Cents) -> dict[Decimal, Cents]:
    weights = [(group.rate, abs(group.net + group.vat)) for group in groups]
    taxed = {group.rate for group in groups if group.country == HOME and group.code == "S"}
    return {rate: part for rate, part in report_rules.by_rate(weights, before, cents).items() if rate in taxed}


def _given_back(start: date, end: date, channels: Iterable[str]) -> list[Collected]:
    """Credit notes over what had been paid: their money left the sale and went to the customer's funds."""
    prefix = f"{InvoiceKind.CREDIT_NOTE}:"
    entries = Entry.objects.filter(
        kind="to_funds", ref__startswith=prefix, booked_on__gte=start, booked_on__lt=end,
        postings__ledger_account__code=ledger.CUSTOMERS,
    )  # fmt: skip
    moved = {ref.removeprefix(prefix): (day, cents)
             for ref, day, cents in entries.values_list("ref", "booked_on", "postings__cents")}  # fmt: skip
    groups, found = groups_of(moved), []
    for note in Invoice.objects.filter(number__in=moved, channel__in=tuple(channels)).order_by("pk"):
        day, cents = moved[note.number]
        parts = {rate: -part for rate, part in _at_home(groups[note.number], 0, cents).items()}
        if parts:
            found.append(Collected(note.number, day, note.channel, parts))
    return found
