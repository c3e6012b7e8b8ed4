"""The customer pauses a service and lets it run again (SUB-5); what continues to be charged stands there first."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from invoicing import actions, selectors
from invoicing.models import Subscription
from invoicing.subscribing import pauses
from panel.core import clock, web


def _subscription(request: HttpRequest, reference: str) -> Subscription:
    return get_object_or_404(selectors.subscriptions(web.actor(request)), reference=reference)


@web.page(actions.PAUSE_SUBSCRIPTION)
def subscription_pause(request: HttpRequest, reference: str) -> HttpResponse:
    """What stops and what goes on to cost; confirmed, the service rests."""
    row, actor = _subscription(request, reference), web.actor(request)
    if request.method == "POST":
        pauses.pause(row, actor=actor, now=clock.now())
        web.say(request, _("The service is being paused."))
        return redirect("invoicing:subscription_detail", row.reference)
    context = {
        "row": row, "name": selectors.described([row])[0]["name"], "refusal": pauses.why_not(row),
        "resting": pauses.preview(row),
        "options": row.options.filter(until=None).select_related("option"),
    }  # fmt: skip
    return render(request, "invoicing/subscription_pause.html", context)


@web.page(actions.PAUSE_SUBSCRIPTION)
@require_POST
def subscription_resume(request: HttpRequest, reference: str) -> HttpResponse:
    """Let it run again."""
    row = _subscription(request, reference)
    pauses.resume(row, actor=web.actor(request), now=clock.now())
    web.say(request, _("The pause is over; the service starts again."))
    return redirect("invoicing:subscription_detail", row.reference)
