"""The provider's messages over ASGI: all that came while the last ones were being committed share the next commit.

A commit costs the disk a write however little it holds, so that one for each message is what limits how many can be
taken in an hour of need. Nothing is acknowledged before it is kept: the answers wait for the commit (INV-12). Over WSGI
the same messages reach `webhook_views`, one commit each.
"""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeAlias

from django.db import close_old_connections

from invoicing.gateways import GatewayEvent, SignatureRefused
from invoicing.paying import webhooks
from invoicing.paying.webhook_views import LARGEST_BODY
from panel.core import clock

log = logging.getLogger(__name__)

PATH = "/hooks/stripe/"
MOST = 200  # messages in one commit
ASGI: TypeAlias = Callable[..., Awaitable[None]]


def at_the_door(panel: ASGI) -> ASGI:
    """`panel`, with the provider's messages taken in before it."""
    door = Door()

    async def application(scope: Any, receive: Any, send: Any) -> None:
        mine = scope["type"] == "http" and scope["path"] == PATH and scope["method"] == "POST"
        await (door if mine else panel)(scope, receive, send)

    return application


class Door:
    """200 once a message is kept; 400 when it is not the provider's, 413 when it is too large, 503 when it cannot be
    kept."""

    def __init__(self) -> None:
        self._waiting: list[tuple[GatewayEvent, asyncio.Future[bool]]] = []
        self._keeping: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(1, "webhooks")  # with a connection of its own

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        raw = await _body(receive)
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        status, error = await self._take(raw, headers)
        content = json.dumps({"error": error}).encode() if error else b"{}"
        head = [(b"content-type", b"application/json"), (b"content-length", str(len(content)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": head})
        await send({"type": "http.response.body", "body": content})

    async def _take(self, raw: bytes | None, headers: Mapping[str, str]) -> tuple[int, str]:
        if raw is None:
            return 413, "too large"
        try:
            event = webhooks.read(raw, headers, now=clock.now())
        except SignatureRefused as refusal:
            log.warning("webhook refused: %s", refusal)
            return 400, "signature refused"
        return (200, "") if await self._kept(event) else (503, "try again")

    async def _kept(self, event: GatewayEvent) -> bool:
        """Waits until it is committed; whether it could be."""
        done = asyncio.get_running_loop().create_future()
        self._waiting.append((event, done))
        if self._keeping is None or self._keeping.done():
            self._keeping = asyncio.create_task(self._keep_what_waits())
        return bool(await done)

    async def _keep_what_waits(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            some, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
            try:
                kept = await loop.run_in_executor(self._thread, _keep, [event for event, _done in some])
            except Exception:  # a thread that cannot start, a connection that cannot close: whoever waits is answered
                log.exception("webhooks not kept")
                kept = [False] * len(some)
            for (_event, done), is_kept in zip(some, kept, strict=True):
                if not done.done():
                    done.set_result(is_kept)


async def _body(receive: Any) -> bytes | None:
    """The body of a request; None for one that is too large."""
    parts, size, more = [], 0, True
    while more:
        message = await receive()
        part = message.get("body", b"")
        size += len(part)
        if size > LARGEST_BODY:
            return None
        parts.append(part)
        more = message.get("more_body", False)
    return b"".join(parts)


def _keep(told: list[GatewayEvent]) -> list[bool]:
    """One commit for all; where something of it cannot be kept, one for each, so that only that is refused."""
    close_old_connections()
    if _committed(told):
        return [True] * len(told)
    return [_committed([event]) for event in told] if len(told) > 1 else [False]


def _committed(told: list[GatewayEvent]) -> bool:
    try:
        webhooks.keep(told, via=webhooks.WEBHOOK, now=clock.now())
    except Exception:  # whoever waits for an answer gets one
        log.exception("webhook not kept")
        return False
    return True
