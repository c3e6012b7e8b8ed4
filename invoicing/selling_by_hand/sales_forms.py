"""What staff types about a customer's money."""

from typing import Any

from django import forms
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from invoicing.models import Invoice, ManualPayment
from invoicing.quoting.quote_forms import DAY


class NewDraftForm(forms.Form):
    """A manual invoice begins."""

    reference = forms.CharField(
        label=_("Reference"), max_length=60, required=False,
        help_text=_("The buyer's order number, or what the sale is about; printed on the invoice."),
    )  # fmt: skip


class DraftLineForm(forms.Form):
    """One line of a manual invoice."""

    description = forms.CharField(label=_("Description"), max_length=300)
    quantity = forms.DecimalField(label=_("Quantity"), max_digits=12, decimal_places=3, initial=1)
    unit = forms.CharField(label=_("Unit"), max_length=12, required=False, help_text=_("Such as h or day."))
    unit_price = forms.DecimalField(
        label=_("Unit price"), max_digits=12, decimal_places=4, help_text=_("excluding VAT, in EUR")
    )


class ManualPaymentForm(forms.Form):
    """Money that came by bank or post."""

    means = forms.ChoiceField(label=_("By"), choices=ManualPayment.Means.choices)
    reference = forms.CharField(
        label=_("Reference"), max_length=80, help_text=_("Of the bank's statement, or the number of the cheque.")
    )
    amount = forms.DecimalField(label=_("Amount"), min_value=0, max_digits=12, decimal_places=2, help_text=_("in EUR"))
    received_on = forms.DateField(label=_("Received on"), widget=DAY)
    invoice = forms.ModelChoiceField(
        Invoice.objects.none(), label=_("Pays"), required=False, empty_label=_("the funds"),
        help_text=_("What is beyond the amount due goes to the funds."),
    )  # fmt: skip

    def __init__(self, *args: Any, open_invoices: QuerySet[Invoice], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        chosen: Any = self.fields["invoice"]
        chosen.queryset = open_invoices


class TakeBackForm(forms.Form):
    """Why a payment is taken back."""

    reason = forms.CharField(
        label=_("Reason"), max_length=300, widget=forms.Textarea(attrs={"rows": 2}),
        help_text=_("Such as a cheque that bounced, a wrong amount, or another customer's transfer."),
    )  # fmt: skip


class PaidBackForm(forms.Form):
    """A transfer that our bank made to a customer."""

    amount = forms.DecimalField(label=_("Amount"), min_value=0, max_digits=12, decimal_places=2, help_text=_("in EUR"))
    paid_on = forms.DateField(label=_("Transferred on"), widget=DAY)
    reference = forms.CharField(
        label=_("Reference"), max_length=80,
        help_text=_("As the transfer gives it: the bank's statement is matched by it."),
    )  # fmt: skip
    iban_last4 = forms.CharField(label=_("IBAN, last four characters"), min_length=4, max_length=4)
    reason = forms.CharField(label=_("Reason"), max_length=200)


class WriteOffForm(forms.Form):
    """Why a claim is given up."""

    reason = forms.CharField(
        label=_("Reason"), max_length=300, widget=forms.Textarea(attrs={"rows": 2}),
        help_text=_("Such as the judgment, the insolvency, or the cost of pursuing it."),
    )  # fmt: skip
