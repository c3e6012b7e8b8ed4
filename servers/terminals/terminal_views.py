"""The terminal of a server, on one page for its owner and one for staff (SRV-8)."""

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods

from panel.accounts.selectors import names_of
from panel.core import clock
from panel.core.actors import Actor
from panel.core.errors import RuleViolation
from panel.core.quantities import duration_in_words
from panel.core.web import actor, page, part, say
from servers import places, selectors
from servers.models import Server, TerminalSession
from servers.terminals import permits, sessions, terminal_actions, terminal_wording

LATEST = 20
DAYS = (1, 7, 30)  # what staff can be let in for, as far as the settings let
TOUCH_KEYS = (
    ("Escape", "Esc"), ("Tab", "Tab"), ("Control", "Ctrl"), ("ArrowUp", "↑"), ("ArrowDown", "↓"), ("ArrowLeft", "←"),
    ("ArrowRight", "→"), ("PageUp", "PgUp"), ("PageDown", "PgDn"),
)  # fmt: skip


@page(terminal_actions.SEE)
@require_http_methods(["GET", "POST"])
def server_terminal(request: HttpRequest, reference: str) -> HttpResponse:
    """The permission is given and taken here too."""
    server = _server(request, reference)
    error = ""
    if request.method == "POST":
        try:
            say(request, _deed(request, server))
        except RuleViolation as refusal:
            error = refusal.sentence
        else:
            return redirect("servers:server_terminal", reference)
    return _shown(request, server, "servers/server_terminal.html", error)


@page(terminal_actions.STAFF_SEE)
@require_http_methods(["GET"])
def staff_server_terminal(request: HttpRequest, reference: str) -> HttpResponse:
    """The same without the permission, which is the customer's."""
    return _shown(request, _server(request, reference), "servers/staff_server_terminal.html")


def _server(request: HttpRequest, reference: str) -> Server:
    return selectors.find_or_404(actor(request), reference)


def _deed(request: HttpRequest, server: Server) -> str:
    asking, now = actor(request), clock.now()
    match request.POST.get("deed", ""):
        case "permit":
            permits.permit(server, actor=asking, now=now)
            return _("The panel’s key is being put on the server. The page shows when it is there.")
        case "withdraw":
            permits.withdraw(server, actor=asking, now=now)
            return _("The permission is withdrawn: terminals that were open are closed, and the key is taken off.")
        case "staff":
            days = request.POST.get("days", "")
            permits.let_staff_in(server, int(days) if days.isdecimal() and len(days) < 5 else -1, actor=asking, now=now)
            return _("Staff is let in.") if days != "0" else _("Staff is no longer let in.")
    raise Http404


def _shown(request: HttpRequest, server: Server, template: str, error: str = "") -> HttpResponse:
    asking, now = actor(request), clock.now()
    limits, permit = sessions.limits(), permits.of(server)
    context: dict[str, Any] = {
        "server": server, "error": error, "permit": permit, "why": sessions.why_not(server, asking, now),
        "why_no_permit": terminal_actions.PERMIT.refusal(asking, server), "place": places.label(server.place),
        "may_permit": terminal_actions.PERMIT.permits(asking), "simulated": places.is_simulated(server.place),
        "image": places.images(server.place).get(server.image, server.image), "topic": f"server:{server.pk}",
        "staff_until": permit.staff_until if permit and permit.staff_until and permit.staff_until > now else None,
        "days": [(days, _days(days)) for days in DAYS if days <= limits.staff_days], "here": request.path,
        "idle": round(limits.idle.total_seconds() / 60), "longest": round(limits.longest.total_seconds() / 3600),
        "history": limits.history, "words": terminal_wording.SAID, "touch_keys": TOUCH_KEYS,
        "socket": f"/ws/terminal/{server.reference}/", "opened": _opened(server, asking),
    }  # fmt: skip
    asked = part(request, "door", "permit", "opened")
    return render(request, f"{template}{asked}", context, status=409 if error else 200)


def _days(days: int) -> str:
    return ngettext("%(n)s day", "%(n)s days", days) % {"n": days}


def _opened(server: Server, asking: Actor) -> list[dict[str, Any]]:
    """The latest terminals, as far as they were the present holder's or, to staff, anybody's."""
    rows = list(TerminalSession.objects.visible_to(asking).filter(server=server)[:LATEST])
    people = frozenset(row.user_id for row in rows)
    names = names_of(people, reader=None if asking.is_staff else asking)
    return [
        {
            "row": row, "who": names.get(row.user_id) or (_("Our staff") if row.by_staff else _("Somebody")),
            "lasted": duration_in_words(row.lasted) if row.lasted else "",
            "how": terminal_wording.HOW.get(row.ending, ""),
        }
        for row in rows
    ]  # fmt: skip
