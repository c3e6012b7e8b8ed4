"""The staff's pages of what decides VAT: a customer's number and its proof, the member states' rates (INV-10)."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from invoicing import actions, vies
from invoicing.issuing import parties
from invoicing.models import VatRate
from invoicing.taxing import tax_selectors, vat_checks, vat_rates
from invoicing.taxing.tax_forms import TaxIdentityForm, VatRateForm
from panel.accounts import profile, terms_in_force
from panel.accounts.models import Account
from panel.core import clock, web
from panel.core.errors import RuleViolation


def _account(request: HttpRequest, reference: str) -> Account:
    return get_object_or_404(Account.objects.visible_to(web.actor(request)), reference=reference)


@web.page(actions.STAFF_VAT)
@require_safe
def customer_vat(request: HttpRequest, reference: str) -> HttpResponse:
    """How a customer is taxed today, on what that rests, and each answer of the register."""
    account, now, actor = _account(request, reference), clock.now(), web.actor(request)
    version = terms_in_force.at(account, now)
    try:
        treatment, refusal = parties.vat_treatment(account, version, now=now), ""
    except RuleViolation as missing:
        treatment, refusal = None, missing.sentence
    context = {
        "account": account, "refusal": refusal, "checks": tax_selectors.checks(account),
        "evidence": parties.vat_evidence(account, treatment) if treatment else {}, "simulated": vies.get().simulated,
        "wants_proof": vat_checks.wants_proof(account), "waiting": tax_selectors.question_waits(account),
        "may_change": actions.STAFF_VAT_CHANGE.permits(actor), "vat": version.vat,
    }  # fmt: skip
    return render(request, "invoicing/staff_customer_vat.html", context)


@web.page(actions.STAFF_VAT_CHANGE)
@require_POST
def customer_vat_ask(request: HttpRequest, reference: str) -> HttpResponse:
    """Ask the register now."""
    vat_checks.ask_again(_account(request, reference), actor=web.actor(request), now=clock.now())
    web.say(request, _("The register is being asked; its answer will stand here."))
    return redirect("invoicing_staff:customer_vat", reference)


@web.page(actions.STAFF_VAT_CHANGE)
def customer_vat_change(request: HttpRequest, reference: str) -> HttpResponse:
    """Another kind, country or number; what was issued stays as it is."""
    account = _account(request, reference)
    form = TaxIdentityForm(request.POST or None, instance=account)
    if request.method == "POST" and form.is_valid():
        try:
            profile.change_tax_identity(account.pk, form.cleaned_data, actor=web.actor(request), now=clock.now())
        except RuleViolation as refusal:
            form.add_error(refusal.field if refusal.field in form.fields else None, refusal.sentence)
        else:
            web.say(request, _("Saved. It decides the tax of the next invoice; issued ones stay as they are."))
            return redirect("invoicing_staff:customer_vat", reference)
    status = 422 if request.method == "POST" else 200
    context = {"account": account, "form": form}
    return render(request, "invoicing/staff_customer_vat_change.html", context, status=status)


@web.page(actions.VAT_RATES)
@require_safe
def rate_list(request: HttpRequest) -> HttpResponse:
    """The rate of each member state today, what comes next, and how near the threshold is."""
    return _rates(request, VatRateForm())


def _rates(request: HttpRequest, form: VatRateForm, status: int = 200) -> HttpResponse:
    now = clock.now()
    context = {
        "form": form, "states": tax_selectors.states(now), "threshold": tax_selectors.threshold(now),
        "entered": VatRate.objects.filter(kept=True).order_by("-pk"),
    }  # fmt: skip
    return render(request, "invoicing/staff_vat_rates.html", context, status=status)


@web.page(actions.VAT_RATES)
@require_POST
def rate_enter(request: HttpRequest) -> HttpResponse:
    """A new rate from a day on."""
    form = VatRateForm(request.POST)
    if form.is_valid():
        new = form.cleaned_data
        try:
            vat_rates.enter(new["country"], new["rate"], new["since"], source=new["source"], actor=web.actor(request),
                            now=clock.now())  # fmt: skip
        except RuleViolation as refusal:
            form.add_error(refusal.field if refusal.field in form.fields else None, refusal.sentence)
        else:
            web.say(request, _("The rate is entered; it counts from its day on."))
            return redirect("invoicing_staff:rate_list")
    return _rates(request, form, status=422)


@web.page(actions.VAT_RATES)
@require_POST
def rate_withdraw(request: HttpRequest, pk: int) -> HttpResponse:
    """A rate entered by mistake."""
    vat_rates.withdraw(get_object_or_404(VatRate, pk=pk).pk, actor=web.actor(request), now=clock.now())
    web.say(request, _("The rate is withdrawn; documents issued with it stay as they are."))
    return redirect("invoicing_staff:rate_list")
