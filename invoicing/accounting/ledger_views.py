"""The staff's pages of the books: from the chart to a balance, to its postings, to an entry and what it was made of."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from invoicing import actions
from invoicing.accounting import ledger, ledger_selectors, naming
from invoicing.models import Entry, LedgerAccount
from panel.accounts import selectors as people
from panel.core import badges, keyset, web


@web.page(actions.STAFF_LEDGER)
@require_safe
def chart(request: HttpRequest) -> HttpResponse:
    """Every account with its balance; the whole sums to nothing."""
    return render(request, "invoicing/ledger_chart.html", {"rows": ledger_selectors.chart(), "total": ledger.total()})


@web.page(actions.STAFF_LEDGER)
@require_safe
def account(request: HttpRequest, code: str) -> HttpResponse:
    """The postings behind a balance, newest first, for all customers or one."""
    row = get_object_or_404(LedgerAccount, code=code)
    filters = {name: request.GET.get(name, "").strip()[:80] for name in ("account", "kind", "words")}
    rows = ledger_selectors.postings(code, filters)
    page = keyset.page(rows, request.GET.get("after", ""))
    names = naming.names((one.entry.kind, one.entry.ref) for one in page.rows)
    context = {
        "row": row, "page": page, "filters": filters, "sum": ledger_selectors.sum_of(rows),
        "rows": [(one, names[one.entry.kind, one.entry.ref]) for one in page.rows],
        "kinds": [(kind, badges.of(kind, "entry").word) for kind in ledger_selectors.kinds(code)],
    }  # fmt: skip
    return render(request, "invoicing/ledger_account.html", context)


@web.page(actions.STAFF_LEDGER)
@require_safe
def entry(request: HttpRequest, pk: int) -> HttpResponse:
    """Both sides of an entry, the documents it was made of, and their journal."""
    row = get_object_or_404(Entry.objects.select_related("account"), pk=pk)
    found = ledger_selectors.sources(row)
    context = {
        "entry": row, "name": naming.names([(row.kind, row.ref)])[row.kind, row.ref], "sources": found,
        "postings": row.postings.select_related("ledger_account", "account"),
        "activity": people.timeline(ledger_selectors.events(found)),
    }  # fmt: skip
    return render(request, "invoicing/ledger_entry.html", context)
