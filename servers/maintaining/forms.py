"""Forms of interruptions. Instants are typed in the reader's own zone."""

import re
from typing import Any

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from panel.core.forms import LocalMoment
from servers import places
from servers.maintaining import maintenance_wording as wording
from servers.maintaining.maintenance_rules import Kind
from servers.models import Server

PANEL = "/"  # no place is called so


class WordsForm(forms.Form):
    """What everybody reads, in English and in French."""

    text = forms.CharField(
        label=_("Text"), max_length=4000, widget=forms.Textarea(attrs={"rows": 4}),
        help_text=_("Everybody reads it on the status page."),
    )  # fmt: skip
    text_fr = forms.CharField(
        label=_("Text in French"), max_length=4000, required=False, widget=forms.Textarea(attrs={"rows": 4}),
        help_text=_("Empty: the English text."),
    )  # fmt: skip


class NoteForm(WordsForm):
    mailed = forms.BooleanField(label=_("Also by e-mail to everybody concerned"), required=False)


class ExtendForm(WordsForm):
    until = forms.DateTimeField(label=_("New expected end"), widget=LocalMoment(seconds=False))
    field_order = ("until", "text", "text_fr")


class AnnounceForm(forms.Form):
    """What is announced: kind, place, words, from when to when."""

    kind = forms.ChoiceField(
        label=_("Kind"), choices=list(wording.KINDS.items()),
        help_text=_("Only planned maintenance that was announced in time is taken off the promised availability."),
    )  # fmt: skip
    place = forms.ChoiceField(label=_("Where"))
    servers = forms.CharField(
        label=_("Only these servers"), required=False, max_length=8000,
        widget=forms.Textarea(attrs={"rows": 2, "class": "mono", "spellcheck": "false"}),
        help_text=_("Their references. Empty: every server of the place."),
    )  # fmt: skip
    starts_at = forms.DateTimeField(
        label=_("From"), required=False, widget=LocalMoment(seconds=False),
        help_text=_("Empty: now, for what could not be planned."),
    )  # fmt: skip
    ends_at = forms.DateTimeField(
        label=_("Until"), required=False, widget=LocalMoment(seconds=False),
        help_text=_("The expected end; an incident may have none."),
    )  # fmt: skip
    title = forms.CharField(label=_("Title"), max_length=120)
    title_fr = forms.CharField(
        label=_("Title in French"), max_length=120, required=False, help_text=_("Empty: the English title.")
    )
    reason = forms.CharField(
        label=_("Reason, and what customers will notice"), max_length=4000, widget=forms.Textarea(attrs={"rows": 5})
    )
    reason_fr = forms.CharField(
        label=_("Reason in French"), max_length=4000, required=False, widget=forms.Textarea(attrs={"rows": 5}),
        help_text=_("Empty: the English text."),
    )  # fmt: skip
    mailed = forms.BooleanField(
        label=_("Tell by e-mail"), required=False, initial=True,
        help_text=_("Maintenance always is; an incident if you wish so."),
    )  # fmt: skip

    field_order = (
        "kind", "place", "title", "title_fr", "starts_at", "ends_at", "reason", "reason_fr", "servers", "mailed",
    )  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["place"].choices = [*places.labels().items(), (PANEL, wording.THE_PANEL)]  # type: ignore[attr-defined]

    def clean_place(self) -> str:
        return str(self.cleaned_data["place"]).removeprefix(PANEL)

    def clean_servers(self) -> list[Server]:
        wanted = set(filter(None, re.split(r"[\s,;]+", self.cleaned_data["servers"].upper())))
        found = list(Server.objects.alive().filter(reference__in=wanted))
        missing = sorted(wanted - {server.reference for server in found})
        if missing:
            raise forms.ValidationError(gettext("No living server has this reference: %(one)s") % {"one": missing[0]})
        return found

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if data.get("kind") == Kind.PLANNED and not data.get("starts_at") and "starts_at" not in self.errors:
            self.add_error("starts_at", _("Planned maintenance needs its beginning."))
        return data
