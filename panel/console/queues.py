"""What a queue of work shows: its first rows, and how many there are."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import QuerySet

SHOWN = 8


@dataclass(frozen=True)
class Row:
    """One thing to do. `due`: the instant by which; `since`: how long it waits."""

    title: str
    url: str
    note: str = ""
    due: datetime | None = None
    since: datetime | None = None


@dataclass(frozen=True)
class Queue:
    """Things of one kind; `total` may be more than the rows shown."""

    title: str
    icon: str
    url: str
    total: int
    rows: list[Row] = field(default_factory=list)
    tone: str = "neutral"


def queue(
    rows: QuerySet[Any], make: Callable[[Any], Row], *, title: str, icon: str, url: str, tone: str = "warn"
) -> Queue:
    """One count and one short read, the count only where there are more rows than are shown."""
    found = list(rows[: SHOWN + 1])
    total = len(found) if len(found) <= SHOWN else rows.count()
    return Queue(title, icon, url, total, [make(row) for row in found[:SHOWN]], tone if found else "good")
