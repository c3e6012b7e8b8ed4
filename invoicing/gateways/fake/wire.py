"""A request and a response, without a framework."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    query: str
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes


@dataclass
class Response:
    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    drop: bool = False
    """Close the connection without a word: the effect is there, the answer is lost."""

    @classmethod
    def json(cls, status: int, body: Any) -> Response:
        return cls(status, {"Content-Type": "application/json"}, json.dumps(body, indent=2).encode())
