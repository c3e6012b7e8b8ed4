"""Pages of long lists by the key of their last row: the thousandth page costs what the first one does."""

from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet

SIZE = 50
LARGEST = 200


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
