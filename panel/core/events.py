"""The journal: every change of meaning is an Event row in the same transaction, chained by the sealer after commit.

Subscribers are durable: each becomes an Operation with the event's id in its key, so a crash loses none and a
repeat does nothing twice as long as the subscriber is idempotent.
"""

import hashlib
import json
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from django.db import models, transaction
from django.utils.translation import gettext_lazy as _

from panel.core import bulk, due, operations
from panel.core.actors import Actor
from panel.core.models import Event, EventPrivate, Operation, Seal, subject_of

GENESIS = "0" * 64
SEAL_BATCH = 1000
OPEN_AT_ONCE = 100_000  # ids that transactions still open may hold below the newest sealed one


class Subscriber(Protocol):
    def __call__(self, event: Event, *, now: datetime) -> None: ...


@dataclass(frozen=True)
class _Subscription:
    prefix: str
    name: str
    call: Subscriber


_subscriptions: dict[str, _Subscription] = {}


def subscriber(prefix: str, name: str) -> Callable[[Subscriber], Subscriber]:
    """Call the function after commit for every event whose kind starts with `prefix`; `name` is unique and lasting."""

    def register(call: Subscriber) -> Subscriber:
        if name in _subscriptions and _subscriptions[name].call is not call:
            raise ValueError(f"subscriber {name} exists")
        _subscriptions[name] = _Subscription(prefix, name, call)
        return call

    return register


def record(
    kind: str,
    *,
    now: datetime,
    actor: Actor,
    subject: models.Model | None = None,
    account_id: int | None = None,
    rule: str = "",
    data: Mapping[str, Any] | None = None,
    private: Mapping[str, Any] | None = None,
) -> Event:
    """Write an event into the journal of the running transaction.

    `data` holds ids and codes only; personal values go to `private`, which can be erased later (PRV-4).
    """
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError("an event belongs to the transaction of its change")
    event = event_of(kind, now=now, actor=actor, subject=subject, account_id=account_id, rule=rule, data=data)
    salt = secrets.token_hex(16) if private else ""
    event.private_digest = _digest(salt, private) if private else ""
    event.save(force_insert=True)
    if private:
        EventPrivate.objects.create(event=event, salt=salt, data=dict(private))
    for op in _deliveries(event, _hearing(kind)):
        operations.enqueue_row(op)
    return event


def record_all(made: Sequence[Event]) -> None:
    """`record` for many events of the running transaction, none of which says anything personal (`event_of`)."""
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError("an event belongs to the transaction of its change")
    bulk.number(made)
    bulk.insert(made)
    hearing = {kind: _hearing(kind) for kind in {event.kind for event in made}}
    operations.enqueue_all([op for event in made for op in _deliveries(event, hearing[event.kind])])


def event_of(
    kind: str,
    *,
    now: datetime,
    actor: Actor,
    subject: models.Model | None = None,
    account_id: int | None = None,
    rule: str = "",
    data: Mapping[str, Any] | None = None,
) -> Event:
    """An event as `record` writes it, not written yet."""
    return bulk.new(
        Event, at=now, kind=kind, rule=rule, actor_kind=actor.kind, actor_id=actor.user_id,
        actor_name="" if actor.kind == "person" else actor.name, account_id=account_id, data=dict(data or {}),
        **subject_of(subject),
    )  # fmt: skip


def _hearing(kind: str) -> list[_Subscription]:
    return [one for one in _subscriptions.values() if kind.startswith(one.prefix)]


def _deliveries(event: Event, hearing: Iterable[_Subscription]) -> Iterator[Operation]:
    """What tells the subscribers of a written event."""
    for subscription in hearing:
        yield operations.operation_of(
            Deliver.kind, key=f"event:{event.pk}:{subscription.name}", now=event.at, account_id=event.account_id,
            payload={"event": event.pk, "subscriber": subscription.name},
        )  # fmt: skip


def _digest(salt: str, values: Mapping[str, Any] | None) -> str:
    return hashlib.sha256((salt + _canonical(values)).encode()).hexdigest()


def _canonical(values: object) -> str:
    return json.dumps(values, sort_keys=True, separators=(",", ":"), default=str)


class Deliver(operations.Handler):
    """Hands one event to one subscriber, inside the operation's closing transaction."""

    kind = "core.deliver"
    label = _("Deliver a journal entry")
    max_attempts = 12
    kept = timedelta(days=30)

    def perform(self, op: Operation, *, now: datetime) -> dict[str, Any]:
        if op.payload["subscriber"] not in _subscriptions:
            raise LookupError(f"no subscriber {op.payload['subscriber']}")
        return {}

    def completed(self, op: Operation, result: dict[str, Any], *, now: datetime) -> None:
        event = Event.objects.get(pk=op.payload["event"])
        _subscriptions[op.payload["subscriber"]].call(event, now=now)


def install() -> None:
    operations.register(Deliver)


def seal_hash(event: Event, previous: str) -> str:
    """The hash of a sealed event: everything but the personal values, which count through their salted digest."""
    fields = [
        event.pk, event.at.isoformat(), event.kind, event.rule, event.actor_kind, event.actor_id, event.actor_name,
        event.account_id, event.subject_type, event.subject_id, event.data, event.private_digest,
    ]  # fmt: skip
    return hashlib.sha256((previous + _canonical(fields)).encode()).hexdigest()


@due.sweep("core.seal", every_seconds=5)
def seal(now: datetime, *, dry_run: bool = False) -> due.SweepReport:
    """Chain committed events that have no seal yet, in the order of their ids; two sealers exclude each other.

    An id that commits after a later one was sealed simply comes later in the chain: the chain is ordered by itself.
    """
    unsealed = Event.objects.filter(seal=None, pk__gt=_newest_sealed() - OPEN_AT_ONCE).order_by("pk")
    if dry_run:
        return due.SweepReport(would=[f"seal {unsealed.count()} events"])
    with transaction.atomic():
        last = Seal.objects.order_by("-pk").first()
        previous = last.hash if last else GENESIS
        links = []
        for event in unsealed[:SEAL_BATCH]:
            digest = seal_hash(event, previous)
            links.append(Seal(event=event, previous=previous, hash=digest, sealed_at=now))
            previous = digest
        Seal.objects.bulk_create(links)  # a second sealer fails on the unique `previous`, and tries again next time
    return due.SweepReport(done=len(links))


def _newest_sealed() -> int:
    return Seal.objects.order_by("-pk").values_list("event_id", flat=True).first() or 0


def verify() -> list[str]:
    """Walk the chain; every break is a sentence. Empty: nothing was removed or altered."""
    broken, previous = [], GENESIS
    for link in Seal.objects.select_related("event").order_by("pk").iterator():
        if link.previous != previous:
            broken.append(f"seal {link.pk}: the chain breaks before event {link.event_id}")
        if link.hash != seal_hash(link.event, link.previous):
            broken.append(f"event {link.event_id} was altered")
        previous = link.hash
    if first := Event.objects.filter(seal=None, pk__lt=_newest_sealed() - OPEN_AT_ONCE).first():
        broken.append(f"event {first.pk} was never sealed")
    broken.extend(
        f"event {private.event_id}: its personal values were altered"
        for private in EventPrivate.objects.select_related("event").iterator()
        if private.event.private_digest != _digest(private.salt, private.data)
    )
    return broken
