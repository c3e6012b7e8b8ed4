"""Numbers without gap or reuse (INV-2): a counter row, locked last in the issuing transaction."""

from datetime import datetime

from django.db import connection
from django.db.models import Max

from invoicing import rules
from invoicing.issuing import parties
from invoicing.issuing.document_rules import PREFIXES
from invoicing.models import Closing, NumberSeries
from panel.core.calendars import paris_date, start_of_paris_day


def lock(kind: str, *, now: datetime) -> tuple[NumberSeries, datetime]:
    """The series for a document issued now, locked until the transaction ends, and the instant to write on it.

    The year is that of the Paris day. A clock that was set back stays at the last instant of the series, and who began
    before days were closed comes after them: what a closing sealed is never added to (INV-11).
    """
    prefix, entity = PREFIXES[kind], parties.entity()
    newest = NumberSeries.objects.filter(entity=entity, prefix=prefix).order_by("-year").first()
    year = max(paris_date(now).year, newest.year if newest else 0)
    NumberSeries.objects.bulk_create(
        [NumberSeries(entity=entity, prefix=prefix, year=year, last_hash=rules.GENESIS)], ignore_conflicts=True
    )
    series = NumberSeries.objects.select_for_update().get(entity=entity, prefix=prefix, year=year)
    after = max(now, _open_since() or now)
    if paris_date(after).year > year:
        return lock(kind, now=after)
    last = series.last_issued_at or (newest.last_issued_at if newest else None)
    return series, rules.issue_instant(after, last)


def _open_since() -> datetime | None:
    """The first instant after all that is closed; asked with a series locked, so that none is being closed
    (`hold_all`)."""
    end = Closing.objects.aggregate(end=Max("end"))["end"]
    return start_of_paris_day(end) if end else None


def hold_all() -> None:
    """Wait for every document that is being issued, and let nobody begin another until the transaction ends; for a
    series that is only being made too. SQLite has one writer at a time anyway."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(f'LOCK TABLE "{NumberSeries._meta.db_table}" IN EXCLUSIVE MODE')


def take(series: NumberSeries, *, issued_at: datetime, digest: str) -> None:
    """A document has the next number of the (locked) series; `advance` writes that down."""
    series.last_number += 1
    series.last_issued_at = issued_at
    series.last_hash = digest


def advance(series: NumberSeries) -> None:
    """The documents were written: the series stands at the last of them."""
    series.save(update_fields=["last_number", "last_issued_at", "last_hash"])
