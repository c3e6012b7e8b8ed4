"""State machines: an enum and a TRANSITIONS table in `rules.py`; `move` refuses what is not in it."""

from collections.abc import Mapping
from typing import TypeAlias

from django.db import models

Transitions: TypeAlias = Mapping[str, frozenset[str]]


class ForbiddenMove(Exception):
    """A programme error: the table has no such way."""


def move(obj: models.Model, to: str, transitions: Transitions, *, field: str = "state", save: bool = True) -> None:
    """Set `obj.field` to `to` and save it; ForbiddenMove when the table has no such way."""
    current = getattr(obj, field)
    if to not in transitions.get(current, frozenset()):
        raise ForbiddenMove(f"{obj._meta.label} {obj.pk}: {current} -> {to}")
    setattr(obj, field, to)
    if save:
        obj.save(update_fields=[field])
