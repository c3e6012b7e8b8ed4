"""The contract's numbers and texts."""

from django.apps import AppConfig


class TermsConfig(AppConfig):
    name = "panel.terms"
    label = "terms"
