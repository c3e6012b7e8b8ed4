"""The staff's pages of billing runs: what is due, a dry run, the run itself, and what became of each subscription."""

import secrets

from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from invoicing import actions
from invoicing.models import BillingRun, ItemState
from invoicing.renewing import billing, billing_runs, run_selectors
from panel.core import clock, web

PAGE = 50


@web.page(actions.STAFF_RUNS)
@require_safe
def run_list(request: HttpRequest) -> HttpResponse:
    """How many are due now, the two ways to begin, and the runs there were."""
    now = clock.now()
    page = Paginator(BillingRun.objects.select_related("started_by"), PAGE).get_page(request.GET.get("page"))
    context = {"page": page, "due": billing.due_at(now).count(), "key": secrets.token_urlsafe(18), "now": now}
    return render(request, "invoicing/staff_run_list.html", context)


@web.page(actions.STAFF_RUNS)
@require_POST
def run_start(request: HttpRequest) -> HttpResponse:
    """Begin a run, or a dry one; the same form sent twice begins one."""
    key = request.POST.get("key", "")[:60]
    if not key:
        raise Http404
    run = billing_runs.start(key=key, dry="dry" in request.POST, actor=web.actor(request), now=clock.now())
    return redirect("invoicing_staff:run_detail", run.pk)


@web.page(actions.STAFF_RUNS)
@require_safe
def run_detail(request: HttpRequest, pk: int) -> HttpResponse:
    """One run: progress while it is under way, totals by tax, failures one by one, the difference to the one before."""
    run = get_object_or_404(BillingRun.objects.select_related("started_by"), pk=pk)
    if request.GET.get("part") == "progress":
        return render(request, "invoicing/staff_run_detail.html#progress", {"run": run, "fragment": True})
    state = request.GET.get("state", "")
    items = run.items.select_related("subscription", "account", "invoice")
    shown = items.filter(state=state) if state in ItemState.values else items
    context = {
        "run": run, "taxes": run_selectors.taxes(run), "difference": run_selectors.difference(run),
        "failures": items.filter(state=ItemState.FAILED)[:PAGE], "state": state,
        "page": Paginator(shown, PAGE).get_page(request.GET.get("page")),
    }  # fmt: skip
    return render(request, "invoicing/staff_run_detail.html", context)
