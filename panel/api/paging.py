"""Lists in pages: `items`, and `next`, the cursor to ask for the page after."""

from typing import Annotated, Any, Generic, TypeVar

from django.db.models import QuerySet
from ninja import Query, Schema
from pydantic import Field

from panel.core import keyset

Item = TypeVar("Item")


class Pages(Schema, Generic[Item]):
    """A page of a list, newest first."""

    items: list[Item]
    next: str | None = Field(description="Ask again with ?cursor= this; null on the last page.")


class Asked(Schema):
    cursor: str = Field("", max_length=40, description="`next` of the page before.")
    limit: int = Field(keyset.SIZE, ge=1, le=keyset.LARGEST)


Paging = Annotated[Asked, Query()]


def page(rows: QuerySet[Any], asked: Asked, make: Any) -> dict[str, Any]:
    """The page of `rows` that was asked for, each row by `make`."""
    found = keyset.page(rows, asked.cursor, size=asked.limit)
    return {"items": [make(row) for row in found.rows], "next": found.next or None}
