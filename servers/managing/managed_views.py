"""The managed service on one page for its owner and one for staff: what we look after, what waits, what was done
(SRV-9, SRV-11, SUB-11)."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django import forms
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from invoicing import actions as invoicing_actions
from panel.core import clock
from panel.core.actors import Actor
from panel.core.errors import RuleViolation
from panel.core.spreadsheets import spreadsheet
from panel.core.web import actor, page, say
from servers import actions as server_actions
from servers import places, selectors
from servers.managing import managed, managed_rules, managed_wording, patching, required_updates
from servers.managing import managed_actions as actions
from servers.managing.managed_forms import MailboxForm, MinutesForm, RequireForm, RolesForm
from servers.models import ManagedRun, ManagedService, RequiredUpdate, Server

RUNS = 10


@page(actions.SEE)
@require_http_methods(["GET", "POST"])
def server_managed(request: HttpRequest, reference: str) -> HttpResponse:
    return _managed(request, reference, "servers/server_managed.html", "servers:server_managed", CUSTOMERS)


@page(actions.STAFF_SEE)
@require_http_methods(["GET", "POST"])
def staff_server_managed(request: HttpRequest, reference: str) -> HttpResponse:
    """The same, as staff sees it, with what went wrong and what only staff does."""
    return _managed(
        request, reference, "servers/staff_server_managed.html", "servers:staff_server_managed", CUSTOMERS | STAFFS
    )


@page(actions.SEE)
@require_GET
def server_managed_report(request: HttpRequest, reference: str) -> HttpResponse:
    """SRV-9: the patch report as a table file."""
    return _report(selectors.find_or_404(actor(request), reference))


@page(actions.STAFF_SEE)
@require_GET
def staff_server_managed_report(request: HttpRequest, reference: str) -> HttpResponse:
    return _report(selectors.find_or_404(actor(request), reference))


def _report(server: Server) -> HttpResponse:
    found = patching.report(server, now=clock.now(), most_installed=5_000)
    table = [["package", "installed", "available", "security", "first_seen", "until", "late", "resolved"]]
    rows = [(row.update, row.until.isoformat(), row.late) for row in found.rows]
    for one, until, late in [*rows, *((one, "", False) for one in found.installed)]:
        resolved = one.resolved_at.isoformat() if one.resolved_at else ""
        table.append([
            one.package, one.installed, one.available, "yes" if one.security else "no", one.first_seen.isoformat(),
            until, "yes" if late else "no", resolved,
        ])  # fmt: skip
    return spreadsheet(table, f"updates-{server.reference}.csv")


def _managed(
    request: HttpRequest, reference: str, template: str, here: str, deeds: "dict[str, Callable[[Asked], str]]"
) -> HttpResponse:  # fmt: skip
    asking, now = actor(request), clock.now()
    server = selectors.find_or_404(asking, reference)
    deed = request.POST.get("deed", "") if request.method == "POST" else ""
    if request.method == "POST" and deed not in deeds:
        raise Http404(deed)
    row, error = managed.of(server), ""
    made = _forms(request, row, deed)
    if deed:
        try:
            say(request, deeds[deed](Asked(server, request, asking, now)))
        except RuleViolation as refusal:
            form = made.get(deed)
            if form is not None and refusal.field in form.fields:
                form.is_valid()
                if refusal.field not in form.errors:
                    form.add_error(refusal.field, refusal.sentence)
            else:
                error = refusal.sentence
        else:
            return redirect(here, reference)
    context = _context(server, row, asking, now) | {"forms": made, "error": error, "here": request.path}
    part = "#state" if request.GET.get("part") == "state" and not deed else ""
    return render(request, f"{template}{part}", context, status=422 if deed else 200)


def _forms(request: HttpRequest, row: ManagedService | None, deed: str) -> dict[str, forms.Form]:
    def sent(name: str) -> Any:
        return request.POST if deed == name else None

    return {
        "roles": RolesForm(sent("roles"), initial={"roles": row.roles if row else []}, auto_id="roles-%s"),
        "mailbox": MailboxForm(sent("mailbox"), auto_id="mailbox-%s"),
        "require": RequireForm(sent("require"), auto_id="require-%s"),
        "installed": MinutesForm(sent("installed"), auto_id="installed-%s"),
    }


def _context(server: Server, row: ManagedService | None, asking: Actor, now: datetime) -> dict[str, Any]:
    mine = ManagedRun.objects.filter(server=server, account=server.account_id)
    runs = list(mine.select_related("operation")[:RUNS])
    updates = list(server.required_updates.filter(account=server.account_id))
    wanted = row is not None and row.wanted
    return {
        "server": server, "service": row, "managed": wanted, "runs": [(run, managed_wording.KINDS[run.kind])
                                                                      for run in runs],
        "last": runs[0] if runs else None, "roles": [
            (managed_wording.ROLES[role], managed_wording.ROLES_MORE[role])
            for role in managed_rules.roles(row.roles if row else [])
        ], "is_mail": wanted and row is not None and managed_rules.MAIL in row.roles,
        "mailboxes": list(server.mailboxes.all()) if wanted else [],
        "report": patching.report(server, now=now), "law": patching.law_of(server),
        "updates": updates, "open_updates": [one for one in updates if one.state in required_updates.OPEN],
        "rates": required_updates.rate_of(server), "place": places.label(server.place),
        "simulated": places.is_simulated(server.place),
        "image": places.images(server.place).get(server.image, server.image),
        "why_not_here": actions.why_not_at(server.place), "may_change": actions.CHANGE.permits(asking),
        "reason": actions.CHANGE.refusal(asking, server), "may_answer": actions.ANSWER_UPDATE.permits(asking),
        "may_require": actions.REQUIRE_UPDATE.permits(asking), "may_install": actions.INSTALL_UPDATE.permits(asking),
        "may_order": invoicing_actions.CHANGE_SUBSCRIPTION.permits(asking),
        "may_ask": server_actions.ASK_FIREWALL.permits(asking), "now": now, "topic": f"server:{server.pk}",
    }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Asked:
    """One deed asked on the page."""

    server: Server
    request: HttpRequest
    actor: Actor
    now: datetime

    @property
    def update(self) -> RequiredUpdate:
        """The required update it is about; Http404 where it is none of this server's."""
        rows = self.server.required_updates.filter(account=self.server.account_id)
        found = rows.filter(reference=self.request.POST.get("update", "")).first()
        if found is None:
            raise Http404("update")
        return found

    def said(self, name: str) -> str:
        return self.request.POST.get(name, "")[:5_000]


