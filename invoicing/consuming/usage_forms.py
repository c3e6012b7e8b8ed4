"""The forms of metering."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from invoicing.consuming.usage_setup import MeterWish
from invoicing.models import PACK, Package

TIERS = (1, 2, 3)
COUNTERS = (("sum", _("As it is sent")), ("sms", _("Characters of a message, counted as its parts (OPR-2)")))


class MeterForm(forms.Form):
    """What a package counts from a day on, and what is charged beyond the allowance (OPR-1)."""

    package = forms.ModelChoiceField(
        Package.objects.exclude(service_kind=PACK).order_by("code"), label=_("Package"), to_field_name="code"
    )  # fmt: skip
    meter = forms.SlugField(label=_("Code of the meter"), max_length=40, help_text=_("Such as sms: sources name it."))
    name = forms.CharField(label=_("Name in English"), max_length=80)
    name_fr = forms.CharField(label=_("Name in French"), max_length=80)
    unit = forms.CharField(label=_("Unit"), max_length=12)
    counter = forms.ChoiceField(label=_("How an event counts"), choices=COUNTERS)
    allowance = forms.DecimalField(label=_("Included each month"), min_value=0, max_digits=15, decimal_places=6)
    carries = forms.BooleanField(
        label=_("What is left of a month is free in the next"), required=False,
        help_text=_("To the end of the contractual period (OPR-8)."),
    )  # fmt: skip
    valid_from = forms.DateField(
        label=_("Holds from"), widget=forms.DateInput(attrs={"type": "date"}),
        help_text=_("For contractual periods that begin on this day or later; those that run keep their price."),
    )  # fmt: skip

    def __init__(self, data: Any = None, **kwargs: Any) -> None:
        super().__init__(data, **kwargs)
        for number in TIERS:
            first, last = number == TIERS[0], number == TIERS[-1]
            self.fields[f"price_{number}"] = forms.DecimalField(
                label=_("Price of a unit, tier %(number)s") % {"number": number}, required=first, min_value=0,
                max_digits=12, decimal_places=6, help_text=_("excluding VAT, in EUR"),
            )  # fmt: skip
            if not last:
                self.fields[f"up_to_{number}"] = forms.DecimalField(
                    label=_("Tier %(number)s ends at") % {"number": number}, required=False, min_value=0,
                    max_digits=15, decimal_places=6, help_text=_("units beyond the allowance; empty: no limit"),
                )  # fmt: skip

    def wish(self) -> MeterWish:
        """The meter as asked for; the use case judges it."""
        asked = self.cleaned_data
        return MeterWish(
            asked["meter"], asked["name"], asked["name_fr"], asked["unit"], asked["allowance"],
            [{"up_to": str(up_to) if up_to is not None else None, "unit_price": str(price)}
             for up_to, price in self._tiers()],
            counter=asked["counter"], carries=asked["carries"],
        )  # fmt: skip

    def _tiers(self) -> Iterator[tuple[Decimal | None, Decimal]]:
        for number in TIERS:
            price, up_to = self.cleaned_data.get(f"price_{number}"), self.cleaned_data.get(f"up_to_{number}")
            if price is not None:
                yield up_to, price
