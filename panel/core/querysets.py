"""Rows of an account are only ever fetched through `visible_to(actor)`."""

from collections.abc import Iterator
from ipaddress import ip_address
from typing import Any, Self, TypeVar

from django.db import models
from django.db.models import Q

from panel.core.actors import Actor

Row = TypeVar("Row", bound=models.Model)


class TenantQuerySet(models.QuerySet):
    """For models with an `account` column: staff sees all, a person sees the account they act in, others nothing."""

    account_column = "account_id"

    def visible_to(self, actor: Actor) -> Self:
        if actor.is_staff and actor.account_id is None:
            return self
        if actor.account_id is None:
            return self.none()
        return self.filter(**{self.account_column: actor.account_id})


def in_parts(rows: models.QuerySet[Row], size: int) -> Iterator[list[Row]]:
    """`rows` by their key, `size` at a time: a table of any length never comes whole. Each part is read when the one
    before it is done with, so what is added meanwhile is met too."""
    last = 0
    while part := list(rows.order_by("pk").filter(pk__gt=last)[:size]):
        yield part
        last = part[-1].pk


def at_ip(words: str, lookup: str, **more: Any) -> Q:
    """Rows whose `lookup` is the address `words` name (and `more` holds); none if `words` are no address.

    PostgreSQL's inet columns refuse to be compared with anything else.
    """
    try:
        return Q(**{lookup: str(ip_address(words.strip()))}, **more)
    except ValueError:
        return Q(pk__in=[])
