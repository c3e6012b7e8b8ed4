"""E-reporting: what did not leave as an e-invoice is told by ten-day periods, sales and collections (INV-10)."""

from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.db.models import Min

from invoicing.models import EReport, Invoice, ReportKind
from invoicing.taxing import channel_rules, declared, report_rules
from invoicing.taxing.report_rules import Span
from panel.core import due, events
from panel.core.actors import SYSTEM
from panel.core.calendars import paris_date

SETTLED_AFTER = timedelta(hours=1)  # what was being written at midnight is written by then


def missing(now: datetime) -> list[tuple[str, Span]]:
    """(kind, period) of every report that is over and not made, from the first document on, oldest first."""
    first = Invoice.objects.exclude(channel="").aggregate(day=Min("issued_on"))["day"]
    if first is None:
        return []
    made = set(EReport.objects.values_list("kind", "start"))
    ended = report_rules.periods(first, paris_date(now - SETTLED_AFTER))
    return [(kind, span) for span in ended for kind in ReportKind.values if (kind, span.start) not in made]


@due.sweep("invoicing.report", every_seconds=3600)
def sweep(now: datetime, *, dry_run: bool = False) -> due.SweepReport:
    """Make the reports of the periods that are over, each once, however late; an empty one is made and told too."""
    wanted = missing(now)
    if dry_run:
        return due.SweepReport(would=[f"report {kind} of {span.start} to {span.last}" for kind, span in wanted])
    return due.each(range(len(wanted)), lambda place: make(wanted[place][0], wanted[place][1], now=now))


@transaction.atomic
def make(kind: str, span: Span, *, now: datetime) -> EReport:
    """The report of a period that is over; a repeat returns the one that exists."""
    documents, content = _sales(span) if kind == ReportKind.SALES else _collections(span, now=now)
    report = EReport(kind=kind, start=span.start, end=span.end, documents=documents, content=content, created_at=now)
    try:
        with transaction.atomic():
            report.save(force_insert=True)
    except IntegrityError:
        return EReport.objects.get(kind=kind, start=span.start)
    events.record("invoicing.e_report.made", now=now, actor=SYSTEM, subject=report, rule="INV-10",
                  data={"report": report.name})  # fmt: skip
    return report


def _sales(span: Span) -> tuple[list[str], dict[str, object]]:
    channels = channel_rules.of_way(channel_rules.E_REPORTING)
    numbers = list(declared.documents(span.start, span.end).filter(channel__in=channels)
                   .values_list("number", flat=True))  # fmt: skip
    return numbers, report_rules.sales(declared.sold(span.start, span.end, channels=channels))


def _collections(span: Span, *, now: datetime) -> tuple[list[str], dict[str, object]]:
    """What the bank booked in the period; and before it, where we heard of it too late for the report before. An hour
    before a report is made counts for the next: what was being written then may not be seen."""
    told = EReport.objects.filter(kind=ReportKind.COLLECTIONS, start__lt=span.start)
    last = told.order_by("-created_at").values_list("created_at", flat=True).first()
    rows = declared.collected(
        span.start, span.end, known_since=last and last - SETTLED_AFTER, known_to=now - SETTLED_AFTER
    )
    return list(dict.fromkeys(row.number for row in rows)), report_rules.collections(rows)
