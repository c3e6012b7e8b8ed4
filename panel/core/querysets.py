"""Rows of an account are only ever fetched through `visible_to(actor)`."""

from ipaddress import ip_address
from typing import Any, Self

from django.db import models
from django.db.models import Q

from panel.core.actors import Actor


class TenantQuerySet(models.QuerySet):
    """For models with an `account` column: staff sees all, a person sees the account they act in, others nothing."""

    account_column = "account_id"

    def visible_to(self, actor: Actor) -> Self:
        if actor.is_staff and actor.account_id is None:
            return self
        if actor.account_id is None:
            return self.none()
        return self.filter(**{self.account_column: actor.account_id})


def at_ip(words: str, lookup: str, **more: Any) -> Q:
    """Rows whose `lookup` is the address `words` name (and `more` holds); none if `words` are no address.

    PostgreSQL's inet columns refuse to be compared with anything else.
    """
    try:
        return Q(**{lookup: str(ip_address(words.strip()))}, **more)
    except ValueError:
        return Q(pk__in=[])
