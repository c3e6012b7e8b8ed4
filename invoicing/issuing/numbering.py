"""Numbers without gap or reuse (INV-2): a counter row, locked last in the issuing transaction."""

from datetime import datetime

from invoicing import rules
from invoicing.issuing import parties
from invoicing.issuing.document_rules import PREFIXES
from invoicing.models import NumberSeries
from panel.core.calendars import paris_date


def lock(kind: str, *, now: datetime) -> tuple[NumberSeries, datetime]:
    """The series for a document issued now, locked until the transaction ends, and the instant to write on it.

    The year is that of the Paris day; a clock that was set back stays at the last instant of the series.
    """
    prefix, entity = PREFIXES[kind], parties.entity()
    newest = NumberSeries.objects.filter(entity=entity, prefix=prefix).order_by("-year").first()
    year = max(paris_date(now).year, newest.year if newest else 0)
    NumberSeries.objects.bulk_create(
        [NumberSeries(entity=entity, prefix=prefix, year=year, last_hash=rules.GENESIS)], ignore_conflicts=True
    )
    series = NumberSeries.objects.select_for_update().get(entity=entity, prefix=prefix, year=year)
    last = series.last_issued_at or (newest.last_issued_at if newest else None)
    return series, rules.issue_instant(now, last)


def take(series: NumberSeries, *, issued_at: datetime, digest: str) -> None:
    """A document has the next number of the (locked) series; `advance` writes that down."""
    series.last_number += 1
    series.last_issued_at = issued_at
    series.last_hash = digest


def advance(series: NumberSeries) -> None:
    """The documents were written: the series stands at the last of them."""
    series.save(update_fields=["last_number", "last_issued_at", "last_hash"])
