"""XARF version 4: a JSON report, attached to a mail or sent by itself.

The checks are our own (docs/decisions/0004 says why): a strict JSON reading (depth, size, no duplicate key, no NaN), a
real address, an exact time with its zone, real base64. What is wrong in a detail is told to staff; a report without a
usable source address is not one.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from abuse.reports import (
    MAX_EVIDENCE,
    MAX_EXCERPT,
    Category,
    Confidence,
    Evidence,
    Precision,
    ReportDraft,
    Source,
    Span,
    times,
)
from abuse.reports.addresses import canonical
from abuse.reports.labelled import language_of
from tickets.letters import Letter, to_text

MAX_JSON = 8 * 1024 * 1024
MAX_DEPTH = 20
MAX_REPORTS = 20

CATEGORIES = {
    "copyright": Category.COPYRIGHT,
    "messaging": Category.SPAM,
    "connection": Category.GENERAL,
    "content": Category.GENERAL,
    "infrastructure": Category.GENERAL,
    "vulnerability": Category.GENERAL,
    "reputation": Category.GENERAL,
}
_TYPE = re.compile(r"[a-z][a-z0-9_-]{0,49}")
_EMAIL = re.compile(r"[^@\s<>\"]{1,64}@[A-Za-z0-9.-]{1,190}")


class XarfReader:
    name = "XARF"

    def read(self, letter: Letter) -> tuple[Sequence[ReportDraft], Sequence[str]]:
        """Every report in the message's JSON parts; several parts with the same report count once."""
        drafts: dict[str, ReportDraft] = {}
        problems: list[str] = []
        for data in _candidates(letter):
            try:
                report = strict_json(data)
            except (ValueError, RecursionError) as error:
                if b"xarf_version" in data[:100_000]:
                    problems.append(f"its JSON is not valid: {error}")
                continue
            if not isinstance(report, dict) or "xarf_version" not in report:
                continue
            draft = _draft(report, letter, problems)
            if draft is not None:
                drafts.setdefault(draft.reporter_ref or str(len(drafts)), draft)
        return list(drafts.values())[:MAX_REPORTS], problems


def strict_json(data: bytes) -> Any:
    """JSON read strictly: ValueError for duplicate keys, NaN, more than 20 levels, more than 8 MB or not UTF-8."""
    if len(data) > MAX_JSON:
        raise ValueError(f"longer than {MAX_JSON} bytes")
    text = data.decode("utf-8-sig")
    depth = deepest = 0
    for sign in re.sub(r'"(?:[^"\\]|\\.)*"', "", text, flags=re.DOTALL):
        depth += (sign in "[{") - (sign in "]}")
        deepest = max(deepest, depth)
    if deepest > MAX_DEPTH:
        raise ValueError(f"nested more than {MAX_DEPTH} levels deep")
    return json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice")
    return found


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not a number")


def _candidates(letter: Letter) -> list[bytes]:
    found = [
        part.data
        for part in letter.parts
        if part.content_type in {"application/json", "application/xarf+json", "text/json"}
        or part.filename.lower().endswith(".json")
    ]
    if letter.raw.lstrip().startswith(b"{"):
        found.append(letter.raw.strip())
    elif letter.text.lstrip().startswith("{"):
        found.append(letter.text.strip().encode())
    return found[:MAX_REPORTS]


def _draft(report: dict[str, Any], letter: Letter, problems: list[str]) -> ReportDraft | None:
    if not _text(report, "xarf_version").startswith("4."):
        problems.append(f"version {_text(report, 'xarf_version')[:20]!r} is not 4")
        return None
    address = canonical(report.get("source_identifier"))
    if address is None:
        problems.append(f"source {str(report.get('source_identifier'))[:60]!r} is not the address of one host")
        return None
    category, kind = _text(report, "category"), _text(report, "type").lower()
    happened = _happened(report, problems)
    sure = times.rfc3339(report.get("timestamp")) is not None
    if category not in CATEGORIES:
        problems.append(f"category {category[:40]!r} is unknown")
        sure = False
    url = next((_text(report, name) for name in ("infringing_url", "url", "usenet_link") if _text(report, name)), "")
    person = report.get("reporter") if isinstance(report.get("reporter"), dict) else {}
    contact = _text(person, "contact").lower()
    return ReportDraft(
        category=Category.BLOCKLIST if kind == "blocklist" else CATEGORIES.get(category, Category.GENERAL),
        sources=(Source(address, _port(report, problems), url[:2000]),),
        happened=happened,
        confidence=Confidence.CERTAIN if sure else Confidence.UNSURE,
        subtype=kind if _TYPE.fullmatch(kind) else "",
        reporter_email=contact if _EMAIL.fullmatch(contact) else "",
        reporter_name=_text(person, "org")[:200],
        reporter_ref=_text(report, "report_id")[:120],
        explanation=_text(report, "description")[:10_000] or _words_of(letter),
        work=_text(report, "work_title")[:500],
        right_holder=_text(report, "rights_holder")[:200],
        language=language_of(_words_of(letter)),
        evidence=tuple(_evidence(report.get("evidence"), problems)),
    )


def _words_of(letter: Letter) -> str:
    """What the mail around the report says in prose."""
    text = letter.text.strip()
    return "" if text.startswith("{") else text[:10_000]


def _text(holder: Any, name: str) -> str:
    value = holder.get(name) if isinstance(holder, dict) else None
    return " ".join("".join(c if c.isprintable() else " " for c in value).split()) if isinstance(value, str) else ""


def _port(report: dict[str, Any], problems: list[str]) -> int | None:
    port = report.get("source_port")
    if port is None:
        return None
    if isinstance(port, bool) or not isinstance(port, int) or not 0 < port < 65536:
        problems.append("its source port is not a port")
        return None
    return port


def _happened(report: dict[str, Any], problems: list[str]) -> Span | None:
    """From the first to the last exact instant given; a time without zone leaves the report unsure."""
    instants: list[datetime] = []
    for name in ("timestamp", "first_seen", "last_seen"):
        if name in report:
            moment = times.rfc3339(report[name])
            if moment is not None:
                instants.append(moment)
            elif name == "timestamp":
                problems.append(f"timestamp {str(report[name])[:60]!r} is not an instant with its zone")
                return times.span_of(str(report[name])[:200])
    if times.rfc3339(report.get("timestamp")) is None:
        problems.append("it has no timestamp")
        return None
    return Span(min(instants), max(instants), Precision.SECOND, str(report["timestamp"]))


def _evidence(items: Any, problems: list[str]) -> list[Evidence]:
    found: list[Evidence] = []
    for item in items[:MAX_EVIDENCE] if isinstance(items, list) else []:
        payload = item.get("payload") if isinstance(item, dict) else None
        try:
            data = base64.b64decode("".join(payload.split()), validate=True) if isinstance(payload, str) else None
        except (binascii.Error, ValueError):
            data = None
        if data is None:
            problems.append("a piece of evidence is not valid base64")
            continue
        kind = _text(item, "content_type")[:100]
        readable = kind.startswith("text/") or kind == "message/rfc822"
        found.append(
            Evidence(
                description=_text(item, "description")[:300],
                content_type=kind or "application/octet-stream",
                size=len(data),
                sha256=hashlib.sha256(data).hexdigest(),
                excerpt=to_text(data[: 4 * MAX_EXCERPT], "utf-8")[:MAX_EXCERPT] if readable else "",
            )
        )
    return found
