"""The staff's page of the reconciliation: empty on a healthy day."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from invoicing import actions
from invoicing.accounting import reconciling
from invoicing.models import Invoice, MoneyDifference, Order, PaidBack, Payment, Payout
from panel.accounts.models import Account
from panel.core import clock, keyset, web


@web.page(actions.STAFF_LEDGER)
@require_safe
def reconciliation(request: HttpRequest) -> HttpResponse:
    """What differs now, what was and is gone, and when it was last looked."""
    rows = list(reconciling.open_ones()[: keyset.LARGEST])
    known = reconciling.things(rows)
    gone = MoneyDifference.objects.filter(resolved_at__isnull=False)
    context = {
        "rows": [(row, _url(known.get(row.ref))) for row in rows], "last": reconciling.last_run(), "now": clock.now(),
        "sent": PaidBack.objects.filter(bank_ref="").select_related("account"),
        "page": keyset.page(gone, request.GET.get("after", "")), "count": reconciling.open_ones().count(),
    }  # fmt: skip
    return render(request, "invoicing/reconciliation.html", context)


def _url(thing: Any) -> str:
    if isinstance(thing, Invoice):
        return reverse("invoicing_staff:invoice_detail", args=[thing.number])
    if isinstance(thing, Account):
        return reverse("invoicing_staff:statement", args=[thing.reference])
    if isinstance(thing, Payout):
        return reverse("invoicing_staff:payout_detail", args=[thing.provider_ref])
    if isinstance(thing, Order):
        return reverse("invoicing_staff:order_detail", args=[thing.reference])
    if isinstance(thing, Payment) and thing.order_id:
        return reverse("invoicing_staff:order_list")
    return ""


@web.page(actions.STAFF_LEDGER)
@require_POST
def compare(request: HttpRequest) -> HttpResponse:
    """Look now."""
    now = clock.now()
    reconciling.ask(f"asked:{now:%Y-%m-%dT%H:%M}", now=now)
    web.say(request, _("The comparison runs; this page shows its result in a moment."))
    return redirect("invoicing_staff:reconciliation")
