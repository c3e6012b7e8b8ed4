"""The customer's pages of funds (INV-6): what is there, adding to it, its movements, a receipt, spending it by hand."""

from decimal import Decimal

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from invoicing import actions, selectors
from invoicing.billing_views import with_page
from invoicing.debiting import instead
from invoicing.forms import TopUpForm
from invoicing.funding import funds, taken_back, topping_up
from invoicing.models import Order, TopUp
from invoicing.paying import payments
from panel.accounts import selectors as people
from panel.accounts import terms_in_force
from panel.core import clock, web
from panel.core.errors import RuleViolation
from panel.core.money import format_eur

PAGE = 25


@web.page(actions.FUNDS)
def funds_page(request: HttpRequest) -> HttpResponse:
    """What the customer has in advance and every movement of it; the form that adds more."""
    actor, now = web.actor(request), clock.now()
    account = people.account(actor)
    bounds = terms_in_force.at(account, now).funds
    form = TopUpForm(request.POST or None, means=selectors.means(account), bounds=bounds)
    if request.method == "POST" and form.is_valid():
        back = request.build_absolute_uri(reverse("invoicing:top_up", args=["REFERENCE"])) + "?back=1"
        method = form.card()
        try:
            payment = topping_up.begin(
                account, form.cents(), key=form.cleaned_data["key"], actor=actor, now=now, method=method,
                return_url=back,
            )  # fmt: skip
        except RuleViolation as refusal:
            form.add_error(refusal.field if refusal.field in form.fields else None, refusal.sentence)
        else:
            page = reverse("invoicing:top_up", args=[payment.top_up.reference if payment.top_up else ""])
            return redirect(page if method else f"{page}?go=1")
    owed = taken_back.owed(account)
    if owed:
        form.initial["amount"] = Decimal(min(max(owed, bounds.smallest), bounds.largest)).scaleb(-2)
    movements = Paginator(selectors.funds_movements(actor), PAGE).get_page(request.GET.get("page"))
    context = {"form": form, "page": movements, "balance": funds.balance(account), "topic": f"account:{account.pk}",
               "owed": owed}  # fmt: skip
    return render(request, "invoicing/funds.html", context, status=422 if form.errors else 200)


@web.page(actions.FUNDS)
@require_safe
def top_up(request: HttpRequest, reference: str) -> HttpResponse:
    """One top-up: how its payment stands, and its receipt once it arrived."""
    rows = TopUp.objects.visible_to(web.actor(request)).select_related("account")
    row = get_object_or_404(rows, reference=reference)
    payment = row.payments.latest("pk")
    if payment.state in selectors.LIVE_PAYMENTS and "back" in request.GET:
        payments.came_back(payment, now=clock.now())
        return redirect("invoicing:top_up", row.reference)
    context = {"row": row, "payment": payment, "topic": f"account:{row.account_id}"}
    return with_page(request, "invoicing/top_up.html", ("top_up",), context, payment.action_url)


@web.page(actions.PAY_INVOICE)
@require_POST
def invoice_pay_funds(request: HttpRequest, number: str) -> HttpResponse:
    """Pay what is due from the funds, as far as they reach."""
    actor = web.actor(request)
    invoice = get_object_or_404(selectors.invoices(actor), number=number)
    actions.PAY_INVOICE.check(actor, invoice)
    cents, withdrawn = instead.pay_from_funds(invoice, actor=actor, now=clock.now())
    told = [_("%(amount)s of your funds paid this invoice.") % {"amount": format_eur(cents)}]
    if withdrawn is not None:
        told.append(instead.said(withdrawn, get_language()))
    web.say(request, " ".join(told))
    return redirect("invoicing:invoice_detail", invoice.number)


@web.page(actions.PAY_ORDER)
@require_POST
def order_pay_funds(request: HttpRequest, reference: str) -> HttpResponse:
    """Pay a whole order from the funds (SUB-3)."""
    actor = web.actor(request)
    order = get_object_or_404(Order.objects.visible_to(actor), reference=reference)
    actions.PAY_ORDER.check(actor, order)
    topping_up.pay_order(order, actor=actor, now=clock.now())
    return redirect("invoicing:order_detail", order.reference)
