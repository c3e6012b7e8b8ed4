"""Copies of a server's disk: taken once, found by their token whatever crashes or repeats, and deleted (SRV-8)."""

from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from panel import terms
from panel.core import operations, references
from panel.core.actors import SYSTEM, Actor
from panel.core.calendars import days_later
from panel.core.crash import point
from panel.core.errors import NotYet, ProviderError, RuleViolation
from panel.core.models import Operation
from panel.core.states import move
from panel.terms.numbers import BackupLevel, BackupTerms
from servers import action_log, actions, providers, rules
from servers.action_log import attach, begin, finish, reopen, told
from servers.models import BackupPlan, Copy, Server, ServerAction
from servers.rules import ON_THE_HOST, State, Verb
from servers.safekeeping import copy_rules
from servers.safekeeping.copy_rules import TRANSITIONS, CopyState, Kind
from servers.verbs.power import hold

RULE = "SRV-8"
LOOK_AGAIN = 5  # seconds between two looks at a copy that is being made
MOST_ALIKE = 5  # copies that a place may have made of one
LONGEST = timedelta(hours=12)  # for a place to make one whole
UNBORN = (State.ORDERED, State.CREATING, State.FAILED)


def law_of(server: Server) -> BackupTerms:
    """The terms that the server's subscription began under."""
    return terms.version(server.subscription.terms_version).backups


def level(plan: BackupPlan) -> BackupLevel:
    """How often, how long and how much: of the terms, or as its owner chose within them."""
    found = law_of(plan.server).levels[plan.level]
    if plan.level != copy_rules.OWN:
        return found
    return BackupLevel(
        plan.own_every_hours or found.every_hours, plan.own_keep_days or found.keep_days, found.space_percent
    )


def limit(plan: BackupPlan) -> int:
    """SRV-10: bytes that the backups of its server may take up."""
    return copy_rules.limit_bytes(plan.server.size["disk_gb"], level(plan).space_percent)


def shown(server: Server) -> QuerySet[Copy]:
    """The copies of a server that concern who has it now, newest first."""
    return Copy.objects.filter(server=server, account=server.account_id, state__in=copy_rules.SHOWN)


def snapshots_of(server: Server) -> QuerySet[Copy]:
    """Those that count against the number a server may have."""
    return shown(server).filter(kind=Kind.SNAPSHOT, state__in=(CopyState.WAITING, CopyState.READY))


def used_bytes(server: Server) -> int:
    """SRV-10: what the server's backups take up."""
    rows = Copy.objects.filter(
        server=server, account=server.account_id, kind=Kind.BACKUP, state__in=copy_rules.TAKES_SPACE
    )
    return copy_rules.taken_up(rows.values_list("size_bytes", flat=True), server.size["disk_gb"])


@transaction.atomic
def snapshot(server: Server, name: str, *, actor: Actor, now: datetime) -> Copy:
    """Have the disk copied as it is. A second click while the first is under way returns the first.

    RuleViolation for what is no name, when there are as many as the terms allow, and where the state or the place
    forbids it; PermissionDenied for who may not.
    """
    server = hold(server)
    wanted = copy_rules.name_of(name)
    same = snapshots_of(server).filter(name=wanted or "", state=CopyState.WAITING).first()
    if same is not None and actions.SNAPSHOT.permits(actor):
        return same
    actions.SNAPSHOT.check(actor, server)
    if wanted is None:
        raise RuleViolation(
            _("Give the snapshot a name of at most %(most)s characters.") % {"most": copy_rules.LONGEST_NAME},
            rule=RULE, field="name",
        )  # fmt: skip
    most = law_of(server).snapshots
    if snapshots_of(server).count() >= most:
        raise RuleViolation(
            _("A server has at most %(most)s snapshots. Delete one first.") % {"most": most}, rule=RULE, field="name"
        )
    action = begin(server, Verb.SNAPSHOT, actor=actor, because="", now=now, facts={"name": wanted})
    copy = _written(server, Kind.SNAPSHOT, name=wanted, now=now)
    attach(action, MakeCopy.kind, f"{MakeCopy.kind}:{copy.reference}", now=now, payload={"copy": copy.pk})
    Copy.objects.filter(pk=copy.pk).update(operation=action.operation)
    told(server, "servers.copy.asked", now=now, actor=actor, rule=RULE, copy=copy.reference)
    return copy


def back_up(server: Server, slot: datetime, *, now: datetime) -> Copy | None:
    """Have the disk copied for an instant of its rhythm, once; None where that was done. In a transaction."""
    try:
        with transaction.atomic():
            copy = _written(server, Kind.BACKUP, slot=slot, now=now)
    except IntegrityError:
        return None
    copy.operation = operations.enqueue(
        MakeCopy.kind, key=f"{MakeCopy.kind}:{copy.reference}", now=now, account_id=server.account_id, subject=server,
        payload={"server": server.pk, "action": None, "copy": copy.pk},
    )  # fmt: skip
    copy.save(update_fields=["operation"])
    action_log.published(server, "servers.copy.asked")
    return copy


