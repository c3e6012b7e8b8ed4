"""VPS: their life, addresses and who held them, traffic, keys, live state."""

from django.apps import AppConfig


class ServersConfig(AppConfig):
    name = "servers"
    label = "servers"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from django.core import checks

        from invoicing.subscribing import kinds
        from servers import (  # noqa: F401
            actions,
            addresses,
            enforcement,
            journal,
            keys,
            metering,
            monitoring,
            power,
            provisioning,
            reconcile,
            shell,
        )
        from servers.kinds import VpsKind
        from servers.providers import check_places

        kinds.register("vps", VpsKind())
        checks.register(check_places)
