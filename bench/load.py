"""A bounded load on loopback: connections that stay open, each asking for the next page once it has one."""

import selectors
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

CONNECTIONS = 16
HOST = "127.0.0.1"


@dataclass(frozen=True)
class Answer:
    """One answer; header names are lower case."""

    status: int
    headers: Sequence[tuple[str, str]]
    body: bytes

    def all(self, name: str) -> list[str]:
        return [value for known, value in self.headers if known == name]


@dataclass(frozen=True)
class Slice:
    """What a stretch of load came to. `wrong`: answers with another status than 200; `busy`: milliseconds of processor
    that all who took part used."""

    pages: int
    wrong: int
    seconds: float
    busy: float
    size: int

    @property
    def each(self) -> float:
        """Milliseconds of processor for one page."""
        return self.busy / max(self.pages, 1)

    @property
    def wall(self) -> float:
        """Milliseconds by the clock for one page, many being asked for at once."""
        return self.seconds * 1000 / max(self.pages, 1)


def request(path: str, *, method: str = "GET", body: bytes = b"", **headers: str) -> bytes:
    """The bytes of a request as the reverse proxy hands it on; `headers` by their names with underscores."""
    lines = [f"{method} {path} HTTP/1.1", "X-Forwarded-Proto: https", "X-Forwarded-For: 192.0.2.7"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    if body:
        lines += ["Content-Type: application/x-www-form-urlencoded", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + body


class Connection:
    """A kept connection that collects one answer after the other."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.wire = socket.create_connection((HOST, port), timeout=30)
        self.wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.got = b""
        self.size = -1  # of the whole answer, once its header is there

    def ask(self, asked: bytes) -> None:
        self.got, self.size = b"", -1
        self.wire.sendall(asked)

    def read(self) -> bool:
        """Takes what has come; True once the answer is whole."""
        part = self.wire.recv(262_144)
        if not part:
            raise ConnectionError(f"the server on port {self.port} hung up")
        self.got += part
        if self.size < 0 and (end := self.got.find(b"\r\n\r\n")) >= 0:
            head = self.got[:end].lower()
            at = head.find(b"content-length:")
            length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            self.size = end + 4 + length
        return 0 <= self.size <= len(self.got)

    @property
    def good(self) -> bool:
        return self.got.startswith(b"HTTP/1.1 200")

    def answer(self, asked: bytes) -> Answer:
        """Asks and waits."""
        self.ask(asked)
        while not self.read():
            pass
        head, _, body = self.got.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        pairs = [(name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines)]
        return Answer(int(first.split()[1]), pairs, body)


def load(port: int, asked: Sequence[bytes], seconds: float, spent: Callable[[], float]) -> Slice:
    """Keeps CONNECTIONS busy with these requests in turn for so long; only whole answers count. `spent` tells the
    milliseconds of processor used so far."""
    chooser = selectors.DefaultSelector()
    connections = [Connection(port) for _ in range(CONNECTIONS)]
    for connection in connections:
        chooser.register(connection.wire, selectors.EVENT_READ, connection)
    turn = pages = wrong = size = 0
    before, started = spent(), time.perf_counter()
    end = started + seconds
    for connection in connections:
        connection.ask(asked[turn % len(asked)])
        turn += 1
    while time.perf_counter() < end:
        for key, _ in chooser.select(1):
            connection = key.data
            if not connection.read():
                continue
            pages, wrong, size = pages + 1, wrong + (not connection.good), len(connection.got)
            connection.ask(asked[turn % len(asked)])
            turn += 1
    took, used = time.perf_counter() - started, spent() - before
    for connection in connections:
        connection.wire.close()
    return Slice(pages, wrong, took, used, size)
