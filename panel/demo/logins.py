"""The demo world's log-ins: passwords are random for each installation, and stand in a file only its owner reads.

The database holds their hashes, as everybody's. The file is what `manage.py serve` prints.
"""

import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
PARTS, LETTERS = 4, 4  # "k3fm-x8pq-...": 79 bits


@dataclass(frozen=True)
class Login:
    """One line of the file."""

    who: str
    email: str
    password: str

    def __str__(self) -> str:
        return f"{self.who:<36} {self.email:<34} {self.password}"


def path() -> Path:
    return Path(settings.CLAUSE_DATA) / "demo-logins.txt"


def new_password() -> str:
    """Easy to type, hard to guess."""
    return "-".join("".join(secrets.choice(ALPHABET) for _ in range(LETTERS)) for _ in range(PARTS))


def write(logins: list[Login], *, note: str = "") -> None:
    """Replaces the file by `logins`, and a line below them; it is never readable by others, not even for a moment."""
    fresh = path().with_suffix(".new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.writelines(f"{login}\n" for login in logins)
        if note:
            file.write(f"{note}\n")
    fresh.replace(path())
