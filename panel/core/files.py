"""Files named by their content, kept in the data directory outside the web root. The bytes never change."""

import hashlib
import os
import threading
from datetime import datetime
from pathlib import Path

from django.conf import settings

from panel.core.models import Blob


def _path(sha256: str) -> Path:
    return Path(settings.CLAUSE_DATA) / "files" / sha256[:2] / sha256


def keep(content: bytes) -> str:
    """Put `content` safely on disk; its SHA-256, by which it is found."""
    sha256 = hashlib.sha256(content).hexdigest()
    path = _path(sha256)
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f"{sha256}.{os.getpid()}-{threading.get_ident()}.part")
        with part.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    return sha256


def store(content: bytes, *, name: str, content_type: str, now: datetime) -> Blob:
    """Keep `content`; the file is safely on disk before the row is written."""
    sha256 = keep(content)
    return Blob.objects.create(
        sha256=sha256, size=len(content), name=name[:200], content_type=content_type[:100], created_at=now
    )


def read(blob: Blob) -> bytes:
    """The bytes again; ValueError when the disk no longer holds what was stored."""
    content = _path(blob.sha256).read_bytes()
    if hashlib.sha256(content).hexdigest() != blob.sha256:
        raise ValueError(f"file {blob.pk} ({blob.name}) was altered on disk")
    return content
