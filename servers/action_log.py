"""What was asked of a server: by whom, the steps, the outcome; each change reaches open pages (SRV-8, SRV-12)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from panel.core import events, live, operations
from panel.core.actors import SYSTEM, Actor
from panel.core.models import Operation
from servers.models import Server, ServerAction
from servers.rules import Verb


def begin(
    server: Server, verb: Verb, *, actor: Actor, because: str, now: datetime, facts: Mapping[str, Any] | None = None
) -> ServerAction:
    """A new line in the server's action log, still waiting."""
    return ServerAction.objects.create(
        server=server, account_id=server.account_id, verb=verb, actor_kind=actor.kind, actor_id=actor.user_id,
        because=because, requested_at=now, facts=dict(facts or {}),
    )  # fmt: skip


def noted(op: Operation) -> dict[str, Any]:
    """What the line of an operation keeps besides its steps."""
    return dict(ServerAction.objects.values_list("facts", flat=True).get(pk=op.payload["action"]))


@transaction.atomic
def note(op: Operation, **more: Any) -> dict[str, Any]:
    """Keep more of it; all that is kept by then."""
    action = ServerAction.objects.select_for_update().get(pk=op.payload["action"])
    action.facts = {**action.facts, **more}
    action.save(update_fields=["facts"])
    return dict(action.facts)


def attach(
    action: ServerAction, kind: str, key: str, *, now: datetime, payload: Mapping[str, Any] | None = None
) -> None:
    """Give the action its operation, which carries it out."""
    action.operation = operations.enqueue(
        kind, key=key, now=now, account_id=action.account_id, subject=action.server,
        payload={"server": action.server_id, "action": action.pk, **(payload or {})},
    )  # fmt: skip
    action.save(update_fields=["operation", "steps"])


def told(server: Server, event: str, *, now: datetime, actor: Actor = SYSTEM, rule: str = "", **data: Any) -> None:
    """One line in the journal, and one to whoever has the server's page open."""
    events.record(
        event, now=now, actor=actor, subject=server, account_id=server.account_id, rule=rule,
        data={"server_id": server.pk, **data},
    )  # fmt: skip
    published(server, event)


def published(server: Server, event: str) -> None:
    """Tell open pages of the owner and of staff that the server changed (SRV-12)."""
    live.publish([f"server:{server.pk}", f"account:{server.account_id}", "staff"], event, {"id": server.pk})


def finish(action_id: int, state: str, now: datetime, *, step: str = "") -> None:
    """Close a line of the action log."""
    action = ServerAction.objects.select_for_update().get(pk=action_id)
    if step:
        action.reached(step, now)
    action.state, action.finished_at = state, now
    action.save(update_fields=["state", "finished_at", "steps"])


def failed(op: Operation, *, now: datetime) -> bool:
    """The operation of a line gave up or was discarded: the line failed; False when it had ended otherwise before."""
    action = ServerAction.objects.select_for_update().get(pk=op.payload["action"])
    if action.state in (ServerAction.State.DONE, ServerAction.State.CANCELLED):
        return False
    finish(action.pk, ServerAction.State.FAILED, now)
    return True


def gave_up(op: Operation, event: str, *, now: datetime) -> None:
    """`failed`, and `event` is told of its server."""
    if failed(op, now=now):
        told(Server.objects.get(pk=op.payload["server"]), event, now=now, operation=op.pk)


@transaction.atomic
def step(action_id: int, name: str, *, now: datetime) -> None:
    """Note a step of an action, visible at once on open pages; noting it twice changes nothing."""
    action = ServerAction.objects.select_for_update(of=("self",)).select_related("server").get(pk=action_id)
    if action.reached(name, now):
        action.save(update_fields=["steps"])
        published(action.server, "servers.action.step")


def reopen(action_id: int) -> None:
    """Staff retries an operation that had given up: its line in the action log waits again."""
    ServerAction.objects.filter(pk=action_id, state=ServerAction.State.FAILED).update(
        state=ServerAction.State.WAITING, finished_at=None
    )
