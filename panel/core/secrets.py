"""Secrets at rest: encrypted with keys derived from CLAUSE_SECRET_KEYS (the first writes, all read)."""

import base64
import hashlib
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.db import models


def _box() -> MultiFernet:
    keys = [
        base64.urlsafe_b64encode(hashlib.sha256(b"clause:" + key.encode()).digest())
        for key in settings.CLAUSE_SECRET_KEYS
    ]
    return MultiFernet([Fernet(key) for key in keys])


def encrypt(text: str) -> str:
    """`text` encrypted under the newest key."""
    return _box().encrypt(text.encode()).decode()


def decrypt(token: str) -> str:
    """The text again; InvalidToken when no key fits."""
    return _box().decrypt(token.encode()).decode()


class EncryptedTextField(models.TextField):
    """A text column that is only readable with the installation's key."""

    def get_prep_value(self, value: Any) -> Any:
        return value if value in (None, "") else encrypt(str(value))

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        return value if value in (None, "") else decrypt(value)


__all__ = ["EncryptedTextField", "InvalidToken", "decrypt", "encrypt"]
