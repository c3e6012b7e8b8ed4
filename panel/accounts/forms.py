"""Forms of sign-up, profile and contacts."""

from collections.abc import Callable, Collection
from functools import partial
from typing import Any

from django import forms
from django.http import HttpRequest
from django.utils import translation
from django.utils.translation import gettext_lazy as _

from panel.accounts import countries, permissions, signup
from panel.accounts.middleware import client_ip
from panel.accounts.models import Account, User
from panel.core import clock
from panel.core.errors import RuleViolation


class SignupForm(forms.Form):
    """ACC-1: beside e-mail and password, who it is; and the acceptance, without which nothing is created."""

    name = forms.CharField(label=_("Your name"), max_length=120, widget=forms.TextInput(attrs={"autocomplete": "name"}))
    phone = forms.CharField(
        label=_("Telephone"), max_length=40, widget=forms.TextInput(attrs={"autocomplete": "tel", "type": "tel"})
    )
    kind = forms.ChoiceField(
        label=_("You are"), choices=Account.Kind.choices, widget=forms.RadioSelect, initial="business"
    )
    company = forms.CharField(
        label=_("Company"),
        max_length=160,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "organization"}),
    )
    vat_number = forms.CharField(
        label=_("VAT number"),
        max_length=20,
        required=False,
        help_text=_("With the country, such as FR44732829320. Leave it empty if you have none."),
    )
    siren = forms.CharField(label=_("SIREN"), max_length=11, required=False)
    street = forms.CharField(
        label=_("Street and number"), max_length=200, widget=forms.TextInput(attrs={"autocomplete": "street-address"})
    )
    postcode = forms.CharField(
        label=_("Postcode"), max_length=20, widget=forms.TextInput(attrs={"autocomplete": "postal-code"})
    )
    city = forms.CharField(
        label=_("City"), max_length=120, widget=forms.TextInput(attrs={"autocomplete": "address-level2"})
    )
    country = forms.ChoiceField(label=_("Country"), choices=countries.choices, initial="FR")
    accept = forms.BooleanField(
        label=_(
            "I accept the terms of use, the terms of subscription, the privacy policy and the documents they name."
        ),
        help_text=_(
            'All of them stand under <a href="/legal/">Legal documents</a>; what you accept is kept with its text.'
        ),
        error_messages={"required": _("Please accept the terms to sign up.")},
    )
    field_order = ["name", "email", "password1", "password2", "phone", "country", "kind", "company", "vat_number",
                   "siren", "street", "postcode", "city", "accept"]  # fmt: skip

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if cleaned.get("kind") == Account.Kind.BUSINESS and not cleaned.get("company"):
            self.add_error("company", _("Please give the name of your company."))
        checks: dict[str, Callable[[str], str]] = {"siren": signup.cleaned_siren}
        if country := cleaned.get("country"):
            checks["vat_number"] = partial(signup.cleaned_vat_number, country=country)
        for field, check in checks.items():
            try:
                cleaned[field] = check(cleaned.get(field, ""))
            except RuleViolation as refusal:
                self.add_error(field, refusal.sentence)
                continue
            if cleaned[field] and Account.objects.filter(**{field: cleaned[field]}).exists():
                self.add_error(
                    field, _("This company has an account already. Ask its owner to invite you, or write to support.")
                )
        return cleaned

    def signup(self, request: HttpRequest, user: User) -> None:
        """Called by allauth inside its sign-up, after the user was saved."""
        names = ("name", "phone", "kind", "company", "country", "siren", "vat_number", "street", "postcode", "city")
        signup.open_account(
            user, signup.AccountData(**{name: self.cleaned_data[name] for name in names}),
            accepted=self.cleaned_data["accept"], ip=client_ip(request), now=clock.now(),
            language=translation.get_language() or "en",
        )  # fmt: skip


class ContactForm(forms.Form):
    """Add or change a contact (ACC-4)."""

    email = forms.EmailField(label=_("E-mail"))
    name = forms.CharField(label=_("Name"), max_length=120)
    permissions = forms.MultipleChoiceField(
        label=_("Permissions"), choices=[], widget=forms.CheckboxSelectMultiple,
        error_messages={"required": _("Give at least one permission.")},
    )  # fmt: skip

    def __init__(self, *args: Any, grantable: Collection[str], known: bool = False, **kwargs: Any) -> None:
        """`grantable`: what the asking person may give; `known`: the contact exists, only permissions change."""
        super().__init__(*args, **kwargs)
        chosen = [(name, label) for name, label in permissions.LABELS.items() if name in grantable]
        self.fields["permissions"].choices = chosen  # type: ignore[attr-defined]
        if known:
            del self.fields["email"], self.fields["name"]


class ProfileForm(forms.ModelForm):
    """A person's own data and preferences."""

    class Meta:
        model = User
        fields = ("name", "phone", "language", "timezone", "theme")
        widgets = {"timezone": forms.Select()}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        from zoneinfo import available_timezones

        zones = [
            (zone, zone.replace("_", " ")) for zone in sorted(available_timezones()) if "/" in zone or zone == "UTC"
        ]
        self.fields["timezone"] = forms.ChoiceField(label=_("Time zone"), choices=zones, initial=self.instance.timezone)


class AccountDataForm(forms.ModelForm):
    """The account's own data: it is what stands on invoices."""

    class Meta:
        model = Account
        fields = ("company", "name", "street", "postcode", "city", "phone", "billing_email", "billing_contact",
                  "buyer_reference")  # fmt: skip

    def clean_company(self) -> str:
        company: str = self.cleaned_data["company"].strip()
        if self.instance.kind == Account.Kind.BUSINESS and not company:
            raise forms.ValidationError(_("Please give the name of your company."))
        return company


class TokenForm(forms.Form):
    """A new API token; its scopes are at most the person's own permissions."""

    name = forms.CharField(
        label=_("Name"), max_length=80, help_text=_("What will use it, such as \u201cbackup script\u201d.")
    )
    scopes = forms.MultipleChoiceField(label=_("Scopes"), choices=[], widget=forms.CheckboxSelectMultiple)
    days = forms.TypedChoiceField(
        label=_("Expires"),
        coerce=int,
        initial=90,
        choices=[(30, _("in 30 days")), (90, _("in 90 days")), (365, _("in a year")), (0, _("never"))],
    )

    def __init__(self, *args: Any, grantable: Collection[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        chosen = [(name, label) for name, label in permissions.LABELS.items() if name in grantable]
        self.fields["scopes"].choices = chosen  # type: ignore[attr-defined]


def refused(form: forms.BaseForm, refusal: RuleViolation) -> None:
    """Show a refusal where it belongs: beside its field, else on top."""
    form.add_error(refusal.field if refusal.field in form.fields else None, refusal.sentence)
