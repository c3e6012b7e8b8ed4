"""A vendor behind a real socket: routes, faults by plan, and a log. What no route knows fails the test that asked."""

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass
class Asked:
    """One request."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any = None
    parts: tuple[str, ...] = ()


@dataclass
class Answer:
    """`body` None is no body at all; a text is sent as it is, for what is no JSON."""

    status: int
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


class Refused(Exception):
    """What a vendor answers instead."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(str(answer.status))
        self.answer = answer


Route = Callable[[Any, Asked], Answer]


@dataclass
class Fault:
    """`lost`: the deed is done and the connection ends; else `answer` comes before anything is done."""

    method: str
    path: str
    times: int
    answer: Answer | None = None

    def meets(self, asked: Asked) -> bool:
        return self.times > 0 and self.method == asked.method and re.search(self.path, asked.path) is not None


def route(method: str, path: str) -> Callable[[Route], Route]:
    """The method answers `method` of what matches `path` in full; its groups are `asked.parts`."""

    def mark(call: Route) -> Route:
        call.route = (method, re.compile(path))  # type: ignore[attr-defined]
        return call

    return mark


class Vendor:
    """Subclass it, with one method a route."""

    page = 2
    """The most that a page holds: small, so that whoever reads the first alone is found out."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.faults: list[Fault] = []
        self.calls: list[str] = []
        self.unknown: list[str] = []
        self.port = 0
        found = (getattr(type(self), name) for name in dir(type(self)))
        self.routes = [(*call.route, call) for call in found if hasattr(call, "route")]

    # ------------------------------------------------------------ trouble

    def loses(self, method: str, path: str, *, times: int = 1) -> None:
        """The next answers are lost after the deed."""
        self.faults.append(Fault(method, path, times))

    def answers(self, method: str, path: str, answer: Answer, *, times: int = 1) -> None:
        """The next calls are answered so, and nothing is done."""
        self.faults.append(Fault(method, path, times, answer))

    def count(self, call: str) -> int:
        """How many requests were `call`: a method and the beginning of a path."""
        return sum(one.startswith(call) for one in self.calls)

    # ------------------------------------------------------------ answering

    def refuse_stranger(self, asked: Asked) -> None:
        """Refused for whoever is not the customer."""

    def take(self, asked: Asked) -> Answer | None:
        """None: the connection ends without a word."""
        with self.lock:
            self.calls.append(f"{asked.method} {asked.path}")
            fault = next((one for one in self.faults if one.meets(asked)), None)
            if fault is not None:
                fault.times -= 1
                if fault.answer is not None:
                    return fault.answer
            answer = self._answered(asked)
            return None if fault is not None else answer

    def _answered(self, asked: Asked) -> Answer:
        try:
            self.refuse_stranger(asked)
            for method, path, call in self.routes:
                met = path.fullmatch(asked.path)
                if met is not None and method == asked.method:
                    asked.parts = met.groups()
                    return call(self, asked)  # type: ignore[no-any-return]
        except Refused as refused:
            return refused.answer
        self.unknown.append(f"{asked.method} {asked.path}")
        return Answer(404, {"message": "no such route"})


@contextmanager
def listening(vendor: Vendor) -> Iterator[str]:
    """The vendor on a port of this machine; host and port. Fails where something was asked that it does not know."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_words: Any) -> None:
            """Silent."""

        def take(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            raw = self.rfile.read(length)
            there = urlsplit(self.path)
            query = {name: values[-1] for name, values in parse_qs(there.query).items()}
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = json.loads(raw) if raw and raw != b"None" else None
            answer = vendor.take(Asked(self.command, there.path, query, headers, body))
            self.close_connection = True
            if answer is None:
                self.connection.close()
                return
            content = b"" if answer.body is None else (
                answer.body if isinstance(answer.body, str) else json.dumps(answer.body)
            ).encode()  # fmt: skip
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            is_page = isinstance(answer.body, str)
            self.send_header("Content-Type", "text/html" if is_page else "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(content)

    for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
        setattr(Handler, f"do_{method}", Handler.take)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    vendor.port = server.server_address[1]
    try:
        yield f"127.0.0.1:{vendor.port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    assert vendor.unknown == []
