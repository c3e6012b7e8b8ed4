"""The staff's pages for what is done by hand: invoices, payments, write-offs."""

from typing import Any

from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from invoicing import actions, rules, selectors
from invoicing.funding import funds
from invoicing.issuing import downloads, printing
from invoicing.models import BankReceipt, DraftInvoice, Invoice, ManualPayment, PaidBack, Payment, Unmet, WriteOff
from invoicing.quoting.quote_forms import refuse
from invoicing.selling_by_hand import giving_up, manual_sales, paying_back, taking_back, unmet, writing_off
from invoicing.selling_by_hand.sales_forms import (
    DraftLineForm,
    ManualPaymentForm,
    NewDraftForm,
    PaidBackForm,
    TakeBackForm,
    WriteOffForm,
)
from panel.accounts.models import Account
from panel.core import clock, web
from panel.core.calendars import paris_date
from panel.core.errors import RuleViolation
from panel.core.money import round_cents

RECORDED = 10  # payments by hand that are shown


def _customer(request: HttpRequest, reference: str) -> Account:
    return get_object_or_404(Account.objects.visible_to(web.actor(request)), reference=reference)


@web.page(actions.STAFF_SELL)
def draft_new(request: HttpRequest, account: str) -> HttpResponse:
    """Begin an invoice by hand; drafts that wait are shown first."""
    customer, form = _customer(request, account), NewDraftForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        draft = manual_sales.draw_up(customer, **form.cleaned_data, now=clock.now(), actor=web.actor(request))
        return redirect("invoicing_staff:draft_detail", draft.pk)
    waiting = DraftInvoice.objects.filter(account=customer, invoice=None, discarded_at=None)
    context = {"customer": customer, "form": form, "waiting": waiting}
    return render(request, "invoicing/staff_draft_new.html", context, status=422 if form.errors else 200)


def _draft(request: HttpRequest, pk: int) -> DraftInvoice:
    rows = DraftInvoice.objects.visible_to(web.actor(request)).select_related("account", "invoice")
    return get_object_or_404(rows.filter(discarded_at=None), pk=pk)


@web.page(actions.STAFF_SELL)
@require_safe
def draft_detail(request: HttpRequest, pk: int) -> HttpResponse:
    """The draft with its lines and what it comes to; the way to issue it."""
    return _page(request, _draft(request, pk), DraftLineForm())


def _page(request: HttpRequest, draft: DraftInvoice, form: DraftLineForm, status: int = 200) -> HttpResponse:
    if draft.invoice is not None:
        return redirect("invoicing_staff:invoice_detail", draft.invoice.number)
    taxed = manual_sales.treatment(draft, now=clock.now())
    listed = manual_sales.lines(draft, taxed)
    totals = rules.total_of(listed)
    context: dict[str, Any] = {
        "draft": draft, "form": form, "lines": list(zip(draft.lines.all(), listed, strict=True)),
        "treatment": taxed, "totals": [("", totals)] if listed else [],
    }  # fmt: skip
    return render(request, "invoicing/staff_draft_detail.html", context, status=status)


@web.page(actions.STAFF_SELL)
@require_POST
def draft_line_add(request: HttpRequest, pk: int) -> HttpResponse:
    """One more line."""
    draft, form = _draft(request, pk), DraftLineForm(request.POST)
    if form.is_valid():
        try:
            manual_sales.add_line(draft, **form.cleaned_data)
        except RuleViolation as refusal:
            refuse(form, refusal)
        else:
            return redirect("invoicing_staff:draft_detail", pk)
    return _page(request, draft, form, status=422)


@web.page(actions.STAFF_SELL)
@require_POST
def draft_line_remove(request: HttpRequest, pk: int, line: int) -> HttpResponse:
    """One line less."""
    manual_sales.remove_line(_draft(request, pk), line)
    return redirect("invoicing_staff:draft_detail", pk)


