"""What staff types into the catalogue: families, packages, options and their prices (SUB-1)."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from invoicing.models import Family, Interval, Option, Package, Subscription, VatCategory
from invoicing.offering import price_notices
from invoicing.subscribing import kinds
from panel.core.money import Cents, round_cents

GB = 10**9


class FamilyForm(forms.ModelForm):
    """A family of packages that are compared side by side."""

    class Meta:
        model = Family
        fields = ("code", "name", "name_fr", "summary", "summary_fr", "position")
        labels = {
            "code": _("Code"), "name": _("Name in English"), "name_fr": _("Name in French"),
            "summary": _("Summary in English"), "summary_fr": _("Summary in French"), "position": _("Position"),
        }  # fmt: skip


class ItemForm(forms.ModelForm):
    """What the forms of packages, options and packs have in common."""

    service_kind = forms.ChoiceField(label=_("Kind of service"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["vat_category"].required = False
        if "service_kind" in self.fields:
            self.fields["service_kind"].choices = [(one, one) for one in sorted(kinds.registered())]  # type: ignore[attr-defined]
        if self.instance.pk:
            self.fields["code"].disabled = True  # orders and invoices name it

    def clean(self) -> dict[str, Any]:
        """A reduced rate has a percentage and an exemption a reason; what was sold does not leave VAT, nor enter it:
        the services that run have options whose lines stand on the same invoice (BR-O-11)."""
        asked = super().clean() or {}
        category = asked["vat_category"] = asked.get("vat_category") or VatCategory.ELECTRONIC
        if category == VatCategory.REDUCED and not asked.get("vat_rate"):
            self.add_error("vat_rate", _("Please give the reduced rate in percent."))
        if category == VatCategory.EXEMPTED and not asked.get("vat_reason"):
            self.add_error("vat_reason", _("Please choose why it is exempt."))
        if category != VatCategory.REDUCED:
            asked["vat_rate"] = None
        if category != VatCategory.EXEMPTED:
            asked["vat_reason"] = ""
        before = self.initial.get("vat_category")
        if self.instance.pk and before != category and VatCategory.OUTSIDE in (before, category) and self._sold():
            self.add_error("vat_category", _("It has been sold: make a new one for what is outside VAT."))
        return asked

    def _sold(self) -> bool:
        sold = Subscription.objects.filter(package=self.instance.pk)
        if isinstance(self.instance, Option):
            sold = Subscription.objects.filter(options__option=self.instance.pk)
        return sold.exists()


LABELS = {
    "family": _("Family"), "code": _("Code"), "name": _("Name in English"), "name_fr": _("Name in French"),
    "summary": _("Summary in English"), "summary_fr": _("Summary in French"), "position": _("Position"),
    "on_sale": _("On sale"), "hosts_code": _("A project’s code may stand on it (SUB-7)"),
    "maximum": _("At most with one service"), "trial_days": _("Free trial, in days"),
    "trial_converts": _("After its trial it is paid for (else it ends)"),
    "trial_needs_means": _("A trial asks for a means of payment on file"),
    "vat_category": _("VAT"), "vat_rate": _("Reduced rate, in percent"),
    "vat_reason": _("Why it is exempt"), "one_of": _("One of"),
}  # fmt: skip


NUMBERS = {
    "vcpu": "vcpu", "memory_mb": "memory_mb", "disk_gb": "disk_gb", "included_bytes": "included_gb",
    "network_mbps": "network_mbps",
}  # fmt: skip
"""The numbers of a package that a kind of service may ask for, and the field each is typed in."""


class PackageForm(ItemForm):
    """A package and what it promises; what runs already keeps what it was given. The numbers are those that its kind of
    service asks for."""

    vcpu = forms.IntegerField(label=_("Processors (vCPU)"), min_value=1, max_value=512, required=False)
    memory_mb = forms.IntegerField(label=_("Memory (MB)"), min_value=128, required=False)
    disk_gb = forms.IntegerField(label=_("Disk (GB)"), min_value=1, required=False)
    included_gb = forms.IntegerField(label=_("Traffic included in a month (GB)"), min_value=0, required=False)
    network_mbps = forms.IntegerField(label=_("Network (Mbit/s)"), min_value=1, required=False)

    class Meta:
        model = Package
        fields = (
            "family", "code", "name", "name_fr", "summary", "summary_fr", "service_kind", "position", "on_sale",
            "hosts_code", "trial_days", "trial_converts", "trial_needs_means", "vat_category", "vat_rate", "vat_reason",
        )  # fmt: skip
        labels = LABELS
        help_texts = {"hosts_code": ""}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["trial_days"].required = False
        for name, value in self.instance.spec.items():
            if name in self.fields:
                self.fields[name].initial = value
        if "included_bytes" in self.instance.spec:
            self.fields["included_gb"].initial = self.instance.spec["included_bytes"] // GB
        chosen = self.data.get(self.add_prefix("service_kind")) or self.instance.service_kind
        self.numbers = [name for name in NUMBERS if name in kinds.package_numbers(str(chosen))]
        for name, field in NUMBERS.items():
            if name in self.numbers:
                self.fields[field].required = True
            elif chosen:
                del self.fields[field]

    def clean_trial_days(self) -> int:
        return self.cleaned_data["trial_days"] or 0

    def save(self, commit: bool = True) -> Any:
        typed = {name: self.cleaned_data[NUMBERS[name]] for name in self.numbers}
        if "included_bytes" in typed:
            typed["included_bytes"] *= GB
        others = {name: value for name, value in self.instance.spec.items() if name not in NUMBERS}
        self.instance.spec = {**others, **typed}
        return super().save(commit)


class OptionForm(ItemForm):
    """A related service that can be ordered with any package of its family."""

    class Meta:
        model = Option
        fields = (
            "family", "code", "name", "name_fr", "summary", "summary_fr", "service_kind", "position", "on_sale",
            "maximum", "one_of", "vat_category", "vat_rate", "vat_reason",
        )  # fmt: skip
        labels = LABELS
        help_texts = {"one_of": _("Of options with the same word here, one is chosen at most.")}

    def clean(self) -> dict[str, Any]:
        said: dict[str, Any] = super().clean() or {}
        if said.get("on_sale") and said.get("service_kind"):
            reason = kinds.get(said["service_kind"]).why_not_offered(said.get("code", ""))
            if reason:
                self.add_error("on_sale", reason)
        return said


class PriceForm(forms.Form):
    """A price excluding VAT, from a day on (LEG-3)."""

    interval = forms.ChoiceField(
        label=_("Invoiced"), choices=((Interval.MONTH, _("monthly")), (Interval.YEAR, _("annually")))
    )
    amount = forms.DecimalField(
        label=_("Price excluding VAT, in EUR"), max_digits=9, decimal_places=2, min_value=0,
        error_messages={"max_decimal_places": _("A price has at most two decimals."),
                        "min_value": _("A price is not negative.")},
    )  # fmt: skip
    setup = forms.DecimalField(
        label=_("Setup fee excluding VAT, in EUR"), max_digits=9, decimal_places=2, min_value=0, required=False,
        help_text=_("Once for each, with its first invoice; empty: none."),
        error_messages={"max_decimal_places": _("A price has at most two decimals."),
                        "min_value": _("A price is not negative.")},
    )  # fmt: skip
    setup_on_change = forms.BooleanField(
        label=_("The setup fee is due again when a running service changes to it"), required=False
    )
    valid_from = forms.DateField(
        label=_("From"), required=False, help_text=_("For new orders; empty: from now on."),
        widget=forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"}),
    )  # fmt: skip

    def cents(self) -> Cents:
        return round_cents(self.cleaned_data["amount"])

    def setup_cents(self) -> Cents:
        return round_cents(self.cleaned_data.get("setup") or Decimal(0))

    def start(self, now: datetime) -> datetime:
        return price_notices.start_of(self.cleaned_data["valid_from"], now)
