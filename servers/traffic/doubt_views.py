"""The staff's page of readings that are more than a link can carry."""

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from panel.accounts.selectors import names_of
from panel.core import clock
from panel.core.errors import RuleViolation
from panel.core.web import actor, page, say
from servers import actions, traffic_rules
from servers.models import DoubtfulReading
from servers.traffic import doubtful

DECIDED = 50  # shown of those that were decided on


@page(actions.SEE_READINGS)
@require_GET
def reading_list(request: HttpRequest) -> HttpResponse:
    rows = DoubtfulReading.objects.select_related("server", "account")
    decided = list(rows.exclude(state=DoubtfulReading.State.WAITING).order_by("-decided_at", "-pk")[:DECIDED])
    names = names_of({row.decided_by for row in decided if row.decided_by}, reader=None)
    context = {
        "waiting": [(row, _possible(row)) for row in rows.filter(state=DoubtfulReading.State.WAITING).order_by("pk")],
        "decided": [(row, names.get(row.decided_by or 0, "")) for row in decided],
        "may_decide": actions.DECIDE_READING.permits(actor(request)),
    }
    return render(request, "servers/staff_reading_list.html", context)


def _possible(row: DoubtfulReading) -> dict[str, Any]:
    """What the link could have carried meanwhile, both directions together."""
    return {"bytes": 2 * traffic_rules.at_most(row.at - row.since, row.link_bps), "gbps": row.link_bps // 10**9}


@page(actions.DECIDE_READING)
@require_POST
def reading_decide(request: HttpRequest, pk: int) -> HttpResponse:
    decide = {"accept": doubtful.accept, "discard": doubtful.discard}.get(request.POST.get("decision", ""))
    if decide is None or not DoubtfulReading.objects.filter(pk=pk).exists():
        raise Http404(str(pk))
    try:
        doubt = decide(pk, reason=request.POST.get("reason", ""), actor=actor(request), now=clock.now())
    except RuleViolation as refusal:
        say(request, refusal.sentence, error=True)
    else:
        counted = doubt.state == DoubtfulReading.State.ACCEPTED
        say(request, _("What it claims is counted.") if counted else _("It is discarded; nothing of it is counted."))
    return redirect("servers:staff_reading_list")
