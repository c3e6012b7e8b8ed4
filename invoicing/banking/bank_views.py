"""The staff's pages of bank transfers: take the bank's file in, and say whose a transfer is that names no invoice."""

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _

from invoicing import actions
from invoicing.banking import bank_files
from invoicing.forms import BankFileForm, MatchForm
from invoicing.models import BankReceipt
from panel.core import clock, web
from panel.core.errors import RuleViolation

PAGE = 40


@web.page(actions.STAFF_BANK)
def bank_list(request: HttpRequest) -> HttpResponse:
    """Transfers that wait for a person, or all of them, and the form that takes a file in."""
    form = BankFileForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data["file"]
        try:
            row, new = bank_files.take_in(given.read(), name=given.name, actor=web.actor(request), now=clock.now())
        except RuleViolation as refusal:
            form.add_error("file", refusal.sentence)
        else:
            told = _("The file is being taken in; it tells of %(found)s entries.") % {"found": row.receipts_found}
            web.say(request, told if new else _("This file was known; nothing changed."))
            return redirect("invoicing_staff:bank_list")
    state = request.GET.get("state", BankReceipt.State.WAITING)
    rows = BankReceipt.objects.select_related("account", "batch", "payout", "payment__invoice")
    if state in BankReceipt.State.values:
        rows = rows.filter(state=state)
    context = {
        "page": Paginator(rows, PAGE).get_page(request.GET.get("page")), "state": state, "form": form,
        "files": bank_files.latest(),
    }  # fmt: skip
    return render(request, "invoicing/staff_bank_list.html", context, status=422 if form.errors else 200)


@web.page(actions.STAFF_BANK)
def bank_receipt(request: HttpRequest, pk: int) -> HttpResponse:
    """One transfer: match it with an invoice, a customer or a payout, or set it aside with a reason."""
    rows = BankReceipt.objects.select_related("account", "batch", "payout", "payment__invoice", "file")
    receipt = get_object_or_404(rows, pk=pk)
    form = MatchForm(request.POST or None, cents=receipt.cents)
    if request.method == "POST" and form.is_valid():
        try:
            if form.cleaned_data["wanted"]:
                bank_files.match(receipt, form.cleaned_data["wanted"], actor=web.actor(request), now=clock.now())
            elif payout := form.cleaned_data.get("payout"):
                bank_files.match_payout(receipt, payout, actor=web.actor(request), now=clock.now())
            else:
                bank_files.set_aside(receipt, form.cleaned_data["reason"], now=clock.now())
        except RuleViolation as refusal:
            form.add_error(refusal.field if refusal.field in form.fields else None, refusal.sentence)
        else:
            return redirect("invoicing_staff:bank_list")
    context = {"receipt": receipt, "form": form, "open": receipt.state != BankReceipt.State.MATCHED}
    return render(request, "invoicing/staff_bank_receipt.html", context, status=422 if form.errors else 200)
