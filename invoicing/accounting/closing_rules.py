"""Closings of days, months and years with totals that only grow, each sealed to the one before. Pure.

The law on cash registers asks for them (CGI 286 I 3° bis).
"""

import hashlib
import json
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from invoicing.taxing.report_rules import Span
from panel.core.calendars import add_months
from panel.core.money import Cents

DAY, MONTH, YEAR = "day", "month", "year"
SUMMED = ("documents", "net_cents", "vat_cents", "total_cents", "collected_cents")


def span_of(kind: str, day: date) -> Span:
    """The day, calendar month or calendar year that `day` falls into."""
    if kind == DAY:
        return Span(day, day + timedelta(days=1))
    if kind == MONTH:
        start = day.replace(day=1)
        return Span(start, add_months(start, 1))
    return Span(date(day.year, 1, 1), date(day.year + 1, 1, 1))


def ended(kind: str, first: date, until: date) -> list[Span]:
    """Every span from the one of `first` on that ended at or before the start of `until`, without a hole."""
    found, span = [], span_of(kind, first)
    while span.end <= until:
        found.append(span)
        span = span_of(kind, span.end)
    return found


def added(before: Mapping[str, Cents], content: Mapping[str, Any]) -> dict[str, int]:
    """The totals since the first document, after a span was added to them."""
    return {name: int(before.get(name, 0)) + int(content[name]) for name in SUMMED}


def seal(previous: str, kind: str, start: date, content: Mapping[str, Any], totals: Mapping[str, Any]) -> str:
    """The hash of a closing; it covers the hash before it."""
    text = json.dumps([previous, kind, start.isoformat(), content, totals], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
