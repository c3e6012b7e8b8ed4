"""What is declared of sales and collections, read from issued documents and their entries in the books (INV-10).

The VAT of a document's rate group is the one that was booked, so that every declaration adds up to the VAT accounts.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from django.db.models import QuerySet, Sum

from invoicing.accounting import ledger
from invoicing.models import Entry, Invoice, InvoiceKind, Posting, Settlement
from invoicing.paying import value_dates
from invoicing.paying.settlement import NO_MONEY
from invoicing.taxing import channel_rules, report_rules
from invoicing.taxing.report_rules import Collected, Sold
from panel.core.calendars import start_of_paris_day
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


def collected(
    start: date, end: date, *, known_since: datetime | None = None, known_to: datetime | None = None
) -> list[Collected]:
    """Money that came in for reported documents in the days, by French VAT rate, and what credit notes gave back.

    The day is the bank's. Only what we heard of before `known_to` is in it; what we heard of from `known_since` on, of
    days before `start`, comes with its own day: their report had been made.

    Reverse charge and other countries' VAT are no matter of this report; domestic e-invoices tell the platform
    themselves (status 212).
    """
    reported = channel_rules.of_way(channel_rules.E_REPORTING)
    since = start_of_paris_day(start)
    heard = Settlement.objects.filter(at__gte=min(since, known_since or since), invoice__channel__in=reported)
    if known_to is not None:
        heard = heard.filter(at__lt=known_to)
    money = heard.exclude(means__in=NO_MONEY).select_related("invoice", "entry").order_by("at", "pk")
    days = value_dates.of(rows := list(money))
    rows = [
        row for row in rows
        if start <= days[row.pk] < end or (days[row.pk] < start and known_since is not None and row.at >= known_since)
    ]  # fmt: skip
    groups, before = groups_of({row.invoice.number for row in rows}), _paid_before(rows)
    found = [
        Collected(row.invoice.number, days[row.pk], row.invoice.channel, parts)
        for row in rows if (parts := _at_home(groups[row.invoice.number], before[row.pk], row.cents))
    ]  # fmt: skip
    return found + _given_back(start, end, reported)


def paid_by_rate(invoice: Invoice) -> dict[str, Cents]:
    """The money that stayed for a document, VAT included, by rate: what came in, less what its credit notes moved to
    the customer's funds. What was credited before it was paid, or given up, never came."""
    cents = invoice.settlements.exclude(means__in=NO_MONEY).aggregate(sum=Sum("cents"))["sum"] or 0
    back = {number: cents for number, (_day, cents) in moved_to_funds(invoice.credit_notes.all()).items()}
    groups = groups_of([invoice.number, *back])
    left = Counter({str(rate): part for rate, part in _parts(groups[invoice.number], 0, cents).items()})
    for number, given in back.items():
        left.subtract({str(rate): part for rate, part in _parts(groups[number], 0, given).items()})
    return {rate: part for rate, part in left.items() if part}


def _paid_before(rows: list[Settlement]) -> dict[int, Cents]:
    """What had come in for its invoice before each of these rows, in the order they were written down: however they
    fall into periods, their parts add up."""
    sums: dict[int, Cents] = defaultdict(int)
    before: dict[int, Cents] = {}
    money = Settlement.objects.filter(invoice__in={row.invoice_id for row in rows}).exclude(means__in=NO_MONEY)
    for pk, invoice, cents in money.order_by("pk").values_list("pk", "invoice_id", "cents"):
        before[pk] = sums[invoice]
        sums[invoice] += cents
    return before


def _parts(groups: list[Group], before: Cents, cents: Cents) -> dict[Decimal, Cents]:
    weights = [(group.rate, abs(group.net + group.vat)) for group in groups]
    return report_rules.by_rate(weights, before, cents)


def _at_home(groups: list[Group], before: Cents, cents: Cents) -> dict[Decimal, Cents]:
    taxed = {group.rate for group in groups if group.country == HOME and group.code == "S"}
    return {rate: part for rate, part in _parts(groups, before, cents).items() if rate in taxed}


def moved_to_funds(
    notes: Iterable[Invoice] | None = None, *, days: tuple[date, date] | None = None
) -> dict[str, tuple[date, Cents]]:
    """What credit notes over what had been paid moved to the customers' funds: (day, cents) by the note's number; of
    `notes`, or of all that were booked from the first of the `days` to before the second (Paris)."""
    prefix = f"{InvoiceKind.CREDIT_NOTE}:"
    entries = Entry.objects.filter(kind="to_funds", postings__ledger_account__code=ledger.CUSTOMERS)
    if notes is not None:
        entries = entries.filter(ref__in=[prefix + note.number for note in notes])
    if days is not None:
        entries = entries.filter(ref__startswith=prefix, booked_on__gte=days[0], booked_on__lt=days[1])
    rows = entries.values_list("ref", "booked_on", "postings__cents")
    return {ref.removeprefix(prefix): (day, cents) for ref, day, cents in rows}


def _given_back(start: date, end: date, channels: Iterable[str]) -> list[Collected]:
    """Credit notes over what had been paid: their money left the sale and went to the customer's funds."""
    moved = moved_to_funds(days=(start, end))
    groups, found = groups_of(moved), []
    for note in Invoice.objects.filter(number__in=moved, channel__in=tuple(channels)).order_by("pk"):
        day, cents = moved[note.number]
        parts = {rate: -part for rate, part in _at_home(groups[note.number], 0, cents).items()}
        if parts:
            found.append(Collected(note.number, day, note.channel, parts))
    return found
