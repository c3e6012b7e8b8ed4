"""The staff's pages of invoices: find one, see what it rests on, credit it; down payments."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from invoicing import actions, selectors
from invoicing.accounting import books_selectors
from invoicing.contesting import contesting
from invoicing.forms import CreditForm, DownPaymentForm, FinalInvoiceForm
from invoicing.issuing import downloads, explaining, invoices
from invoicing.models import Entry, Invoice, Order, Subscription
from invoicing.offering import pricing
from invoicing.selling_by_hand import down_payments, repaying
from panel.accounts.models import Account
from panel.core import clock, keyset, web
from panel.core.errors import RuleViolation
from panel.core.money import round_cents

PAGE = 40


@web.page(actions.STAFF_ORDERS)
@require_safe
def order_list(request: HttpRequest) -> HttpResponse:
    """Orders of every customer, newest first."""
    rows = selectors.orders(web.actor(request))
    state = request.GET.get("state", "")
    if state:
        rows = rows.filter(state=state)
    page = Paginator(rows, PAGE).get_page(request.GET.get("page"))
    return render(request, "invoicing/staff_order_list.html", {"page": page, "state": state})


@web.page(actions.STAFF_ORDERS)
@require_safe
def order_detail(request: HttpRequest, reference: str) -> HttpResponse:
    """One order: what was wanted, what it cost, its payments."""
    rows = Order.objects.visible_to(web.actor(request)).select_related("package", "account", "placed_by")
    order = get_object_or_404(rows, reference=reference)
    context = {
        "order": order, "status": selectors.order_status(order), "quotation": pricing.thawed(order.quotation),
        "payments": order.payments.all(),
    }  # fmt: skip
    return render(request, "invoicing/staff_order_detail.html", context)


@web.page(actions.STAFF_INVOICES)
@require_safe
def invoice_list(request: HttpRequest) -> HttpResponse:
    """Invoices of every customer."""
    state, words = request.GET.get("state", ""), request.GET.get("q", "").strip()[:80]
    rows = selectors.invoices(web.actor(request), state=state, words=words)
    page = keyset.page(rows.defer("vat_evidence"), request.GET.get("after", ""))
    context = {
        "page": page, "state": state, "words": words, "filtered": bool(words or state),
        "may_meter": actions.STAFF_METERS.permits(web.actor(request)),
    }  # fmt: skip
    return render(request, "invoicing/staff_invoice_list.html", context)


def _invoice(request: HttpRequest, number: str) -> Invoice:
    return get_object_or_404(selectors.invoices(web.actor(request)), number=number)


@web.page(actions.STAFF_INVOICES)
@require_safe
def invoice_detail(request: HttpRequest, number: str) -> HttpResponse:
    """One document with its entry in the books, its evidence and its place in the chain."""
    invoice, actor = _invoice(request, number), web.actor(request)
    entries = Entry.objects.filter(kind=invoice.kind, ref=invoice.number) | Entry.objects.filter(
        settlement__invoice=invoice
    )
    context = {
        "invoice": invoice, "lines": explaining.lines(invoice), "document": invoice.document,
        "entries": entries.prefetch_related("postings__ledger_account").order_by("pk"),
        **books_selectors.leaving(invoice), "may_books": actions.BOOKS.permits(actor),
        "may_ledger": actions.STAFF_LEDGER.permits(actor),
        "stands": contesting.standing(invoice, at=clock.now()),
        "payments": invoice.payments.all(), "credit_notes": invoice.credit_notes.all(),
        "billed": Subscription.objects.filter(pk__in=invoice.lines.values("subscription")),
        "may_finish": actions.STAFF_FINAL.permits(actor) and not actions.STAFF_FINAL.refusal(actor, invoice),
        "may_write_off": actions.STAFF_SELL.permits(actor) and invoice.due_cents > 0,
        "may_credit": actions.STAFF_CREDIT.permits(actor) and not actions.STAFF_CREDIT.refusal(actor, invoice),
    }  # fmt: skip
    return render(request, "invoicing/staff_invoice_detail.html", context)


@web.page(actions.STAFF_INVOICES)
@require_safe
def invoice_pdf(request: HttpRequest, number: str) -> HttpResponse:
    """The PDF the customer has."""
    return downloads.document(request, _invoice(request, number), downloads.PDF)


@web.page(actions.STAFF_INVOICES)
@require_safe
def invoice_cii(request: HttpRequest, number: str) -> HttpResponse:
    """The e-invoice as CII, as it stands inside the PDF."""
    return downloads.document(request, _invoice(request, number), downloads.CII)


@web.page(actions.STAFF_INVOICES)
@require_safe
def invoice_ubl(request: HttpRequest, number: str) -> HttpResponse:
    """The e-invoice as UBL."""
    return downloads.document(request, _invoice(request, number), downloads.UBL)


def _issued(
    request: HttpRequest, form: forms.Form, issue: Callable[[dict[str, Any]], Invoice], page: str,
    context: dict[str, Any],
) -> HttpResponse:  # fmt: skip
    """The form again with what was refused, or the page of the invoice it made."""
    if request.method == "POST" and form.is_valid():
        try:
            made = issue(form.cleaned_data)
        except RuleViolation as refusal:
            form.add_error(refusal.field if refusal.field in form.fields else None, refusal.sentence)
        else:
            web.say(request, _("Invoice %(number)s is issued.") % {"number": made.number})
            return redirect("invoicing_staff:invoice_detail", made.number)
    status = 422 if request.method == "POST" else 200
    return render(request, page, context | {"form": form}, status=status)


@web.page(actions.STAFF_DOWN_PAYMENT)
def down_payment_new(request: HttpRequest, reference: str) -> HttpResponse:
    """Ask a customer for a down payment (INV-2)."""
    actor, now = web.actor(request), clock.now()
    account = get_object_or_404(Account.objects.visible_to(actor), reference=reference)

    def ask(said: dict[str, Any]) -> Invoice:
        return down_payments.ask(
            account, said["description"], round_cents(said["amount"]), reference=said["reference"],
            once=f"{account.reference}:{said['key']}", actor=actor, now=now,
        )  # fmt: skip

    form = DownPaymentForm(request.POST or None)
    return _issued(request, form, ask, "invoicing/staff_down_payment.html", {"account": account})


@web.page(actions.STAFF_FINAL)
def invoice_final(request: HttpRequest, number: str) -> HttpResponse:
    """Invoice the whole, with the down payment taken off (INV-2)."""
    invoice, actor, now = _invoice(request, number), web.actor(request), clock.now()
    actions.STAFF_FINAL.check(actor, invoice)

    def finish(said: dict[str, Any]) -> Invoice:
        return down_payments.finish(
            invoice, said["description"], said["quantity"], said["unit_price"], once=said["key"], actor=actor, now=now
        )

    form = FinalInvoiceForm(request.POST or None, initial={"description": invoice.lines.all()[0].description})
    return _issued(request, form, finish, "invoicing/staff_invoice_final.html", {"invoice": invoice})


@web.page(actions.STAFF_CREDIT)
def invoice_credit(request: HttpRequest, number: str) -> HttpResponse:
    """Give all or a part of an invoice back, with a reason (INV-2)."""
    invoice, actor, now = _invoice(request, number), web.actor(request), clock.now()
    actions.STAFF_CREDIT.check(actor, invoice)
    left = [line.net - line.credited for line in invoices.creditable(list(invoice.lines.all()))]
    form = CreditForm(request.POST or None, invoice=invoice, left=left)
    if request.method == "POST" and form.is_valid():
        try:
            note = repaying.credit(
                invoice, form.amounts(), reason=form.cleaned_data["reason"], refund=form.cleaned_data["refund"],
                key=form.cleaned_data["key"], actor=actor, now=now,
            )  # fmt: skip
        except RuleViolation as refusal:
            form.add_error(refusal.field if refusal.field in form.fields else None, refusal.sentence)
        else:
            web.say(request, _("Credit note %(number)s is issued.") % {"number": note.number})
            return redirect("invoicing_staff:invoice_detail", invoice.number)
    status = 422 if request.method == "POST" else 200
    return render(request, "invoicing/staff_invoice_credit.html", {"invoice": invoice, "form": form}, status=status)
