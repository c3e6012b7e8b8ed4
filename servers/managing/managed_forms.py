"""Forms of the managed service: which servers are set up, a mailbox, a required update, the minutes it took."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from servers.managing import managed_rules, managed_wording


class RolesForm(forms.Form):
    """What its owner wants beside what every managed server has."""

    roles = forms.MultipleChoiceField(
        label=_("What we set up for you"), required=False, widget=forms.CheckboxSelectMultiple,
        help_text=_("What you take out is not removed from the server; we only look after it no longer."),
    )  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["roles"].choices = [  # type: ignore[attr-defined]
            (role, managed_wording.ROLES[role]) for role in managed_rules.CHOSEN
        ]


class MailboxForm(forms.Form):
    """A mailbox, or another password for one."""

    address = forms.CharField(
        label=_("Address"), max_length=managed_rules.LONGEST_ADDRESS,
        widget=forms.EmailInput(attrs={"autocomplete": "off"}),
    )  # fmt: skip
    password = forms.CharField(
        label=_("Password"), max_length=200, widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text=_("At least 12 characters. For an address there is already: its new password."),
    )  # fmt: skip


class RequireForm(forms.Form):
    """An update that the customer must install."""

    title = forms.CharField(label=_("What must be updated"), max_length=120)
    why = forms.CharField(
        label=_("Why, and to which version"), max_length=4000, widget=forms.Textarea(attrs={"rows": 4}),
        help_text=_("The customer reads it in the e-mail."),
    )  # fmt: skip


class MinutesForm(forms.Form):
    """What it took us."""

    minutes = forms.IntegerField(label=_("Minutes of work"), min_value=1)
