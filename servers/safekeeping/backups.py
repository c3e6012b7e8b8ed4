"""Backups by the clock, at the level that was ordered: made once a slot, kept as long as the terms say, halted when
their space is used up (SUB-14, SRV-10)."""

from datetime import datetime

from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.utils.translation import gettext as _

from panel.core import calendars, due, mail
from panel.core.actors import CLOCK, Actor
from panel.core.errors import RuleViolation
from servers import actions, places, rules
from servers.action_log import told
from servers.models import BackupPlan, Copy, Server, ServerAction
from servers.rules import ON_THE_HOST
from servers.safekeeping import copies, copy_rules, exceeding
from servers.safekeeping.copies import level, limit
from servers.safekeeping.copy_rules import OWN, CopyState, Kept, Kind, Rhythm
from servers.verbs.power import hold

RULE = "SUB-14"
AT_ONCE = 500  # plans, and copies, of one sweep
PRUNED = (CopyState.READY, CopyState.FAILED, CopyState.LOST)


def plan_of(server: Server) -> BackupPlan | None:
    return BackupPlan.objects.filter(server=server).select_related("server__subscription").first()


def follow(server: Server, *, now: datetime) -> None:
    """The server's subscription has these options now: its backups follow, in the transaction of the order or the
    change. Backups of a level that ended stay for the days of the terms."""
    wanted = copy_rules.level_of(server.subscription.settings.get("options") or {})
    plan = BackupPlan.objects.select_for_update().filter(server=server).first()
    if not wanted:
        if plan is not None:
            plan.delete()
            copies.ended(server, now=now, kind=Kind.BACKUP)
            told(server, "servers.backups.ended", now=now, rule=RULE)
        return
    anchor = copy_rules.first_slot(server.pk, now)
    if plan is None:
        plan = BackupPlan.objects.create(
            server=server, account_id=server.account_id, level=wanted, anchor=anchor, due_at=anchor
        )
        kept = Copy.objects.filter(server=server, account=server.account_id, kind=Kind.BACKUP, expires_at__gt=now)
        kept.update(expires_at=None)
        _keep_as_long(plan)
        told(server, "servers.backups.begun", now=now, rule=RULE, level=wanted)
    elif plan.level != wanted or plan.halted_at:
        plan.level, plan.halted_at, plan.server = wanted, None, server
        plan.due_at = min(plan.due_at, Rhythm(plan.anchor, level(plan).every_hours).following(now))
        plan.save(update_fields=["level", "halted_at", "due_at"])
        _keep_as_long(plan)
        told(server, "servers.backups.changed", now=now, rule=RULE, level=wanted)


@transaction.atomic
def choose(server: Server, every_hours: int, keep_days: int, *, actor: Actor, now: datetime) -> None:
    """SUB-14: the rhythm and the days of the personalised level. RuleViolation outside of what the terms allow, or
    where the server has another level; PermissionDenied for who may not."""
    server = hold(server)
    actions.PLAN_BACKUPS.check(actor, server)
    plan = BackupPlan.objects.select_for_update(of=("self",)).filter(server=server).first()
    law = copies.law_of(server)
    if plan is None or plan.level != OWN:
        raise RuleViolation(_("Only the personalised level has a rhythm of your own."), rule=RULE)
    if every_hours not in law.own_every_hours:
        raise RuleViolation(_("Choose one of the rhythms on offer."), rule=RULE, field="every_hours")
    if not 0 < keep_days <= law.own_most_days:
        raise RuleViolation(
            _("Backups are kept between 1 and %(most)s days.") % {"most": law.own_most_days}, rule=RULE,
            field="keep_days",
        )  # fmt: skip
    plan.own_every_hours, plan.own_keep_days = every_hours, keep_days
    plan.due_at = Rhythm(plan.anchor, every_hours).following(now)
    plan.save(update_fields=["own_every_hours", "own_keep_days", "due_at"])
    plan.server = server
    _keep_as_long(plan)
    told(server, "servers.backups.planned", now=now, actor=actor, rule=RULE, hours=every_hours, days=keep_days)


def _keep_as_long(plan: BackupPlan) -> None:
    """What was made under another level stays as long as this one says."""
    rows = Copy.objects.filter(server=plan.server, account=plan.account_id, kind=Kind.BACKUP)
    for copy in rows.filter(state__in=PRUNED).exclude(keep_until=None):
        until = calendars.days_later(copy.taken_at or copy.asked_at, level(plan).keep_days)
        Copy.objects.filter(pk=copy.pk).update(keep_until=until)


def handed_over(server: Server, *, now: datetime) -> None:
    """The level goes with the subscription; copies of before stay with who had the server, for the days of the terms:
    what they erased is not the new holder's to read."""
    copies.ended(server, now=now)
    BackupPlan.objects.filter(server=server).update(account=server.account_id, failing_since=None, told_at=None)


# ---------------------------------------------------------------- by the clock


@due.sweep("servers.backups", every_seconds=300)
def sweep(now: datetime, *, dry_run: bool = False) -> due.SweepReport:
    """SUB-14: what is due is begun, what is over goes, and who has had no backup for days is told."""
    plans = BackupPlan.objects.filter(due_at__lte=now).order_by("due_at", "pk").values_list("pk", flat=True)
    failing = BackupPlan.objects.exclude(failing_since=None).filter(told_at=None).values_list("pk", flat=True)
    over = _over(now)
    if dry_run:
        return due.SweepReport(would=[
            *(f"back up server {pk}" for pk in plans), *(f"delete copy {pk}" for pk in over),
        ])  # fmt: skip
    report = due.each(over, lambda pk: _prune(pk, now))
    report = due.each(list(plans[:AT_ONCE]), lambda pk: _begin(pk, now), report=report)
    report = due.each(list(failing), lambda pk: _tell_failing(pk, now), report=report)
    return exceeding.look(now, report)


