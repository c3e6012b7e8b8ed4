"""Requests: support, infringement notices and whatever else is one thread with a customer."""

from django.apps import AppConfig


class TicketsConfig(AppConfig):
    name = "tickets"
    label = "tickets"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from tickets import actions, contests, conversation, shell, wording  # noqa: F401
