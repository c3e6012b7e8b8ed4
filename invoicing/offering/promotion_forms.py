"""What staff types about a promotional code."""

from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from invoicing.models import PACK, Interval, Package
from invoicing.offering import price_notices
from panel.core.calendars import start_of_paris_day
from panel.core.money import CENT, round_cents

DAY = forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"})


class PromotionForm(forms.Form):
    """A new code; once made it can be switched off, never changed: orders rest on it."""

    code = forms.CharField(
        label=_("Code"), max_length=40, help_text=_("As customers type it; case and spaces do not matter.")
    )
    name = forms.CharField(label=_("What it is for"), max_length=120, help_text=_("For the staff alone."))
    percent = forms.DecimalField(
        label=_("Percent off"), min_value=CENT, max_value=100, max_digits=5, decimal_places=2, required=False
    )
    amount = forms.DecimalField(
        label=_("or an amount off, in EUR excluding VAT"), min_value=CENT, max_digits=9, decimal_places=2,
        required=False, help_text=_("Never more than the invoice asks."),
    )  # fmt: skip
    periods = forms.IntegerField(
        label=_("On how many invoices"), min_value=0, max_value=120, initial=1,
        help_text=_("1: the first one alone; 0: every one, for as long as the subscription runs."),
    )  # fmt: skip
    on_setup = forms.BooleanField(label=_("Setup fees too"), required=False)
    packages = forms.ModelMultipleChoiceField(
        Package.objects.exclude(service_kind=PACK).order_by("family__position", "position"),
        label=_("Packages"), required=False,
        widget=forms.CheckboxSelectMultiple, help_text=_("None chosen: all of them."),
    )  # fmt: skip
    interval = forms.ChoiceField(
        label=_("Invoiced"), required=False,
        choices=(("", _("monthly or annually")), (Interval.MONTH, _("monthly")), (Interval.YEAR, _("annually"))),
    )  # fmt: skip
    valid_from = forms.DateField(label=_("From"), required=False, widget=DAY, help_text=_("Empty: from now on."))
    last_day = forms.DateField(
        label=_("Last day"), required=False, widget=DAY, help_text=_("Until midnight, Paris time; empty: no end.")
    )
    most_uses = forms.IntegerField(label=_("At most, in all"), min_value=1, required=False)
    most_per_account = forms.IntegerField(label=_("At most for one customer"), min_value=1, required=False, initial=1)
    new_only = forms.BooleanField(label=_("For a customer’s first order only"), required=False)
    minimum = forms.DecimalField(
        label=_("From an order of, in EUR excluding VAT"), min_value=0, max_digits=9, decimal_places=2, required=False
    )

    def clean(self) -> dict[str, Any]:
        asked = super().clean() or {}
        if not self.errors and (asked.get("percent") is None) == (asked.get("amount") is None):
            self.add_error("percent", _("Please give either a percentage or an amount."))
        first, last = asked.get("valid_from"), asked.get("last_day")
        if first and last and last < first:
            self.add_error("last_day", _("The last day is before the first."))
        return asked

    def fields_of(self, now: datetime) -> dict[str, Any]:
        """As `promotions.create` takes them."""
        asked = self.cleaned_data
        last, amount, minimum = asked["last_day"], asked["amount"], asked["minimum"]
        return {
            "name": asked["name"], "percent": asked["percent"], "amount_cents": round_cents(amount) if amount else None,
            "periods": asked["periods"], "on_setup": asked["on_setup"], "interval": asked["interval"],
            "valid_from": price_notices.start_of(asked["valid_from"], now),
            "valid_until": start_of_paris_day(last + timedelta(days=1)) if last else None,
            "most_uses": asked["most_uses"], "most_per_account": asked["most_per_account"],
            "new_only": asked["new_only"], "minimum_cents": round_cents(minimum) if minimum else 0,
        }  # fmt: skip
