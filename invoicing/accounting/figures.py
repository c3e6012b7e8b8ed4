"""Figures for staff, read from invoices and books: recurring revenue, churn, ageing, VAT (INV-10, INV-11)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db.models import F, Sum, Value
from django.db.models.functions import Coalesce, TruncMonth
from django.utils.formats import date_format
from django.utils.translation import get_language, pgettext
from django.utils.translation import gettext as _

from invoicing.accounting import figures_rules, ledger
from invoicing.accounting.figures_rules import Billed, Churn, Life
from invoicing.models import Invoice, InvoiceLine, InvoiceState, Posting, Subscription
from panel.core.calendars import add_months, paris_date
from panel.core.charts import Chart, Series
from panel.core.money import CENT, Cents, euros, format_eur

MONTHS = 12


def _named(month: date) -> str:
    return date_format(month, pgettext("pattern of a month", "M Y"))


def _money(cents: Any) -> str:
    return format_eur(int(cents), get_language() or "en")


def _plain(cents: Cents) -> str:
    return str(euros(cents).quantize(CENT))


def _in_euros(heading: str) -> str:
    return f"{heading} (EUR)"


def _iso(month: date) -> str:
    return f"{month:%Y-%m}"


@dataclass(frozen=True)
class Report:
    """One report: its chart, and the table that the page shows; the last columns are figures. `file` is the same for
    machines, its heading first: amounts with a decimal point, ISO 8601 months, each unit in its heading. `detailed`:
    the table says more than the chart."""

    name: str
    title: str
    note: str
    chart: Chart | None
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    file: Sequence[Sequence[str]]
    detailed: bool = False


# --- recurring revenue -----------------------------------------------------------------------------------------------
def recurring(now: datetime) -> list[tuple[date, Cents]]:
    """Monthly recurring revenue without VAT on the first day of each of the last twelve months, from invoice lines."""
    days = figures_rules.months(paris_date(now), MONTHS)
    rows = (
        InvoiceLine.objects.filter(
            subscription__isnull=False, period_start__lte=days[-1], period_end__gt=days[0], invoice__kind="invoice"
        )
        .exclude(code__startswith="usage:")
        .annotate(given=Coalesce(Sum("credited_by__net_cents"), Value(0)))
        .values_list("period_start", "period_end", "net_cents", "given")
    )
    lines = [Billed(start, end, net - given) for start, end, net, given in rows if start and end]
    return [(day, figures_rules.recurring(lines, day)) for day in days]


def churned(now: datetime) -> list[Churn]:
    """The churn of each of the last twelve months."""
    days = figures_rules.months(paris_date(now), MONTHS)
    rows = Subscription.objects.filter(anchor_on__lt=add_months(days[-1], 1)).values_list("anchor_on", "ended_at")
    lives = [Life(start, paris_date(ended) if ended else None) for start, ended in rows]
    return [figures_rules.churn(lives, day) for day in days]


def ageing(now: datetime) -> list[Cents]:
    """What is open, by how late it is."""
    due = F("total_cents") - F("credited_cents") - F("paid_cents")
    rows = Invoice.objects.filter(kind="invoice", state__in=[InvoiceState.OPEN, InvoiceState.OVERDUE])
    return figures_rules.ageing(rows.values_list("due_on", due), paris_date(now))


def vat(now: datetime) -> list[tuple[date, str, Cents, Cents]]:
    """(month, tax code, net, VAT) of the last twelve months, from the books; the tax code is category:country:rate."""
    since = figures_rules.months(paris_date(now), MONTHS)[0]
    rows = (
        Posting.objects.filter(
            ledger_account__code__in=(ledger.SALES, ledger.DOWN_PAYMENTS, ledger.VAT), entry__booked_on__gte=since
        )
        .exclude(tax_code="")
        .annotate(month=TruncMonth("entry__booked_on"))
        .order_by()
        .values("month", "tax_code", "ledger_account__code")
        .annotate(sum=-Sum("cents"))
    )
    found: dict[tuple[date, str], list[Cents]] = {}
    for row in rows:
        pair = found.setdefault((row["month"], row["tax_code"]), [0, 0])
        pair[row["ledger_account__code"] == ledger.VAT] += row["sum"]
    return [(month, code, net, tax) for (month, code), (net, tax) in sorted(found.items(), reverse=True)]


# --- as reports ------------------------------------------------------------------------------------------------------
def _recurring(now: datetime) -> Report:
    found = recurring(now)
    chart = Chart(
        _("Monthly recurring revenue"), [_named(day) for day, _cents in found],
        [Series(_("Excluding VAT"), [cents for _day, cents in found])], show=_money,
    )  # fmt: skip
    return Report(
        "recurring", chart.title,
        _("What was invoiced for periods that contain the first day of the month, an annual price as a twelfth."),
        chart, [_("Month"), _("Excluding VAT")], [[_named(day), _money(cents)] for day, cents in reversed(found)],
        [[_("Month"), _in_euros(_("Excluding VAT"))], *([_iso(day), _plain(cents)] for day, cents in reversed(found))],
    )  # fmt: skip


def _churn(now: datetime) -> Report:
    found = churned(now)
    series = [Series(_("Ended"), [one.ended for one in found], "bar"),
              Series(_("Begun"), [one.begun for one in found], "bar")]  # fmt: skip
    chart = Chart(_("Churn"), [_named(one.month) for one in found], series)
    head = [_("Month"), _("Running"), _("Begun"), _("Ended"), _("Churn")]
    return Report(
        "churn", chart.title, _("Of the subscriptions that ran when the month began, those that ended in it."), chart,
        head,
        [[_named(one.month), str(one.running), str(one.begun), str(one.ended), f"{one.percent}\u00a0%"]
         for one in reversed(found)],
        [[*head[:-1], f"{head[-1]} (%)"],
         *([_iso(one.month), str(one.running), str(one.begun), str(one.ended), str(one.percent)]
           for one in reversed(found))],
        detailed=True,
    )  # fmt: skip


def _ageing(now: datetime) -> Report:
    found = ageing(now)
    names = [_("Not late"), _("1 to 30 days"), _("31 to 60 days"), _("61 to 90 days"), _("More than 90 days")]
    chart = Chart(_("Open invoices by age"), names, [Series(_("Including VAT"), found, "bar")], show=_money,
                  summary=_("Together %(amount)s.") % {"amount": _money(sum(found))})  # fmt: skip
    rows = [[name, _money(cents)] for name, cents in zip(names, found, strict=True)]
    note = _("What is still to be paid, by days after the due date.")
    head = [_("Late"), _("Including VAT")]
    file = [[head[0], _in_euros(head[1])], *([name, _plain(cents)] for name, cents in zip(names, found, strict=True))]
    return Report("ageing", chart.title, note, chart if any(found) else None, head, rows, file)


def _vat(now: datetime) -> Report:
    head = [_("Month"), _("Country"), _("Rate"), _("Net"), _("VAT")]
    rows, file = [], [[*head[:2], f"{head[2]} (%)", _("Category"), _in_euros(head[3]), _in_euros(head[4])]]
    months = figures_rules.months(paris_date(now), MONTHS)
    by_month: dict[str, dict[date, Cents]] = {}
    for month, code, net, tax in vat(now):
        category, country, rate = code.split(":")
        shown = f"{rate}\u00a0%" if category == "S" else _("reverse charge") if category == "AE" else _("none")
        rows.append([_named(month), country, shown, _money(net), _money(tax)])
        file.append([_iso(month), country, rate, category, _plain(net), _plain(tax)])
        sums = by_month.setdefault(country, {})
        sums[month] = sums.get(month, 0) + tax
    series = [Series(country, [sums.get(month, 0) for month in months], "bar")
              for country, sums in sorted(by_month.items()) if any(sums.values())]  # fmt: skip
    chart = Chart(_("VAT by month, country and rate"), [_named(month) for month in months], series, show=_money)
    note = _("From the books: sales and the VAT on them, credit notes taken off.")
    return Report("vat", chart.title, note, chart if series else None, head, rows, file, detailed=True)


REPORTS: dict[str, Callable[[datetime], Report]] = {
    "recurring": _recurring, "churn": _churn, "ageing": _ageing, "vat": _vat,
}  # fmt: skip
