"""The public API."""

from django.apps import AppConfig


class ApiConfig(AppConfig):
    name = "panel.api"
    label = "api"

    def ready(self) -> None:
        from panel.api import idempotency  # noqa: F401
