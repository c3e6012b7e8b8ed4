"""Snapshots and backups of servers (SRV-8, SUB-14, SRV-10)."""

from datetime import datetime
from typing import Any

from django.http import HttpRequest
from ninja import Field, Router, Schema

from panel.api import auth, idempotency, paging
from panel.api.endpoints.servers import ActionOut, action_out, mine
from panel.core import clock
from servers import actions
from servers.models import Copy, Server
from servers.safekeeping import backups, copies, restoring

router = Router(tags=["servers"])


class CopyOut(Schema):
    """`kind`: snapshot or backup. `state`: waiting, ready, failed, deleting or lost. `size_bytes`: 0 where the place
    does not tell. An order of a new server can begin as it, by its reference as `copy`."""

    reference: str
    kind: str
    name: str
    state: str
    place: str
    disk_gb: int
    size_bytes: int
    asked_at: datetime
    taken_at: datetime | None
    expires_at: datetime | None


class SnapshotIn(Schema):
    name: str = Field(description="at most 60 characters")


class RestoreIn(Schema):
    confirm: str = Field(description="the server's name")


class RhythmIn(Schema):
    every_hours: int = Field(description="one of the rhythms of the terms: 6, 12, 24, 48 or 168")
    keep_days: int


class BackupsOut(Schema):
    """`level`: level_1, level_2, level_3, own, or empty for none. `halted_at`: since when nothing more is copied
    because the space is used up; `failing_since`: since when none could be made."""

    level: str
    every_hours: int | None
    keep_days: int | None
    next_at: datetime | None
    last_good_at: datetime | None
    used_bytes: int
    limit_bytes: int
    halted_at: datetime | None
    failing_since: datetime | None


def _copy(row: Copy) -> CopyOut:
    return CopyOut(**{name: getattr(row, name) for name in CopyOut.model_fields})


def _one(server: Server, reference: str) -> Copy:
    return copies.shown(server).get(reference=reference)


@router.get("/{reference}/copies", response=paging.Pages[CopyOut], summary="List snapshots and backups of a server")
def list_server_copies(request: HttpRequest, reference: str, paged: paging.Paging) -> dict[str, Any]:
    """Newest first."""
    return paging.page(copies.shown(mine(request, reference, actions.SEE)), paged, _copy)


@router.post("/{reference}/copies", response={202: CopyOut}, summary="Take a snapshot of a server")
@idempotency.once(actions.SNAPSHOT)
def take_server_snapshot(request: HttpRequest, reference: str, payload: SnapshotIn) -> tuple[int, Schema]:
    """Accepted, and whole once its `state` is ready; the server goes on meanwhile."""
    server, asking = mine(request, reference, actions.SNAPSHOT), auth.actor(request, actions.SNAPSHOT)
    made = copies.snapshot(server, payload.name, actor=asking, now=clock.now())
    return 202, _copy(Copy.objects.get(pk=made.pk))


@router.delete("/{reference}/copies/{copy_reference}", response={202: CopyOut}, summary="Delete a snapshot or a backup")
def delete_server_copy(request: HttpRequest, reference: str, copy_reference: str) -> tuple[int, CopyOut]:
    """It is removed for good; the server stays as it is."""
    server, asking = mine(request, reference, actions.DELETE_COPY), auth.actor(request, actions.DELETE_COPY)
    row = _one(server, copy_reference)
    copies.delete(row, actor=asking, now=clock.now())
    return 202, _copy(Copy.objects.get(pk=row.pk))


@router.post("/{reference}/copies/{copy_reference}/restore", response={202: ActionOut}, summary="Restore a copy")
@idempotency.once(actions.RESTORE)
def restore_server_copy(
    request: HttpRequest, reference: str, copy_reference: str, payload: RestoreIn
) -> tuple[int, Schema]:  # fmt: skip
    """Everything written to its server's disk since is lost; the server restarts. Its actions show how it ended."""
    server, asking = mine(request, reference, actions.RESTORE), auth.actor(request, actions.RESTORE)
    made = restoring.restore(server, _one(server, copy_reference), typed=payload.confirm, actor=asking, now=clock.now())
    return 202, action_out(made)


@router.get("/{reference}/backups", response=BackupsOut, summary="Get how a server is backed up")
def get_server_backups(request: HttpRequest, reference: str) -> BackupsOut:
    return _backups(mine(request, reference, actions.SEE))


@router.put("/{reference}/backups", response=BackupsOut, summary="Choose the rhythm of the personalised level")
def plan_server_backups(request: HttpRequest, reference: str, payload: RhythmIn) -> BackupsOut:
    """Only where the subscription has the personalised level; levels are options of the subscription."""
    server, asking = mine(request, reference, actions.PLAN_BACKUPS), auth.actor(request, actions.PLAN_BACKUPS)
    backups.choose(server, payload.every_hours, payload.keep_days, actor=asking, now=clock.now())
    return _backups(server)


def _backups(server: Server) -> BackupsOut:
    plan, last = backups.plan_of(server), backups.latest(server)
    level = copies.level(plan) if plan else None
    return BackupsOut(
        level=plan.level if plan else "", every_hours=level.every_hours if level else None,
        keep_days=level.keep_days if level else None, next_at=plan.due_at if plan else None,
        last_good_at=last.taken_at if last else None, used_bytes=copies.used_bytes(server),
        limit_bytes=copies.limit(plan) if plan else 0, halted_at=plan.halted_at if plan else None,
        failing_since=plan.failing_since if plan else None,
    )  # fmt: skip
