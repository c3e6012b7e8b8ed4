"""The customer's Sandbox."""

from django.apps import AppConfig


class SandboxConfig(AppConfig):
    name = "panel.sandbox"
    label = "sandbox"

    def ready(self) -> None:
        from panel.sandbox import actions, frame  # noqa: F401