def _written(server: Server, kind: Kind, *, now: datetime, name: str = "", slot: datetime | None = None) -> Copy:
    return Copy.objects.create(
        reference=references.new("CPY"), account_id=server.account_id, server=server, kind=kind, name=name, slot=slot,
        place=server.place, image=server.image, disk_gb=server.size["disk_gb"], asked_at=now,
    )  # fmt: skip


def why_not_delete(copy: Copy) -> str:
    """Why a copy cannot be deleted now, in the reader's language; "" when it can."""
    if copy.state not in (CopyState.READY, CopyState.FAILED, CopyState.LOST):
        return _("It is just being made, or deleted.")
    if in_use(copy):
        return _("A server is just being made of it.")
    return ""


def in_use(copy: Copy) -> bool:
    """Whether a server is being restored from it, or is to be made of it."""
    restores = copy.server.actions.filter(verb=Verb.RESTORE, state=ServerAction.State.WAITING)
    unborn = Server.objects.filter(account=copy.account_id, state__in=UNBORN)
    return (
        restores.filter(facts__copy=copy.reference).exists()
        or unborn.filter(subscription__settings__copy=copy.reference).exists()
    )


@transaction.atomic
def delete(copy: Copy, *, actor: Actor, now: datetime) -> None:
    """Have it removed for good; so already: nothing. RuleViolation while it is being made or used, PermissionDenied for
    who may not."""
    copy = Copy.objects.select_for_update(of=("self",)).select_related("server").get(pk=copy.pk)
    actions.DELETE_COPY.check(actor, copy.server)
    if copy.state in (CopyState.DELETING, CopyState.DELETED):
        return
    reason = why_not_delete(copy)
    if reason:
        raise RuleViolation(reason, rule=RULE)
    remove(copy, now=now)
    told(copy.server, "servers.copy.delete_asked", now=now, actor=actor, rule=RULE, copy=copy.reference)


def remove(copy: Copy, *, now: datetime) -> None:
    """Its place removes the (locked) copy, by an operation."""
    move(copy, CopyState.DELETING, TRANSITIONS)
    copy.operation = _clear(copy, now)
    copy.save(update_fields=["operation"])


def _clear(copy: Copy, now: datetime) -> Operation:
    return operations.enqueue(
        DeleteCopy.kind, key=f"{DeleteCopy.kind}:{copy.reference}", now=now, account_id=copy.account_id,
        subject=copy.server, payload={"server": copy.server_id, "copy": copy.pk},
    )  # fmt: skip


def ended(server: Server, *, now: datetime, kind: Kind | None = None) -> None:
    """What the copies belong to has ended, or has another holder: they go once the days of the terms are over."""
    rows = Copy.objects.filter(server=server, expires_at=None).exclude(state=CopyState.DELETED)
    rows = rows.filter(kind=kind) if kind else rows
    rows.update(expires_at=days_later(now, law_of(server).after_end_days))


def wait_for_snapshots(server: Server, before: datetime, *, since: datetime | None = None) -> None:
    """NotYet while a snapshot is under way that was asked first (after `since`): what it is to keep must not be gone by
    then."""
    first = Copy.objects.filter(server=server, kind=Kind.SNAPSHOT, state=CopyState.WAITING, asked_at__lte=before)
    if (first.filter(asked_at__gt=since) if since else first).exists():
        raise NotYet(LOOK_AGAIN, "a snapshot that was asked for first is still being taken")


# ---------------------------------------------------------------- carried out


