"""The customer's pages of services: catalogue, order, its status, subscriptions."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from invoicing import actions, selectors
from invoicing.accounting import ledger
from invoicing.forms import OrderForm
from invoicing.issuing import downloads, printing
from invoicing.limiting import limits
from invoicing.models import Interval, Order, OrderState, Package, Subscription, SubscriptionState
from invoicing.offering import catalogue, price_notices, pricing
from invoicing.paying import payments
from invoicing.reviewing import renewals
from invoicing.rules import Quotation
from invoicing.subscribing import changes, kinds, ordering, pauses, retaxing, trials
from invoicing.transferring import transfer_views, transfers
from panel.accounts import selectors as people
from panel.accounts import terms_in_force
from panel.accounts.models import Account
from panel.core import clock, keyset, web
from panel.core.errors import RuleViolation


@web.page(actions.CATALOGUE)
@require_safe
def catalogue_page(request: HttpRequest) -> HttpResponse:
    """What can be ordered, compared side by side, with prices excluding VAT and the rate (SUB-1)."""
    actor, now = web.actor(request), clock.now()
    account = people.account(actor)
    context = {
        "families": selectors.offers(now, account),
        "treatment": pricing.treatment(account, now=now),
        "may_order": actions.ORDER.permits(actor),
        "may_try": not trials.had(account),
        "refusal": ordering.refusal(account, actor) if actions.ORDER.permits(actor) else None,
        "limits": limits.of(account, now=now) if actions.ORDER.permits(actor) else None,
        "orders": selectors.orders(actor).filter(state=OrderState.AWAITING_PAYMENT) if actor.may("see") else [],
    }
    return render(request, "invoicing/catalogue.html", context)


# --- ordering --------------------------------------------------------------------------------------------------------


@web.page(actions.ORDER)
def order_new(request: HttpRequest, package: str) -> HttpResponse:
    """Options, price, conditions, "Validate" (SUB-2). Nothing is charged before the payment page."""
    actor, now = web.actor(request), clock.now()
    account, wanted = people.account(actor), catalogue.package(package)
    asked = request.POST if request.method == "POST" else None
    sold = [*selectors.offer(wanted, now, account).by_interval, Interval.MONTH]
    initial = {"interval": request.GET.get("interval", sold[0]), "trial": "trial" in request.GET}
    form = OrderForm(asked, package=wanted, account=account, initial=initial)
    form.chosen(request.GET)
    preview_only = asked is not None and "preview" in asked
    if asked is not None and form.is_valid() and not preview_only:
        try:
            order = ordering.place(
                account, wanted.code, form.cleaned_data["interval"], form.wishes(),
                accepted=terms_in_force.at(account, now).order_documents, ip=actor.ip, actor=actor,
                key=form.cleaned_data["key"], now=now, promotion=form.cleaned_data["promotion"],
                trial=form.cleaned_data.get("trial", False), order_number=form.cleaned_data["order_number"],
            )  # fmt: skip
            return redirect("invoicing:order_detail", order.reference)
        except RuleViolation as refusal:
            form.refused(refusal)
    if preview_only:  # without JavaScript: the price again, and no reproach for what is not typed yet
        form.errors.clear()
    context = _order_context(form, account, wanted, actor, now) | {"refusal": ordering.refusal(account, actor)}
    refused = asked is not None and not preview_only
    return render(request, "invoicing/order_new.html", context, status=422 if refused else 200)


def _order_context(form: OrderForm, account: Account, package: Package, actor: Any, now: Any) -> dict[str, Any]:
    terms = terms_in_force.at(account, now)
    return {
        "form": form, "package": package, "offer": selectors.offer(package, now, account), "terms": terms,
        "options": [(form[f"option-{option.code}"], selectors.offer(option, now, account)) for option in form.options],
        "questions": [form[question.name] for question in form.questions],
        **_priced(form, account, package, now),
        "limits": limits.of(account, now=now),
    }  # fmt: skip


def _priced(form: OrderForm, account: Account, package: Package, now: Any) -> dict[str, Any]:
    """The price of what is chosen so far, of the package alone where something is typed wrongly; and why the code that
    was typed takes nothing off."""
    interval, quantities, code = str(form.initial.get("interval", "")), {}, ""
    trial = bool(form.initial.get("trial")) and "trial" in form.fields
    if form.is_bound:
        form.is_valid()
        interval, quantities = form.cleaned_data.get("interval", interval), form.quantities()
        code, trial = form.cleaned_data.get("promotion", ""), form.cleaned_data.get("trial", False)
    interval = interval if interval in Interval.values else Interval.MONTH

    def quoted(promotion: str) -> Quotation:
        return pricing.quote(account, package, interval, quantities, now=now, promotion=promotion, trial=trial)

    try:
        return {"quotation": quoted(code), "code_refused": ""}
    except RuleViolation as refusal:
        if refusal.field == "promotion":
            return {"quotation": quoted(""), "code_refused": refusal.sentence}
        return {"quotation": None, "code_refused": ""}


@web.page(actions.ORDER)
@require_safe
def order_price(request: HttpRequest, package: str) -> HttpResponse:
    """The price panel alone, for what is chosen just now."""
    actor, now = web.actor(request), clock.now()
    account, wanted = people.account(actor), catalogue.package(package)
    form = OrderForm(request.GET, package=wanted, account=account)
    context = {**_priced(form, account, wanted, now), "package": wanted}
    return render(request, "invoicing/order_new.html#price", context)


def _order(request: HttpRequest, reference: str) -> Order:
    return get_object_or_404(selectors.orders(web.actor(request)), reference=reference)


@web.page(actions.SEE_ORDER)
@require_safe
def order_detail(request: HttpRequest, reference: str) -> HttpResponse:
    """An order and how far it is. The provider sends the customer back here: we ask how the payment stands."""
    context = _status_context(request, _order(request, reference))
    payment = context["status"].payment
    if payment is not None and "back" in request.GET:
        payments.came_back(payment, now=clock.now())
        return redirect("invoicing:order_detail", reference)
    if context["go"] and payment is not None and payment.action_url:
        return redirect(payment.action_url)  # read once: what is shown below is what was decided on here
    return render(request, "invoicing/order_detail.html", context)


@web.page(actions.SEE_ORDER)
@require_safe
def order_status(request: HttpRequest, reference: str) -> HttpResponse:
    """The live part of the order's page."""
    context = _status_context(request, _order(request, reference))
    answer = render(request, "invoicing/order_detail.html#status", context)
    payment = context["status"].payment
    if "go" in request.GET and payment is not None and payment.action_url:
        answer["HX-Redirect"] = payment.action_url  # the page that asked for it has just pressed "Pay"
    return answer


