"""What the accountant and the tax offices take away, over Paris days from `start` to before `end`: FEC, CSV, OSS, DES.

CSV as French spreadsheets read it: semicolons, decimal commas, a byte order mark.
"""

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from itertools import islice
from typing import Any
from xml.etree import ElementTree as ET

from django.conf import settings
from django.db.models import Exists, OuterRef
from django.utils import translation
from django.utils.translation import gettext as _

from invoicing.accounting import fec_rules, ledger, lettering, naming
from invoicing.accounting.fec_rules import Line
from invoicing.handing_out import Made
from invoicing.issuing import parties
from invoicing.models import Entry, InvoiceKind, LedgerAccount, Posting, Settlement
from invoicing.taxing import declared
from invoicing.taxing.report_rules import Span
from panel.core import badges
from panel.core.calendars import paris_date, start_of_paris_day
from panel.core.errors import RuleViolation
from panel.core.money import CENT, Cents, round_cents

BATCH = 2000
SALES = ("VE", "Ventes")  # what a document booked, late-payment statements too
BANK = ("BQ", "Banque et encaissements")  # whatever moves money at the bank, or on its way there
OTHER = ("OD", "Opérations diverses")
AT_THE_BANK = (ledger.BANK, ledger.CLEARING, ledger.TRANSIT)


# --- FEC -------------------------------------------------------------------------------------------------------------


def fec(span: Span) -> Made:
    """The file of accounting entries, numbered through each calendar year."""
    content = "".join(fec_rules.file(_fec_lines(span))).encode("utf-8")
    return Made(fec_rules.name(parties.entity(), span.last), "text/plain; charset=utf-8", content)


def _fec_lines(span: Span) -> Iterator[Line]:
    rows = Posting.objects.filter(entry__booked_on__gte=span.start, entry__booked_on__lt=span.end)
    moved = Posting.objects.filter(entry=OuterRef("entry"), ledger_account__code__in=AT_THE_BANK)
    rows = rows.select_related("entry", "ledger_account", "account").annotate(at_the_bank=Exists(moved))
    rows = rows.order_by("entry__booked_on", "entry_id", "pk")
    numbers, last, letters = _numbers_before(span), 0, lettering.until(span.end)
    with translation.override("fr"):
        for batch in _batches(rows.iterator(chunk_size=BATCH)):
            named = naming.names({(one.entry.kind, one.entry.ref) for one in batch})
            for posting in batch:
                entry, year = posting.entry, posting.entry.booked_on.year
                if entry.pk != last:
                    numbers[year] = numbers.get(year, 0) + 1
                    last = entry.pk
                journal, journal_name = _journal(entry.kind, at_the_bank=posting.at_the_bank)
                piece = named[entry.kind, entry.ref]
                settled = letters.get(entry.pk) if posting.ledger_account.code == ledger.CUSTOMERS else None
                yield Line(
                    journal, journal_name, numbers[year], entry.booked_on, posting.ledger_account.code,
                    _name(posting.ledger_account), posting.account.reference if posting.account else "",
                    str(posting.account) if posting.account else "", piece,
                    f"{badges.of(entry.kind, 'entry').word} {piece}", posting.cents,
                    (settled.letter or piece) if settled else "", settled.day if settled else None,
                )  # fmt: skip


def _batches(rows: Iterator[Any]) -> Iterator[list[Any]]:
    while batch := list(islice(rows, BATCH)):
        yield batch


def _name(account: LedgerAccount) -> str:
    """The account's name in the language in force."""
    return str(account).partition(" ")[2]


def _numbers_before(span: Span) -> dict[int, int]:
    """How many entries the first year has before the span."""
    earlier = Entry.objects.filter(booked_on__gte=date(span.start.year, 1, 1), booked_on__lt=span.start)
    return {span.start.year: earlier.count()}


def _journal(kind: str, *, at_the_bank: bool) -> tuple[str, str]:
    if kind in InvoiceKind.values:
        return SALES
    return BANK if at_the_bank else OTHER


# --- CSV -------------------------------------------------------------------------------------------------------------


def _csv(name: str, head: Sequence[str], rows: Iterable[Sequence[object]]) -> Made:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=";", lineterminator="\r\n")
    writer.writerow(head)
    writer.writerows([[_cell(value) for value in row] for row in rows])
    return Made(name, "text/csv; charset=utf-8", out.getvalue().encode("utf-8-sig"))


def _cell(value: object) -> str:
    """A text that a spreadsheet would take for a formula is told that it is a text."""
    if isinstance(value, Decimal):
        return str(value).replace(".", ",")
    shown = str(value)
    return f"'{shown}" if isinstance(value, str) and shown[:1] in ("=", "+", "-", "@", "\t", "\r") else shown


def _money(cents: Cents) -> Decimal:
    return Decimal(cents).scaleb(-2).quantize(CENT)


def sales(span: Span) -> Made:
    """Every document, a row for each of its rates."""
    documents = declared.documents(span.start, span.end).select_related("account", "credits")
    groups = declared.groups_of(documents)
    head = ("number", "kind", "issued_on", "due_on", "customer", "name", "country", "vat_number", "channel",
            "on_invoice", "category", "taxed_in", "rate", "net", "vat", "total", "consultation")  # fmt: skip
    rows = [
        (row.number, row.kind, row.issued_on, row.due_on, row.account.reference, row.document["customer"]["name"],
         str(row.vat_evidence.get("country", "")), str(row.vat_evidence.get("vat_number") or ""), row.channel,
         row.credits.number if row.credits else "", group.code, group.country, group.rate, _money(group.net),
         _money(group.vat), _money(group.net + group.vat),
         str((row.vat_evidence.get("checks") or {}).get("consultation", "")))
        for row in documents for group in groups[row.number]
    ]  # fmt: skip
    return _csv(f"sales-{span.start}-{span.last}.csv", head, rows)


