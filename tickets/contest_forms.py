"""What is typed of a contested document: how much of which line and why; what is granted of it (TIC-6, INV-9)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, cast

from django import forms
from django.utils.datastructures import MultiValueDict
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from invoicing.models import Invoice, InvoiceLine
from panel.core.money import CENT, Cents, euros, round_cents
from tickets import rules
from tickets.forms import FilesField

ALL, PART, REFUSE = "all", "part", "refuse"


class _LinesForm(forms.Form):
    """An amount for each line; `most`: net cents that it can be at most."""

    what = forms.ChoiceField(widget=forms.RadioSelect)
    words = ""

    def __init__(
        self, data: Mapping[str, Any] | None = None, files: MultiValueDict[str, Any] | None = None, *,
        invoice: Invoice, most: Sequence[Cents],
    ) -> None:  # fmt: skip
        super().__init__(data, files)
        self.rows: list[InvoiceLine] = list(invoice.lines.all())
        self.most = most
        for row, cents in zip(self.rows, most, strict=True):
            self.fields[self.name(row)] = forms.DecimalField(
                label=row.description, required=False, max_digits=12, decimal_places=2, disabled=cents == 0,
                min_value=min(Decimal(0), euros(cents)), max_value=max(Decimal(0), euros(cents)),
                initial=euros(cents).quantize(CENT), help_text=_("excluding VAT, in EUR"),
            )  # fmt: skip

    @staticmethod
    def name(row: InvoiceLine) -> str:
        return f"line-{row.position}"

    def typed(self) -> list[Cents]:
        return [round_cents(self.cleaned_data.get(self.name(row)) or Decimal(0)) for row in self.rows]


class ContestForm(_LinesForm):
    """Dispute an invoice, or ask for the waiver of a late fee."""

    why = forms.CharField(
        label=_("Why"), max_length=rules.MAX_BODY, widget=forms.Textarea(attrs={"rows": 5}),
        help_text=_("What is wrong, and what would be right. We read it before we decide."),
    )  # fmt: skip
    attachments = FilesField()

    def __init__(self, *args: Any, waiver: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = cast("forms.ChoiceField", self.fields["what"])
        field.label, field.initial = gettext("What it is about"), ALL
        field.choices = (
            [(ALL, gettext("Cancel all of it")), (PART, gettext("A discount: as much of each line as typed below"))]
            if waiver
            else [(ALL, gettext("All of the invoice")), (PART, gettext("A part: as much of each line as typed below"))]
        )
        self.order_fields(["what", *(self.name(row) for row in self.rows), "why", "attachments"])

    def wanted(self) -> list[Cents] | None:
        """Net cents of each line; None: all that is left."""
        return None if self.cleaned_data["what"] == ALL else self.typed()


class DecisionForm(_LinesForm):
    """Staff's decision, with what is granted of each line."""

    reason = forms.CharField(
        label=_("Reason"), max_length=300, widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("Told to the customer, and printed on the credit note."),
    )  # fmt: skip
    refund = forms.BooleanField(
        label=_("Pay it back to the card it came from"), required=False,
        help_text=_("Else what was paid is added to the customer's funds and pays the next invoice."),
    )  # fmt: skip

    def __init__(self, *args: Any, wanted: Sequence[Cents], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.wanted = wanted
        field = cast("forms.ChoiceField", self.fields["what"])
        field.label = gettext("Decision")
        field.choices = [
            (ALL, gettext("Accept: credit what is asked for")),
            (PART, gettext("Accept in part: credit as much of each line as typed below")),
            (REFUSE, gettext("Refuse")),
        ]
        for row, cents in zip(self.rows, wanted, strict=True):
            self.fields[self.name(row)].initial = euros(cents).quantize(CENT)
        self.order_fields(["what", *(self.name(row) for row in self.rows), "reason", "refund"])

    def clean(self) -> dict[str, Any]:
        said: dict[str, Any] = super().clean() or {}
        if said.get("what") == PART and not self.errors and not any(self.typed()):
            self.add_error("what", gettext("Nothing is granted of any line: that is a refusal."))
        return said

    def granted(self) -> list[Cents]:
        """Net cents of each line; nothing of any for a refusal."""
        what = self.cleaned_data["what"]
        if what == PART:
            return self.typed()
        return list(self.wanted) if what == ALL else [0] * len(self.rows)


class MakeContestForm(forms.Form):
    """Which invoice an ordinary request disputes."""

    number = forms.CharField(label=_("Number of the invoice"), max_length=35)
