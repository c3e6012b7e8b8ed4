"""The ground floor."""

from django.apps import AppConfig


class CoreConfig(AppConfig):
    name = "panel.core"
    label = "core"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from panel.core import events, forgetting, mail, triggers  # noqa: F401

        events.install()
        mail.install()
        triggers.install_checks()
