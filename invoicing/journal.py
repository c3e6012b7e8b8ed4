"""One way to write down what happened here: the journal, and the open pages that watch it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import models

from panel.core import events, live
from panel.core.actors import Actor
from panel.core.models import Event


def tell(
    kind: str, subject: Any, *, now: datetime, actor: Actor, rule: str = "", data: Mapping[str, Any] | None = None
) -> Event:
    """Record `invoicing.<kind>` about a row of an account and publish it to the account's and the staff's pages."""
    name = f"invoicing.{kind}"
    about: models.Model = subject
    event = events.record(
        name, now=now, actor=actor, subject=about, account_id=subject.account_id, rule=rule, data=data
    )
    live.publish([f"account:{subject.account_id}", "staff"], name, {"id": about.pk})
    return event


def told(
    kind: str, subject: Any, *, now: datetime, actor: Actor, rule: str = "", data: Mapping[str, Any] | None = None
) -> Event:
    """What `tell` records, for `tell_all`."""
    return events.event_of(
        f"invoicing.{kind}", now=now, actor=actor, subject=subject, account_id=subject.account_id, rule=rule, data=data
    )


def tell_all(made: Sequence[Event]) -> None:
    """`tell` for many events (`told`): the open pages hear of each kind once."""
    events.record_all(made)
    for name in sorted({event.kind for event in made}):
        concerned = [event for event in made if event.kind == name]
        topics = sorted({f"account:{event.account_id}" for event in concerned})
        live.publish([*topics, "staff"], name, {})
