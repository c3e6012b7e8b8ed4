"""Messages of the payment provider as rows: each with its bytes, and with the operation that acts upon it (INV-12).

On PostgreSQL one statement writes all three of all messages; elsewhere they are made one by one. Both write the same,
which a test compares column by column.
"""

import hashlib
import json
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from django.db import connection, transaction

from invoicing.gateways import GatewayEvent
from invoicing.models import WebhookEvent
from invoicing.paying.payment_models import WebhookBody
from panel.core import bulk, operations, prepared

LONGEST_KIND = 80
KEEP = """
WITH told AS (
    SELECT * FROM unnest(%b::text[], %b::text[], %b::text[], %b::timestamptz[], %b::bytea[], %b::text[])
        AS told (event_id, kind, digest, happened_at, raw, payload)
), kept AS (
    INSERT INTO invoicing_webhookevent (provider, event_id, kind, via, digest, happened_at, received_at)
    SELECT %s::text, event_id, kind, %s::text, digest, happened_at, %s::timestamptz FROM told
    ON CONFLICT DO NOTHING RETURNING id, provider, event_id, received_at
), bodies AS (
    INSERT INTO invoicing_webhookbody (event_id, raw) SELECT id, raw FROM kept JOIN told USING (event_id)
), owed AS (
    INSERT INTO core_operation (
        kind, key, state, subject_type, subject_id, payload, result, attempts, failures, last_error, created_at, due_at
    )
    SELECT %s::text, 'told:' || provider || ':' || event_id, 'due', 'invoicing.webhookevent', id,
        payload::jsonb || jsonb_build_object('message', id), '{}', 0, 0, '', received_at, received_at
    FROM kept JOIN told USING (event_id)
)
SELECT count(*) FROM kept
"""


def write(told: Sequence[GatewayEvent], *, provider: str, via: str, owed: str, now: datetime) -> int:
    """Writes those that are not there yet, each with an operation of the kind `owed`; how many they are. All or none:
    DatabaseError where one of them is refused."""
    found = {event.id: event for event in reversed(told)}.values()
    if connection.vendor == "postgresql":
        return _at_once(found, provider=provider, via=via, owed=owed, now=now)
    return one_by_one(found, provider=provider, via=via, owed=owed, now=now)


def _at_once(told: Collection[GatewayEvent], *, provider: str, via: str, owed: str, now: datetime) -> int:
    columns: tuple[list[Any], ...] = (
        [event.id for event in told], [event.kind[:LONGEST_KIND] for event in told],
        [hashlib.sha256(event.raw).hexdigest() for event in told], [event.at for event in told],
        [event.raw for event in told], [json.dumps(_payload(event)) for event in told],
    )  # fmt: skip
    [(new,)] = prepared.execute(KEEP, [*columns, provider, via, now, owed])
    if new:
        operations.wake_after_commit()
    return int(new)


@transaction.atomic
def one_by_one(told: Collection[GatewayEvent], *, provider: str, via: str, owed: str, now: datetime) -> int:
    """The same on any engine."""
    named = {event.id: event for event in told}
    new = bulk.insert_new([
        WebhookEvent(
            provider=provider, event_id=event.id, kind=event.kind[:LONGEST_KIND], via=via, happened_at=event.at,
            received_at=now, digest=hashlib.sha256(event.raw).hexdigest(),
        )
        for event in told
    ])  # fmt: skip
    bulk.insert([WebhookBody(event_id=row.pk, raw=named[row.event_id].raw) for row in new])
    operations.enqueue_all([
        operations.operation_of(
            owed, key=f"told:{provider}:{row.event_id}", now=now, subject=row,
            payload={**_payload(named[row.event_id]), "message": row.pk},
        )
        for row in new
    ])  # fmt: skip
    return len(new)


def _payload(event: GatewayEvent) -> dict[str, Any]:
    """The names to act by: the body may be gone by then."""
    named = {name: event.metadata[name] for name in ("payment", "refund", "setup") if event.metadata.get(name)}
    return {"about": event.about, "payment": event.payment, "ref": event.ref, "named": named}
