"""The one context processor of our own."""

from typing import Any

from django.http import HttpRequest

from panel.core import shell as frames


def shell(request: HttpRequest) -> dict[str, Any]:
    """`shell` in every template; its parts are read only when a template names them."""
    return {"shell": frames.of(request)}