def _status_context(request: HttpRequest, order: Order) -> dict[str, Any]:
    actor = web.actor(request)
    return {
        "order": order, "status": selectors.order_status(order), "go": "go" in request.GET,
        "topic": f"account:{order.account_id}",
        "may_pay": actions.PAY_ORDER.permits(actor) and not actions.PAY_ORDER.refusal(actor, order),
        "may_cancel": actions.CANCEL_ORDER.permits(actor) and not actions.CANCEL_ORDER.refusal(actor, order),
        "may_see_invoice": actions.INVOICES.permits(actor),
        "funds": ledger.funds(order.account),
        "quotation": pricing.thawed(order.quotation),
        "cancelled_because": ordering.why_cancelled(order),
        "retaxed_at": retaxing.retaxed_at(order),
    }  # fmt: skip


@web.page(actions.PAY_ORDER)
@require_POST
def order_pay(request: HttpRequest, reference: str) -> HttpResponse:
    """Ask for the provider's page; the order's page leads there as soon as it is open."""
    order, actor = _order(request, reference), web.actor(request)
    actions.PAY_ORDER.check(actor, order)
    back = request.build_absolute_uri(reverse("invoicing:order_detail", args=[order.reference])) + "?back=1"
    attempt = order.payments.count() + 1
    payments.pay_order(
        order, return_url=back, keep="keep" in request.POST, key=f"order:{order.reference}:{attempt}", actor=actor,
        now=clock.now(),
    )  # fmt: skip
    return redirect(reverse("invoicing:order_detail", args=[order.reference]) + "?go=1")


