"""The customer's start page."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import translation
from django.views.decorators.http import require_safe

from panel.core import clock, web
from panel.sandbox import actions, selectors

PARTS = ("alerts", "servers")


@web.page(actions.DASHBOARD)
@require_safe
def dashboard(request: HttpRequest) -> HttpResponse:
    """What needs the customer, what runs, what it will cost, what happened. Staff goes to the console."""
    actor, now = web.actor(request), clock.now()
    if actor.account_id is None:
        return redirect("console:work")
    part = request.GET.get("part", "")
    if part in PARTS:
        context = selectors.dashboard(actor, now=now, language=translation.get_language() or "en", only=part)
        return render(request, f"sandbox/dashboard.html#{part}", context)
    context = selectors.dashboard(actor, now=now, language=translation.get_language() or "en")
    return render(request, "sandbox/dashboard.html", context)
