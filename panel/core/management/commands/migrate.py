"""`manage.py migrate`, with the triggers of `panel.core.triggers` put back afterwards."""

from typing import Any

from django.core.management.commands.migrate import Command as DjangoMigrate
from django.db import connections

from panel.core import triggers


class Command(DjangoMigrate):
    """On SQLite the triggers go first, for it alters a table by rebuilding it; on both engines they end installed."""

    def handle(self, *args: Any, **options: Any) -> None:
        connection = connections[options["database"]]
        reads_only = options["plan"] or options["check_unapplied"]
        if reads_only:
            super().handle(*args, **options)
            return
        if connection.vendor == "sqlite":
            triggers.drop(connection)
        try:
            super().handle(*args, **options)
        finally:
            triggers.install(connection)
