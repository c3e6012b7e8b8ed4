"""Whether the panel itself is well: the clock's sweeps, the worker, the queue, the live channel, the journal, the
disk."""

import shutil
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Count, Min, Q
from django.utils.translation import gettext as _

from panel.core import due, lease, live
from panel.core.mail import SendMail
from panel.core.models import Event, Operation, Seal, Tick

LATE = 5  # a sweep is late after so many of its own intervals
SILENT = timedelta(minutes=1)
SEAL_LAG = timedelta(minutes=2)
DISK_FREE = 0.1


@dataclass(frozen=True)
class Check:
    """One line: `state` is "ok", "degraded" or "down"."""

    name: str
    state: str
    detail: str
    at: datetime | None = None


def checks(now: datetime) -> list[Check]:
    """Everything staff should know about the installation, in one look."""
    return [_worker(now), _queue(now), _mail(), _channel(), _journal(now), _disk(), *_sweeps(now)]


def _worker(now: datetime) -> Check:
    beat = lease.heartbeat()
    if beat is None:
        clock = Tick.objects.filter(name="clock").first()
        alive = clock is not None and now - clock.last_at <= SILENT
        return Check(_("Worker and clock"), "ok" if alive else "down", "", clock.last_at if clock else None)
    holder, at = beat
    return Check(_("Worker and clock"), "ok" if now - at <= SILENT else "down", holder, at)


def _queue(now: datetime) -> Check:
    row: dict[str, Any] = Operation.objects.aggregate(
        failed=Count("pk", filter=Q(state="failed")), due=Count("pk", filter=Q(state="due", due_at__lte=now)),
        oldest=Min("due_at", filter=Q(state="due", due_at__lte=now)),
    )  # fmt: skip
    behind = row["oldest"] is not None and now - row["oldest"] > SILENT * 5
    state = "down" if behind else "degraded" if row["failed"] else "ok"
    detail = _("%(due)s due, %(failed)s failed") % row
    return Check(_("Operations"), state, detail, row["oldest"])


def _mail() -> Check:
    owed = Operation.objects.filter(kind=SendMail.kind)
    failed, waiting = owed.filter(state="failed").count(), owed.filter(state="due").count()
    detail = _("%(waiting)s waiting, %(failed)s failed") % {"waiting": waiting, "failed": failed}
    return Check(_("Outgoing mail"), "degraded" if failed else "ok", detail)


def _channel() -> Check:
    up = live.channel().is_up()
    return Check(_("Live pages"), "ok" if up else "down", type(live.channel()).__name__.strip("_"))


def _journal(now: datetime) -> Check:
    newest = Seal.objects.order_by("-pk").values_list("event_id", flat=True).first() or 0
    oldest = Event.objects.filter(pk__gt=newest).order_by("pk").values_list("at", flat=True).first()
    late = oldest is not None and now - oldest > SEAL_LAG
    return Check(_("Journal"), "degraded" if late else "ok", "", oldest)


def _disk() -> Check:
    usage = shutil.disk_usage(settings.CLAUSE_DATA)
    free = usage.free / usage.total
    return Check(
        _("Disk"), "ok" if free > DISK_FREE else "degraded", _("%(share)s %% free") % {"share": round(free * 100)}
    )


def _sweeps(now: datetime) -> list[Check]:
    ticks = {tick.name: tick for tick in Tick.objects.all()}
    return [_sweep(sweep, ticks.get(name), now) for name, sweep in sorted(due.SWEEPS.items())]


def _sweep(sweep: due.Sweep, tick: Tick | None, now: datetime) -> Check:
    if tick is None:
        return Check(sweep.name, "degraded", _("never ran"))
    report = tick.last_report
    late = now - tick.last_at > max(sweep.every * LATE, SILENT)
    failures = report.get("failures", 0)
    state = "down" if late else "degraded" if failures else "ok"
    detail = _("%(done)s done, %(failed)s failed") % {"done": report.get("done", 0), "failed": failures}
    return Check(sweep.name, state, detail, tick.last_at)
