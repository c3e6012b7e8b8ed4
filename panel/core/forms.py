"""How forms are drawn: our own templates (panel/templates/django/forms) with our own tags."""

from django.forms.renderers import TemplatesSetting


class Renderer(TemplatesSetting):
    """`{{ form }}` = error summary and fields; `{{ field.as_field_group }}` = one field with label, help and error."""

    form_template_name = "django/forms/div.html"
    field_template_name = "django/forms/field.html"
