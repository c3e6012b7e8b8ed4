"""The managed service of servers, their updates and mailboxes (SRV-9, SRV-11), and required updates (SUB-11)."""

from datetime import datetime
from typing import Any, Literal

from django.http import HttpRequest
from ninja import Field, Router, Schema

from panel.api import auth, idempotency, paging
from panel.api.endpoints.servers import mine
from panel.core import clock
from servers.managing import managed, patching, required_updates
from servers.managing import managed_actions as actions
from servers.models import Mailbox, ManagedRun, PendingUpdate, RequiredUpdate, Server

router = Router(tags=["servers"])


class ManagedOut(Schema):
    """`state`: empty where it was never ordered, else waiting, in_force, ending, ended or failed. `roles`: what is set
    up beside what every managed server has (web, mail). `late`: updates that wait for longer than promised."""

    state: str
    roles: list[str]
    set_up_at: datetime | None
    reported_at: datetime | None
    next_look_at: datetime | None
    restart_wanted: bool
    waiting: int
    late: int


class RolesIn(Schema):
    roles: list[str] = Field(description="of web and mail", max_length=20)


class RunIn(Schema):
    kind: Literal["setup", "patches"] = Field(
        description="setup: everything is gone over; patches: updates are looked for"
    )


class RunOut(Schema):
    """`state`: waiting, running, done, failed or cancelled. `lines`: role, task and status (ok, changed, skipped,
    failed or unreachable) of each task."""

    id: int
    kind: str
    state: str
    asked_at: datetime
    began_at: datetime | None
    ended_at: datetime | None
    ok: int
    changed: int
    lines: list[dict[str, str]]


class UpdateOut(Schema):
    """An update of a package; `resolved_at`: when it waited no more."""

    package: str
    installed: str
    available: str
    security: bool
    first_seen: datetime
    resolved_at: datetime | None


class MailboxIn(Schema):
    address: str
    password: str = Field(description="at least 12 characters; of one that is there: its new one")


class MailboxOut(Schema):
    address: str
    added_at: datetime


class RequiredOut(Schema):
    """`state`: announced, due (ours to install and to bill), done, installed or withdrawn. `until`: the end of your
    working days, once the e-mail was accepted."""

    reference: str
    title: str
    why: str
    state: str
    announced_at: datetime
    until: datetime | None
    ended_at: datetime | None
    minutes: int | None


def _managed(server: Server) -> ManagedOut:
    row, found = managed.of(server), patching.report(server, now=clock.now(), most_installed=0)
    return ManagedOut(
        state=row.state if row else "", roles=row.roles if row else [], set_up_at=row.set_up_at if row else None,
        reported_at=row.reported_at if row else None, next_look_at=row.due_at if row else None,
        restart_wanted=bool(row and row.restart_wanted), waiting=len(found.rows), late=found.late,
    )  # fmt: skip


def _run(row: ManagedRun) -> RunOut:
    lines = [{key: line[key] for key in ("role", "task", "status")} for line in row.lines]
    given = {name: getattr(row, name) for name in RunOut.model_fields if name != "lines"}
    return RunOut(**given, lines=lines)


def _update(row: PendingUpdate) -> UpdateOut:
    return UpdateOut(**{name: getattr(row, name) for name in UpdateOut.model_fields})


def _mailbox(row: Mailbox) -> MailboxOut:
    return MailboxOut(address=row.address, added_at=row.added_at)


def _required(row: RequiredUpdate) -> RequiredOut:
    return RequiredOut(**{name: getattr(row, name) for name in RequiredOut.model_fields})


@router.get("/{reference}/managed", response=ManagedOut, summary="Get the managed service of a server")
def get_server_managed(request: HttpRequest, reference: str) -> ManagedOut:
    return _managed(mine(request, reference, actions.SEE))


@router.put("/{reference}/managed", response=ManagedOut, summary="Choose what is set up on a managed server")
def choose_server_managed(request: HttpRequest, reference: str, payload: RolesIn) -> ManagedOut:
    """The service itself is an option of the subscription (vps-managed)."""
    server, asking = mine(request, reference, actions.CHANGE), auth.actor(request, actions.CHANGE)
    managed.choose(server, payload.roles, actor=asking, now=clock.now())
    return _managed(server)


