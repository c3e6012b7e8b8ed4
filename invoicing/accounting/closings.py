"""The books are closed each day, month and year: totals of the span and since the beginning, sealed (INV-11)."""

from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Max, Min, Sum

from invoicing import rules
from invoicing.accounting import closing_rules
from invoicing.issuing import numbering
from invoicing.models import Closing, ClosingKind, Invoice, Settlement
from invoicing.paying.settlement import NO_MONEY
from invoicing.taxing import declared
from invoicing.taxing.report_rules import Span
from panel.core import due, events
from panel.core.actors import SYSTEM
from panel.core.calendars import paris_date, start_of_paris_day

GIVEN_BACK = "given_back_cents"
SETTLED_AFTER = timedelta(hours=1)  # what was being written at midnight is written by then


def missing(now: datetime) -> list[tuple[str, Span]]:
    """(kind, span) of everything that is over and not closed, from the first document on, oldest first."""
    first = Invoice.objects.aggregate(day=Min("issued_on"))["day"]
    if first is None:
        return []
    closed = dict(Closing.objects.order_by().values_list("kind").annotate(end=Max("end")))
    until = paris_date(now - SETTLED_AFTER)
    return [(kind, span) for kind in ClosingKind.values
            for span in closing_rules.ended(kind, closed.get(kind, first), until)]  # fmt: skip


@due.sweep("invoicing.close", every_seconds=3600)
def sweep(now: datetime, *, dry_run: bool = False) -> due.SweepReport:
    """Close what is over, each once and in order, however late."""
    wanted = missing(now)
    if dry_run:
        return due.SweepReport(would=[f"close {kind} {span.start}" for kind, span in wanted])
    return due.each(range(len(wanted)), lambda place: close(*wanted[place], now=now))


@transaction.atomic
def close(kind: str, span: Span, *, now: datetime) -> Closing:
    """Close one span; a repeat returns the closing that exists. ValueError when the one before it is missing. What is
    being issued meanwhile is waited for: it is in the span, or comes after it (`numbering.lock`)."""
    if not Closing.objects.filter(end__gte=span.end).exists():  # else nothing can come into it any more
        numbering.hold_all()
    if (existing := Closing.objects.filter(kind=kind, start=span.start).first()) is not None:
        return existing
    before = Closing.objects.filter(kind=kind).order_by("-start").first()
    if before is not None and before.end != span.start:
        raise ValueError(f"{kind} {before.end} is to be closed before {span.start}")
    previous = before.hash if before else rules.GENESIS
    content = content_of(span)
    totals = closing_rules.added(before.totals if before else {}, content)
    row = Closing(
        kind=kind, start=span.start, end=span.end, content=content, totals=totals, previous_hash=previous,
        hash=closing_rules.seal(previous, kind, span.start, content, totals), closed_at=now,
    )  # fmt: skip
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError:
        return Closing.objects.get(kind=kind, start=span.start)
    if kind != ClosingKind.DAY:  # a journal entry a day would say nothing
        events.record("invoicing.books.closed", now=now, actor=SYSTEM, subject=row, rule="INV-11",
                      data={"start": span.start.isoformat(), "last": span.last.isoformat()})  # fmt: skip
    return row


def content_of(span: Span) -> dict[str, Any]:
    """What a span holds: documents with their last hash in each series, sums by country and rate, money collected
    (less what credit notes gave back of it, which is named too)."""
    documents = declared.documents(span.start, span.end)
    sums: dict[tuple[str, str, str], list[int]] = {}
    net = vat = 0
    for row in declared.sold(span.start, span.end):
        found = sums.setdefault((row.country, row.code, str(row.rate)), [0, 0])
        found[0] += row.net
        found[1] += row.vat
        net, vat = net + row.net, vat + row.vat
    came_in, back = _came_in(span), _given_back(span)
    heads = {str(series): [number, digest] for series, number, digest
             in documents.order_by("position").values_list("series_id", "number", "hash")}  # fmt: skip
    return {
        "documents": documents.count(), "net_cents": net, "vat_cents": vat, "total_cents": net + vat,
        "collected_cents": came_in - back, GIVEN_BACK: back, "heads": sorted(heads.values()),
        "by_rate": [[*key, *both] for key, both in sorted(sums.items())],
    }  # fmt: skip


def _given_back(span: Span) -> int:
    """What credit notes moved to funds, where it pays again or goes back: it is collected no more."""
    return sum(cents for _day, cents in declared.moved_to_funds(days=(span.start, span.end)).values())


def _as_sealed(row: Closing) -> bool:
    """Whether the books still hold what was closed. A closing that does not name what was given back was made before
    it was taken off."""
    content = content_of(Span(row.start, row.end))
    if GIVEN_BACK not in row.content:
        content["collected_cents"] += content.pop(GIVEN_BACK)
    return bool(content == row.content)


def _came_in(span: Span) -> int:
    since, until = start_of_paris_day(span.start), start_of_paris_day(span.end)
    rows = Settlement.objects.filter(at__gte=since, at__lt=until).exclude(means__in=NO_MONEY)
    return int(rows.aggregate(sum=Sum("cents"))["sum"] or 0)


def verify() -> list[str]:
    """Walk every chain of closings; each break is a sentence. Empty: sealed, without a hole, and true to the books."""
    broken: list[str] = []
    for kind in ClosingKind.values:
        previous, totals, end = rules.GENESIS, dict[str, int](), None
        for row in Closing.objects.filter(kind=kind).order_by("start"):
            totals = closing_rules.added(totals, row.content)
            if row.previous_hash != previous or row.hash != closing_rules.seal(
                previous, kind, row.start, row.content, row.totals
            ):
                broken.append(f"the closing of {kind} {row.start} was altered, or the one before it")
            if end is not None and row.start != end:
                broken.append(f"a closing is missing before {kind} {row.start}")
            if row.totals != totals:
                broken.append(f"the totals of {kind} {row.start} do not follow")
            if not _as_sealed(row):
                broken.append(f"{kind} {row.start} no longer holds what was closed")
            previous, end = row.hash, row.end
    return broken
