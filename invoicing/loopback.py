"""A small HTTP server on loopback, in threads of this process: what the simulated offices answer through."""

import json
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

LARGEST_BODY = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Asked:
    """One request: `body` is decoded JSON, None where there is none or it is not JSON."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any


@dataclass(frozen=True, slots=True)
class Reply:
    """A status with JSON; `raw` instead of it; or, with `lost`, a connection that breaks before the answer."""

    status: int = 200
    content: Any = field(default_factory=dict)
    raw: bytes | None = None
    lost: bool = False


class Office:
    """A running simulated office: `answer` is called for each request, one at a time."""

    def __init__(self, answer: Callable[[Asked], Reply], name: str) -> None:
        self._one_at_a_time = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), self._handler(answer))
        self.base = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, name=name, daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join(timeout=5)
        self._server.server_close()

    def _handler(self, answer: Callable[[Asked], Reply]) -> type[BaseHTTPRequestHandler]:
        lock = self._one_at_a_time

        class Handler(BaseHTTPRequestHandler):
            timeout = 30

            def do_GET(self) -> None:
                length = min(int(self.headers.get("Content-Length") or 0), LARGEST_BODY)
                try:
                    body = json.loads(self.rfile.read(length)) if length else None
                except ValueError:
                    body = None
                headers = {name.lower(): value for name, value in self.headers.items()}
                with lock:
                    reply = answer(Asked(self.command, urlsplit(self.path).path, headers, body))
                if reply.lost:
                    self.connection.shutdown(socket.SHUT_RDWR)
                    return
                content = json.dumps(reply.content).encode() if reply.raw is None else reply.raw
                self.send_response(reply.status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_POST = do_GET  # noqa: N815 - the base class asks for these names

            def log_message(self, template: str, *args: Any) -> None:
                pass

        return Handler


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # a caller that hung up
