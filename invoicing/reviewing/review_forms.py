"""What staff chooses and types about orders that are checked."""

import re
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from invoicing.models import WhyRefused

DOMAIN = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63}")


class RefusalForm(forms.Form):
    """Why an order, or a renewal, is refused; both are told to the customer (SUB-4)."""

    why = forms.ChoiceField(label=_("Reason"), choices=[("", _("Choose …")), *WhyRefused.choices])
    words = forms.CharField(
        label=_("To the customer"), max_length=500, required=False, widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("Sent word for word with the reason; please write in the customer's language."),
    )  # fmt: skip

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or {}
        if given.get("why") == WhyRefused.OTHER and not given.get("words", "").strip():
            self.add_error("words", _("Please write the reason; the customer reads it."))
        return given


class AcceptForm(forms.Form):
    """A note that stays with the staff."""

    note = forms.CharField(label=_("Note for the staff"), max_length=500, required=False)


class MailDomainForm(forms.Form):
    """A mail domain that is a throw-away provider's, or is not although the list says so."""

    domain = forms.CharField(label=_("Domain"), max_length=253, help_text=_("Such as yopmail.com; its subdomains too."))
    disposable = forms.TypedChoiceField(
        label=_("It is"), coerce=lambda value: value == "yes",
        choices=[("yes", _("a throw-away provider: orders are held")), ("no", _("an ordinary provider"))],
    )  # fmt: skip

    def clean_domain(self) -> str:
        domain = str(self.cleaned_data["domain"]).strip().lower().removeprefix("@").rstrip(".")
        if not DOMAIN.fullmatch(domain):
            raise forms.ValidationError(_("Please give a domain, such as yopmail.com."))
        return domain