def vat(span: Span) -> Made:
    """The VAT return: net and VAT by month, country, category and rate, as the VAT accounts have them."""
    sums: dict[tuple[str, str, str, Decimal], list[Cents]] = {}
    for row in declared.sold(span.start, span.end):
        found = sums.setdefault((f"{row.day:%Y-%m}", row.country, row.code, row.rate), [0, 0])
        found[0] += row.net
        found[1] += row.vat
    rows = [(*key, _money(net), _money(tax)) for key, (net, tax) in sorted(sums.items())]
    return _csv(f"vat-{span.start}-{span.last}.csv", ("month", "country", "category", "rate", "net", "vat"), rows)


def collections(span: Span) -> Made:
    """Everything that settled an invoice."""
    since, until = start_of_paris_day(span.start), start_of_paris_day(span.end)
    settled = Settlement.objects.filter(at__gte=since, at__lt=until).select_related("invoice__account", "entry")
    rows = [
        (paris_date(row.at), row.invoice.number, row.invoice.account.reference, row.means, _money(row.cents),
         row.entry.ref) for row in settled.order_by("at", "pk")
    ]  # fmt: skip
    head = ("day", "invoice", "customer", "means", "amount", "reference")
    return _csv(f"collections-{span.start}-{span.last}.csv", head, rows)


def oss(span: Span) -> Made:
    """The One Stop Shop return: consumers' countries but ours. A credit note corrects the quarter of its invoice."""
    documents = declared.documents(span.start, span.end).select_related("credits")
    groups = declared.groups_of(documents)
    sums: dict[tuple[str, str, Decimal], list[Cents]] = {}
    for row in documents:
        for group in groups[row.number]:
            if group.code == "S" and group.country != declared.HOME:
                concerned = row.credits.issued_on if row.credits else row.issued_on
                found = sums.setdefault((group.country, _quarter(concerned), group.rate), [0, 0])
                found[0] += group.net
                found[1] += group.vat
    rows = [(country, quarter, "STANDARD", rate, _money(net), _money(tax))
            for (country, quarter, rate), (net, tax) in sorted(sums.items())]  # fmt: skip
    head = ("country", "quarter", "rate_type", "rate", "taxable", "vat")
    return _csv(f"oss-{span.start}-{span.last}.csv", head, rows)


def _quarter(day: date) -> str:
    return f"{day.year}-Q{(day.month + 2) // 3}"


# --- DES -------------------------------------------------------------------------------------------------------------


def des(span: Span) -> Made:
    """The European statement of services as customs' XML schema has it: one for each month of the span, called after
    it, so that a month that is stated anew keeps its number; a line for each customer's VAT number in whole euros. What
    comes to nothing has no line, which the schema forbids. RuleViolation where no line is left, or for less than whole
    months."""
    if (span.start.day, span.end.day) != (1, 1):
        raise RuleViolation(_("Services are stated by whole months."), rule="INV-10", field="last")
    sums: dict[date, dict[str, Cents]] = {}
    for row in declared.sold(span.start, span.end):
        if row.code == "AE" and row.vat_number:
            of_month = sums.setdefault(row.day.replace(day=1), {})
            of_month[row.vat_number] = of_month.get(row.vat_number, 0) + row.net
    root = ET.Element("fichier_des")
    for month, customers in sorted(sums.items()):
        _statement(root, month, {number: euros for number, cents in customers.items() if (euros := _whole(cents))})
    if not len(root):
        sentence = _("No service was sold to businesses of other member states in these days: there is no statement.")
        raise RuleViolation(sentence, rule="INV-10", field="start")
    content = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return Made(f"des-{span.last:%Y-%m}.xml", "application/xml", content)


def _statement(root: ET.Element, month: date, lines: Mapping[str, int]) -> None:
    if not lines:
        return
    made = ET.SubElement(root, "declaration_des")
    _put(made, num_des=f"{month:%Y%m}", num_tvaFr=_number(str(settings.CLAUSE_SELLER["vat_number"])),
         mois_des=f"{month:%m}", an_des=f"{month:%Y}")  # fmt: skip
    for place, (number, euros) in enumerate(sorted(lines.items()), start=1):
        _put(ET.SubElement(made, "ligne_des"), numlin_des=str(place), valeur=str(euros), partner_des=_number(number))


def _number(shown: str) -> str:
    """A VAT number as the schema has it: nothing but letters and digits."""
    return "".join(char for char in shown if char.isalnum())


def _put(parent: ET.Element, **texts: str) -> None:
    for name, value in texts.items():
        ET.SubElement(parent, name).text = value


def _whole(cents: Cents) -> int:
    """The nearest euro."""
    return round_cents(Decimal(cents).scaleb(-4))


KINDS: dict[str, Callable[[Span], Made]] = {
    "fec": fec, "sales": sales, "vat": vat, "collections": collections, "oss": oss, "des": des,
}  # fmt: skip
