"""The staff's pages of mandates: find one, see what was collected under it, show the signed document to the bank."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_safe

from invoicing import actions
from invoicing.debiting import mandate_selectors, mandates
from invoicing.issuing import downloads
from invoicing.models import Mandate, MandateState
from panel.core import keyset, web

LONGEST = 80  # signs of what is searched for


@web.page(actions.STAFF_DEBITS)
@require_safe
def mandate_list(request: HttpRequest) -> HttpResponse:
    """Mandates of every customer, the newest first."""
    state, words = request.GET.get("state", ""), request.GET.get("q", "").strip()[:LONGEST]
    rows = mandate_selectors.mandates(web.actor(request), state=state, words=words)
    context = {
        "page": keyset.page(rows, request.GET.get("after", "")), "state": state, "words": words,
        "states": MandateState.choices, "filtered": bool(words or state),
    }  # fmt: skip
    return render(request, "invoicing/staff_mandate_list.html", context)


def _mandate(request: HttpRequest, reference: str) -> Mandate:
    rows = Mandate.objects.visible_to(web.actor(request)).select_related("account", "replaces", "pdf", "signed_pdf")
    found: Mandate = get_object_or_404(rows, reference=reference)
    return found


@web.page(actions.STAFF_DEBITS)
@require_safe
def mandate_detail(request: HttpRequest, reference: str) -> HttpResponse:
    """One mandate: who signed it and how, and every debit under it."""
    mandate = _mandate(request, reference)
    context = {
        "mandate": mandate, "replaced_by": mandate.replaced_by.exclude(signed_at=None).first(),
        "page": keyset.page(mandate_selectors.debits(mandate), request.GET.get("after", "")),
    }  # fmt: skip
    return render(request, "invoicing/staff_mandate_detail.html", context)


@web.page(actions.STAFF_DEBITS)
@require_safe
def mandate_pdf(request: HttpRequest, reference: str) -> HttpResponse:
    """The signed document, which the bank asks for where a customer says there was none."""
    found = mandates.document(_mandate(request, reference))
    if found is None:
        return redirect("invoicing_staff:mandate_detail", reference)
    return downloads.pdf(*found)
