"""What is typed in this room: an order, a credit note."""

import secrets
from collections.abc import Mapping
from decimal import Decimal
from functools import partial
from typing import Any, cast

from django import forms
from django.db.models import QuerySet
from django.utils.translation import get_language, gettext
from django.utils.translation import gettext_lazy as _

from invoicing.models import Interval, Invoice, Package, Payment, PaymentMethod, Payout
from invoicing.offering import catalogue
from invoicing.offering.pack_forms import OrderNumber
from invoicing.paying_out import arriving
from invoicing.subscribing import kinds, trials
from invoicing.subscribing.kinds import Question
from panel.accounts.models import Account
from panel.core.errors import RuleViolation
from panel.core.money import CENT, Cents, euros, format_eur, round_cents
from panel.terms.numbers import FundsTerms

OPTION = "option-"


class OrderForm(forms.Form):
    """A package's order: interval, options, what its service kind asks, the conditions (SUB-2).

    `key` makes a double click one order.
    """

    interval = forms.ChoiceField(
        label=_("Invoiced"), widget=forms.RadioSelect, initial=Interval.MONTH,
        choices=((Interval.MONTH, _("monthly")), (Interval.YEAR, _("annually"))),
    )  # fmt: skip
    promotion = forms.CharField(
        label=_("Promotional code"), max_length=60, required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false", "autocapitalize": "characters"}),
    )  # fmt: skip
    order_number = OrderNumber()
    key = forms.CharField(widget=forms.HiddenInput, max_length=64)
    accept = forms.BooleanField(label=_("I have read and accept the conditions of this order."))

    def __init__(self, *args: Any, package: Package, account: Account, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.questions = list(kinds.get(package.service_kind).questions(package, account))
        self.options = list(catalogue.options_of(package))
        accept = self.fields.pop("accept")
        if trials.refusal(account, package) in (None, "means"):
            self.fields["trial"] = forms.BooleanField(
                label=_("Try it free for %(days)s days") % {"days": package.trial_days}, required=False,
                help_text=_("Then it is paid for; you are told before, and can end it until then for nothing.")
                if package.trial_converts else _("Then it ends by itself."),
            )  # fmt: skip
        for question in self.questions:
            self.fields[question.name] = question_field(question)
        for option in self.options:
            self.fields[OPTION + option.code] = forms.IntegerField(
                min_value=0, max_value=option.maximum, initial=0, required=False,
                label=option.named(get_language() or "en"),
                widget=forms.NumberInput(attrs={"inputmode": "numeric"}),
            )  # fmt: skip
        self.fields["accept"] = accept
        self.fields["key"].initial = secrets.token_urlsafe(18)

    def chosen(self, given: Mapping[str, str]) -> None:
        """What the address of the page chooses beforehand, where it is among the choices."""
        for question in self.questions:
            if question.widget == "choice" and given.get(question.name) in dict(question.choices):
                self.initial[question.name] = given[question.name]

    def quantities(self) -> dict[str, int]:
        """Quantity of each option by its code, as far as it was typed well."""
        given = getattr(self, "cleaned_data", {})
        return {option.code: given.get(OPTION + option.code) or 0 for option in self.options}

    def wishes(self) -> dict[str, Any]:
        """What `ordering.place` takes as `options`."""
        answers = {question.name: self.cleaned_data[question.name] for question in self.questions}
        return {**answers, "options": self.quantities()}

    def refused(self, refusal: RuleViolation) -> None:
        """A refusal of the use case, at its field where it has one."""
        field = refusal.field if refusal.field in self.fields else OPTION + refusal.field
        self.add_error(field if field in self.fields else None, refusal.sentence)


def question_field(question: Question) -> forms.Field:
    """The field that asks it."""
    shared: dict[str, Any] = {
        "label": question.label, "help_text": question.help, "required": question.required,
        "initial": question.initial or None,
    }  # fmt: skip
    if question.widget == "choice":
        return forms.ChoiceField(choices=question.choices, **shared)
    if question.widget == "several":
        shared["initial"] = [value for value, _label in question.choices]
        return forms.MultipleChoiceField(choices=question.choices, widget=forms.CheckboxSelectMultiple, **shared)
    widget = forms.Textarea(attrs={"rows": 4, "class": "mono"}) if question.widget == "textarea" else forms.TextInput()
    widget.attrs |= {"autocomplete": "off", "spellcheck": "false"}
    return forms.CharField(max_length=question.longest, widget=widget, **shared)


class DownPaymentForm(forms.Form):
    """What a down payment is for, and how much it is (INV-2)."""

    description = forms.CharField(label=_("Description"), max_length=300, help_text=_("Printed on the invoice."))
    amount = forms.DecimalField(
        label=_("Amount"), max_digits=12, decimal_places=2, min_value=CENT, help_text=_("excluding VAT, in EUR")
    )
    reference = forms.CharField(
        label=_("Reference"), max_length=40, required=False, help_text=_("The quote or the project it belongs to.")
    )
    key = forms.CharField(widget=forms.HiddenInput, max_length=64, initial=partial(secrets.token_urlsafe, 18))


class FinalInvoiceForm(forms.Form):
    """The whole of what a down payment was for; the down payment is taken off (INV-2)."""

    description = forms.CharField(label=_("Description"), max_length=300, help_text=_("Printed on the invoice."))
    quantity = forms.DecimalField(
        label=_("Quantity"), max_digits=12, decimal_places=4, min_value=Decimal("0.0001"), initial=1
    )
    unit_price = forms.DecimalField(
        label=_("Unit price"), max_digits=12, decimal_places=4, min_value=CENT,
        help_text=_("The whole price, excluding VAT, in EUR; the down payment is taken off by itself."),
    )  # fmt: skip
    key = forms.CharField(widget=forms.HiddenInput, max_length=64, initial=partial(secrets.token_urlsafe, 18))


class CreditForm(forms.Form):
    """How much of each line is given back, and why (INV-2)."""

    reason = forms.CharField(
        label=_("Reason"), max_length=300, help_text=_("It is printed on the credit note and told to the customer.")
    )
    refund = forms.BooleanField(
        label=_("Pay it back to the card it came from"), required=False,
        help_text=_("Else what was paid is added to the customer's funds and pays the next invoice."),
    )  # fmt: skip
    key = forms.CharField(widget=forms.HiddenInput, max_length=64)

    def __init__(self, data: Mapping[str, Any] | None = None, *, invoice: Invoice, left: list[int]) -> None:
        super().__init__(data)
        self.rows = list(invoice.lines.all())
        self.fields["key"].initial = secrets.token_urlsafe(18)
        for row, cents in zip(self.rows, left, strict=True):
            self.fields[f"line-{row.position}"] = forms.DecimalField(
                label=row.description, min_value=min(Decimal(0), euros(cents)), max_digits=12, decimal_places=2,
                initial=euros(cents).quantize(CENT), help_text=_("excluding VAT, in EUR"), disabled=cents == 0,
            )  # fmt: skip
        self.order_fields([f"line-{row.position}" for row in self.rows] + ["reason", "refund", "key"])

    def amounts(self) -> list[int]:
        """Net cents of each line."""
        return [round_cents(self.cleaned_data[f"line-{row.position}"]) for row in self.rows]


class TopUpForm(forms.Form):
    """How much is added to the funds, and from which card (INV-6)."""

    amount = forms.DecimalField(label=_("Amount in EUR"), max_digits=10, decimal_places=2)
    method = forms.ChoiceField(label=_("From"), widget=forms.RadioSelect)
    key = forms.CharField(widget=forms.HiddenInput, max_length=64)

    def __init__(
        self, data: Mapping[str, Any] | None = None, *, means: QuerySet[PaymentMethod], bounds: FundsTerms
    ) -> None:
        super().__init__(data)
        self.cards = {str(card.pk): card for card in means.filter(kind="card")}
        method = cast("forms.ChoiceField", self.fields["method"])
        method.choices = [
            *((pk, f"{card.brand.title()} \u2022\u2022\u2022\u2022 {card.last4}") for pk, card in self.cards.items()),
            ("page", gettext("Another card, at the payment page")),
        ]
        method.initial = next(iter(self.cards), "page")
        self.fields["key"].initial = secrets.token_urlsafe(18)
        language = get_language() or "en"
        self.fields["amount"].help_text = gettext("From %(least)s to %(most)s at once.") % {
            "least": format_eur(bounds.smallest, language), "most": format_eur(bounds.largest, language),
        }  # fmt: skip

    def cents(self) -> Cents:
        return round_cents(self.cleaned_data["amount"])

    def card(self) -> PaymentMethod | None:
        """The kept card that was chosen; None: the provider's page."""
        return self.cards.get(self.cleaned_data["method"])


class GiveBackForm(forms.Form):
    """What of a top-up is given back, and why: deposits are non-refundable, so a person has to say it (INV-6)."""

    amount = forms.DecimalField(label=_("Amount in EUR"), max_digits=10, decimal_places=2, min_value=CENT)
    reason = forms.CharField(label=_("Reason"), max_length=200, help_text=_("It stands in the journal."))
    key = forms.CharField(widget=forms.HiddenInput, max_length=64)

    def __init__(self, data: Mapping[str, Any] | None = None, *, payment: Payment, most: Cents) -> None:
        super().__init__(data)
        self.fields["amount"].initial = euros(most).quantize(CENT)
        self.fields["key"].initial = f"{payment.reference}:{secrets.token_urlsafe(12)}"

    def cents(self) -> Cents:
        return round_cents(self.cleaned_data["amount"])


class BankFileForm(forms.Form):
    """A statement of the bank (camt.053 or camt.054), or its report on our debits (pain.002)."""

    file = forms.FileField(
        label=_("File of the bank"), widget=forms.FileInput(attrs={"accept": ".xml"}),
        help_text=_("camt.053 or camt.054 of our account, or a report pain.002. Taking one in twice changes nothing."),
    )  # fmt: skip


class MatchForm(forms.Form):
    """Whose a transfer of `cents` is; or why it is nobody's."""

    wanted = forms.CharField(
        label=_("Invoice or customer"), max_length=35, required=False,
        help_text=_(
            "The number of an invoice or late-payment statement; or a customer's reference: it is then added to their "
            "funds."
        ),
    )  # fmt: skip
    payout = forms.ModelChoiceField(
        Payout.objects.none(),
        label=_("Or a payout of the payment provider"),
        required=False,
        empty_label=_("None"),
        to_field_name="provider_ref",
    )
    reason = forms.CharField(
        label=_("Or set it aside, because"), max_length=300, required=False,
        help_text=_("For what is nobody's payment, such as interest."),
    )  # fmt: skip

    def __init__(self, *args: Any, cents: int, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        fitting = arriving.awaited().filter(amount_cents=cents)
        cast("forms.ModelChoiceField[Payout]", self.fields["payout"]).queryset = fitting
        if not fitting.exists():
            del self.fields["payout"]

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or {}
        if not any(given.get(name) for name in ("wanted", "payout", "reason")):
            raise forms.ValidationError(_("Say whose it is, or why it is set aside."))
        return given
