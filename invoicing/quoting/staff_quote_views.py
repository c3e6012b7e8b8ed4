"""The staff's pages of quotes: draw up, send, revise, invoice a stage that is reached."""

from datetime import timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from invoicing import actions
from invoicing.issuing import downloads
from invoicing.models import Quote, QuoteState
from invoicing.quoting import quote_printing, quote_selectors, quote_signing, quotes
from invoicing.quoting.quote_forms import (
    NewQuoteForm,
    OverrunForm,
    QuoteLineForm,
    QuoteOptionForm,
    QuoteTextForm,
    StagesForm,
    refuse,
)
from panel.accounts.models import Account
from panel.core import clock, files, keyset, web
from panel.core.calendars import paris_date
from panel.core.errors import RuleViolation
from panel.core.money import round_cents

VALIDITY = timedelta(days=30)


@web.page(actions.STAFF_QUOTES)
@require_safe
def quote_list(request: HttpRequest) -> HttpResponse:
    """Quotes of every customer, newest first."""
    state, words = request.GET.get("state", ""), request.GET.get("q", "").strip()[:80]
    rows = quote_selectors.found(web.actor(request), state=state, words=words)
    context = {
        "page": keyset.page(rows, request.GET.get("after", "")), "state": state, "words": words,
        "states": QuoteState.choices, "now": clock.now(),
    }  # fmt: skip
    return render(request, "invoicing/staff_quote_list.html", context)


@web.page(actions.STAFF_QUOTE)
def quote_new(request: HttpRequest, account: str) -> HttpResponse:
    """A draft for a customer."""
    actor, now = web.actor(request), clock.now()
    customer = get_object_or_404(Account.objects.visible_to(actor), reference=account)
    form = NewQuoteForm(request.POST or None, initial={"valid_until": paris_date(now) + VALIDITY})
    if request.method == "POST" and form.is_valid():
        quote = quotes.draw_up(customer, **form.cleaned_data, our_manager=actor.name, now=now, actor=actor)
        return redirect("invoicing_staff:quote_detail", quote.reference)
    status = 422 if request.method == "POST" else 200
    return render(request, "invoicing/staff_quote_new.html", {"customer": customer, "form": form}, status=status)


def _quote(request: HttpRequest, reference: str) -> Quote:
    return get_object_or_404(quote_selectors.found(web.actor(request)), reference=reference)


@web.page(actions.STAFF_QUOTES)
@require_safe
def quote_detail(request: HttpRequest, reference: str) -> HttpResponse:
    """A quote; a draft with the forms that change it."""
    return _page(request, _quote(request, reference))


def _page(request: HttpRequest, quote: Quote, status: int = 200, **forms: Any) -> HttpResponse:
    actor, now = web.actor(request), clock.now()
    editable = quote.state == QuoteState.DRAFT and actions.STAFF_QUOTE.permits(actor)
    context = {
        **quote_selectors.parts(quote, now=now), "quote": quote, "now": now,
        "versions": quote_selectors.found(actor).filter(number=quote.number).order_by("-version"),
        "editable": editable, "may": actions.STAFF_QUOTE.permits(actor), "overrun_form": OverrunForm(),
    }  # fmt: skip
    if editable:
        context |= {
            "line_form": QuoteLineForm(),
            "option_form": QuoteOptionForm(quote=quote),
            "text_form": QuoteTextForm(quote=quote),
            "stages_form": StagesForm(quote=quote),
        }
    return render(request, "invoicing/staff_quote_detail.html", context | forms, status=status)


@web.page(actions.STAFF_QUOTE)
@require_POST
def quote_line_add(request: HttpRequest, reference: str) -> HttpResponse:
    """One more line."""
    quote, form = _quote(request, reference), QuoteLineForm(request.POST)
    if form.is_valid():
        try:
            given = form.cleaned_data
            quotes.add_line(quote, **given | {"commitment_months": given["commitment_months"] or 0})
        except RuleViolation as refusal:
            refuse(form, refusal)
        else:
            return redirect("invoicing_staff:quote_detail", reference)
    return _page(request, quote, status=422, line_form=form)


@web.page(actions.STAFF_QUOTE)
@require_POST
def quote_option_add(request: HttpRequest, reference: str) -> HttpResponse:
    """An option beside each service of a line."""
    quote = _quote(request, reference)
    form = QuoteOptionForm(request.POST, quote=quote)
    if form.is_valid():
        given = form.cleaned_data
        try:
            quotes.add_option(
                given["line"], given["option"], quantity=given["quantity"], unit_price=given["unit_price"]
            )
        except RuleViolation as refusal:
            refuse(form, refusal)
        else:
            return redirect("invoicing_staff:quote_detail", reference)
    return _page(request, quote, status=422, option_form=form)


