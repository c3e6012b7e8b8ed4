"""What is typed to offer a service to another account, and to take one over."""

from django import forms
from django.utils.translation import gettext_lazy as _


class OfferForm(forms.Form):
    """To whom, and why."""

    to = forms.CharField(
        label=_("Reference of the receiving account"), max_length=20,
        help_text=_("Such as ACC-7KQ2M9. Its owner finds it under Account. We do not tell whether it exists."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )  # fmt: skip
    reason = forms.CharField(
        label=_("Reason"), max_length=300, widget=forms.Textarea(attrs={"rows": 2}),
        help_text=_("The receiving account reads it with the offer."),
    )  # fmt: skip


class TakeOverForm(forms.Form):
    """The conditions that hold from then on."""

    accept = forms.BooleanField(label=_("I take the service over and accept the conditions."))
