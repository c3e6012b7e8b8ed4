"""The staff's pages of the books: closings and exports, what left through the platform, what was reported."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST, require_safe

from invoicing import actions, platforms
from invoicing.accounting import archive, books_selectors, exports, taking_away
from invoicing.issuing import downloads
from invoicing.models import ClosingKind, EReport
from invoicing.taxing.tax_forms import SpanForm
from panel.core import clock, keyset, web
from panel.core.errors import RuleViolation

REPORTS_SHOWN = 24
EXPORTS = (
    ("fec", _("Accounting entries (FEC)")), ("sales", _("Sales (CSV)")), ("vat", _("VAT (CSV)")),
    ("collections", _("Collections (CSV)")), ("oss", _("One Stop Shop return (CSV)")),
    ("des", _("Statement of services, DES (XML)")),
)  # fmt: skip


@web.page(actions.BOOKS)
@require_safe
def books(request: HttpRequest) -> HttpResponse:
    """VAT of the last months, closings, and what can be taken away."""
    span = books_selectors.last_month(clock.now())
    return _books(request, SpanForm(initial={"start": span.start, "last": span.last}))


def _books(request: HttpRequest, form: SpanForm, status: int = 200) -> HttpResponse:
    now, kind = clock.now(), request.GET.get("kind", "")
    kind = kind if kind in ClosingKind.values else ClosingKind.MONTH
    span = books_selectors.last_month(now)
    context = {
        "form": form, "kind": kind, "kinds": [(one.value, one.label) for one in ClosingKind], "exports": EXPORTS,
        "closings": books_selectors.closings(kind), "rates": books_selectors.rates(now),
        "keep_until": archive.keep_until(span.last, now), "unlocated": books_selectors.unlocated(),
        "without_siren": books_selectors.without_siren(),
    }  # fmt: skip
    return render(request, "invoicing/staff_books.html", context, status=status)


@web.page(actions.BOOKS)
@require_POST
def books_export(request: HttpRequest) -> HttpResponse:
    """One file over some days; who took it away stands in the journal."""
    form, kind = SpanForm(request.POST), request.POST.get("kind", "")
    if not form.is_valid() or kind not in (*exports.KINDS, taking_away.ARCHIVE):
        return _books(request, form, status=422)
    try:
        made = taking_away.take(kind, form.span(), actor=web.actor(request), now=clock.now())
    except RuleViolation as refusal:
        form.add_error(refusal.field or None, refusal.sentence)
        return _books(request, form, status=422)
    return downloads.attachment(made)


@web.page(actions.BOOKS)
@require_safe
def platform_list(request: HttpRequest) -> HttpResponse:
    """E-invoices on their way, what became of them, and the e-reports."""
    state, platform = request.GET.get("state", ""), platforms.get()
    context = {
        "page": keyset.page(books_selectors.transmissions(state), request.GET.get("after", "")), "state": state,
        "counts": books_selectors.transmission_counts(), "reports": EReport.objects.all()[:REPORTS_SHOWN],
        "platform": platform, "simulated": platform.simulated if platform else False,
        "states": ("waiting", "sent", "delivered", "accepted", "refused", "rejected"),
    }  # fmt: skip
    return render(request, "invoicing/staff_platform.html", context)


@web.page(actions.BOOKS)
@require_safe
def report_detail(request: HttpRequest, pk: int) -> HttpResponse:
    """One e-report: what it told, and which documents it covers."""
    return render(request, "invoicing/staff_e_report.html", {"report": get_object_or_404(EReport, pk=pk)})
