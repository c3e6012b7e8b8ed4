"""Backups that take up more than their space, where the operator's terms say what follows: told, then some days, then
the oldest may be deleted, which a person decides (OPR-5)."""

from collections.abc import Sequence
from datetime import datetime

from django.db.models import F
from django.utils.translation import gettext as _

from panel import terms
from panel.accounts import approvals
from panel.accounts.models import Approval
from panel.core import calendars, due, events, mail
from panel.core.actors import CLOCK
from panel.core.models import Event, MailMessage
from panel.core.quantities import bytes_in_words
from servers.action_log import told
from servers.models import BackupPlan, Copy, Server
from servers.safekeeping import copies, copy_rules
from servers.safekeeping.copies import limit
from servers.safekeeping.copy_rules import CopyState, Kind, Stored

RULE = "OPR-5"
APPROVAL = "servers.exceeding"


def look(now: datetime, report: due.SweepReport) -> due.SweepReport:
    """Of the plans whose terms have the rule: tell who exceeds, ask a person once the days are over."""
    plans = BackupPlan.objects.order_by().values_list("server__subscription__terms_version", flat=True).distinct()
    having = [name for name in plans if terms.version(name).backups.exceeding_days is not None]
    concerned = BackupPlan.objects.filter(server__subscription__terms_version__in=having).order_by("pk")
    return due.each(concerned.values_list("pk", flat=True), lambda pk: _look(pk, now), report=report)


def deletable_from(plan: BackupPlan) -> datetime | None:
    """The end of the days that its customer was given, counted from when the notice left; None while nothing runs."""
    days = copies.law_of(plan.server).exceeding_days
    if plan.exceeding_since is None or days is None:
        return None
    notice = MailMessage.objects.filter(key=_key(plan)).first()
    return calendars.days_later(notice.accepted_at, days) if notice and notice.accepted_at else None


def _look(server_id: int, now: datetime) -> None:
    plan = _locked(server_id)
    used = copies.used_bytes(plan.server)
    if not copy_rules.exceeds(used, limit(plan)):
        BackupPlan.objects.filter(pk=plan.pk).exclude(exceeding_since=None).update(exceeding_since=None)
        return
    if plan.exceeding_since is None:
        plan.exceeding_since = now
        plan.save(update_fields=["exceeding_since"])
        _tell(plan, used, now)
        return
    until = deletable_from(plan)
    if until is not None and until <= now:
        _ask(plan, used, now)


def _ask(plan: BackupPlan, used: int, now: datetime) -> None:
    server = plan.server
    amounts = {"used": bytes_in_words(used, language="en"), "limit": bytes_in_words(limit(plan), language="en")}
    summary = _("Delete the oldest backups of %(server)s: they take up %(used)s, their space is %(limit)s")
    approvals.ask(
        APPROVAL, key=_key(plan), needed=1, now=now, actor=CLOCK, rule=RULE, account=server.account, subject=server,
        summary=summary % {"server": server.reference, **amounts},
    )  # fmt: skip


@events.subscriber("accounts.approval.granted", "servers.exceeding")
def granted(event: Event, *, now: datetime) -> None:
    """A person agreed: the oldest go, as many as still exceed, unless there has been space since they were asked."""
    if event.data["kind"] != APPROVAL:
        return
    if not BackupPlan.objects.filter(pk=event.data["on_id"]).exists():
        return  # there is no level any more
    plan = _locked(event.data["on_id"])
    if not Approval.objects.filter(pk=event.data["approval"], key=_key(plan)).exists():
        return  # it was given on an earlier excess: this one has its own notice and its own days
    going = to_delete(plan)
    for copy in going:
        copies.remove(copy, now=now)
    if going:
        names = [copy.reference for copy in going]
        told(plan.server, "servers.backups.exceeding_deleted", now=now, actor=CLOCK, rule=RULE, copies=names)


def to_delete(plan: BackupPlan) -> Sequence[Copy]:
    """The copies whose deletion brings it within its space, the oldest first; one a server is made of stays."""
    server, disk = plan.server, plan.server.size["disk_gb"]
    ready = Copy.objects.filter(server=server, account=server.account_id, kind=Kind.BACKUP, state=CopyState.READY)
    rows = {copy.pk: copy for copy in ready.exclude(taken_at=None).select_related("server").order_by(F("taken_at"))}
    stored = [Stored(copy.pk, copy.taken_at or copy.asked_at, copy_rules.taken_up([copy.size_bytes], disk))
              for copy in rows.values()]  # fmt: skip
    going = copy_rules.to_free(stored, copies.used_bytes(server), limit(plan))
    return [rows[pk] for pk in going if not copies.in_use(rows[pk])]


def _locked(server_id: int) -> BackupPlan:
    server = Server.objects.select_for_update(of=("self",)).select_related("subscription", "account").get(pk=server_id)
    plan = BackupPlan.objects.select_for_update(of=("self",)).get(pk=server_id)
    plan.server = server
    return plan


def _key(plan: BackupPlan) -> str:
    since = plan.exceeding_since.isoformat() if plan.exceeding_since else ""
    return f"servers.backup_exceeding:{plan.pk}:{since}"


def _tell(plan: BackupPlan, used: int, now: datetime) -> None:
    server = plan.server
    mail.send(
        "servers/backup_exceeding", to=server.account.billing_email, lang=server.account.language, now=now,
        account_id=server.account_id, subject=server, key=_key(plan),
        context={
            "server": server, "used": used, "limit": limit(plan), "over": used - limit(plan),
            "days": copies.law_of(server).exceeding_days,
        },
    )  # fmt: skip
    told(server, "servers.backups.exceeding", now=now, actor=CLOCK, rule=RULE)
