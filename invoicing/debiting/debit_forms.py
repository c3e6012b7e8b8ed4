"""Forms of mandates and of files of debits."""

import secrets
from datetime import date
from functools import partial

from django import forms
from django.utils.translation import gettext_lazy as _

from invoicing.paying import payment_rules, rejections

_DAY = {"type": "date"}
COLLECTED = "collected"


class MandateForm(forms.Form):
    """The account to be debited."""

    iban = forms.CharField(
        label=_("IBAN"), max_length=42, widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
        help_text=_("Of an account in a SEPA country, as it stands on a bank statement."),
    )  # fmt: skip
    holder = forms.CharField(
        label=_("Holder of the account"), max_length=70, widget=forms.TextInput(attrs={"autocomplete": "name"})
    )
    bic = forms.CharField(label=_("BIC"), max_length=14, required=False, help_text=_("Not needed within SEPA."))


class SignMandateForm(forms.Form):
    """The payer's signature: a name typed, the document that was read."""

    name = forms.CharField(
        label=_("Your first and last name"), max_length=120, help_text=_("Typed here it is your signature."),
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
    )  # fmt: skip
    default = forms.BooleanField(
        label=_("Collect my invoices from this account from now on"), required=False, initial=True
    )
    accept = forms.BooleanField(label=_("I have read the mandate and give it."))
    sha256 = forms.CharField(widget=forms.HiddenInput, max_length=64)


class UntilForm(forms.Form):
    """Which debits a file takes."""

    until = forms.DateField(label=_("Debits up to"), widget=forms.DateInput(attrs=_DAY, format="%Y-%m-%d"))


class MakeForm(UntilForm):
    """The file itself, once for each key."""

    key = forms.CharField(widget=forms.HiddenInput, max_length=64, initial=partial(secrets.token_urlsafe, 18))


class DiscardForm(forms.Form):
    """Why a file is not handed to the bank."""

    reason = forms.CharField(label=_("Reason"), max_length=300, help_text=_("Its debits wait for another file."))
    unsent = forms.BooleanField(
        label=_("The bank does not have this file"), help_text=_("Else its debits would be collected twice.")
    )


def _codes() -> list[tuple[str, str]]:
    listed = sorted(code for code in {*rejections.REASONS, *payment_rules.OURS} if code[:2].isupper())
    return [(COLLECTED, _("Collected")), *((code, f"{code}: {rejections.reason(code)}") for code in listed)]  # type: ignore[list-item]


class ProofForm(forms.Form):
    """What a person knows from the bank of a debit, and from where."""

    code = forms.ChoiceField(label=_("The bank says"), choices=_codes)
    day = forms.DateField(label=_("Booked on"), widget=forms.DateInput(attrs=_DAY, format="%Y-%m-%d"))
    proof = forms.CharField(
        label=_("Reference of the bank"), max_length=100, help_text=_("The statement and its line, or the letter.")
    )

    @property
    def said(self) -> tuple[str, str, date]:
        """(reason, "" when it was collected; proof; day)"""
        given = self.cleaned_data
        return "" if given["code"] == COLLECTED else given["code"], given["proof"], given["day"]