def _begin(server_id: int, now: datetime) -> None:
    """The latest slot that nobody has carried out: after a gap of the clock one backup makes up for all it missed."""
    server = Server.objects.select_for_update(of=("self",)).select_related("subscription", "account").get(pk=server_id)
    plan = BackupPlan.objects.select_for_update(of=("self",)).get(pk=server_id)
    plan.server = server
    if plan.due_at > now:
        return
    busy = server.actions.filter(state=ServerAction.State.WAITING, verb__in=rules.ONE_AT_A_TIME).exists()
    waiting = Copy.objects.filter(server=server, kind=Kind.BACKUP, state=CopyState.WAITING).exists()
    if server.state in ON_THE_HOST and (busy or waiting):
        return  # it is due still
    rhythm = Rhythm(plan.anchor, level(plan).every_hours)
    slot, plan.due_at = rhythm.last(now), rhythm.following(now)
    if server.state in ON_THE_HOST and slot is not None and places.capabilities(server.place).snapshots:
        if copy_rules.is_full(copies.used_bytes(server), limit(plan)):
            _halt(plan, now)
        else:
            plan.halted_at = None
            copies.back_up(server, slot, now=now)
    plan.save(update_fields=["due_at", "halted_at"])


def _halt(plan: BackupPlan, now: datetime) -> None:
    """SRV-10: nothing more is transferred until there is space again; told once for each time that it comes to this."""
    if plan.halted_at is not None:
        return
    plan.halted_at, server = now, plan.server
    mail.send(
        "servers/backup_full", to=server.account.billing_email, lang=server.account.language, now=now,
        account_id=server.account_id, subject=server, key=f"servers.backup_full:{server.pk}:{now.isoformat()}",
        context={"server": server, "used": copies.used_bytes(server), "limit": limit(plan)},
    )  # fmt: skip
    told(server, "servers.backups.halted", now=now, actor=CLOCK, rule="SRV-10")


def _tell_failing(server_id: int, now: datetime) -> None:
    plan = BackupPlan.objects.select_for_update(of=("self",)).select_related("server__subscription").get(pk=server_id)
    server, since = plan.server, plan.failing_since
    if since is None or plan.told_at or now < calendars.same_paris_time_later(
        since, copies.law_of(server).failing_days
    ):  # fmt: skip
        return
    last = latest(server)
    mail.send(
        "servers/backup_failing", to=server.account.billing_email, lang=server.account.language, now=now,
        account_id=server.account_id, subject=server, key=f"servers.backup_failing:{server.pk}:{since.isoformat()}",
        context={"server": server, "since": since, "last": last.taken_at if last else None},
    )  # fmt: skip
    plan.told_at = now
    plan.save(update_fields=["told_at"])
    told(server, "servers.backups.failing", now=now, actor=CLOCK, rule=RULE)


def latest(server: Server) -> Copy | None:
    """The last good backup."""
    rows = copies.shown(server).filter(kind=Kind.BACKUP, state=CopyState.READY)
    return rows.order_by("-taken_at", "-pk").first()


def _over(now: datetime) -> list[int]:
    """Copies whose time is over; of the backups of a level the latest stays."""
    newer = Copy.objects.filter(
        server=OuterRef("server"), kind=Kind.BACKUP, state=CopyState.READY, expires_at=None,
        taken_at__gt=OuterRef("taken_at"),
    )  # fmt: skip
    by_level = Q(keep_until__lte=now, expires_at=None) & (~Q(state=CopyState.READY) | Exists(newer))
    rows = Copy.objects.filter(state__in=PRUNED).filter(Q(expires_at__lte=now) | by_level)
    return list(rows.order_by("pk").values_list("pk", flat=True)[:AT_ONCE])


def _over_of(rows: list[Copy], keep_days: int | None, now: datetime) -> set[int]:
    whole = [Kept(row.pk, row.kind, row.taken_at, row.expires_at) for row in rows
             if row.state == CopyState.READY and row.taken_at]  # fmt: skip
    found = copy_rules.to_delete(whole, keep_days, now)
    for row in rows:  # what never became one, or is one no more, tells nothing after as many days
        days = keep_days if row.kind == Kind.BACKUP else None
        past = days is not None and calendars.days_later(row.asked_at, days) <= now
        if row.state != CopyState.READY and (past or (row.expires_at and row.expires_at <= now)):
            found.add(row.pk)
    return found


def _prune(pk: int, now: datetime) -> None:
    """Looked at again under its server's lock: another backup may be the last good one by now."""
    server = Server.objects.select_for_update().get(copies__pk=pk)
    copy = Copy.objects.select_for_update(of=("self",)).select_related("server").get(pk=pk)
    if copies.why_not_delete(copy):
        return
    plan = plan_of(server)
    rows = list(Copy.objects.filter(server=server, state__in=PRUNED))
    if pk in _over_of(rows, level(plan).keep_days if plan else None, now):
        copies.remove(copy, now=now)
