"""Pages of long lists by the key of their last row: the thousandth page costs what the first one does."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from django.db.models import Model, QuerySet

SIZE = 50
LARGEST = 200
AT_ONCE = 500
RowT = TypeVar("RowT", bound=Model)


@dataclass(frozen=True)
class Page:
    """Some rows, newest first; `next` is the cursor of the page after this one, "" on the last."""

    rows: list[Any]
    next: str
    first: bool

    def __bool__(self) -> bool:
        return bool(self.rows)


def page(rows: QuerySet[Any], cursor: str = "", *, size: int = SIZE) -> Page:
    """The rows that follow `cursor` (the id of a row, as text), by falling id. A cursor that is none starts at the
    top."""
    after = int(cursor) if cursor.isascii() and cursor.isdigit() and len(cursor) < 19 else None
    wanted = rows.order_by("-pk") if after is None else rows.order_by("-pk").filter(pk__lt=after)
    size = max(1, min(size, LARGEST))
    found = list(wanted[: size + 1])
    more = len(found) > size
    found = found[:size]
    return Page(found, str(found[-1].pk) if more else "", after is None)


def walk(rows: QuerySet[RowT]) -> Iterator[list[RowT]]:
    """Every row by rising id, some hundreds at a time, each time by a statement of its own: however many there are, no
    more are held at once, and no transaction stays open meanwhile."""
    last, ordered = 0, rows.order_by("pk")
    while some := list(ordered.filter(pk__gt=last)[:AT_ONCE]):
        yield some
        last = some[-1].pk
