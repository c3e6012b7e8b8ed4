"""What is typed about quotes: by staff who draw one up, by the customer who answers it."""

import secrets
from collections.abc import Mapping
from datetime import date
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from invoicing.forms import question_field
from invoicing.models import PACK, Option, Package, Quote, QuoteLine, QuoteStage
from invoicing.quoting import quote_rules
from invoicing.subscribing import kinds
from panel.accounts.models import Account
from panel.core.errors import RuleViolation

STAGES = 4
DAY = forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")


def refuse(form: forms.Form, refusal: RuleViolation) -> None:
    """A refusal of the use case, at its field where the form has it."""
    form.add_error(refusal.field if refusal.field in form.fields else None, refusal.sentence)


class NewQuoteForm(forms.Form):
    """A draft for a customer."""

    title = forms.CharField(label=_("What it is for"), max_length=160)
    valid_until = forms.DateField(label=_("Valid until"), widget=DAY, help_text=_("It can be signed on this day too."))


class QuoteLineForm(forms.Form):
    """One line: sold once, or a package each month or year."""

    package = forms.ModelChoiceField(
        Package.objects.exclude(service_kind=PACK).order_by("family__position", "position"),
        label=_("Package"), required=False,
        empty_label=_("none: sold once"), help_text=_("Becomes that many subscriptions at this price."),
    )  # fmt: skip
    interval = forms.ChoiceField(
        label=_("Invoiced"), required=False,
        choices=(("", _("once")), ("month", _("monthly")), ("year", _("annually"))),
    )  # fmt: skip
    commitment_months = forms.IntegerField(
        label=_("Committed for, in months"), min_value=0, max_value=60, required=False,
        help_text=_("Empty: without commitment. What is left of it is due when the client ends it sooner (SUB-6)."),
    )  # fmt: skip
    description = forms.CharField(
        label=_("Description"), max_length=300, required=False, help_text=_("Empty: the name of the package.")
    )
    quantity = forms.DecimalField(label=_("Quantity"), max_digits=12, decimal_places=3, initial=1)
    unit = forms.CharField(label=_("Unit"), max_length=12, required=False, help_text=_("Such as h or day."))
    unit_price = forms.DecimalField(
        label=_("Unit price"), max_digits=12, decimal_places=4, help_text=_("excluding VAT, in EUR")
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["package"].label_from_instance = lambda one: one.name  # type: ignore[attr-defined]


class QuoteOptionForm(forms.Form):
    """An option beside each service of a recurring line."""

    line = forms.ModelChoiceField(QuoteLine.objects.none(), label=_("Service"))
    option = forms.ModelChoiceField(Option.objects.order_by("family__position", "position"), label=_("Option"))
    quantity = forms.IntegerField(label=_("For each service"), min_value=1, initial=1)
    unit_price = forms.DecimalField(
        label=_("Unit price"), max_digits=12, decimal_places=2, help_text=_("excluding VAT, in EUR")
    )

    def __init__(self, data: Mapping[str, Any] | None = None, *, quote: Quote) -> None:
        super().__init__(data)
        line: Any = self.fields["line"]
        line.queryset, line.label_from_instance = quote.lines.exclude(package=None), lambda one: one.description
        option: Any = self.fields["option"]
        option.label_from_instance = lambda one: one.name


class QuoteTextForm(forms.Form):
    """What a draft says beside its lines, and the numbers of the terms it replaces (LEG-6)."""

    title = forms.CharField(label=_("What it is for"), max_length=160)
    introduction = forms.CharField(label=_("Introduction"), required=False, widget=forms.Textarea(attrs={"rows": 3}))
    conditions = forms.CharField(
        label=_("Special conditions"), required=False, widget=forms.Textarea(attrs={"rows": 4}),
        help_text=_("Once signed they are stronger than the general terms."),
    )  # fmt: skip
    our_manager = forms.CharField(label=_("Our project manager"), max_length=120, required=False)
    valid_until = forms.DateField(label=_("Valid until"), widget=DAY)

    def __init__(self, data: Mapping[str, Any] | None = None, *, quote: Quote) -> None:
        initial = {name: getattr(quote, name) for name in self.base_fields}
        super().__init__(data, initial=initial)
        labels = {
            "SRV-5.price_per_gb": _("Each GB of traffic beyond the included volume, in EUR"),
            "INV-14.net_days": _("Days to pay an invoice"),
        }
        for rule, key in quote_rules.NEGOTIABLE:
            name = f"{rule}.{key}"
            self.fields[name] = forms.CharField(
                label=labels[name], required=False, max_length=12, initial=quote.special.get(name, ""),
                help_text=_("Empty: as in the terms."), widget=forms.TextInput(attrs={"inputmode": "decimal"}),
            )  # fmt: skip

    def special(self) -> dict[str, str]:
        """The agreed numbers, by `rule.key`; decimal commas are points."""
        names = [f"{rule}.{key}" for rule, key in quote_rules.NEGOTIABLE]
        return {name: self.cleaned_data[name].strip().replace(",", ".") for name in names}


class StagesForm(forms.Form):
    """In which parts what is sold once is invoiced."""

    def __init__(self, data: Mapping[str, Any] | None = None, *, quote: Quote) -> None:
        super().__init__(data)
        held: list[QuoteStage | None] = [*quote.stages.all()]
        for number, stage in enumerate((held + [None] * STAGES)[: max(STAGES, len(held))]):
            self.fields[f"title-{number}"] = forms.CharField(
                label=_("Stage"), max_length=120, required=False, initial=stage.title if stage else ""
            )
            self.fields[f"percent-{number}"] = forms.IntegerField(
                label=_("Share in %"), min_value=1, max_value=quote_rules.WHOLE, required=False,
                initial=stage.percent if stage else None,
            )  # fmt: skip
            self.fields[f"when-{number}"] = forms.ChoiceField(
                label=_("Invoiced"), choices=QuoteStage.When.choices, initial=stage.when if stage else "reached"
            )
            self.fields[f"on-{number}"] = forms.DateField(
                label=_("Day"), widget=DAY, required=False, initial=stage.on if stage else None
            )
        self.count = len(self.fields) // 4

    def rows(self) -> list[list[forms.BoundField]]:
        """The four fields of each stage."""
        return [[self[f"{name}-{number}"] for name in ("title", "percent", "when", "on")]
                for number in range(self.count)]  # fmt: skip

    def stages(self) -> list[tuple[str, int, str, date | None]]:
        """The stages that ask for something."""
        given = self.cleaned_data
        return [
            (given[f"title-{n}"], given[f"percent-{n}"], given[f"when-{n}"], given[f"on-{n}"])
            for n in range(self.count)
            if given[f"percent-{n}"]
        ]


class SignForm(forms.Form):
    """The customer's signature: a name typed, the conditions ticked, the document that was read."""

    name = forms.CharField(
        label=_("Your first and last name"), max_length=120, help_text=_("Typed here it is your signature."),
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
    )  # fmt: skip
    client_manager = forms.CharField(
        label=_("Your project manager"), max_length=120, required=False, help_text=_("Empty: yourself.")
    )
    accept = forms.BooleanField(label=_("I have read the quote and accept it with the conditions it names."))
    sha256 = forms.CharField(widget=forms.HiddenInput, max_length=64)


class OverrunForm(forms.Form):
    """What a project costs beyond its quote."""

    amount = forms.DecimalField(
        label=_("Beyond the quote"), max_digits=12, decimal_places=2, help_text=_("excluding VAT, in EUR")
    )
    reason = forms.CharField(
        label=_("Reason"), max_length=300, widget=forms.Textarea(attrs={"rows": 2}),
        help_text=_("Told to the customer with the amount."),
    )  # fmt: skip


class DeclineForm(forms.Form):
    """Why not."""

    reason = forms.CharField(
        label=_("What does not suit you?"), max_length=300, widget=forms.Textarea(attrs={"rows": 2})
    )


class SetUpForm(forms.Form):
    """What a service of a signed quote must know before it can be ordered."""

    key = forms.CharField(widget=forms.HiddenInput, max_length=64)

    def __init__(self, data: Mapping[str, Any] | None = None, *, line: QuoteLine, account: Account) -> None:
        super().__init__(data)
        self.fields["key"].initial = secrets.token_urlsafe(18)
        package = line.package
        self.questions = list(kinds.get(package.service_kind).questions(package, account)) if package else []
        for question in self.questions:
            self.fields[question.name] = question_field(question)

    def answers(self) -> dict[str, Any]:
        """What `quote_signing.order` takes."""
        return {question.name: self.cleaned_data[question.name] for question in self.questions}