@web.page(actions.CANCEL_ORDER)
@require_POST
def order_cancel(request: HttpRequest, reference: str) -> HttpResponse:
    """Withdraw an unpaid order."""
    order, actor = _order(request, reference), web.actor(request)
    actions.CANCEL_ORDER.check(actor, order)
    payments.cancel_order(order, actor=actor, now=clock.now())
    web.say(request, _("The order is being cancelled; nothing is charged."))
    return redirect("invoicing:order_detail", order.reference)


@web.page(actions.SEE_ORDER)
@require_safe
def order_pro_forma(request: HttpRequest, reference: str) -> HttpResponse:
    """The pro-forma as PDF: unnumbered, and no invoice (INV-1)."""
    order = _order(request, reference)
    return downloads.pdf(printing.pdf(ordering.pro_forma(order)), f"pro-forma-{slugify(order.reference)}.pdf")


# --- subscriptions ---------------------------------------------------------------------------------------------------


@web.page(actions.SUBSCRIPTIONS)
@require_safe
def subscription_list(request: HttpRequest) -> HttpResponse:
    """What runs, until when it is paid, and what it costs; the newest first."""
    page = keyset.page(selectors.subscriptions(web.actor(request)), request.GET.get("after", ""))
    offers = transfer_views.offers(web.actor(request), now=clock.now())
    context = {"page": page, "rows": selectors.described(page.rows), "offers": offers}
    return render(request, "invoicing/subscription_list.html", context)


@web.page(actions.SUBSCRIPTIONS)
@require_safe
def subscription_detail(request: HttpRequest, reference: str) -> HttpResponse:
    """One subscription: its periods, options, changes, consumption, and its end (SUB-6, SUB-12)."""
    row, actor, now = _subscription(request, reference), web.actor(request), clock.now()
    used = row.consumptions.filter(account=row.account_id).select_related("invoice")
    made = list(row.changes.filter(account=row.account_id).select_related("package", "invoice", "credit_note")[:12])
    may_change = actions.CHANGE_SUBSCRIPTION.permits(actor)
    context = selectors.described([row])[0] | {
        "url": kinds.get(row.service_kind).progress(row).url,
        "options": row.options.filter(until=None).select_related("option"),
        "periods": row.periods.filter(account=row.account_id).select_related("invoice").order_by("-start")[:24],
        "consumptions": used.order_by("-start")[:24],
        "changes": [(one, may_change and not changes.why_not_undo(one, row, now=now)) for one in made],
        "may_see_invoice": actions.INVOICES.permits(actor),
        "new_prices": [] if row.state == SubscriptionState.TERMINATED else price_notices.announced(row),
        "may_number": actions.ORDER_NUMBER.permits(actor),
        "may_change": may_change and not actions.CHANGE_SUBSCRIPTION.refusal(actor, row),
        "refusal": renewals.open_refusal(row), "may_pause": actions.PAUSE_SUBSCRIPTION.permits(actor),
        "can_rest": not pauses.why_not(row),
        "may_transfer": actions.TRANSFER.permits(actor), "offered": transfers.open_offer(row),
        "may_end": actions.END_SUBSCRIPTION.permits(actor) and row.state != SubscriptionState.TERMINATED,
        "why_not_end": actions.END_SUBSCRIPTION.refusal(actor, row),
    }  # fmt: skip
    return render(request, "invoicing/subscription_detail.html", context)


def _subscription(request: HttpRequest, reference: str) -> Subscription:
    return get_object_or_404(selectors.subscriptions(web.actor(request)), reference=reference)
