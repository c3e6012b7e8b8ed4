"""One run of the managed service over a server: asked for, told while it goes on, kept (SRV-9)."""

import time
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils.translation import gettext_lazy

from panel.core import operations
from panel.core.actors import SYSTEM, Actor
from panel.core.errors import NotYet, ProviderError
from panel.core.models import Operation
from servers import enforcement
from servers.action_log import published, told
from servers.managing import managed_actions, managed_rules, patch_rules, patching, playbooks
from servers.managing.patch_rules import Waiting
from servers.managing.playbooks import Line, Outcome
from servers.models import AddressHolding, ManagedRun, ManagedService, Server
from servers.networking import reverse_names
from servers.remote import Target
from servers.rules import State

RULE = "SRV-9"
PATIENCE = 900  # seconds
MOST_LINES = 300
LONGEST_WORDS = 2_000
BEAT = 0.4  # seconds between two tellings of what goes on
LATER, LATEST = 15, 300  # seconds, while others go on
KEPT = timedelta(days=90)
OPEN = (ManagedRun.State.WAITING, ManagedRun.State.RUNNING)


def begin(service: ManagedService, kind: ManagedRun.Kind, *, actor: Actor, now: datetime) -> ManagedRun:
    """Have the server gone over, once: a second wish while the first still waits is the first. In the transaction that
    holds the server."""
    same = ManagedRun.objects.filter(server=service.server_id, kind=kind, state__in=OPEN).first()
    if same is not None:
        return same
    run = ManagedRun(
        server_id=service.server_id, account_id=service.account_id, kind=kind, actor_kind=actor.kind,
        actor_id=actor.user_id, asked_at=now,
    )  # fmt: skip
    try:
        with transaction.atomic():
            run.save(force_insert=True)
    except IntegrityError:
        return ManagedRun.objects.get(server=service.server_id, kind=kind, state__in=OPEN)
    run.operation = operations.enqueue(
        GoOver.kind, key=f"{GoOver.kind}:{run.pk}", now=now, account_id=run.account_id, subject=service.server,
        payload={"server": run.server_id, "run": run.pk},
    )  # fmt: skip
    run.save(update_fields=["operation"])
    published(service.server, "servers.managed.changed")
    return run


def target_of(service: ManagedService) -> Target:
    """Where to log in, and how to be sure of it. ProviderError where its place never told its host key."""
    server = service.server
    first = AddressHolding.objects.select_related("address").get(server=server, until=None, is_first=True)
    if not server.host_key:
        raise ProviderError(f"{server.reference} has no pinned host key", permanent=True, code="host_key")
    return Target(str(first.address.ip), server.host_key, service.private_key)


class Telling:
    """What a run tells goes into its row and to open pages, a few times a second at most."""

    def __init__(self, run: ManagedRun) -> None:
        self.run, self.lines, self.last = run, list[dict[str, str]](), time.monotonic()

    def __call__(self, line: Line) -> None:
        row = {key: value for key, value in asdict(line).items() if key in ("role", "task", "status", "message")}
        row["message"] = row["message"][-LONGEST_WORDS:]
        if self.lines and self.lines[-1]["status"] == "begun":
            self.lines.pop()
        if len(self.lines) < MOST_LINES:
            self.lines.append(row)
        if time.monotonic() - self.last > BEAT:
            self.tell()

    def tell(self) -> None:
        """Now: the row is written, and who looks at it hears of it."""
        self.last = time.monotonic()
        ManagedRun.objects.filter(pk=self.run.pk).update(lines=self.lines)
        published(self.run.server, "servers.managed.progress")


