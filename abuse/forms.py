"""Forms of reports and cases."""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.utils.translation import gettext_lazy as _

from abuse.models import Kind
from abuse.reports import Category, Confidence, Precision, ReportDraft, Source, Span, times
from abuse.reports.addresses import canonical
from panel.core.forms import LocalMoment
from tickets.forms import FilesField

ZONES = [("UTC", "UTC"), ("Europe/Paris", "Europe/Paris"), ("Europe/London", "Europe/London"),
         ("America/New_York", "America/New_York"), ("America/Los_Angeles", "America/Los_Angeles"),
         ("Asia/Tokyo", "Asia/Tokyo")]  # fmt: skip


class ReportForm(forms.Form):
    """A notice under Article 16 of the Digital Services Act; no account is needed."""

    category = forms.ChoiceField(label=_("What is it about?"), choices=Kind.choices)
    ip = forms.CharField(
        label=_("IP address"), max_length=64, required=False,
        help_text=_("IPv4 or IPv6, as it was at the time. Leave it empty if you only know a link."),
    )  # fmt: skip
    port = forms.IntegerField(label=_("Port"), min_value=1, max_value=65535, required=False)
    url = forms.URLField(
        label=_("Exact location (URL)"), max_length=2000, required=False, assume_scheme="https",
        help_text=_("The link under which the content is found, if there is one."),
    )  # fmt: skip
    moment = forms.CharField(label=_("When was it seen?"), widget=LocalMoment())
    zone = forms.ChoiceField(label=_("Time zone of that time"), choices=ZONES)
    work = forms.CharField(label=_("Work"), max_length=500, required=False, help_text=_("For copyright: which work."))
    right_holder = forms.CharField(label=_("Right holder"), max_length=200, required=False)
    explanation = forms.CharField(
        label=_("Why is it illegal or against our terms?"), max_length=10_000, min_length=20,
        widget=forms.Textarea(attrs={"rows": 7}),
        help_text=_("This text is forwarded to our customer as you write it. Your name is not."),
    )  # fmt: skip
    name = forms.CharField(label=_("Your name or organisation"), max_length=200)
    email = forms.EmailField(label=_("Your e-mail"), max_length=254)
    reference = forms.CharField(label=_("Your reference"), max_length=120, required=False)
    good_faith = forms.BooleanField(
        label=_("I believe in good faith that this report and its allegations are accurate and complete.")
    )
    website = forms.CharField(required=False, widget=forms.HiddenInput())

    def clean_ip(self) -> str:
        text = self.cleaned_data["ip"].strip()
        if not text:
            return ""
        address = canonical(text)
        if address is None:
            raise forms.ValidationError(_("This is not the address of one host."))
        return address

    def clean_moment(self) -> datetime:
        try:
            moment = datetime.fromisoformat(self.cleaned_data["moment"]).replace(tzinfo=None)
            if not times.EARLIEST.year <= moment.year <= times.LATEST.year:
                raise ValueError("not a year")
            return moment
        except ValueError:
            raise forms.ValidationError(_("Please give date and time, such as 2026-11-03 07:15.")) from None

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if not data.get("ip") and not data.get("url") and "ip" not in self.errors and "url" not in self.errors:
            self.add_error("ip", _("Please give an IP address or a link."))
        return data

    def draft(self, addresses: list[str], language: str) -> ReportDraft:
        """The report in our own words, for these addresses."""
        data = self.cleaned_data
        start = data["moment"].replace(tzinfo=ZoneInfo(data["zone"])).astimezone(UTC)
        seconds = 0 if start.second else 59
        span = Span(start, start + timedelta(seconds=seconds), Precision.MINUTE, f"{data['moment']} {data['zone']}")
        return ReportDraft(
            Category(data["category"]), tuple(Source(address, data["port"], data["url"]) for address in addresses),
            span, Confidence.LIKELY, reporter_email=data["email"].lower(), reporter_name=data["name"],
            reporter_ref=data["reference"], explanation=data["explanation"], work=data["work"],
            right_holder=data["right_holder"], language=language,
        )  # fmt: skip


class AnswerForm(forms.Form):
    body = forms.CharField(
        label=_("Your answer"), max_length=100_000, widget=forms.Textarea(attrs={"rows": 7}),
        help_text=_("What you did about it, or why the report is wrong. The clock stops when you send it."),
    )  # fmt: skip
    attachments = FilesField()


class DecisionForm(forms.Form):
    reason = forms.CharField(
        label=_("Reason, which the customer reads"), max_length=5000, widget=forms.Textarea(attrs={"rows": 3})
    )


class StaffMessageForm(forms.Form):
    body = forms.CharField(label=_("Message"), max_length=100_000, widget=forms.Textarea(attrs={"rows": 4}))
    internal = forms.BooleanField(label=_("Internal note, never shown to the customer"), required=False)
    attachments = FilesField()


class AcceptForm(forms.Form):
    """Whom a report is about, and what it is."""

    holding = forms.ChoiceField(label=_("Who held the address"), widget=forms.RadioSelect)
    category = forms.ChoiceField(label=_("Kind"), choices=Kind.choices)

    def __init__(self, *args: Any, holdings: list[tuple[str, str]], **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["holding"].choices = holdings  # type: ignore[attr-defined]


class SourceForm(forms.Form):
    """What no reader could read."""

    ip = forms.CharField(label=_("IP address"), max_length=64)
    moment = forms.CharField(label=_("When (UTC)"), widget=LocalMoment(), required=False)

    def clean_ip(self) -> str:
        try:
            return str(ipaddress.ip_address(self.cleaned_data["ip"].strip()))
        except ValueError:
            raise forms.ValidationError(_("This is not the address of one host.")) from None

    def clean_moment(self) -> datetime | None:
        text = self.cleaned_data["moment"]
        try:
            moment = datetime.fromisoformat(text).replace(tzinfo=UTC) if text else None
            if moment is not None and not times.EARLIEST <= moment <= times.LATEST:
                raise ValueError("not a year")
            return moment
        except ValueError:
            raise forms.ValidationError(_("Please give date and time, such as 2026-11-03 07:15.")) from None


class ReporterForm(forms.Form):
    email = forms.EmailField(label=_("E-mail"))
    name = forms.CharField(label=_("Name or organisation"), max_length=200)
    domain = forms.CharField(
        label=_("Domain"), max_length=255, required=False,
        help_text=_("Whose signature (DKIM) proves that a mail is this reporter's."),
    )  # fmt: skip
    trusted = forms.BooleanField(label=_("Trusted: a proven report starts the clock by itself"), required=False)
