"""Short proofs that we gave a name out: a keyed hash, so that nothing needs to be kept and nothing can be guessed."""

import base64
import hashlib
import hmac

from django.conf import settings


def of(purpose: str, name: str) -> str:
    """The proof of `name` for one purpose: sixteen letters and digits."""
    return _made(purpose, name, settings.SECRET_KEY)


def holds(purpose: str, name: str, proof: str) -> bool:
    """Whether `proof` is ours, under this key or an earlier one."""
    keys = [settings.SECRET_KEY, *settings.CLAUSE_SECRET_KEYS]
    return any(hmac.compare_digest(proof.encode(), _made(purpose, name, key).encode()) for key in keys)


def _made(purpose: str, name: str, key: str) -> str:
    digest = hmac.new(f"{purpose}:{key}".encode(), name.encode(), hashlib.sha256).digest()
    return base64.b32encode(digest).decode().lower()[:16]
