"""The staff's page of a renewal: refuse it with a reason that is told, or take that back (SUB-4)."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _

from invoicing import actions, selectors
from invoicing.models import Subscription
from invoicing.reviewing import renewals
from invoicing.reviewing.review_forms import RefusalForm
from invoicing.subscribing import leaving
from panel.core import clock, web
from panel.core.errors import RuleViolation


@web.page(actions.STAFF_RENEWAL)
def subscription_renewal(request: HttpRequest, reference: str) -> HttpResponse:
    """One subscription: until when it is paid, whether it is renewed, and the decision."""
    actor, now = web.actor(request), clock.now()
    row = get_object_or_404(selectors.subscriptions(actor), reference=reference)
    form = RefusalForm(request.POST if request.POST.get("word") == "refuse" else None)
    refused = ""
    if request.method == "POST":
        try:
            if _decided(request, row, form):
                return redirect("invoicing_staff:subscription_renewal", reference)
        except RuleViolation as refusal:
            refused = refusal.sentence
    context = {
        "row": row, "name": selectors.described([row])[0]["name"], "form": form, "refused": refused,
        "refusal": renewals.open_refusal(row), "why_not": renewals.why_not(row, now=now),
        "term": leaving.term(row, now=now),
        "past": row.refusals.exclude(taken_back_at=None).select_related("decided_by", "taken_back_by")[:10],
    }  # fmt: skip
    status = 422 if refused or form.errors else 200
    return render(request, "invoicing/staff_subscription_renewal.html", context, status=status)


def _decided(request: HttpRequest, row: Subscription, form: RefusalForm) -> bool:
    actor, now = web.actor(request), clock.now()
    if request.POST.get("word") == "take_back":
        renewals.take_back(row, why=request.POST.get("taken_back", ""), actor=actor, now=now)
        web.say(request, _("Taken back; the customer is told."))
        return True
    if not form.is_valid():
        return False
    renewals.refuse(row, why=form.cleaned_data["why"], words=form.cleaned_data["words"], actor=actor, now=now)
    web.say(request, _("It will not be renewed; the customer is told why."))
    return True
