"""The customer's pages of a mandate: give an account, read, sign, look at it, end it."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from invoicing import actions
from invoicing.debiting import debits, mandate_signing, mandates
from invoicing.debiting.debit_forms import MandateForm, SignMandateForm
from invoicing.issuing import downloads
from invoicing.models import Mandate, MandateState
from invoicing.quoting.quote_forms import refuse
from panel.accounts import selectors as people
from panel.core import clock, web
from panel.core.errors import RuleViolation

SHOWN = 12


@web.page(actions.MANDATE)
def mandate_new(request: HttpRequest) -> HttpResponse:
    """The account number; with `replaces` the mandate that the new one takes the place of."""
    actor = web.actor(request)
    account = people.account(actor)
    named = request.GET.get("replaces", "")
    old = get_object_or_404(_rows(request), reference=named, state=MandateState.ACTIVE) if named else None
    if not mandates.offered():
        raise RuleViolation(_("We collect no direct debits under mandates of our own."), rule="INV-5")
    form = MandateForm(request.POST or None, initial={"holder": old.holder if old else str(account)[:70]})
    if request.method == "POST" and form.is_valid():
        try:
            made = mandates.draw_up(account, **form.cleaned_data, replaces=old, actor=actor, now=clock.now())
        except RuleViolation as refusal:
            refuse(form, refusal)
        else:
            return redirect("invoicing:mandate_detail", made.reference)
    return render(request, "invoicing/mandate_new.html", {"form": form, "old": old}, status=422 if form.errors else 200)


def _rows(request: HttpRequest) -> Any:
    return Mandate.objects.visible_to(web.actor(request)).select_related("account", "replaces", "method", "pdf")


def _mandate(request: HttpRequest, reference: str) -> Mandate:
    found: Mandate = get_object_or_404(_rows(request), reference=reference)
    return found


@web.page(actions.MANDATE)
@require_safe
def mandate_detail(request: HttpRequest, reference: str) -> HttpResponse:
    """To be signed: the document and the form. Signed: its facts, its debits, its end."""
    return _page(request, _mandate(request, reference))


def _page(request: HttpRequest, mandate: Mandate, form: SignMandateForm | None = None) -> HttpResponse:
    actor = web.actor(request)
    ready = mandate.state == MandateState.DRAFT and mandate.pdf is not None
    context = {
        "mandate": mandate, "topic": f"account:{mandate.account_id}", "ready": ready,
        "form": form or SignMandateForm(initial={"sha256": mandate.pdf_sha256, "name": actor.name}),
        "debits": mandate.debits.select_related("invoice").order_by("-debit_on", "-pk")[:SHOWN],
    }  # fmt: skip
    if request.GET.get("part") == "sign":
        return render(request, "invoicing/mandate_detail.html#sign", context)
    return render(request, "invoicing/mandate_detail.html", context, status=422 if form else 200)


@web.page(actions.MANDATE)
@require_safe
def mandate_pdf(request: HttpRequest, reference: str) -> HttpResponse:
    """The document as it is to be signed; the signed copy afterwards."""
    mandate = _mandate(request, reference)
    found = mandates.document(mandate)
    if found is None:
        return redirect("invoicing:mandate_detail", reference)
    return downloads.pdf(*found)


@web.page(actions.MANDATE)
@require_POST
def mandate_sign(request: HttpRequest, reference: str) -> HttpResponse:
    """The signature (INV-5)."""
    mandate, actor, form = _mandate(request, reference), web.actor(request), SignMandateForm(request.POST)
    if form.is_valid():
        given = form.cleaned_data
        try:
            mandate_signing.sign(
                mandate, name=given["name"], sha256=given["sha256"], default=given["default"], actor=actor, ip=actor.ip,
                now=clock.now(),
            )  # fmt: skip
        except RuleViolation as refusal:
            refuse(form, refusal)
        else:
            web.say(request, _("The mandate is signed. Each debit is announced to you beforehand."))
            return redirect("invoicing:mandate_detail", reference)
    return _page(request, mandate, form)


@web.page(actions.END_MANDATE)
@require_POST
def mandate_end(request: HttpRequest, reference: str) -> HttpResponse:
    """Nothing more is collected under it, but what the bank has already."""
    mandate = _mandate(request, reference)
    actions.END_MANDATE.check(web.actor(request), mandate)
    signed = mandate.state == MandateState.ACTIVE
    debits.end_mandate(mandate, MandateState.CANCELLED, told=signed, now=clock.now())
    web.say(request, _("It is ended; nothing more is collected from this account."))
    return redirect("invoicing:means_list")
