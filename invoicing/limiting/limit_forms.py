"""The form of a spending cap, and what staff says of an account's limits."""

from decimal import Decimal

from django import forms
from django.utils.translation import gettext_lazy as _

from panel.core.money import Cents, euros, round_cents


class CapForm(forms.Form):
    """The most an account may spend in a calendar month, net of VAT; empty for no cap."""

    amount = forms.DecimalField(
        label=_("Cap in EUR a month, excluding VAT"), max_digits=10, decimal_places=2, min_value=Decimal("0.01"),
        required=False, help_text=_("Leave it empty for no cap."),
    )  # fmt: skip

    def __init__(self, *args: object, cents: Cents | None = None) -> None:
        super().__init__(*args)  # type: ignore[arg-type]
        self.fields["amount"].initial = None if cents is None else euros(cents).quantize(Decimal("0.01"))

    def cents(self) -> Cents | None:
        amount = self.cleaned_data["amount"]
        return None if amount is None else round_cents(amount)
