"""The archive of the books: a ZIP with every document of some days, its place in the hash chain, the closings and the
accounting entries, which proves itself without the panel (CGI 286 I 3° bis, C. com. L123-22).

Documents and entries cannot be deleted at all; the archive names the day until which the law wants it kept (PRV-4).
"""

import hashlib
import json
import zipfile
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import IO, Any

from django.conf import settings

from invoicing import rules
from invoicing.accounting import closing_rules, exports
from invoicing.handing_out import Made
from invoicing.models import Closing, Invoice
from invoicing.taxing import declared
from invoicing.taxing.report_rules import Span
from panel import terms
from panel.core import files

FORMAT = "clause-books/1"
MANIFEST, SEALS = "manifest.json", "closings.json"


class Unreadable(ValueError):
    """A file that is no archive of ours."""


def make(span: Span, target: Path | IO[bytes], *, now: datetime) -> dict[str, Any]:
    """Write the archive of a span to `target`; returns its manifest. Files are read one by one: memory stays small."""
    documents = declared.documents(span.start, span.end).select_related("series", "pdf", "cii", "ubl")
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        rows = documents.order_by("series_id", "position").iterator(chunk_size=500)
        told = [_document(archive, document, now) for document in rows]
        closings = [_closing(row) for row in Closing.objects.filter(start__gte=span.start, end__lte=span.end)
                    .order_by("kind", "start")]  # fmt: skip
        beside = {SEALS: _json(closings)}
        for made in (exports.fec(span), exports.sales(span), exports.vat(span), exports.collections(span)):
            beside[made.name] = made.content
        for name, content in beside.items():
            _put(archive, name, content, now)
        manifest = {
            "format": FORMAT, "seller": settings.CLAUSE_SELLER["name"], "siren": settings.CLAUSE_SELLER["siren"],
            "start": span.start.isoformat(), "last": span.last.isoformat(), "made_at": now.isoformat(),
            "keep_until": keep_until(span.last, now).isoformat(), "documents": told,
            "files": {name: _digest(content) for name, content in beside.items()},
        }  # fmt: skip
        _put(archive, MANIFEST, _json(manifest), now)
    return manifest


def keep_until(last: date, now: datetime) -> date:
    """The last day the books of a day must be kept: the end of its accounting year and the years of PRV-4."""
    return date(last.year + terms.current(now).retention.accounting_years, 12, 31)


def made(span: Span, *, now: datetime) -> Made:
    """The archive as a file to hand out."""
    import io

    out = io.BytesIO()
    make(span, out, now=now)
    return Made(f"books-{span.start}-{span.last}.zip", "application/zip", out.getvalue())


def _document(archive: zipfile.ZipFile, row: Invoice, now: datetime) -> dict[str, Any]:
    kept = {f"{row.number}.json": _json(row.document)}
    for suffix, blob in ((".pdf", row.pdf), ("-cii.xml", row.cii), ("-ubl.xml", row.ubl)):
        if blob is not None:
            kept[f"{row.number}{suffix}"] = files.read(blob)
    for name, content in kept.items():
        _put(archive, f"documents/{name}", content, now)
    return {
        "number": row.number, "series": f"{row.series.prefix}{row.series.year}", "position": row.position,
        "kind": row.kind, "issued_at": row.issued_at.isoformat(), "channel": row.channel,
        "previous_hash": row.previous_hash, "hash": row.hash, "vat_evidence": row.vat_evidence,
        "files": {name: _digest(content) for name, content in kept.items()},
    }  # fmt: skip


def _closing(row: Closing) -> dict[str, Any]:
    return {
        "kind": row.kind, "start": row.start.isoformat(), "end": row.end.isoformat(), "content": row.content,
        "totals": row.totals, "previous_hash": row.previous_hash, "hash": row.hash,
    }  # fmt: skip


def _put(archive: zipfile.ZipFile, name: str, content: bytes, now: datetime) -> None:
    stamp = zipfile.ZipInfo(name, (now.year, now.month, now.day, now.hour, now.minute, now.second))
    stamp.compress_type = zipfile.ZIP_DEFLATED
    stamp.external_attr = 0o444 << 16
    archive.writestr(stamp, content)


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, indent=1).encode()


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


# --- proving one -----------------------------------------------------------------------------------------------------


def verify(source: Path | IO[bytes]) -> list[str]:
    """Prove an archive by itself: every file as it was, every document in its chain, every closing sealed. Each break
    is a sentence; empty: it is whole. Unreadable when it is no archive of ours."""
    try:
        with zipfile.ZipFile(source) as archive:
            manifest = json.loads(archive.read(MANIFEST))
            if manifest.get("format") != FORMAT:
                raise Unreadable(f"not an archive of the format {FORMAT}")
            return [*_files(archive, manifest), *_chains(archive, manifest), *_seals(json.loads(archive.read(SEALS)))]
    except (zipfile.BadZipFile, KeyError, ValueError, TypeError) as wrong:
        raise wrong if isinstance(wrong, Unreadable) else Unreadable(f"not an archive of the books: {wrong}") from wrong


def _files(archive: zipfile.ZipFile, manifest: Mapping[str, Any]) -> Iterable[str]:
    wanted = dict(manifest["files"])
    for row in manifest["documents"]:
        wanted |= {f"documents/{name}": digest for name, digest in row["files"].items()}
    present = set(archive.namelist()) - {MANIFEST}
    yield from (f"{name} is missing" for name in sorted(set(wanted) - present))
    yield from (f"{name} does not belong here" for name in sorted(present - set(wanted)))
    for name in sorted(present & set(wanted)):
        if _digest(archive.read(name)) != wanted[name]:
            yield f"{name} was altered"


def _chains(archive: zipfile.ZipFile, manifest: Mapping[str, Any]) -> Iterable[str]:
    last: dict[str, tuple[int, str]] = {}
    present = set(archive.namelist())
    for row in sorted(manifest["documents"], key=lambda one: (one["series"], one["position"])):
        before = last.get(row["series"])
        if before and (row["position"], row["previous_hash"]) != (before[0] + 1, before[1]):
            yield f"{row['number']} does not follow the document before it"
        name = f"documents/{row['number']}.json"
        if name in present:
            document = json.loads(archive.read(name))
            if rules.document_hash(row["previous_hash"], document) != row["hash"]:
                yield f"{row['number']} is not what was sealed"
        last[row["series"]] = (row["position"], row["hash"])


def _seals(closings: Iterable[Mapping[str, Any]]) -> Iterable[str]:
    last: dict[str, Mapping[str, Any]] = {}
    for row in sorted(closings, key=lambda one: (one["kind"], one["start"])):
        named = f"the closing of {row['kind']} {row['start']}"
        start = date.fromisoformat(row["start"])
        if closing_rules.seal(row["previous_hash"], row["kind"], start, row["content"], row["totals"]) != row["hash"]:
            yield f"{named} was altered"
        before = last.get(row["kind"])
        if before and (before["hash"], before["end"]) != (row["previous_hash"], row["start"]):
            yield f"{named} does not follow the one before it"
        if before and closing_rules.added(before["totals"], row["content"]) != row["totals"]:
            yield f"the totals of {named} do not follow"
        last[row["kind"]] = row
