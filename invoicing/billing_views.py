"""The customer's pages of billing: overview, invoices, means of payment."""

import secrets
from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from invoicing import actions, selectors
from invoicing.accounting import ledger
from invoicing.banking import bank_rules
from invoicing.contesting import contesting
from invoicing.debiting import debits, instead, mandates
from invoicing.issuing import downloads, explaining
from invoicing.models import (
    CardSetup,
    Debit,
    DebitState,
    Invoice,
    Mandate,
    MandateState,
    PaymentMethod,
    Transmission,
)
from invoicing.paying import card_setup, means, payment_rules, payments, rejections
from panel.accounts import selectors as people
from panel.core import clock, keyset, web

PAGE = 25


@web.page(actions.INVOICES)
@require_safe
def billing(request: HttpRequest) -> HttpResponse:
    """What is due, what comes, how it is paid."""
    actor, now = web.actor(request), clock.now()
    overview = selectors.overview(people.account(actor), now=now)
    upcoming = selectors.described(overview.upcoming)
    recent = selectors.invoices(actor)[:5]
    context = {"overview": overview, "upcoming": upcoming, "recent": recent, "now": now}
    context["rejection"] = rejections.current(actor.account_id or 0)
    return render(request, "invoicing/billing.html", context)


@web.page(actions.INVOICES)
@require_safe
def invoice_list(request: HttpRequest) -> HttpResponse:
    """Every invoice and credit note, those of ended subscriptions too (INV-13); searchable by number, text and rule."""
    state, words = request.GET.get("state", ""), request.GET.get("q", "").strip()[:80]
    rows = selectors.invoices(web.actor(request), state=state, words=words)
    page = keyset.page(rows.defer("vat_evidence"), request.GET.get("after", ""))
    context = {"page": page, "state": state, "words": words, "filtered": bool(words or state)}
    return render(request, "invoicing/invoice_list.html", context)


def _invoice(request: HttpRequest, number: str) -> Invoice:
    return get_object_or_404(selectors.invoices(web.actor(request)), number=number)


@web.page(actions.INVOICES)
@require_safe
def invoice_detail(request: HttpRequest, number: str) -> HttpResponse:
    """Lines with their rule and evidence, VAT, payments, credit notes, PDF, and the button to pay."""
    invoice, actor = _invoice(request, number), web.actor(request)
    live = invoice.payments.filter(state__in=selectors.LIVE_PAYMENTS).first()
    if live is not None and "back" in request.GET:
        payments.came_back(live, now=clock.now())
        return redirect("invoicing:invoice_detail", invoice.number)
    debit = Debit.objects.filter(payment=live).select_related("mandate").first() if live else None
    withdrawable = debit is not None and debit.state == DebitState.ANNOUNCED
    may_pay = actions.PAY_INVOICE.permits(actor) and not actions.PAY_INVOICE.refusal(actor, invoice)
    context = {
        "invoice": invoice, "lines": explaining.lines(invoice, reader=actor),
        "document": invoice.document, "settlements": invoice.settlements.all(), "live": live,
        "credit_notes": invoice.credit_notes.all(), "topic": f"account:{invoice.account_id}",
        "may_pay": may_pay and (live is None or withdrawable),
        "gives_way": instead.warning(debit, get_language()) if debit and withdrawable else "",
        "stands": contesting.standing(invoice, at=clock.now()), "may_contest": actions.CONTEST.permits(actor),
        "sees_requests": actor.may("tickets"),
        "transmission": Transmission.objects.filter(invoice=invoice).first(),
        "debit": debit, "in_a_file": instead.IN_A_FILE,
        "means": selectors.means_for(invoice).exclude(pk=live.method_id or 0 if live else 0),
        "funds": ledger.funds(invoice.account),
        "too_little": invoice.due_cents < payment_rules.SMALLEST_CENTS,
    }  # fmt: skip
    if invoice.due_cents:
        context["transfer_reference"] = bank_rules.structured(invoice.number)
        context["seller_iban"] = settings.CLAUSE_SELLER["iban"]
    page = live.action_url if live else ""
    return with_page(request, "invoicing/invoice_detail.html", ("payment", "state"), context, page)


def with_page(
    request: HttpRequest, template: str, parts: tuple[str, ...], context: dict[str, Any], page: str
) -> HttpResponse:
    """The page or one of its live parts; who has just asked for the provider's page is led there once it is open."""
    context["go"] = "go" in request.GET
    asked = request.GET.get("part", "")
    if asked not in parts:
        return redirect(page) if context["go"] and page else render(request, template, context)
    answer = render(request, f"{template}#{asked}", context)
    if context["go"] and page:
        answer["HX-Redirect"] = page
    return answer


