"""A file that is handed out."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Made:
    """Its name, its type and its bytes."""

    name: str
    content_type: str
    content: bytes