@router.get("/{reference}/managed/runs", response=paging.Pages[RunOut], summary="List what was done on a server")
def list_server_managed_runs(request: HttpRequest, reference: str, paged: paging.Paging) -> dict[str, Any]:
    """Newest first."""
    server = mine(request, reference, actions.SEE)
    return paging.page(ManagedRun.objects.filter(server=server, account=server.account_id), paged, _run)


@router.post("/{reference}/managed/runs", response={202: RunOut}, summary="Have a managed server gone over")
@idempotency.once(actions.CHANGE)
def run_server_managed(request: HttpRequest, reference: str, payload: RunIn) -> tuple[int, Schema]:
    """Accepted, and over once its `state` says so; under way already: that one."""
    server, asking = mine(request, reference, actions.CHANGE), auth.actor(request, actions.CHANGE)
    return 202, _run(managed.run_again(server, ManagedRun.Kind(payload.kind), actor=asking, now=clock.now()))


@router.get("/{reference}/managed/updates", response=paging.Pages[UpdateOut], summary="List updates of a server")
def list_server_updates(request: HttpRequest, reference: str, paged: paging.Paging) -> dict[str, Any]:
    """Those that wait, and those that waited; the one seen last first."""
    server = mine(request, reference, actions.SEE)
    return paging.page(PendingUpdate.objects.filter(server=server).order_by("-pk"), paged, _update)


@router.get("/{reference}/mailboxes", response=paging.Pages[MailboxOut], summary="List mailboxes of a managed server")
def list_server_mailboxes(request: HttpRequest, reference: str, paged: paging.Paging) -> dict[str, Any]:
    server = mine(request, reference, actions.SEE)
    return paging.page(Mailbox.objects.filter(server=server).order_by("-pk"), paged, _mailbox)


@router.post("/{reference}/mailboxes", response={202: MailboxOut}, summary="Add a mailbox, or change its password")
@idempotency.once(actions.CHANGE)
def set_server_mailbox(request: HttpRequest, reference: str, payload: MailboxIn) -> tuple[int, Schema]:
    """Only on a managed server with the role mail; it works once the run that follows is done."""
    server, asking = mine(request, reference, actions.CHANGE), auth.actor(request, actions.CHANGE)
    made = managed.add_mailbox(server, payload.address, payload.password, actor=asking, now=clock.now())
    return 202, _mailbox(made)


@router.delete("/{reference}/mailboxes/{address}", response={204: None}, summary="Remove a mailbox")
def remove_server_mailbox(request: HttpRequest, reference: str, address: str) -> tuple[int, None]:
    """Its mail stays on the disk."""
    server, asking = mine(request, reference, actions.CHANGE), auth.actor(request, actions.CHANGE)
    managed.remove_mailbox(server, address, actor=asking, now=clock.now())
    return 204, None


@router.get("/{reference}/required-updates", response=paging.Pages[RequiredOut], summary="List required updates")
def list_required_updates(request: HttpRequest, reference: str, paged: paging.Paging) -> dict[str, Any]:
    """Newest first."""
    server = mine(request, reference, actions.SEE)
    return paging.page(server.required_updates.filter(account=server.account_id), paged, _required)


@router.post(
    "/{reference}/required-updates/{update}/done", response=RequiredOut, summary="Say that an update is installed"
)
@idempotency.once(actions.ANSWER_UPDATE)
def answer_required_update(request: HttpRequest, reference: str, update: str) -> tuple[int, Schema]:
    """As long as we have not installed it, nothing is billed."""
    server, asking = mine(request, reference, actions.ANSWER_UPDATE), auth.actor(request, actions.ANSWER_UPDATE)
    row = server.required_updates.get(reference=update, account=server.account_id)
    return 200, _required(required_updates.done(row, actor=asking, now=clock.now()))
