"""The customer's pages of consumption: the next invoices, a subscription's usage, what an invoice line rests on."""

from decimal import Decimal
from typing import Any

from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.translation import get_language
from django.views.decorators.http import require_safe

from invoicing import actions, selectors
from invoicing.consuming import evidence, packs, usage
from invoicing.models import Consumption, Invoice, Pack, Subscription, UsageEvent
from invoicing.renewing import upcoming
from invoicing.subscribing import kinds
from panel.core import clock, web

EVENTS = 50
DRAWN_UP = 10
PAST = 36


@web.page(actions.INVOICES)
@require_safe
def next_invoices(request: HttpRequest) -> HttpResponse:
    """What each subscription's next invoice will be, as things stand now; each is drawn up in full, so a few a page."""
    rows = selectors.subscriptions(web.actor(request)).exclude(next_due_on=None).order_by("next_due_on", "pk")
    page = Paginator(rows, DRAWN_UP).get_page(request.GET.get("page"))
    found = upcoming.next_invoices(page.object_list, now=clock.now())
    return render(request, "invoicing/upcoming.html", {"found": found, "page": page})


@web.page(actions.SUBSCRIPTIONS)
@require_safe
def subscription_usage(request: HttpRequest, reference: str) -> HttpResponse:
    """What a subscription has used: this month so far, the months before, the events, and what it comes to."""
    row = get_object_or_404(selectors.subscriptions(web.actor(request)), reference=reference)
    return render(request, "invoicing/subscription_usage.html", usage_of(request, row))


def usage_of(request: HttpRequest, row: Subscription) -> dict[str, Any]:
    """The page's context, for customers and staff alike."""
    now, actor = clock.now(), web.actor(request)
    told = UsageEvent.objects.visible_to(actor).filter(subscription=row).order_by("-pk").select_related("corrects")
    told = told.prefetch_related("pack_movements__pack")
    page = told.filter(pk__lt=request.GET["before"]) if request.GET.get("before", "").isdecimal() else told
    events = list(page[: EVENTS + 1])
    running, past = upcoming.running(row, now=now), list(_past(row))
    names = usage.names(row, get_language() or "en")
    for one in (*running, *past):
        one.named = names.get(one.meter, one.meter)  # type: ignore[attr-defined]
        one.prepaid, one.carried = (Decimal(one.evidence.get(key, 0)) for key in ("prepaid", "carried"))  # type: ignore[attr-defined]
    return {
        "row": row, "name": kinds.get(row.service_kind).describe(row, get_language() or "en"),
        "upcoming": upcoming.next_invoice(row, now=now), "running": running, "consumptions": past,
        "packs": packs.of_account(Pack.objects.visible_to(actor).filter(account=row.account_id), names),
        "events": events[:EVENTS], "before": events[EVENTS - 1].pk if len(events) > EVENTS else None,
        "may_see_invoice": actions.INVOICES.permits(actor) or actions.STAFF_INVOICES.permits(actor), "now": now,
    }  # fmt: skip


def _past(row: Subscription) -> QuerySet[Consumption]:
    mine = row.consumptions.filter(account=row.account_id)  # what an earlier holder used is theirs
    return mine.select_related("invoice").order_by("-start", "meter", "-number")[:PAST]


@web.page(actions.INVOICES)
@require_safe
def invoice_line(request: HttpRequest, number: str, position: int) -> HttpResponse:
    """The readings or events behind a line of consumption, and its arithmetic (SRV-4, SRV-5, OPR-1)."""
    invoice = get_object_or_404(selectors.invoices(web.actor(request)), number=number)
    return render(request, "invoicing/invoice_line.html", line_of(invoice, position))


def line_of(invoice: Invoice, position: int) -> dict[str, Any]:
    """The page's context; 404 for a line that was not metered."""
    lines = invoice.lines.select_related("subscription", "credits")
    found = evidence.of_line(get_object_or_404(lines, position=position))
    if found is None:
        raise Http404
    return {"invoice": invoice, "line": found.line, "found": found}
