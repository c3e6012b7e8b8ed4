"""The customer's pages of prepaid packs (OPR-9): what they have, what is on sale, buying one."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from invoicing import actions, selectors
from invoicing.consuming import packs
from invoicing.limiting import limits
from invoicing.models import ONCE, Pack
from invoicing.offering import catalogue, pricing
from invoicing.offering.pack_forms import PackOrderForm
from invoicing.subscribing import ordering
from panel.accounts import selectors as people
from panel.accounts import terms_in_force
from panel.core import clock, web
from panel.core.errors import RuleViolation


@web.page(actions.PACKS)
@require_safe
def pack_list(request: HttpRequest) -> HttpResponse:
    """What is left of each pack, until when and why; and the packs on sale."""
    actor, now = web.actor(request), clock.now()
    account = people.account(actor)
    context = {
        "packs": packs.of_account(Pack.objects.visible_to(actor)),
        "offers": selectors.pack_offers(now, account), "may_order": actions.ORDER.permits(actor),
        "may_see_invoice": actions.INVOICES.permits(actor), "treatment": pricing.treatment(account, now=now),
    }  # fmt: skip
    return render(request, "invoicing/pack_list.html", context)


@web.page(actions.ORDER)
def pack_order(request: HttpRequest, package: str) -> HttpResponse:
    """What a pack holds, its price, the conditions, "Validate" (SUB-2). It is paid for on the next page."""
    actor, now = web.actor(request), clock.now()
    account, wanted = people.account(actor), catalogue.pack(package)
    terms = terms_in_force.at(account, now)
    form = PackOrderForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            order = ordering.place(
                account, wanted.code, ONCE, {}, accepted=terms.order_documents, ip=actor.ip, actor=actor,
                key=form.cleaned_data["key"], now=now, order_number=form.cleaned_data["order_number"],
            )  # fmt: skip
            return redirect("invoicing:order_detail", order.reference)
        except RuleViolation as refusal:
            form.add_error(refusal.field if refusal.field in form.fields else None, refusal.sentence)
    context = {
        "form": form, "package": wanted, "terms": terms, "months": packs.sold_under(terms).months,
        "offer": selectors.offer(wanted, now, account), "holds": packs.ordered(wanted),
        "quotation": pricing.quote(account, wanted, ONCE, {}, now=now),
        "refusal": ordering.refusal(account, actor), "limits": limits.of(account, now=now),
    }  # fmt: skip
    return render(request, "invoicing/pack_order.html", context, status=422 if form.errors else 200)
