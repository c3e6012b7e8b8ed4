"""The web server of the embedded runtime: pages, sockets and the simulated bank's pages on one port."""

import asyncio
import resource
import signal
import socket
from collections.abc import Callable
from types import FrameType
from typing import Any

import uvicorn

from panel.core.live.hub import hub
from panel.runtime.bank import MOUNTED_AT

MOST_FILES = 65_536
GRACE = 5  # seconds that open requests have when the server stops


def composed(panel: Any, bank_pages: Any) -> Any:
    """The panel as an ASGI application, with the simulated bank's pages under their path."""

    async def application(scope: Any, receive: Any, send: Any) -> None:
        at_bank = scope["type"] == "http" and scope["path"].startswith(MOUNTED_AT + "/")
        await (bank_pages if at_bank else panel)(scope, receive, send)

    return application


def bound(host: str, port: int) -> socket.socket:
    """A socket that has the port already but does not listen yet. OSError if it is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
    except OSError:
        sock.close()
        raise
    return sock


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, ready: Callable[[], None], asked_to_stop: Callable[[], bool]) -> None:
        super().__init__(config)
        self._ready = ready
        self._asked_to_stop = asked_to_stop

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        hub.bind(asyncio.get_running_loop())
        await super().startup(sockets=sockets)
        if self._asked_to_stop():
            self.should_exit = True
        elif self.started:
            self._ready()


def _room_for_sockets() -> None:
    """Each open page holds a socket; a system's usual limit of 1,024 files would refuse the rest."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def run(application: Any, sock: socket.socket, ready: Callable[[], None]) -> None:
    """Serves until SIGINT or SIGTERM, then returns. `ready` is called once pages can be had.

    uvicorn raises a caught signal again after it has stopped; the handlers set here let the caller come to its end.
    """
    _room_for_sockets()
    asked: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        asked.append(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, note)
    config = uvicorn.Config(
        application,
        lifespan="off",
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        ws_max_size=64 * 1024,
        ws_per_message_deflate=False,
        timeout_graceful_shutdown=GRACE,
    )
    try:
        _Server(config, ready, lambda: bool(asked)).run(sockets=[sock])
    finally:
        hub.bind(None)
