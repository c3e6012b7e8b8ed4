"""The staff's fleet and one server as staff sees it."""

from urllib.parse import urlencode

from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from panel.core import badges, clock
from panel.core.models import Operation, subject_of
from panel.core.web import actor, page
from servers import actions, charting, fleet, places, selectors, undone, wording
from servers.models import Address, AddressHolding, Server
from servers.rules import ON_THE_HOST
from servers.terminals import terminal_actions
from servers.watching import shown


@page(actions.STAFF_SEE)
@require_GET
def server_list(request: HttpRequest) -> HttpResponse:
    words, state, place = (request.GET.get(name, "").strip()[:80] for name in ("q", "state", "place"))
    before, trouble = request.GET.get("before", ""), request.GET.get("trouble") == "1"
    found = fleet.page_of_fleet(
        words=words, state=state, place=place, trouble=trouble, before=int(before) if before.isdecimal() else None
    )
    context = {
        "found": found, "words": words, "findings": fleet.open_findings() if found.findings else (),
        "may_decide_finding": actions.DECIDE_FINDING.permits(actor(request)),
        "may_see_readings": actions.SEE_READINGS.permits(actor(request)), "chips": _chips(words, state, place, trouble),
        "older": _query(q=words, state=state, place=place, trouble="1" * trouble, before=found.next_before),
    }  # fmt: skip
    return render(request, "servers/staff_server_list.html", context)


def _chips(words: str, state: str, place: str, trouble: bool) -> list[tuple[str, str, bool]]:
    """The filters above the list: address, word, and whether it is on."""
    states = ("running", "stopped", "suspended", "creating", "failed", "destroyed")
    return [
        (reverse("servers:staff_server_list"), _("All"), not (state or place or trouble)),
        *((_query(q=words, place=place, state=name), str(badges.of(name, "server").word), name == state)
          for name in states),
        (_query(q=words, place=place, trouble="1"), _("Unreachable"), trouble),
        *((_query(q=words, place=name, state=state, trouble="1" * trouble), label, name == place)
          for name, label in places.labels().items()),
    ]  # fmt: skip


def _query(**wanted: str | int | None) -> str:
    return "?" + urlencode({name: value for name, value in wanted.items() if value})


@page(actions.STAFF_SEE)
@require_GET
def server_detail(request: HttpRequest, reference: str) -> HttpResponse:
    now = clock.now()
    server = selectors.find_or_404(actor(request), reference)
    context = {
        "server": server, "place": places.label(server.place), "now": now, "vitals_url": f"{request.path}?part=vitals",
        "vitals": shown.vitals_of(server, now=now),
    }  # fmt: skip
    if request.GET.get("part") == "vitals":
        return render(request, "servers/_vitals.html", context)
    detail, buttons = selectors.detail(server, now=now, log=30, whole=True), wording.buttons(actor(request), server)
    past = AddressHolding.objects.filter(server=server).select_related("address").order_by("-since", "-pk")
    context |= {
        "detail": detail, "traffic": detail.traffic, "steps": wording.creation_steps(detail.creation),
        "buttons": buttons, "reasons": wording.reasons(buttons), "log": wording.log_entries(detail.actions),
        "busy": wording.VERBS[detail.busy_with.verb] if detail.busy_with else "",
        "simulated": places.is_simulated(server.place), "topic": f"server:{server.pk}",
        "live_url": f"{request.path}?part=live", "holdings": past,
        "may_decide_finding": actions.DECIDE_FINDING.permits(actor(request)),
        "may_manage": actions.STAFF_MANAGE.permits(actor(request)),
        "may_open": terminal_actions.OPEN.permits(actor(request)),
        "may_limit": actions.LIMIT.permits(actor(request)) and server.state in ON_THE_HOST,
        "operations": _operations(server),
        "others": _other_holders(server),
        "findings": server.discrepancies.filter(resolved_at=None), "left_undone": undone.left_undone(server),
    }  # fmt: skip
    if request.GET.get("part") == "live":
        return render(request, "servers/staff_server_detail.html#live", context)
    context["chart"] = charting.draw(server, "7d", traffic=detail.traffic, now=now)
    return render(request, "servers/staff_server_detail.html", context)


def _operations(server: Server) -> list[Operation]:
    """What the outside world was or is asked for this server and its addresses."""
    held = AddressHolding.objects.filter(server=server, until=None).values_list("address_id", flat=True)
    of_addresses = Q(subject_type=Address._meta.label_lower, subject_id__in=list(held), account_id=server.account_id)
    return list(Operation.objects.filter(Q(**subject_of(server)) | of_addresses).order_by("-pk")[:20])


def _other_holders(server: Server) -> list[AddressHolding]:
    """Who else held this server's addresses, before and after."""
    ids = AddressHolding.objects.filter(server=server).values("address_id")
    rows = AddressHolding.objects.filter(address_id__in=ids).exclude(server=server)
    return list(rows.select_related("address", "server", "account").order_by("-since")[:20])
