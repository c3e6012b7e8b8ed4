"""The customer's pages of quotes: read, sign or decline, and set up what was signed."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from invoicing import actions
from invoicing.issuing import downloads
from invoicing.models import Quote, QuoteState
from invoicing.quoting import quote_selectors, quote_signing, quotes
from invoicing.quoting.quote_forms import DeclineForm, SetUpForm, SignForm, refuse
from panel import terms
from panel.accounts import selectors as people
from panel.core import clock, files, keyset, web
from panel.core.errors import RuleViolation


@web.page(actions.QUOTES)
@require_safe
def quote_list(request: HttpRequest) -> HttpResponse:
    """Every quote that was sent to the account, newest first."""
    rows = quote_selectors.sent(web.actor(request))
    context = {"page": keyset.page(rows, request.GET.get("after", "")), "now": clock.now()}
    return render(request, "invoicing/quote_list.html", context)


def _quote(request: HttpRequest, reference: str) -> Quote:
    return get_object_or_404(quote_selectors.sent(web.actor(request)), reference=reference)


@web.page(actions.QUOTES)
@require_safe
def quote_detail(request: HttpRequest, reference: str) -> HttpResponse:
    """What is offered, until when, and the form to sign it."""
    return _page(request, _quote(request, reference))


def _page(request: HttpRequest, quote: Quote, status: int = 200, **forms: Any) -> HttpResponse:
    actor, now = web.actor(request), clock.now()
    open_ = quote.state == QuoteState.SENT and quote.pdf is not None
    context = {
        **quote_selectors.parts(quote, now=now), "quote": quote, "now": now,
        "terms": terms.version(quote.terms_version), "topic": f"account:{quote.account_id}",
        "may_sign": open_ and actions.SIGN_QUOTE.permits(actor), "waits": quote.state == QuoteState.SENT and not open_,
        "may_order": quote.state == QuoteState.SIGNED and actions.SIGN_QUOTE.permits(actor),
        "form": SignForm(initial={"sha256": quote.pdf.sha256 if quote.pdf else "", "name": actor.name}),
        "decline_form": DeclineForm(),
    }  # fmt: skip
    return render(request, "invoicing/quote_detail.html", context | forms, status=status)


@web.page(actions.QUOTES)
@require_safe
def quote_pdf(request: HttpRequest, reference: str) -> HttpResponse:
    """The PDF as it was sent; once signed, the signed copy."""
    quote = _quote(request, reference)
    kept = quote.signed_pdf or quote.pdf
    if kept is None:
        return render(request, "invoicing/quote_wait.html", {"quote": quote}, status=202)
    return downloads.pdf(files.read(kept), kept.name)


@web.page(actions.SIGN_QUOTE)
@require_POST
def quote_sign(request: HttpRequest, reference: str) -> HttpResponse:
    """The signature (PRJ-1)."""
    quote, actor, form = _quote(request, reference), web.actor(request), SignForm(request.POST)
    if form.is_valid():
        given = form.cleaned_data
        try:
            quote_signing.sign(
                quote, name=given["name"], sha256=given["sha256"], client_manager=given["client_manager"],
                accepted=terms.version(quote.terms_version).order_documents, actor=actor, ip=actor.ip, now=clock.now(),
            )  # fmt: skip
        except RuleViolation as refusal:
            refuse(form, refusal)
        else:
            web.say(request, _("The quote is signed. The signed copy is sent to you by e-mail."))
            return redirect("invoicing:quote_detail", reference)
    return _page(request, quote, status=422, form=form)


@web.page(actions.SIGN_QUOTE)
@require_POST
def quote_decline(request: HttpRequest, reference: str) -> HttpResponse:
    """No, with the reason."""
    quote, form = _quote(request, reference), DeclineForm(request.POST)
    if form.is_valid():
        quotes.decline(quote, reason=form.cleaned_data["reason"], now=clock.now(), actor=web.actor(request))
        web.say(request, _("Thank you. We have your answer."))
        return redirect("invoicing:quote_detail", reference)
    return _page(request, quote, status=422, decline_form=form)


@web.page(actions.SIGN_QUOTE)
def quote_order(request: HttpRequest, reference: str, pk: int) -> HttpResponse:
    """Set up one service of a signed quote; its order is then paid like any other."""
    quote, actor = _quote(request, reference), web.actor(request)
    account = people.account(actor)
    line = get_object_or_404(quote.lines.select_related("package", "quote").exclude(package=None), pk=pk)
    form = SetUpForm(request.POST or None, line=line, account=account)
    if request.method == "POST" and form.is_valid():
        try:
            key = f"quote:{quote.reference}:{form.cleaned_data['key']}"[:80]
            order = quote_signing.order(line, form.answers(), key=key, now=clock.now(), actor=actor, ip=actor.ip)
        except RuleViolation as refusal:
            refuse(form, refusal)
        else:
            return redirect("invoicing:order_detail", order.reference)
    status = 422 if request.method == "POST" else 200
    context = {"quote": quote, "line": line, "form": form, "left": quote_signing.left(line)}
    return render(request, "invoicing/quote_order.html", context, status=status)
