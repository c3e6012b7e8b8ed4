"""Files that name account numbers: mandates and files for the bank, encrypted at rest like the numbers themselves."""

import base64
import hashlib
from datetime import datetime

from panel.core import files, secrets
from panel.core.models import Blob


def keep(content: bytes, *, name: str, now: datetime) -> tuple[Blob, str]:
    """Put `content` safely away; the row of the file, and the SHA-256 of `content` itself."""
    sealed = secrets.encrypt(base64.b64encode(content).decode()).encode()
    blob = files.store(sealed, name=name, content_type="application/octet-stream", now=now)
    return blob, hashlib.sha256(content).hexdigest()


def read(blob: Blob, sha256: str) -> bytes:
    """The bytes again; ValueError when they are not those that were kept."""
    content = base64.b64decode(secrets.decrypt(files.read(blob).decode()))
    if hashlib.sha256(content).hexdigest() != sha256:
        raise ValueError(f"file {blob.pk} ({blob.name}) is not what was kept")
    return content
