"""The copies of a server, on one page for its owner and one for staff (SUB-14, SRV-8, SRV-10)."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from invoicing import actions as invoicing_actions
from panel.core import calendars, clock
from panel.core.actors import Actor
from panel.core.errors import RuleViolation
from panel.core.web import actor, page, say
from servers import actions, places, selectors, wording
from servers.forms import TypedForm
from servers.models import BackupPlan, Copy, Server
from servers.rules import Verb
from servers.safekeeping import backups, copies, copy_wording, exceeding, restoring
from servers.safekeeping.copy_forms import RhythmForm, SnapshotForm
from servers.safekeeping.copy_rules import OWN, CopyState, Kind

MOST_SHOWN = 200  # a level of the terms has less


@page(actions.SEE)
@require_http_methods(["GET", "POST"])
def server_backups(request: HttpRequest, reference: str) -> HttpResponse:
    return _backups(request, reference, "servers/server_backups.html", "servers:server_backups")


@page(actions.STAFF_SEE)
@require_http_methods(["GET", "POST"])
def staff_server_backups(request: HttpRequest, reference: str) -> HttpResponse:
    """The same, as staff sees it, with what went wrong."""
    return _backups(request, reference, "servers/staff_server_backups.html", "servers:staff_server_backups")


def _backups(request: HttpRequest, reference: str, template: str, here: str) -> HttpResponse:
    asking, now = actor(request), clock.now()
    server = selectors.find_or_404(asking, reference)
    deed = request.POST.get("deed", "") if request.method == "POST" else ""
    if request.method == "POST" and deed not in DEEDS:
        raise Http404(deed)
    sent = request.POST if deed else request.GET
    chosen = copies.shown(server).filter(reference=sent.get("copy", "")).first()
    if deed in ("restore", "delete") and chosen is None:
        raise Http404("copy")
    plan = backups.plan_of(server)
    forms, error = _forms(request, server, plan, deed), ""
    if deed:
        try:
            say(request, DEEDS[deed](Asked(server, request, asking, now, chosen)))
        except RuleViolation as refusal:
            form = forms.get(deed)
            if form is not None and refusal.field in form.fields:
                form.is_valid()
                if refusal.field not in form.errors:
                    form.add_error(refusal.field, refusal.sentence)
            else:
                error = refusal.sentence
        else:
            return redirect(here, reference)
    context = _context(server, plan, asking, now) | {
        "forms": forms, "error": error, "here": request.path, "chosen": chosen,
        "what": deed or request.GET.get("do", ""),
    }  # fmt: skip
    part = "#state" if request.GET.get("part") == "state" and not deed else ""
    return render(request, f"{template}{part}", context, status=422 if deed else 200)


def _forms(request: HttpRequest, server: Server, plan: BackupPlan | None, deed: str) -> dict[str, Any]:
    def sent(name: str) -> Any:
        return request.POST if deed == name else None

    law, made = copies.law_of(server), {}
    if plan is not None and plan.level == OWN:
        now = copies.level(plan)
        initial = {"every_hours": now.every_hours, "keep_days": now.keep_days}
        made["rhythm"] = RhythmForm(sent("rhythm"), initial=initial, law=law)
    return {
        **made, "snapshot": SnapshotForm(sent("snapshot"), auto_id="snapshot-%s"),
        "restore": TypedForm(sent("restore"), name=server.name, auto_id="restore-%s"),
    }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Row:
    """A copy as the list shows it. `until`: within the last day on which it stays; None while nobody knows."""

    copy: Copy
    kind: Any
    until: datetime | None
    last_good: bool
    usable: bool
    deletable: bool


def _rows(server: Server, plan: BackupPlan | None, last: Copy | None) -> list[Row]:
    keep_days = copies.level(plan).keep_days if plan else None
    found = []
    for copy in copies.shown(server).select_related("operation")[:MOST_SHOWN]:
        until = copy.expires_at
        if until is None and copy.kind == Kind.BACKUP and keep_days and copy.taken_at:
            until = calendars.days_later(copy.taken_at, keep_days)
        ready, mine = copy.state == CopyState.READY, last is not None and copy.pk == last.pk
        deletable = copy.state in (CopyState.READY, CopyState.FAILED, CopyState.LOST)
        until = None if until is None or (mine and not copy.expires_at) else until - timedelta(microseconds=1)
        found.append(Row(copy, copy_wording.KINDS[copy.kind], until, mine, ready, deletable))
    return found


def _context(server: Server, plan: BackupPlan | None, asking: Actor, now: datetime) -> dict[str, Any]:
    law, last = copies.law_of(server), backups.latest(server)
    rows = _rows(server, plan, last)
    level = copies.level(plan) if plan else None
    able = places.capabilities(server.place)
    return {
        "server": server, "plan": plan, "level": level, "last": last, "rows": rows,
        "level_name": copy_wording.LEVELS[plan.level] if plan else "",
        "rhythm": copy_wording.rhythm(level.every_hours) if level else "",
        "used": copies.used_bytes(server), "limit": copies.limit(plan) if plan else 0,
        "snapshots": sum(row.copy.kind == Kind.SNAPSHOT and row.copy.state in (CopyState.WAITING, CopyState.READY)
                         for row in rows),
        "deletable_from": exceeding.deletable_from(plan) if plan else None,
        "most": law.snapshots, "stay_days": law.after_end_days, "able": able.snapshots, "restores": able.restore,
        "keys_follow": able.keys,
        "place": places.label(server.place), "simulated": places.is_simulated(server.place),
        "image": places.images(server.place).get(server.image, server.image),
        "may_change": actions.SNAPSHOT.permits(asking), "reason": actions.SNAPSHOT.refusal(asking, server),
        "restore_reason": actions.RESTORE.refusal(asking, server), "now": now,
        "topic": f"server:{server.pk}", "hopeless": plan is not None and plan.failing_since is not None
        and now - plan.failing_since > timedelta(days=law.failing_days),
        "may_order": invoicing_actions.CHANGE_SUBSCRIPTION.permits(asking),
    }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Asked:
    """One deed asked on the page; `copy` is the one it is about."""

    server: Server
    request: HttpRequest
    actor: Actor
    now: datetime
    copy: Copy | None

    @property
    def chosen(self) -> Copy:
        if self.copy is None:
            raise Http404("copy")
        return self.copy


def _snapshot(asked: Asked) -> str:
    copies.snapshot(asked.server, asked.request.POST.get("name", "")[:300], actor=asked.actor, now=asked.now)
    return _("The snapshot is being taken. The page shows when it is whole.")


def _restore(asked: Asked) -> str:
    typed = asked.request.POST.get("confirm", "")
    restoring.restore(asked.server, asked.chosen, typed=typed, actor=asked.actor, now=asked.now)
    return wording.asked(Verb.RESTORE)


def _delete(asked: Asked) -> str:
    copies.delete(asked.chosen, actor=asked.actor, now=asked.now)
    return _("The copy is being deleted.")


def _rhythm(asked: Asked) -> str:
    form = RhythmForm(asked.request.POST, law=copies.law_of(asked.server))
    form.is_valid()
    given = form.cleaned_data
    backups.choose(
        asked.server, given.get("every_hours") or 0, given.get("keep_days") or 0, actor=asked.actor, now=asked.now
    )
    return _("Backups are made in this rhythm from now on.")


DEEDS: dict[str, Callable[[Asked], str]] = {
    "snapshot": _snapshot, "restore": _restore, "delete": _delete, "rhythm": _rhythm,
}  # fmt: skip
