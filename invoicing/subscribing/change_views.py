"""The customer's pages that change or end a running subscription, each with its exact cost first (SUB-6, SUB-12)."""

from dataclasses import replace
from typing import Any

from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from invoicing import actions, selectors
from invoicing.models import Option, Subscription, SubscriptionChange
from invoicing.offering import catalogue
from invoicing.subscribing import changes, composing, ending, subscriptions
from invoicing.subscribing.change_forms import ChangeForm, EndForm
from panel.core import clock, web
from panel.core.errors import RuleViolation


def _subscription(request: HttpRequest, reference: str) -> Subscription:
    return get_object_or_404(selectors.subscriptions(web.actor(request)), reference=reference)


def _form(request: HttpRequest, row: Subscription, asked: Any) -> ChangeForm:
    """What is not sold by the present interval cannot be had until the renewal, so it is not offered."""
    now, held = clock.now(), composing.held_by(row).quantities()
    kept = Q(code__in=held) | Q(pk__in=catalogue.options_of(row.package))
    offers = [selectors.offer(one, now, row.account) for one in changes.packages_for(row)]
    extras = [selectors.offer(one, now, row.account) for one in Option.objects.filter(kept)]
    offers = [one for one in offers if one.item == row.package or row.interval in one.by_interval]
    extras = [one for one in extras if one.item.code in held or row.interval in one.by_interval]
    wish = changes.wished(row)
    if (named := request.GET.get("package", "")) in {one.item.code for one in offers}:
        wish = replace(wish, package=named)  # led here by an offer (SUB-9)
    for one in extras:  # or to have one more of it
        had = wish.options.get(one.item.code, 0)
        if one.item.code == request.GET.get("more") and had < getattr(one.item, "maximum", 0):
            wish = replace(wish, options={**wish.options, one.item.code: had + 1})
    return ChangeForm(asked, offers=offers, extras=extras, wish=wish, interval=row.interval)


def _context(row: Subscription, form: ChangeForm) -> dict[str, Any]:
    if form.is_bound:
        form.is_valid()
    try:
        found = changes.preview(row, form.wish(), now=clock.now(), language=get_language() or "")
    except RuleViolation as refusal:
        form.refused(refusal)
        found = None
    return {
        "row": row, "form": form, "found": found, "name": selectors.described([row])[0]["name"],
        "options": [(form[f"option-{one.item.code}"], one) for one in form.extras],
        "chosen": form.wish(), "refusal": actions.CHANGE_SUBSCRIPTION.refusal(None, row),  # type: ignore[arg-type]
    }  # fmt: skip


@web.page(actions.CHANGE_SUBSCRIPTION)
def subscription_change(request: HttpRequest, reference: str) -> HttpResponse:
    """Package, interval and options, what they cost today and from the renewal on, then "Confirm the change"."""
    row, actor = _subscription(request, reference), web.actor(request)
    asked = request.POST if request.method == "POST" else None
    form = _form(request, row, asked)
    refused = False
    if asked is not None and form.is_valid() and "preview" not in asked:
        try:
            made = changes.change(row, form.wish(), key=form.cleaned_data["key"], actor=actor, now=clock.now())
        except RuleViolation as refusal:
            form.refused(refusal)
            refused = True
        else:
            web.say(request, _("Changed.") if made.state == "done" else _("Planned for the renewal."))
            return redirect("invoicing:subscription_detail", row.reference)
    context = _context(row, form)
    status = 422 if refused or (asked is not None and form.errors and "preview" not in asked) else 200
    return render(request, "invoicing/subscription_change.html", context, status=status)


@web.page(actions.CHANGE_SUBSCRIPTION)
@require_safe
def subscription_change_price(request: HttpRequest, reference: str) -> HttpResponse:
    """The price panel alone, for what is chosen just now."""
    row = _subscription(request, reference)
    return render(request, "invoicing/subscription_change.html#price", _context(row, _form(request, row, request.GET)))


@web.page(actions.CHANGE_SUBSCRIPTION)
@require_POST
def subscription_change_undo(request: HttpRequest, reference: str) -> HttpResponse:
    """Take back a planned change, or the one made today."""
    row, actor = _subscription(request, reference), web.actor(request)
    number = request.POST.get("change", "")
    made = get_object_or_404(
        SubscriptionChange, subscription=row, account=row.account_id, pk=int(number) if number.isdecimal() else 0
    )
    changes.undo(made, actor=actor, now=clock.now())
    web.say(request, _("The change is taken back."))
    return redirect("invoicing:subscription_detail", row.reference)


@web.page(actions.END_SUBSCRIPTION)
def subscription_end(request: HttpRequest, reference: str) -> HttpResponse:
    """End it at its term, or at once after its reference was typed; what either costs stands there first (SUB-6)."""
    row, actor, now = _subscription(request, reference), web.actor(request), clock.now()
    asked = request.POST if request.method == "POST" else None
    form, error = EndForm(asked), ""
    if asked is not None and form.is_valid() and "preview" not in asked:
        actions.END_SUBSCRIPTION.check(actor, row)
        if form.cleaned_data["when"] == EndForm.TERM:
            ending.end_at_term(row, form.wishes(), actor=actor, now=now)
            web.say(request, _("The subscription will end at its term. We confirm it by e-mail."))
            return redirect("invoicing:subscription_detail", row.reference)
        if form.cleaned_data["confirm"].strip() == row.reference:
            ending.end_now(row, form.wishes(), actor=actor, now=now)
            web.say(request, _("The subscription has ended. We confirm it by e-mail."))
            return redirect("invoicing:subscription_detail", row.reference)
        error = _("The reference was not typed as shown; nothing has ended.")
    context = _end_context(request, row, form) | {"error": error}
    return render(request, "invoicing/subscription_end.html", context, status=422 if error else 200)


def _end_context(request: HttpRequest, row: Subscription, form: EndForm) -> dict[str, Any]:
    actor, now = web.actor(request), clock.now()
    if form.is_bound:
        form.is_valid()
    given = getattr(form, "cleaned_data", {})
    return {
        "row": row, "name": selectors.described([row])[0]["name"], "wishes": form.wishes(),
        "when": given.get("when") or EndForm.TERM, "refusal": actions.END_SUBSCRIPTION.refusal(actor, row),
        "ending": ending.preview(row, now=now, wishes=form.wishes()), "fees": ending.fees(row),
    }  # fmt: skip


@web.page(actions.END_SUBSCRIPTION)
@require_safe
def subscription_end_price(request: HttpRequest, reference: str) -> HttpResponse:
    """What the end costs, for what is ticked just now."""
    row = _subscription(request, reference)
    return render(request, "invoicing/subscription_end.html#price", _end_context(request, row, EndForm(request.GET)))


@web.page(actions.END_SUBSCRIPTION)
@require_POST
def subscription_keep(request: HttpRequest, reference: str) -> HttpResponse:
    """Take a planned end back."""
    row = _subscription(request, reference)
    ending.keep(row, actor=web.actor(request), now=clock.now())
    web.say(request, _("The subscription goes on and is renewed on its anniversary."))
    return redirect("invoicing:subscription_detail", row.reference)


@web.page(actions.ORDER_NUMBER)
@require_POST
def order_number(request: HttpRequest, reference: str) -> HttpResponse:
    """The buyer's own order number for the service's invoices from now on."""
    row = _subscription(request, reference)
    given = request.POST.get("order_number", "")
    subscriptions.give_order_number(row, given, actor=web.actor(request), now=clock.now())
    web.say(request, _("It stands on the invoices of this service from now on."))
    return redirect("invoicing:subscription_detail", row.reference)
