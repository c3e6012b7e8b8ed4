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
            enforcement,
            host_keys,
            journal,
            keys,
            metering,
            monitoring,
            provisioning,
            reconcile,
            shell,
        )
        from servers.addressing import astray, blocking, moving  # noqa: F401
        from servers.drifting import deciding  # noqa: F401
        from servers.kinds import VpsKind
        from servers.maintaining import interruptions, maintenance_wording  # noqa: F401
        from servers.managing import managed, managed_wording, patch_sweep, required_updates, runs  # noqa: F401
        from servers.networking import firewall_requests, firewalls, mail_filter, port_tests, reverse_names  # noqa: F401
        from servers.providers import check_places
        from servers.pushes import pushes  # noqa: F401
        from servers.safeguarding import safeguards  # noqa: F401
        from servers.safekeeping import backups, comparing, copies, restoring  # noqa: F401
        from servers.terminals import permits, sessions  # noqa: F401
        from servers.traffic import partitions, polling  # noqa: F401
        from servers.verbs import naming, power, rebuilding, rescuing, resizing  # noqa: F401
        from servers.watching import vitals  # noqa: F401

        kinds.register("vps", VpsKind())
        checks.register(check_places)
