"""What is typed to change or end a running subscription."""

import secrets
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from invoicing.forms import OPTION
from invoicing.models import Interval
from invoicing.selectors import Offer
from invoicing.subscribing.changes import Wish
from invoicing.subscribing.leaving import Wishes
from panel.core.errors import RuleViolation


class ChangeForm(forms.Form):
    """What a running subscription shall be: package, interval, how many of each option (SUB-12). `offers` are the
    packages it can become, with the one it is; an interval by which none of them is sold is not offered."""

    key = forms.CharField(widget=forms.HiddenInput, max_length=64)

    def __init__(
        self, *args: Any, offers: list[Offer], extras: list[Offer], wish: Wish, interval: str, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.offers, self.extras, self.before = offers, extras, wish
        self.fields["package"] = forms.ChoiceField(
            label=_("Package"), choices=[(one.item.code, one.item.code) for one in offers], initial=wish.package
        )
        sold = {interval, wish.interval}.union(*(one.by_interval for one in offers))
        self.fields["interval"] = forms.ChoiceField(
            label=_("Invoiced"), choices=[pair for pair in Interval.choices if pair[0] in sold], initial=wish.interval
        )
        for extra in extras:
            held, most = wish.options.get(extra.item.code, 0), getattr(extra.item, "maximum", 0)
            self.fields[OPTION + extra.item.code] = forms.IntegerField(
                min_value=0, max_value=max(most, held), initial=held, required=False, label=extra.name,
                widget=forms.NumberInput(attrs={"inputmode": "numeric"}),
            )  # fmt: skip
        self.fields["key"].initial = secrets.token_urlsafe(18)

    def wish(self) -> Wish:
        """What is typed; what is typed wrongly stays as it was."""
        given = getattr(self, "cleaned_data", {}) if self.is_bound else {}
        quantities = {
            code: (given.get(OPTION + code) or 0) if OPTION + code in given else self.before.options.get(code, 0)
            for code in (extra.item.code for extra in self.extras)
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
