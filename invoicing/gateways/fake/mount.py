"""The person's pages of the fake, shown by the panel under a path of its own (an ASGI application).

Somebody who reaches the panel may not reach the loopback port of the fake. Only pages pass here, never the API.
"""

from __future__ import annotations

import asyncio
import http.client
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import urlsplit

from invoicing.gateways.fake import hosted

LARGEST_FORM = 16 * 1024
PASSED_IN = (b"accept-language", b"content-type")
PASSED_OUT = (
    "content-type",
    "content-security-policy",
    "location",
    "cache-control",
    "referrer-policy",
    "x-content-type-options",
)

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


def pages(base: str, mounted_at: str) -> Callable[[Scope, Receive, Send], Awaitable[None]]:
    """An ASGI application for everything under `mounted_at`; `base` is the fake's own address on loopback."""
    target = urlsplit(base)

    def fetch(method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        connection = http.client.HTTPConnection(target.hostname or "", target.port, timeout=20)
        try:
            connection.request(method, path, body or None, headers)
            answer = connection.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        except (OSError, http.client.HTTPException):
            return 503, [("content-type", "text/plain; charset=utf-8")], b"The test payment provider is not running."
        finally:
            connection.close()

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"].removeprefix(mounted_at)
        body, more = b"", True
        while more and len(body) <= LARGEST_FORM:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        if not hosted.owns(path) or scope["method"] not in ("GET", "HEAD", "POST") or len(body) > LARGEST_FORM:
            status, headers, content = 404, [("content-type", "text/plain; charset=utf-8")], b"Not found"
        else:
            query = scope.get("query_string", b"").decode("latin-1")
            passed = {name.decode(): value.decode("latin-1") for name, value in scope["headers"] if name in PASSED_IN}
            status, headers, content = await asyncio.to_thread(
                fetch, scope["method"], f"{path}?{query}" if query else path, passed, body
            )
        kept = [(name.lower().encode(), value.encode()) for name, value in headers if name.lower() in PASSED_OUT]
        kept.append((b"content-length", str(len(content)).encode()))
        await send({"type": "http.response.start", "status": status, "headers": kept})
        await send({"type": "http.response.body", "body": content})

    return application