def _roles(asked: Asked) -> str:
    form = RolesForm(asked.request.POST)
    wanted = form.cleaned_data["roles"] if form.is_valid() else ["?"]
    run = managed.choose(asked.server, wanted, actor=asked.actor, now=asked.now)
    return _("It is being set up. The page shows how far it is.") if run else _("Nothing has changed.")


def _mailbox(asked: Asked) -> str:
    managed.add_mailbox(
        asked.server, asked.said("address"), asked.said("password"), actor=asked.actor, now=asked.now
    )  # fmt: skip
    return _("The mailbox is being set up.")


def _unmailbox(asked: Asked) -> str:
    managed.remove_mailbox(asked.server, asked.said("address"), actor=asked.actor, now=asked.now)
    return _("The mailbox is being removed; its mail stays on the disk.")


def _set_up(asked: Asked) -> str:
    managed.run_again(asked.server, ManagedRun.Kind.SETUP, actor=asked.actor, now=asked.now)
    return _("The server is gone over once more.")


def _patch(asked: Asked) -> str:
    managed.run_again(asked.server, ManagedRun.Kind.PATCHES, actor=asked.actor, now=asked.now)
    return _("Updates are looked for now.")


def _done(asked: Asked) -> str:
    required_updates.done(asked.update, actor=asked.actor, now=asked.now)
    return _("Thank you: the update is settled.")


def _require(asked: Asked) -> str:
    required_updates.announce(
        asked.server, title=asked.said("title"), why=asked.said("why"), actor=asked.actor, now=asked.now
    )
    return _("The customer is told by e-mail; their working days begin with it.")


def _withdraw(asked: Asked) -> str:
    required_updates.withdraw(asked.update, actor=asked.actor, now=asked.now)
    return _("The update is taken back.")


def _installed(asked: Asked) -> str:
    minutes = asked.said("minutes")
    count = int(minutes) if minutes.isdecimal() and len(minutes) < 6 else 0
    required_updates.installed(asked.update, count, actor=asked.actor, now=asked.now)
    return _("Noted and billed; the customer is told.")


CUSTOMERS: dict[str, Callable[[Asked], str]] = {
    "roles": _roles, "mailbox": _mailbox, "unmailbox": _unmailbox, "set_up": _set_up, "patch": _patch, "done": _done,
}  # fmt: skip
STAFFS: dict[str, Callable[[Asked], str]] = {"require": _require, "withdraw": _withdraw, "installed": _installed}
