"""What is typed to change or end a running subscription."""

import secrets
from typing import Any

from django import forms
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from invoicing.forms import OPTION
from invoicing.models import Interval, Option, Package
from invoicing.subscribing.changes import Wish
from invoicing.subscribing.leaving import Wishes
from panel.core.errors import RuleViolation


class ChangeForm(forms.Form):
    """What a running subscription shall be: package, interval, how many of each option (SUB-12)."""

    key = forms.CharField(widget=forms.HiddenInput, max_length=64)

    def __init__(self, *args: Any, packages: list[Package], options: list[Option], wish: Wish, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.options = options
        self.fields["package"] = forms.ChoiceField(
            label=_("Package"), choices=[(one.code, one.code) for one in packages], initial=wish.package
        )
        self.fields["interval"] = forms.ChoiceField(
            label=_("Invoiced"), choices=Interval.choices, initial=wish.interval
        )
        for option in options:
            held = wish.options.get(option.code, 0)
            self.fields[OPTION + option.code] = forms.IntegerField(
                min_value=0, max_value=max(option.maximum, held), initial=held, required=False,
                label=option.named(get_language() or "en"),
                widget=forms.NumberInput(attrs={"inputmode": "numeric"}),
            )  # fmt: skip
        self.fields["key"].initial = secrets.token_urlsafe(18)
        self.before = wish

    def wish(self) -> Wish:
        """What is typed; what is typed wrongly stays as it was."""
        given = getattr(self, "cleaned_data", {}) if self.is_bound else {}
        quantities = {
            option.code: (given.get(OPTION + option.code) or 0)
            if OPTION + option.code in given
            else self.before.options.get(option.code, 0)
            for option in self.options
        }
        return Wish(given.get("package", self.before.package), given.get("interval", self.before.interval), quantities)

    def refused(self, refusal: RuleViolation) -> None:
        """A refusal of the use case, at its field where it has one."""
        field = refusal.field if refusal.field in self.fields else OPTION + refusal.field
        self.add_error(field if field in self.fields else None, refusal.sentence)


class EndForm(forms.Form):
    """When a subscription ends, and what the client wishes with its end (SUB-6, SUB-7)."""

    TERM, NOW = "term", "now"
    when = forms.ChoiceField(choices=((TERM, TERM), (NOW, NOW)), required=False, initial=TERM)
    keeps_code = forms.BooleanField(required=False)
    migration = forms.BooleanField(required=False)
    confirm = forms.CharField(required=False, max_length=40)

    def wishes(self) -> Wishes:
        given = getattr(self, "cleaned_data", {})
        return Wishes(bool(given.get("keeps_code")), bool(given.get("migration")))
