"""How forms are drawn: our own templates (panel/templates/django/forms) with our own tags."""

from typing import Any

from django import forms
from django.forms.renderers import TemplatesSetting


class Renderer(TemplatesSetting):
    """`{{ form }}` = error summary and fields; `{{ field.as_field_group }}` = one field with label, help and error."""

    form_template_name = "django/forms/div.html"
    field_template_name = "django/forms/field.html"


class LocalMoment(forms.DateTimeInput):
    """Date and time as the browser lets them be chosen; without a zone, which the field or its neighbour gives."""

    input_type = "datetime-local"

    def __init__(self, *, seconds: bool = True, **attrs: Any) -> None:
        shown = "%Y-%m-%dT%H:%M:%S" if seconds else "%Y-%m-%dT%H:%M"
        super().__init__(attrs={"step": "1" if seconds else "60", **attrs}, format=shown)
