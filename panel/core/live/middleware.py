"""When the reading of a page began: what changes after that, its socket has still to be told."""

import time
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse


class ReadingSinceMiddleware:
    """Sets `request.reading_since`, seconds since 1970 UTC; every process of an installation has the same clock."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.reading_since = time.time()  # type: ignore[attr-defined]
        return self.get_response(request)
