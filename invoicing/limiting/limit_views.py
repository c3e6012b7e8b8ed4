"""The customer's page of spending and its cap; the staff's page of an account's limits and standing (SUB-4)."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _

from invoicing import actions
from invoicing.limiting import limits, spending
from invoicing.limiting.limit_forms import CapForm
from invoicing.models import SpendingWarning
from invoicing.reviewing import standing
from panel.accounts import selectors as people
from panel.accounts.models import Account
from panel.core import clock, web
from panel.core.errors import RuleViolation

NEWEST = 12


@web.page(actions.SPENDING)
def spending_page(request: HttpRequest) -> HttpResponse:
    """What the month comes to so far, the cap, and the limits of a new account with how they end."""
    actor, now = web.actor(request), clock.now()
    account = people.account(actor)
    form = CapForm(request.POST or None, cents=spending.cap_of(account))
    if request.method == "POST" and form.is_valid():
        cents = form.cents()
        spending.set_cap(account, cents, actor=actor, now=now)
        web.say(request, _("The cap is set.") if cents else _("There is no cap any more."))
        return redirect("invoicing:spending")
    context = {
        "form": form, "limits": limits.of(account, now=now),
        "warnings": SpendingWarning.objects.visible_to(actor).filter(account=account)[:NEWEST],
    }  # fmt: skip
    return render(request, "invoicing/spending.html", context, status=422 if form.errors else 200)


@web.page(actions.STAFF_STANDING)
def customer_standing(request: HttpRequest, reference: str) -> HttpResponse:
    """The limits that bind a customer, the cap they set, and what staff says of them."""
    actor, now = web.actor(request), clock.now()
    account = get_object_or_404(Account.objects.visible_to(actor), reference=reference)
    refused = ""
    if request.method == "POST":
        try:
            _say(request, account)
            return redirect("invoicing_staff:customer_standing", reference)
        except RuleViolation as refusal:
            refused = refusal.sentence
    context = {
        "account": account, "limits": limits.of(account, now=now), "standing": standing.of(account), "refused": refused,
        "warnings": SpendingWarning.objects.filter(account=account)[:NEWEST],
    }  # fmt: skip
    return render(request, "invoicing/staff_customer_standing.html", context, status=422 if refused else 200)


def _say(request: HttpRequest, account: Account) -> None:
    actor, now, why = web.actor(request), clock.now(), request.POST.get("why", "")
    match request.POST.get("word", ""):
        case "competitor" | "no_competitor" as word:
            standing.mark_competitor(account, word == "competitor", why=why, actor=actor, now=now)
            web.say(request, _("Noted; it is asked with every order from now on."))
        case "raise" | "lower" as word:
            standing.raise_limits(account, word == "raise", why=why, actor=actor, now=now)
            web.say(request, _("Noted; it holds from the next order on."))
        case _other:
            raise RuleViolation(_("Please choose what to change."), rule="SUB-4")