@operations.register
class GoOver(operations.Handler):
    """Ansible goes over a server. Doing it twice does no harm, so a lost worker's run is simply begun anew."""

    kind = "servers.managed_run"
    label = gettext_lazy("Go over a managed server")
    max_attempts = 3
    kept = KEPT

    def perform(self, op: Operation, *, now: datetime) -> dict[str, Any]:
        with transaction.atomic():
            run, service, why_not = self._taken_up(op, now)
        if why_not:
            return {"skipped": why_not}
        telling = Telling(run)
        telling.tell()
        try:
            return _PLAYED[ManagedRun.Kind(run.kind)](service, telling, now)
        finally:
            telling.tell()

    def _taken_up(self, op: Operation, now: datetime) -> tuple[ManagedRun, ManagedService, str]:
        """The run goes on from here on, or why it is not needed; NotYet while others go on. The server is held, so that
        of two of its runs one alone finds that none goes on."""
        server = Server.objects.select_for_update(of=("self",)).select_related("subscription").get(
            pk=op.payload["server"]
        )  # fmt: skip
        run = ManagedRun.objects.get(pk=op.payload["run"])
        service = ManagedService.objects.get(pk=server.pk)
        run.server = service.server = server
        under_way = Operation.objects.filter(kind=self.kind, state=Operation.State.RUNNING).exclude(pk=op.pk)
        if under_way.count() >= settings.CLAUSE_MANAGED_AT_ONCE:  # workers have other things to do
            raise NotYet(_later(run), "other servers are gone over first")
        others = ManagedRun.objects.filter(server=server, state__in=OPEN).exclude(pk=run.pk)
        why_not = _why_not(service)
        if not why_not and others.filter(state=ManagedRun.State.RUNNING).exists():
            raise NotYet(LATER, "another run of the same server goes on")
        if not why_not and run.state != ManagedRun.State.RUNNING and others.filter(kind=run.kind).exists():
            why_not = "another"  # staff tried this one again while a newer one waits
        if not why_not:
            ManagedRun.objects.filter(pk=run.pk).update(
                state=ManagedRun.State.RUNNING, began_at=now, edition=service.edition, lines=[], error=""
            )
        return run, service, why_not

    def to_keep(self, result: dict[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in result.items() if key != "waiting"}

    def completed(self, op: Operation, result: dict[str, Any], *, now: datetime) -> None:
        server = Server.objects.select_for_update().get(pk=op.payload["server"])
        run = ManagedRun.objects.select_for_update().get(pk=op.payload["run"])
        service = ManagedService.objects.select_for_update().get(pk=server.pk)
        service.server = server
        run.ended_at, run.ok, run.changed = now, result.get("ok", 0), result.get("changed", 0)
        run.state = ManagedRun.State.CANCELLED if "skipped" in result else ManagedRun.State.DONE
        run.save(update_fields=["ended_at", "ok", "changed", "state"])
        if run.state == ManagedRun.State.CANCELLED:
            published(server, "servers.managed.changed")
        elif run.kind == ManagedRun.Kind.SETUP:
            service.set_up, service.set_up_at = run.edition, now
            service.save(update_fields=["set_up", "set_up_at"])
            told(server, "servers.managed.set_up", now=now, rule=RULE, changed=run.changed)
            if service.edition != run.edition:  # another wish came while this one was carried out
                begin(service, ManagedRun.Kind.SETUP, actor=SYSTEM, now=now)
        else:
            patching.reported(service, result, now=now)
        server.managed_runs.filter(asked_at__lt=now - KEPT).delete()

    def gave_up(self, op: Operation, error: str, *, now: datetime) -> None:
        mine = ManagedRun.objects.filter(pk=op.payload["run"], state__in=OPEN)
        if mine.update(state=ManagedRun.State.FAILED, ended_at=now, error=error[:LONGEST_WORDS]):
            server = Server.objects.get(pk=op.payload["server"])
            told(server, "servers.managed.failed", now=now, operation=op.pk, run=op.payload["run"])


def _why_not(service: ManagedService) -> str:
    """Why its server is not gone over now; "" where it is."""
    server = service.server
    if not service.wanted or service.state != ManagedService.State.IN_FORCE or server.state != State.RUNNING:
        return server.state
    if enforcement.held_by(server) or server.rescue_since is not None:
        return "held"
    return "place" if managed_actions.why_not_at(server.place) else ""


def _later(run: ManagedRun) -> int:
    """Seconds until it asks again for a worker: the more runs wait before it, the later."""
    before = ManagedRun.objects.filter(state=ManagedRun.State.WAITING, pk__lt=run.pk).count()
    return min(LATER * (1 + before // max(1, settings.CLAUSE_MANAGED_AT_ONCE)), LATEST)


def _set_up(service: ManagedService, telling: Telling, now: datetime) -> dict[str, Any]:
    server = service.server
    names = [row.published for _holding, row in reverse_names.names_of(server) if row is not None and row.published]
    boxes = [{"address": box.address, "password": box.password} for box in server.mailboxes.all()]
    words = {
        "clause_roles": managed_rules.roles(service.roles), "clause_mailboxes": boxes,
        "clause_name": managed_rules.host_name(server.name, names[0].rstrip(".") if names else ""),
    }  # fmt: skip
    return _counts(playbooks.play(target_of(service), "site", words, heard=telling, timeout=PATIENCE))


def _patch(service: ManagedService, telling: Telling, now: datetime) -> dict[str, Any]:
    """What waits is read first; what is due of it is then installed, and what waits still read again."""
    there = _looked(service, telling, [])
    due = patching.due(service, there[1], now=now)
    after = _looked(service, telling, due) if due else there
    counts = _counts(after[0])
    return {**counts, "installed": due, "waiting": [asdict(one) for one in after[1]], "restart": after[2]}


def _looked(service: ManagedService, telling: Telling, packages: list[str]) -> tuple[Outcome, list[Waiting], bool]:
    outcome = playbooks.play(
        target_of(service), "patches", {"clause_packages": packages}, heard=telling, timeout=PATIENCE
    )
    waiting = [one for line in outcome.told for one in patch_rules.parse(line.told)]
    return outcome, waiting, any(line.exists for line in outcome.told)


def _counts(outcome: Outcome) -> dict[str, Any]:
    return {"ok": outcome.ok, "changed": outcome.changed}


_PLAYED: dict[ManagedRun.Kind, Callable[[ManagedService, Telling, datetime], dict[str, Any]]] = {
    ManagedRun.Kind.SETUP: _set_up, ManagedRun.Kind.PATCHES: _patch,
}  # fmt: skip
