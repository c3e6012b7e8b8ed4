"""What a request may hold."""

from typing import Any

from django.http import HttpRequest
from ninja.parser import Parser


class Plain(Parser):
    """JSON whose texts hold no NUL, which PostgreSQL keeps in none."""

    def parse_body(self, request: HttpRequest) -> Any:
        body = super().parse_body(request)
        if _has_nul(body):
            raise ValueError("a text holds a NUL character")  # answered with 400
        return body


def _has_nul(value: Any) -> bool:
    if isinstance(value, dict):
        return any(_has_nul(part) for pair in value.items() for part in pair)
    if isinstance(value, list):
        return any(map(_has_nul, value))
    return isinstance(value, str) and "\0" in value
