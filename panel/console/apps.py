"""The staff's console."""

from django.apps import AppConfig


class ConsoleConfig(AppConfig):
    name = "panel.console"
    label = "console"

    def ready(self) -> None:
        from panel.console import actions, frame, wording  # noqa: F401
