"""What staff types about taxes."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from invoicing.taxing.report_rules import Span
from invoicing.taxing.tax_rules import EU, LIKE_FRANCE, OVERSEAS
from panel.accounts import countries
from panel.accounts.models import Account


class TaxIdentityForm(forms.ModelForm):
    """What decides the tax of a customer (INV-10)."""

    kind = forms.ChoiceField(label=_("Kind"), choices=Account.Kind.choices, widget=forms.RadioSelect)
    country = forms.ChoiceField(label=_("Country"), choices=countries.choices)

    class Meta:
        model = Account
        fields = ("kind", "country", "vat_number", "siren")
        help_texts = {"vat_number": _("With the country, such as FR44732829320. Leave it empty if you have none.")}

    def _post_clean(self) -> None:
        """The use case checks and writes, not the form."""


def _states() -> list[tuple[str, str]]:
    return [(code, name) for code, name in countries.choices() if code in EU - LIKE_FRANCE | OVERSEAS]


class VatRateForm(forms.Form):
    """A new standard rate of a member state or an overseas department (INV-10)."""

    country = forms.ChoiceField(label=_("Country"), choices=_states)
    rate = forms.DecimalField(
        label=_("Rate in percent"), min_value=Decimal("0.01"), max_value=Decimal(50), max_digits=4, decimal_places=2,
        help_text=_("No member state may go below 15; overseas departments may."),
    )  # fmt: skip
    since = forms.DateField(label=_("From"), widget=forms.DateInput(attrs={"type": "date"}))
    source = forms.CharField(
        label=_("Source"), max_length=200, help_text=_("The law or notice, so that the next one can check it.")
    )


class SpanForm(forms.Form):
    """Which days are taken away, the last one included."""

    start = forms.DateField(label=_("First day"), widget=forms.DateInput(attrs={"type": "date"}))
    last = forms.DateField(label=_("Last day"), widget=forms.DateInput(attrs={"type": "date"}))

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        start, last = cleaned.get("start"), cleaned.get("last")
        if start and last and last < start:
            self.add_error("last", _("The last day is before the first."))
        return cleaned

    def span(self) -> Span:
        """The days, once they are valid."""
        return Span(self.cleaned_data["start"], self.cleaned_data["last"] + timedelta(days=1))