@web.page(actions.STAFF_SELL)
@require_safe
def draft_pdf(request: HttpRequest, pk: int) -> HttpResponse:
    """The preview as PDF, marked as no invoice."""
    document = manual_sales.preview(_draft(request, pk), now=clock.now())
    return downloads.pdf(printing.pdf(document), f"draft-{pk}.pdf")


@web.page(actions.STAFF_SELL)
@require_POST
def draft_issue(request: HttpRequest, pk: int) -> HttpResponse:
    """It becomes an invoice."""
    invoice = manual_sales.issue(_draft(request, pk), now=clock.now(), actor=web.actor(request))
    web.say(request, _("Invoice %(number)s is issued.") % {"number": invoice.number})
    return redirect("invoicing_staff:invoice_detail", invoice.number)


@web.page(actions.STAFF_SELL)
@require_POST
def draft_discard(request: HttpRequest, pk: int) -> HttpResponse:
    """Throw it away."""
    draft = _draft(request, pk)
    manual_sales.discard(draft, now=clock.now())
    web.say(request, _("The draft is thrown away; nothing was numbered."))
    return redirect("console:customer_detail", draft.account.reference)


@web.page(actions.STAFF_SELL)
def payment_new(request: HttpRequest, account: str) -> HttpResponse:
    """Record a transfer or a cheque."""
    customer, actor, now = _customer(request, account), web.actor(request), clock.now()
    given_up = WriteOff.objects.filter(account=customer, state=WriteOff.State.DONE)
    unpaid = selectors.invoices(actor, state="open").filter(account=customer)
    payable = selectors.invoices(actor).filter(Q(pk__in=unpaid.values("pk")) | Q(write_offs__in=given_up)).distinct()
    form = ManualPaymentForm(
        request.POST or None, open_invoices=payable,
        initial={"received_on": paris_date(now), "invoice": request.GET.get("invoice", "")},
    )  # fmt: skip
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        try:
            manual_sales.record_payment(
                customer, round_cents(given["amount"]), means=given["means"], reference=given["reference"],
                received_on=given["received_on"], invoice=given["invoice"], now=now, actor=actor,
            )  # fmt: skip
        except RuleViolation as refusal:
            refuse(form, refusal)
        else:
            web.say(request, _("The payment is recorded."))
            return redirect("console:customer_detail", customer.reference)
    recorded = ManualPayment.objects.filter(account=customer)[:RECORDED]
    context = {"customer": customer, "form": form, "unpaid": unpaid, "recorded": recorded}
    return render(request, "invoicing/staff_payment_new.html", context, status=422 if form.errors else 200)


@web.page(actions.STAFF_SELL)
def manual_payment(request: HttpRequest, pk: int) -> HttpResponse:
    """A payment that was recorded by hand or matched; take it back, with a reason."""
    actor, now = web.actor(request), clock.now()
    rows = ManualPayment.objects.visible_to(actor).select_related("account", "invoice", "recorded_by")
    payment = get_object_or_404(rows, pk=pk)
    form = TakeBackForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            approval = taking_back.ask(payment, reason=form.cleaned_data["reason"], actor=actor, now=now)
        except RuleViolation as refusal:
            refuse(form, refusal)
        else:
            done = approval.state == approval.State.GRANTED
            web.say(request, _("Taken back.") if done else _("Another person must agree before it is taken back."))
            return redirect("invoicing_staff:manual_payment", pk)
    context = {
        "payment": payment, "form": form, "taken_back": manual_sales.is_taken_back(payment),
        "asked": taking_back.asked(payment), "large": taking_back.needed(payment, now) > 1,
        "threshold": giving_up.threshold(payment.account, now), "entries": taking_back.entries(payment),
        "unmet": unmet.of(payment), "may_settle": actions.STAFF_SELL.permits(actor),
        "receipt": BankReceipt.objects.filter(payment=payment).first(),
        "may_ledger": actions.STAFF_LEDGER.permits(actor),
    }  # fmt: skip
    return render(request, "invoicing/staff_manual_payment.html", context, status=422 if form.errors else 200)