@web.page(actions.INVOICES)
@require_safe
def invoice_pdf(request: HttpRequest, number: str) -> HttpResponse:
    """The PDF as it was rendered once; a page that says so while it is still being made."""
    return downloads.document(request, _invoice(request, number), downloads.PDF)


@web.page(actions.INVOICES)
@require_safe
def invoice_cii(request: HttpRequest, number: str) -> HttpResponse:
    """The e-invoice as CII, as it stands inside the PDF."""
    return downloads.document(request, _invoice(request, number), downloads.CII)


@web.page(actions.INVOICES)
@require_safe
def invoice_ubl(request: HttpRequest, number: str) -> HttpResponse:
    """The e-invoice as UBL."""
    return downloads.document(request, _invoice(request, number), downloads.UBL)


@web.page(actions.PAY_INVOICE)
@require_POST
def invoice_pay(request: HttpRequest, number: str) -> HttpResponse:
    """Pay what is due: with a kept card, or at the provider's page."""
    invoice, actor = _invoice(request, number), web.actor(request)
    actions.PAY_INVOICE.check(actor, invoice)
    page = reverse("invoicing:invoice_detail", args=[invoice.number])
    chosen = request.POST.get("method", "")
    method = get_object_or_404(selectors.means(invoice.account), pk=int(chosen)) if chosen.isdecimal() else None
    _payment, withdrawn = instead.pay(
        invoice, key=f"invoice:{invoice.number}:{invoice.payments.count() + 1}", actor=actor, now=clock.now(),
        method=method, return_url=request.build_absolute_uri(page) + "?back=1", keep="keep" in request.POST,
    )  # fmt: skip
    if withdrawn is not None:
        web.say(request, instead.said(withdrawn, get_language()))
    return redirect(page if method else f"{page}?go=1")


# --- means of payment ------------------------------------------------------------------------------------------------


@web.page(actions.MEANS)
@require_safe
def means_list(request: HttpRequest) -> HttpResponse:
    """The cards on file; the default one pays renewals (INV-5)."""
    account = people.account(web.actor(request))
    setup = CardSetup.objects.filter(account=account).first()
    if setup is not None and "back" in request.GET:
        card_setup.came_back(setup, now=clock.now())
        return redirect("invoicing:means_list")
    live = setup if setup is not None and setup.state in card_setup.LIVE else None
    context = {
        "rows": selectors.means(account), "rejection": rejections.current(account.pk), "setup": live,
        "topic": f"account:{account.pk}",
        "key": secrets.token_urlsafe(18), "own_mandates": mandates.offered(),
        "to_sign": Mandate.objects.filter(account=account, state=MandateState.DRAFT).first(),
    }  # fmt: skip
    return with_page(request, "invoicing/means_list.html", ("means",), context, live.action_url if live else "")


@web.page(actions.MEANS)
@require_POST
def means_add(request: HttpRequest) -> HttpResponse:
    """Ask for the provider's page that keeps a card; its number never passes here."""
    actor = web.actor(request)
    key = request.POST.get("key", "")[:64]
    if not key:
        raise Http404
    back = request.build_absolute_uri(reverse("invoicing:means_list")) + "?back=1"
    account = people.account(actor)
    kind = "sepa" if request.POST.get("kind") == "sepa" else "card"
    if kind == "sepa" and mandates.offered():  # our own take the place of the provider's
        return redirect("invoicing:mandate_new")
    card_setup.begin(account, return_url=back, key=f"{account.pk}:{key}", actor=actor, now=clock.now(), kind=kind)
    return redirect(reverse("invoicing:means_list") + "?go=1")


def _means(request: HttpRequest, pk: int) -> PaymentMethod:
    return get_object_or_404(selectors.means(people.account(web.actor(request))), pk=pk)


@web.page(actions.MEANS)
@require_POST
def means_default(request: HttpRequest, pk: int) -> HttpResponse:
    """This one pays renewals from now on."""
    means.make_default(_means(request, pk), actor=web.actor(request), now=clock.now())
    web.say(request, _("Invoices are collected from this means from now on."))
    return redirect("invoicing:means_list")


@web.page(actions.MEANS)
@require_POST
def means_remove(request: HttpRequest, pk: int) -> HttpResponse:
    """Forget a card, here and at the provider."""
    method, now = _means(request, pk), clock.now()
    mandate = Mandate.objects.filter(method=method).first()
    if mandate is not None:
        debits.end_mandate(mandate, MandateState.CANCELLED, now=now)
    else:
        means.remove(method, actor=web.actor(request), now=now)
    web.say(request, _("It is removed; nothing can be collected from it any more."))
    return redirect("invoicing:means_list")
