"""What a demo world leaves in the data directory, and whether it was built to its end."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from django.core.management.base import CommandError
from django.db import connection, connections

DATABASES = ("clause.sqlite3", "simulated-cloud.sqlite3", "test-bank.sqlite3")
REST = ("files", "mail", "simulated-platform.json", "demo-logins.txt")


def _unfinished() -> Path:
    return Path(settings.CLAUSE_DATA) / "demo-unfinished"


@contextmanager
def building() -> Iterator[None]:
    """Around the building of a demo world: one that was interrupted is known by what is left here."""
    _unfinished().touch()
    yield
    _unfinished().unlink(missing_ok=True)


def is_unfinished() -> bool:
    """Whether the building of a demo world was interrupted: it would lack its log-ins, and half of its past."""
    return _unfinished().exists()


def throw_away() -> None:
    """Removes the embedded installation's data, but not its key and its lock. Nothing may be running on it.

    CommandError on PostgreSQL: what else lies in that database is not ours to judge.
    """
    if connection.vendor != "sqlite":
        raise CommandError("The demo is renewed on the embedded database alone: empty this one yourself.")
    connections.close_all()
    data = Path(settings.CLAUSE_DATA)
    for path in [*(path for name in DATABASES for path in data.glob(f"{name}*")), *(data / name for name in REST)]:
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    _unfinished().unlink(missing_ok=True)