@web.page(actions.STAFF_SELL)
@require_POST
def unmet_close(request: HttpRequest, pk: int) -> HttpResponse:
    """What was agreed upon and could not be carried out is settled otherwise."""
    actor = web.actor(request)
    row = get_object_or_404(Unmet.objects.visible_to(actor).select_related("payment"), pk=pk)
    unmet.close(row, actor=actor, now=clock.now())
    web.say(request, _("It waits for nobody any more."))
    if row.payment is not None:
        return redirect("invoicing_staff:payment_detail", row.payment.reference)
    return redirect("invoicing_staff:manual_payment", row.received_id)


@web.page(actions.STAFF_GIVE_BACK)
def paid_back(request: HttpRequest, account: str) -> HttpResponse:
    """Record what the bank sent back to a customer; what was sent before, and whether the bank's files showed it."""
    customer, actor, now = _customer(request, account), web.actor(request), clock.now()
    form = PaidBackForm(request.POST or None, initial={"paid_on": paris_date(now)})
    if request.method == "POST" and form.is_valid():
        given = dict(form.cleaned_data)
        try:
            paying_back.record(customer, round_cents(given.pop("amount")), **given, now=now, actor=actor)
        except RuleViolation as refusal:
            refuse(form, refusal)
        else:
            web.say(request, _("The transfer is recorded."))
            return redirect("invoicing_staff:paid_back", account)
    rows = PaidBack.objects.filter(account=customer).select_related("recorded_by")
    context = {"customer": customer, "form": form, "rows": rows, "most": funds.balance(customer)}
    return render(request, "invoicing/staff_paid_back.html", context, status=422 if form.errors else 200)


@web.page(actions.STAFF_SELL)
def invoice_write_off(request: HttpRequest, number: str) -> HttpResponse:
    """Give up what is due, with a reason."""
    invoice: Invoice = get_object_or_404(selectors.invoices(web.actor(request)), number=number)
    form = WriteOffForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            row = writing_off.write_off(
                invoice, reason=form.cleaned_data["reason"], now=clock.now(), actor=web.actor(request)
            )
        except RuleViolation as refusal:
            refuse(form, refusal)
        else:
            done = row.state == WriteOff.State.DONE
            web.say(request, _("Written off.") if done else _("Another person must agree before it is written off."))
            return redirect("invoicing_staff:invoice_detail", invoice.number)
    context = {
        "invoice": invoice, "form": form, "large": invoice.due_cents > writing_off.threshold(invoice),
        "threshold": writing_off.threshold(invoice),
        "rows": WriteOff.objects.filter(invoice=invoice).select_related("asked_by"),
    }  # fmt: skip
    return render(request, "invoicing/staff_write_off.html", context, status=422 if form.errors else 200)


@web.page(actions.STAFF_SELL)
def payment_write_off(request: HttpRequest, reference: str) -> HttpResponse:
    """Give up funds that were spent before a bank took them back, with a reason."""
    actor, now = web.actor(request), clock.now()
    payment: Payment = get_object_or_404(selectors.payments(actor), reference=reference)
    form = WriteOffForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            approval = giving_up.ask(payment, reason=form.cleaned_data["reason"], actor=actor, now=now)
        except RuleViolation as refusal:
            refuse(form, refusal)
        else:
            done = approval.state == approval.State.GRANTED
            web.say(request, _("Written off.") if done else _("Another person must agree before it is written off."))
            return redirect("invoicing_staff:payment_detail", reference)
    dispute, most = giving_up.owed_of(payment), giving_up.threshold(payment.account, now)
    context = {
        "payment": payment, "form": form, "owed": dispute.left if dispute else 0, "threshold": most,
        "large": dispute is not None and dispute.left > most,
    }  # fmt: skip
    return render(request, "invoicing/staff_payment_write_off.html", context, status=422 if form.errors else 200)
