"""People, accounts, permissions, restrictions."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "panel.accounts"
    label = "accounts"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from panel.accounts import actions, approvals, frame, restrictions  # noqa: F401
