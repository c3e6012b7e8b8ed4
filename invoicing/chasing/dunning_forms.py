"""What staff types about unpaid invoices."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from invoicing.chasing.late_rules import HalfYear, half_year
from panel.core.calendars import paris_date

YEARS_BACK = 3


class RateForm(forms.Form):
    """The legal interest rate of a half-year, in percent a year (INV-8)."""

    half = forms.ChoiceField(label=_("Half-year"), help_text=_("1 is January to June, 2 July to December."))
    percent = forms.DecimalField(
        label=_("Legal rate, percent a year"), min_value=Decimal(0), max_value=Decimal(50), max_digits=5,
        decimal_places=2, help_text=_("The rate of all other cases, as published; the terms multiply it."),
    )  # fmt: skip
    source = forms.CharField(label=_("Source"), max_length=200, help_text=_("Such as: order of 15 December 2025."))

    def __init__(self, *args: Any, now: datetime, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        last = half_year(paris_date(now))
        years = range(last.year, last.year - YEARS_BACK, -1)
        known = [HalfYear(year, half) for year in years for half in (2, 1) if HalfYear(year, half) <= last]
        field: Any = self.fields["half"]
        field.choices = [(str(half), str(half)) for half in known]

    def chosen(self) -> HalfYear:
        """The half-year that was chosen."""
        year, _dash, half = str(self.cleaned_data["half"]).partition("-")
        return HalfYear(int(year), int(half))