@web.page(actions.STAFF_QUOTE)
@require_POST
def quote_line_remove(request: HttpRequest, reference: str, pk: int) -> HttpResponse:
    """One line less."""
    quotes.remove_line(_quote(request, reference), pk)
    return redirect("invoicing_staff:quote_detail", reference)


@web.page(actions.STAFF_QUOTE)
@require_POST
def quote_change(request: HttpRequest, reference: str) -> HttpResponse:
    """Texts, validity and special numbers."""
    quote = _quote(request, reference)
    form = QuoteTextForm(request.POST, quote=quote)
    if form.is_valid():
        try:
            texts = {name: form.cleaned_data[name] for name in form.base_fields}
            quotes.change(quote, special=form.special(), **texts)
        except RuleViolation as refusal:
            refuse(form, refusal)
        else:
            web.say(request, _("The draft is changed."))
            return redirect("invoicing_staff:quote_detail", reference)
    return _page(request, quote, status=422, text_form=form)


@web.page(actions.STAFF_QUOTE)
@require_POST
def quote_stages(request: HttpRequest, reference: str) -> HttpResponse:
    """The stages, all at once."""
    quote = _quote(request, reference)
    form = StagesForm(request.POST, quote=quote)
    if form.is_valid():
        try:
            quotes.set_stages(quote, form.stages())
        except RuleViolation as refusal:
            form.add_error(None, refusal.sentence)
        else:
            web.say(request, _("The stages are changed."))
            return redirect("invoicing_staff:quote_detail", reference)
    return _page(request, quote, status=422, stages_form=form)


@web.page(actions.STAFF_QUOTE)
@require_POST
def quote_send(request: HttpRequest, reference: str) -> HttpResponse:
    """Freeze it and mail its PDF."""
    quotes.send(_quote(request, reference), now=clock.now(), actor=web.actor(request))
    web.say(request, _("The quote is on its way to the customer."))
    return redirect("invoicing_staff:quote_detail", reference)


@web.page(actions.STAFF_QUOTE)
@require_POST
def quote_revise(request: HttpRequest, reference: str) -> HttpResponse:
    """A new version to change."""
    now = clock.now()
    made = quotes.revise(
        _quote(request, reference), valid_until=paris_date(now) + VALIDITY, now=now, actor=web.actor(request)
    )
    return redirect("invoicing_staff:quote_detail", made.reference)


@web.page(actions.STAFF_QUOTE)
@require_POST
def quote_withdraw(request: HttpRequest, reference: str) -> HttpResponse:
    """Take it back."""
    quotes.withdraw(_quote(request, reference), now=clock.now(), actor=web.actor(request))
    web.say(request, _("The quote is withdrawn."))
    return redirect("invoicing_staff:quote_detail", reference)


@web.page(actions.STAFF_QUOTE)
@require_POST
def quote_stage(request: HttpRequest, reference: str, pk: int) -> HttpResponse:
    """A stage is reached: its invoice leaves."""
    quote = _quote(request, reference)
    stage = get_object_or_404(quote.stages.all(), pk=pk)
    invoice = quote_signing.invoice_stage(stage, now=clock.now(), actor=web.actor(request))
    web.say(request, _("Invoice %(number)s is issued.") % {"number": invoice.number})
    return redirect("invoicing_staff:quote_detail", reference)


@web.page(actions.STAFF_QUOTE)
@require_POST
def quote_overrun(request: HttpRequest, reference: str) -> HttpResponse:
    """The project will cost more than was signed: the customer is told (PRJ-6)."""
    quote, form = _quote(request, reference), OverrunForm(request.POST)
    if form.is_valid():
        try:
            quote_signing.announce_overrun(
                quote, round_cents(form.cleaned_data["amount"]), reason=form.cleaned_data["reason"], now=clock.now(),
                actor=web.actor(request),
            )  # fmt: skip
        except RuleViolation as refusal:
            refuse(form, refusal)
        else:
            web.say(request, _("The customer is told."))
            return redirect("invoicing_staff:quote_detail", reference)
    return _page(request, quote, status=422, overrun_form=form)


@web.page(actions.STAFF_QUOTES)
@require_safe
def quote_pdf(request: HttpRequest, reference: str) -> HttpResponse:
    """The PDF the customer has; of a draft, a preview that is not kept."""
    quote, now = _quote(request, reference), clock.now()
    if quote.state == QuoteState.DRAFT:
        said = quote_printing.document(quote, quotes.totals(quote, now=now), quotes.treatment(quote, now=now), now=now)
        return downloads.pdf(quote_printing.pdf(said), f"{quote.reference}.pdf")
    kept = quote.signed_pdf or quote.pdf
    if kept is None:
        return render(request, "invoicing/quote_wait.html", {"quote": quote}, status=202)
    return downloads.pdf(files.read(kept), kept.name)
