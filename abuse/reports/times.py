"""Times as reporters write them, turned into intervals in UTC that are as wide as the doubt.

A time without a zone may lie up to 14 hours either way; a date alone is a whole day. Guessing is left to nobody.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from abuse.reports import Precision, Span

WIDEST_OFFSET = timedelta(hours=14)
EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)
LATEST = datetime(2990, 1, 1, tzinfo=UTC)

# Only names that mean one offset. Others (CST, IST, ...) count as no zone.
ZONES = {
    name: timedelta(hours=hours)
    for names, hours in {
        "UTC GMT Z UT WET": 0,
        "BST WEST CET": 1,
        "CEST EET": 2,
        "EEST MSK": 3,
        "EST": -5,
        "EDT": -4,
        "PST": -8,
        "PDT": -7,
        "JST": 9,
    }.items()
    for name in names.split()
}
MONTHS = {
    name: number
    for number, name in enumerate(
        ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), 1
    )
}

_CLOCK = r"(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,]\d{1,9})?)?(?:\s?(?P<half>[AaPp][Mm])\b)?"
_ZONE = r"(?:\s*\(?(?P<offset>[+-]\d{2}:?\d{2}|Z\b|[A-Z]{2,4}\b)\)?)?"
_AT = _CLOCK + _ZONE
_PATTERNS = tuple(
    re.compile(pattern)
    for pattern in (
        # 2026-09-28T09:29:00Z, 2026-09-28 10:38 UTC, 2026/09/28 10:38:19 +0200, or the date alone
        rf"(?<![\d.])(?P<year>\d{{4}})[-/](?P<month>\d{{1,2}})[-/](?P<day>\d{{1,2}})(?!\d)(?:[T ,]\s?{_AT})?",
        # 28.09.2026 10:38 (a day before a month, as dots mean everywhere)
        rf"(?<![\d.])(?P<day>\d{{1,2}})\.(?P<month>\d{{1,2}})\.(?P<year>\d{{4}})(?!\d)(?:,?\s{_AT})?",
        # Mon, 28 Sep 2026 09:29:26 +0000 and 28/Sep/2026:09:29:26 -0400
        rf"(?<!\d)(?P<day>\d{{1,2}})[ /-](?P<name>[A-Z][a-z]{{2}})[a-z]*[ /-](?P<year>\d{{4}})(?:[ :,]\s?{_AT})?",
        # Sep 28, 2026 10:38:19 EDT
        rf"\b(?P<name>[A-Z][a-z]{{2}})[a-z]* (?P<day>\d{{1,2}}),? (?P<year>\d{{4}})(?:[ ,]+{_AT})?",
    )
)
_EPOCH = re.compile(r"\s*(\d{10})(?:\.\d+)?\s*")


def rfc3339(text: object) -> datetime | None:
    """An exact instant, or None when `text` is not a complete RFC 3339 time with its offset."""
    if not isinstance(text, str) or not re.fullmatch(
        r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})", text
    ):
        return None
    try:
        moment = datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return moment if EARLIEST <= moment <= LATEST else None


def spans_in(text: str, *, zone_hint: str = "", limit: int = 50) -> list[Span]:
    """Every time found in `text`, in the order in which it stands there. `zone_hint` is a zone that its label named."""
    found: list[tuple[int, Span]] = []
    taken: list[tuple[int, int]] = []
    for pattern in _PATTERNS:
        for match in pattern.finditer(text):
            if any(match.start() < end and start < match.end() for start, end in taken):
                continue
            span = _span(match, zone_hint)
            if span is not None:
                found.append((match.start(), span))
                taken.append(match.span())
            if len(found) >= limit:
                break
    return [span for _, span in sorted(found, key=lambda pair: pair[0])][:limit]


def span_of(text: str, *, zone_hint: str = "") -> Span | None:
    """The first time in a label's value, which may also be seconds since 1970."""
    epoch = _EPOCH.fullmatch(text)
    if epoch:
        moment = datetime.fromtimestamp(int(epoch.group(1)), UTC)
        return Span(moment, moment, Precision.SECOND, text.strip())
    spans = spans_in(text, zone_hint=zone_hint, limit=1)
    return spans[0] if spans else None


def plausible(span: Span) -> bool:
    """Whether it can be an event's time at all; others can be neither kept nor shown in every zone."""
    day = timedelta(days=1)  # a zone may lie that far off
    return EARLIEST - day <= span.start <= span.end <= LATEST + day


def around(spans: list[Span]) -> Span | None:
    """One span over all of the given ones (first seen to last seen), as vague as the vaguest."""
    if not spans:
        return None
    order = list(Precision)
    return Span(
        min(span.start for span in spans),
        max(span.end for span in spans),
        max((span.precision for span in spans), key=order.index),
        " / ".join(dict.fromkeys(span.written for span in spans))[:200],
    )


def _span(match: re.Match[str], zone_hint: str) -> Span | None:
    parts = match.groupdict()
    month = MONTHS.get(parts["name"].lower(), 0) if parts.get("name") else int(parts["month"])
    try:
        start = datetime(
            int(parts["year"]), month, int(parts["day"]),
            _hour(parts), int(parts["minute"] or 0), int(parts["second"] or 0), tzinfo=UTC,
        )  # fmt: skip
    except ValueError:
        return None
    if not EARLIEST <= start <= LATEST:
        return None
    written = " ".join(match.group().split())
    if parts["minute"] is None:
        end, precision = start + timedelta(days=1, seconds=-1), Precision.DAY
    elif parts["second"] is None:
        end, precision = start + timedelta(seconds=59), Precision.MINUTE
    else:
        end, precision = start, Precision.SECOND
    offset = _offset(parts["offset"] or zone_hint)
    if offset is None:
        return Span(start - WIDEST_OFFSET, end + WIDEST_OFFSET, Precision.NO_ZONE, written)
    return Span(start - offset, end - offset, precision, written)


def _hour(parts: dict[str, str | None]) -> int:
    hour = int(parts["hour"] or 0)
    half = (parts["half"] or "").lower()
    if half and not 1 <= hour <= 12:
        raise ValueError("not an hour of the 12-hour clock")
    return hour % 12 + (12 if half == "pm" else 0) if half else hour


def _offset(zone: str) -> timedelta | None:
    """The offset that a zone's name or number means; None when it does not say. "-0000" is UTC."""
    if zone in ZONES:
        return ZONES[zone]
    match = re.fullmatch(r"([+-])(\d{2}):?(\d{2})", zone)
    if match is None:
        return None
    offset = timedelta(hours=int(match.group(2)), minutes=int(match.group(3)))
    return None if offset > WIDEST_OFFSET else -offset if match.group(1) == "-" else offset
