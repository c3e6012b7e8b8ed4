"""What staff types to put a prepaid pack on sale (OPR-9), and what a customer types to buy one."""

import secrets
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from invoicing.models import ONCE, PACK, Pack, Package, PackageMeter
from invoicing.offering.catalogue_forms import LABELS, ItemForm, PriceForm

SMALLEST = "0.000001"


class OrderNumber(forms.CharField):
    """The buyer's own number of an order, for its invoices (BT-13)."""

    def __init__(self) -> None:
        super().__init__(
            label=_("On the invoices of this order"), max_length=60, required=False,
            help_text=_("Left empty, that of your account stands there."),
            widget=forms.TextInput(attrs={"autocomplete": "off"}),
        )  # fmt: skip


class PackForm(ItemForm):
    """A pack: how many units of which meter. Packs that were bought keep what they held; how long they are kept without
    a use stands in the terms."""

    service_kind = None  # type: ignore[assignment]
    meter = forms.ChoiceField(label=_("Meter"), help_text=_("What it pays for, in every service that has this meter."))
    units = forms.DecimalField(label=_("Units in the pack"), min_value=0, max_digits=12, decimal_places=6)

    class Meta:
        model = Package
        fields = (
            "family", "code", "name", "name_fr", "summary", "summary_fr", "position", "on_sale", "vat_category",
            "vat_rate", "vat_reason",
        )  # fmt: skip
        labels = LABELS

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        known = PackageMeter.objects.order_by("meter", "-valid_from").values_list("meter", "unit", "name")
        self.units_of = {meter: unit for meter, unit, _name in reversed(list(known))}
        names = {meter: name for meter, _unit, name in reversed(list(known))}
        self.fields["meter"].choices = [  # type: ignore[attr-defined]
            (meter, f"{names[meter]} ({unit})") for meter, unit in sorted(self.units_of.items())
        ]
        for name in ("meter", "units"):
            self.fields[name].initial = self.instance.spec.get(name)

    def clean_units(self) -> Any:
        units = self.cleaned_data["units"]
        if not units:
            raise forms.ValidationError(_("A pack holds something."))
        return units

    def _sold(self) -> bool:
        return Pack.objects.filter(package=self.instance.pk).exists()

    def save(self, commit: bool = True) -> Any:
        meter = self.cleaned_data["meter"]
        self.instance.service_kind = PACK
        self.instance.spec = {
            "meter": meter, "unit": self.units_of[meter], "units": f"{self.cleaned_data['units'].normalize():f}"
        }  # fmt: skip
        return super().save(commit)


class PackPriceForm(PriceForm):
    """A pack is paid once, and nothing is set up."""

    interval = forms.ChoiceField(label=_("Invoiced"), choices=((ONCE, _("once")),), initial=ONCE)
    setup = None  # type: ignore[assignment]
    setup_on_change = None  # type: ignore[assignment]


class PackOrderForm(forms.Form):
    """`key` makes a double click one order."""

    order_number = OrderNumber()
    key = forms.CharField(widget=forms.HiddenInput, max_length=64)
    accept = forms.BooleanField(label=_("I have read and accept the conditions of this order."))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["key"].initial = secrets.token_urlsafe(18)
