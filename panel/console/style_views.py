"""The style guide: every component of the design system in all its states, made of nothing but the components."""

import math
from datetime import timedelta
from typing import Any

from django import forms
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _

from panel.core import badges, charts, icons, shell, web
from panel.core.actions import Action
from panel.core.actors import STAFF_ROLES
from panel.core.quantities import bytes_in_words

STYLE = Action("console.style", _("See the style guide"), roles=STAFF_ROLES)
GB = 10**9
DAYS = 30
INCLUDED = 500 * GB


class ExampleForm(forms.Form):
    """Every kind of field."""

    name = forms.CharField(label=_("Server name"), max_length=60, help_text=_("Letters, digits and dashes."))
    email = forms.EmailField(label=_("E-mail"), required=False)
    password = forms.CharField(
        label=_("Password"), widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}), required=False
    )
    place = forms.ChoiceField(label=_("Place"), choices=[("sim-1", "Paris"), ("sim-2", "Marseille")])
    interval = forms.ChoiceField(
        label=_("Paid"), choices=[("month", _("Monthly")), ("year", _("Yearly"))], widget=forms.RadioSelect
    )
    rights = forms.MultipleChoiceField(
        label=_("May"),
        choices=[("see", _("See")), ("pay", _("Pay"))],
        widget=forms.CheckboxSelectMultiple,
        required=False,
    )
    key = forms.CharField(label=_("Public key"), widget=forms.Textarea(attrs={"rows": 3}), required=False)
    proof = forms.FileField(label=_("Document"), required=False)
    locked = forms.CharField(label=_("Fixed by the order"), required=False, disabled=True, initial="VPS M")
    accept = forms.BooleanField(label=_("I accept the terms of subscription"))


def _traffic() -> charts.Chart:
    """A month of traffic with its forecast, so that the chart shows every kind of line."""
    received = [GB * (9 + 6 * math.sin(day / 3) + day * 0.4) for day in range(DAYS)]
    total = [sum(received[: day + 1]) for day in range(DAYS)]
    return charts.Chart(
        title=str(_("Traffic this period")),
        labels=[f"{day + 1} Nov" for day in range(DAYS)],
        series=[
            charts.Series(str(_("Both directions")), total, forecast_from=22),
            charts.Series(str(_("Last period")), [value * 0.7 for value in total], kind="line"),
        ],
        limit=INCLUDED,
        limit_label=str(_("Included volume")),
        show=bytes_in_words,
    )


def _bars() -> charts.Chart:
    months = ["Jun", "Jul", "Aug", "Sep", "Oct", "Nov"]
    return charts.Chart(
        str(_("Invoices by month")), months, [charts.Series("EUR", [120, 164, 158, 240, 216, 305], kind="bar")]
    )


def _states_of(kind: str) -> list[tuple[str, str]]:
    """(state, kind) of each badge of a kind, "" being those that every kind shares."""
    keys = [key.rpartition(".") for key in badges.BADGES]
    return [(state, of_kind) for of_kind, _dot, state in keys if of_kind == kind]


def context(request: HttpRequest) -> dict[str, Any]:
    """Examples for every component."""
    now = shell.of(request).now
    times: dict[str, Any] = {
        "ago": now - timedelta(hours=3),
        "began": now - timedelta(hours=12),
        "far": now + timedelta(days=6, hours=4),
        "soon": now + timedelta(hours=20, minutes=9),
        "close": now + timedelta(minutes=42),
        "over": now - timedelta(hours=5),
        "left": timedelta(hours=31, minutes=12),
        "cut": now - timedelta(hours=1),
        "told": now - timedelta(hours=49),
    }
    page = Paginator(range(1, 138), 10).get_page(request.GET.get("page"))
    form = ExampleForm({"email": "nobody", "name": ""}) if request.GET.get("errors") else ExampleForm()
    kinds = sorted({key.partition(".")[0] for key in badges.BADGES if "." in key})
    return {
        "form": form,
        "page": page,
        "traffic": _traffic(),
        "bars": _bars(),
        "nothing": charts.Chart(str(_("Nothing yet")), ["1 Nov"], [charts.Series("B", [None])]),
        "badge_groups": [*((kind, _states_of(kind)) for kind in kinds), (_("every kind"), _states_of(""))],
        "icons": sorted(icons.NAMES),
        "tones": badges.TONES,
        "times": times,
        "step_items": [
            {"title": _("Payment confirmed"), "state": "done", "at": now - timedelta(minutes=4)},
            {"title": _("Address reserved"), "state": "done", "at": now - timedelta(minutes=4), "note": "192.0.2.14"},
            {"title": _("Machine being created"), "state": "running", "note": _("usually under a minute")},
            {"title": _("Keys installed"), "state": "waiting"},
        ],
        "timeline_entries": [
            {"title": _("Address deactivated"), "icon": "ban", "tone": "bad", "rule": "ABU-3", "at": times["cut"]},
            {"title": _("Notice accepted by the mail server"), "icon": "mail", "rule": "ABU-2", "at": times["told"]},
            {"title": _("Report received"), "icon": "inbox", "at": times["told"], "note": _("trusted reporter")},
        ],
        "tab_items": [(_("Overview"), request.path), (_("Traffic"), "#traffic"), (_("Keys"), "#keys-tab", 3)],
    }  # fmt: skip


@web.page(STYLE)
def style(request: HttpRequest) -> HttpResponse:
    """The page /ops/style/; `?errors=1` shows the form with its errors."""
    return render(request, "ops/style.html", context(request))
