"""The staff's pages of payouts: what the provider sent to the bank, what each is made of, and that the bank has it."""

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from invoicing import actions
from invoicing.models import Entry, Payout
from invoicing.paying_out import arriving, payout_selectors, payouts
from invoicing.paying_out.payout_forms import ArrivedForm
from panel.core import clock, web
from panel.core.calendars import paris_date
from panel.core.errors import RuleViolation

PAGE = 40


@web.page(actions.STAFF_PAYOUTS)
@require_safe
def payout_list(request: HttpRequest) -> HttpResponse:
    """Payouts, newest first; with `show=awaited` those that the bank has not shown yet."""
    awaited = request.GET.get("show") == "awaited"
    rows = arriving.awaited().reverse() if awaited else Payout.objects.all()
    context = {
        "page": Paginator(rows, PAGE).get_page(request.GET.get("page")), "awaited": awaited,
        "balances": payout_selectors.balances(),
    }  # fmt: skip
    return render(request, "invoicing/staff_payout_list.html", context)


@web.page(actions.STAFF_PAYOUTS)
def payout_detail(request: HttpRequest, ref: str) -> HttpResponse:
    """One payout: its lines, its entries in the books; a person may say that the bank shows it."""
    payout = get_object_or_404(Payout, provider_ref=ref)
    now = clock.now()
    form = ArrivedForm(request.POST or None, initial={"day": paris_date(now)})
    if request.method == "POST" and form.is_valid():
        try:
            payouts.arrived(payout, form.cleaned_data["day"], actor=web.actor(request), now=now)
        except RuleViolation as refusal:
            form.add_error("day" if refusal.field == "day" else None, refusal.sentence)
        else:
            web.say(request, _("Noted: the bank shows it."))
            return redirect("invoicing_staff:payout_detail", ref)
    page = Paginator(payout.lines.all(), PAGE).get_page(request.GET.get("page"))
    entries = Entry.objects.filter(kind__in=payouts.ENTRIES, ref=payout.provider_ref)
    context = {
        "payout": payout, "page": page, "lines": payout_selectors.explained(page.object_list), "form": form,
        "awaited": payout.state == Payout.State.PAID and payout.arrived_on is None,
        "may_ledger": True, "receipt": payout_selectors.receipt_of(payout),
        "entries": entries.prefetch_related("postings__ledger_account").order_by("pk"),
    }  # fmt: skip
    return render(request, "invoicing/staff_payout_detail.html", context, status=422 if form.errors else 200)
