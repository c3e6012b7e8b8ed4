"""The staff's page of reports: charts, tables and their CSV."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from invoicing import actions
from invoicing.accounting import figures
from panel.core import clock, web
from panel.core.spreadsheets import spreadsheet


@web.page(actions.STAFF_LEDGER)
@require_safe
def reports(request: HttpRequest) -> HttpResponse:
    """Every report; `?csv=` one of them as a file."""
    now, wanted = clock.now(), request.GET.get("csv", "")
    if wanted:
        if wanted not in figures.REPORTS:
            raise Http404
        report = figures.REPORTS[wanted](now)
        return spreadsheet([list(row) for row in report.file], f"{wanted}-{now:%Y-%m-%d}.csv")
    made = [make(now) for make in figures.REPORTS.values()]
    return render(request, "invoicing/reports.html", {"reports": made, "now": now})
