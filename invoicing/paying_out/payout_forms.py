"""What a person says of a payout."""

from django import forms
from django.utils.translation import gettext_lazy as _


class ArrivedForm(forms.Form):
    """The day on which the bank booked a payout."""

    day = forms.DateField(
        label=_("Booked on"), widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        help_text=_("As the bank's statement has it; a bank file says it by itself."),
    )  # fmt: skip