@operations.register
class MakeCopy(operations.Handler):
    """One copy for one token: the place is always asked for it first, and a late one is waited for."""

    kind = "servers.copy"
    label = gettext_lazy("Copy the disk of a server")

    def perform(self, op: Operation, *, now: datetime) -> dict[str, Any]:
        copy = Copy.objects.select_related("server").get(pk=op.payload["copy"])
        server = copy.server
        if copy.state not in (CopyState.WAITING, CopyState.FAILED):
            return {"skipped": copy.state}
        last_words = copy.kind == Kind.SNAPSHOT and server.state == State.DESTROYING
        if server.state not in ON_THE_HOST and not last_words:
            return {"skipped": server.state}
        if server.account_id != copy.account_id:  # what the new holder has on it is not the old one's to keep
            return {"skipped": "handed over"}
        if op.payload["action"]:
            reopen(op.payload["action"])
        earlier = server.actions.filter(
            verb__in=rules.ONE_AT_A_TIME, state=ServerAction.State.WAITING, requested_at__lt=copy.asked_at
        )
        if earlier.exists():
            raise NotYet(LOOK_AGAIN, "what was asked of the server before is still under way")
        cloud = providers.get(copy.place)
        found = cloud.snapshot(server.provider_ref, copy.token)
        point("servers.copy:made")
        if not found.ready and now - copy.asked_at > LONGEST:
            raise ProviderError(f"{found.ref} is still not whole after {LONGEST}", code="not_confirmed")
        if not found.ready:
            raise NotYet(rules.patience(LOOK_AGAIN, op.attempts), "the copy is not whole yet")
        return {"ref": found.ref, "size": found.size_bytes}

    def happened(self, op: Operation) -> dict[str, Any] | None:
        copy = Copy.objects.get(pk=op.payload["copy"])
        found = providers.get(copy.place).find_snapshot(copy.token)
        return {"ref": found.ref, "size": found.size_bytes} if found is not None and found.ready else None

    def completed(self, op: Operation, result: dict[str, Any], *, now: datetime) -> None:
        server = (
            Server.objects.select_for_update(of=("self",)).select_related("subscription").get(pk=op.payload["server"])
        )
        copy = Copy.objects.select_for_update().get(pk=op.payload["copy"])
        open_still = copy.state in (CopyState.WAITING, CopyState.FAILED)
        if "skipped" in result:
            if open_still:
                move(copy, CopyState.CANCELLED, TRANSITIONS)
                _clear(copy, now)  # of an attempt whose answer was lost
            self._close(op, ServerAction.State.CANCELLED, now)
            return
        if open_still:
            copy.provider_ref, copy.size_bytes, copy.taken_at = result["ref"], result["size"], now
            if server.state not in ON_THE_HOST or server.account_id != copy.account_id:
                copy.expires_at = days_later(now, law_of(server).after_end_days)
            if copy.kind == Kind.BACKUP and (plan := BackupPlan.objects.filter(server=server).first()):
                plan.server = server
                copy.keep_until = days_later(now, level(plan).keep_days)
            copy.save(update_fields=["provider_ref", "size_bytes", "taken_at", "keep_until", "expires_at"])
            move(copy, CopyState.READY, TRANSITIONS)
            if copy.kind == Kind.BACKUP:
                BackupPlan.objects.filter(server=server).update(failing_since=None, told_at=None)
            told(server, f"servers.copy.{copy.kind}_ready", now=now, rule=RULE, copy=copy.reference)
        self._close(op, ServerAction.State.DONE, now)

    def gave_up(self, op: Operation, error: str, *, now: datetime) -> None:
        copy = Copy.objects.select_for_update(of=("self",)).select_related("server").get(pk=op.payload["copy"])
        if copy.state == CopyState.WAITING:
            move(copy, CopyState.FAILED, TRANSITIONS)
            plan = BackupPlan.objects.filter(server=copy.server).select_related("server__subscription").first()
            if copy.kind == Kind.BACKUP and plan is not None:
                copy.keep_until = days_later(now, level(plan).keep_days)
                copy.save(update_fields=["keep_until"])
                BackupPlan.objects.filter(pk=plan.pk, failing_since=None).update(failing_since=copy.slot or now)
        if op.payload["action"]:
            action_log.failed(op, now=now)
        told(copy.server, f"servers.copy.{copy.kind}_failed", now=now, rule=RULE, copy=copy.reference, operation=op.pk)

    def _close(self, op: Operation, state: str, now: datetime) -> None:
        if op.payload["action"]:
            finish(op.payload["action"], state, now)


@operations.register
class DeleteCopy(operations.Handler):
    """The place has no copy of that token any more, however many it made."""

    kind = "servers.delete_copy"
    resumable = True
    label = gettext_lazy("Delete a copy of a server's disk")
    max_attempts = 12

    def perform(self, op: Operation, *, now: datetime) -> dict[str, Any]:
        copy = Copy.objects.get(pk=op.payload["copy"])
        cloud = providers.get(copy.place)
        for _number in range(MOST_ALIKE):
            found = cloud.find_snapshot(copy.token)
            if found is None:
                return {}
            cloud.delete_snapshot(found.ref)
            point("servers.delete_copy:removed")
        raise ProviderError(f"{copy} is still there", code="not_confirmed")

    def completed(self, op: Operation, result: dict[str, Any], *, now: datetime) -> None:
        copy = Copy.objects.select_for_update(of=("self",)).select_related("server").get(pk=op.payload["copy"])
        if copy.state == CopyState.DELETING:
            move(copy, CopyState.DELETED, TRANSITIONS)
            told(copy.server, "servers.copy.deleted", now=now, actor=SYSTEM, rule=RULE, copy=copy.reference)
            # what was halted for want of space goes on at once (SRV-10)
            BackupPlan.objects.filter(server=copy.server).exclude(halted_at=None).update(due_at=now)

    def gave_up(self, op: Operation, error: str, *, now: datetime) -> None:
        told(Server.objects.get(pk=op.payload["server"]), "servers.copy.delete_failed", now=now, operation=op.pk)
