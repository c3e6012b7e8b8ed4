"""The statement of account as page, PDF and CSV: for the customer, and for staff about a customer."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.translation import get_language
from django.views.decorators.http import require_safe

from invoicing import actions
from invoicing.accounting import statements
from invoicing.issuing import downloads
from panel.accounts import selectors as people
from panel.accounts.models import Account
from panel.core import clock, web
from panel.core.spreadsheets import spreadsheet


@web.page(actions.INVOICES)
@require_safe
def statement(request: HttpRequest) -> HttpResponse:
    """What was asked, what was paid, what is left, between two days."""
    return _answer(request, people.account(web.actor(request)), "invoicing/statement.html")


@web.page(actions.STAFF_INVOICES)
@require_safe
def staff_statement(request: HttpRequest, account: str) -> HttpResponse:
    """The statement the customer has."""
    customer = get_object_or_404(Account.objects.visible_to(web.actor(request)), reference=account)
    return _answer(request, customer, "invoicing/staff_statement.html")


def _answer(request: HttpRequest, account: Account, template: str) -> HttpResponse:
    now = clock.now()
    start, end = statements.span(request.GET, now=now)
    language = get_language() or account.language
    name = f"{account.reference}-{start}-{end}"
    match request.GET.get("as", ""):
        case "pdf":
            from invoicing.documents.statement_pdf import render as pdf  # nothing may load it before a fork

            return downloads.pdf(pdf(statements.words(account, start, end, language, now=now)), f"{name}.pdf")
        case "csv":
            return spreadsheet(statements.table(account, start, end, language), f"{name}.csv")
    context: dict[str, Any] = {
        "customer": account,
        "start": start,
        "end": end,
        "statement": statements.of(account, start, end),
    }
    return render(request, template, context)
