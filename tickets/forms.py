"""Forms of requests."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext_lazy as _

from tickets import rules
from tickets.conversation import File
from tickets.models import Ticket


class ManyFiles(forms.FileInput):
    allow_multiple_selected = True


class FilesField(forms.FileField):
    """Several files, within the limits of `rules`; cleaned to `conversation.File`s."""

    def __init__(self, **options: Any) -> None:
        super().__init__(
            label=_("Attachments"), required=False, widget=ManyFiles(attrs={"multiple": True}),
            help_text=_("At most 10 files of 10 MB each."), **options,
        )  # fmt: skip

    def clean(self, data: Any, initial: Any = None) -> list[File]:
        given: list[UploadedFile] = list(data) if isinstance(data, list | tuple) else [data] if data else []
        if len(given) > rules.MAX_FILES or any((one.size or 0) > rules.MAX_FILE_BYTES for one in given):
            raise forms.ValidationError(_("At most 10 files of 10 MB each."))
        return [File(one.name or "file", one.content_type or "application/octet-stream", one.read()) for one in given]


class RequestForm(forms.Form):
    """Open a request (TIC-1). Departments that work by themselves are not to be chosen here."""

    department = forms.ChoiceField(
        label=_("Department"),
        choices=[choice for choice in Ticket.Department.choices if choice[0] != "abuse"],
    )
    title = forms.CharField(label=_("Subject"), max_length=200)
    body = forms.CharField(
        label=_("Your request"), max_length=rules.MAX_BODY, widget=forms.Textarea(attrs={"rows": 8}),
        help_text=_("What you did, what happened, what you expected. Never send a password."),
    )  # fmt: skip
    attachments = FilesField()


class ReplyForm(forms.Form):
    body = forms.CharField(label=_("Your answer"), max_length=rules.MAX_BODY, widget=forms.Textarea(attrs={"rows": 6}))
    attachments = FilesField()


class StaffReplyForm(ReplyForm):
    internal = forms.BooleanField(label=_("Internal note, never shown to the customer"), required=False)
