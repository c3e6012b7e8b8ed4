"""What staff types about customer groups and their prices."""

from datetime import datetime
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from invoicing.models import PACK, CustomerGroup, Interval, Option, Package
from invoicing.offering import price_notices
from invoicing.offering.promotion_forms import DAY
from panel.core.money import Cents, round_cents


class GroupForm(forms.ModelForm):
    """A new group."""

    class Meta:
        model = CustomerGroup
        fields = ("code", "name")
        labels = {"code": _("Code"), "name": _("Name")}
        help_texts = {"name": _("For the staff alone.")}


class MemberForm(forms.Form):
    """Who joins."""

    reference = forms.CharField(label=_("Reference of the account"), max_length=20, help_text=_("Such as ACC-..."))


class PercentForm(forms.Form):
    """What comes off the listed prices."""

    percent = forms.DecimalField(
        label=_("Percent off the listed prices"), min_value=0, max_value=100, max_digits=5, decimal_places=2
    )
    percent_from = forms.DateField(
        label=_("From"), required=False, widget=DAY, help_text=_("For new orders; empty: from now on.")
    )

    def start(self, now: datetime) -> datetime:
        return price_notices.start_of(self.cleaned_data["percent_from"], now)


class GroupPriceForm(forms.Form):
    """A price of the group's own for one thing."""

    item = forms.ChoiceField(label=_("Package or option"))
    interval = forms.ChoiceField(
        label=_("Invoiced"), choices=((Interval.MONTH, _("monthly")), (Interval.YEAR, _("annually")))
    )
    amount = forms.DecimalField(label=_("Price excluding VAT, in EUR"), max_digits=9, decimal_places=2, min_value=0)
    valid_from = forms.DateField(
        label=_("From"), required=False, widget=DAY, help_text=_("For new orders; empty: from now on.")
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        services = Package.objects.exclude(service_kind=PACK).order_by("position")
        self.items: dict[str, Package | Option] = {one.code: one for one in services}
        self.items |= {one.code: one for one in Option.objects.order_by("position")}
        choice: Any = self.fields["item"]
        choice.choices = [(code, item.name) for code, item in self.items.items()]

    def cents(self) -> Cents:
        return round_cents(self.cleaned_data["amount"])

    def start(self, now: datetime) -> datetime:
        return price_notices.start_of(self.cleaned_data["valid_from"], now)
