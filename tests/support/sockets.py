"""Many websockets held by one thread with as little work as can be: what comes is kept, and looked into afterwards.

As a program it is a crowd of its own process: `crowd` starts it.
"""

import json
import os
import resource
import selectors
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

PATIENCE = 120.0  # seconds


def room_for(sockets: int) -> None:
    """Let this process, and those it starts, hold so many."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * sockets + 500
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard), hard))


class Tab:
    """One socket, as a browser's tab holds it."""

    def __init__(self, port: int, path: str, **headers: str) -> None:
        self.wire = socket.create_connection(("127.0.0.1", port), timeout=60)
        lines = [f"GET {path} HTTP/1.1", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13",
                 "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="]  # fmt: skip
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        self.wire.sendall("\r\n".join([*lines, "", ""]).encode())
        got = b""
        while b"\r\n\r\n" not in got:
            part = self.wire.recv(4096)
            if not part:
                raise ConnectionError(f"refused: {got!r}")
            got += part
        if not got.startswith(b"HTTP/1.1 101"):
            raise ConnectionError(f"refused: {got!r}")
        self.got = bytearray(got.partition(b"\r\n\r\n")[2])
        self.wire.settimeout(0)

    def say(self, text: str) -> None:
        """Send one short masked frame."""
        body, mask = text.encode(), os.urandom(4)
        head = bytes([0x81, 0x80 | len(body)]) if len(body) < 126 else b"\x81\xfe" + struct.pack("!H", len(body))
        self.wire.sendall(head + mask + bytes(byte ^ mask[at % 4] for at, byte in enumerate(body)))

    def frames(self) -> Iterator[str]:
        """The texts that have come and were not forgotten yet."""
        data, at = bytes(self.got), 0
        while at + 2 <= len(data):
            kind, length, start = data[at] & 0x0F, data[at + 1] & 0x7F, at + 2
            if length == 126:
                length, start = int.from_bytes(data[start : start + 2], "big"), start + 2
            elif length == 127:
                length, start = int.from_bytes(data[start : start + 8], "big"), start + 8
            if kind == 1:
                yield data[start : start + length].decode()
            at = start + length

    def messages(self) -> Iterator[dict[str, Any]]:
        for text in self.frames():
            found = json.loads(text)
            yield from found if isinstance(found, list) else [found]


def gather(tabs: list[Tab], done: Callable[[Tab], bool]) -> dict[Tab, float]:
    """Keep what comes until every tab is `done`; when each was, on the clock of `time.perf_counter`."""
    chooser, ended, until = selectors.DefaultSelector(), dict[Tab, float](), time.monotonic() + PATIENCE
    for tab in tabs:
        if done(tab):
            ended[tab] = time.perf_counter()
        else:
            chooser.register(tab.wire, selectors.EVENT_READ, tab)
    while len(ended) < len(tabs):
        if time.monotonic() > until:
            raise TimeoutError(f"{len(tabs) - len(ended)} sockets have not heard all after {PATIENCE:.0f} s")
        for key, _ in chooser.select(1):
            tab = key.data
            part = tab.wire.recv(262_144)
            if not part:
                raise ConnectionError("the server hung up")
            tab.got += part
            if done(tab):
                ended[tab] = time.perf_counter()
                chooser.unregister(tab.wire)
    chooser.close()
    return ended


@dataclass(frozen=True)
class Kind:
    """So many sockets with one cookie that watch the same. Who is `deaf` never reads."""

    name: str
    many: int
    cookie: str
    topics: Sequence[str]
    deaf: bool = False


class Crowd:
    """Sockets that another process holds; once it has ended `heard` says how many messages came, by kind."""

    def __init__(self) -> None:
        self.heard: dict[str, list[int]] = {}


@contextmanager
def crowd(port: int, origin: str, kinds: Sequence[Kind]) -> Iterator[Crowd]:
    """All of them are open and watch. At the end each says how many messages it has heard since then."""
    plan = {"port": port, "origin": origin, "kinds": [asdict(kind) for kind in kinds]}
    made = Crowd()
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.sockets", json.dumps(plan)], cwd=Path(__file__).resolve().parents[2],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        said = process.stdout.readline()
        assert said == "open\n", said
        yield made
        last, _ = process.communicate("", timeout=60)
        made.heard = json.loads(last)
    finally:
        process.kill()
        process.wait(10)


def _hold(plan: dict[str, Any]) -> None:
    kinds = [Kind(**each) for each in plan["kinds"]]
    room_for(sum(kind.many for kind in kinds))
    tabs: dict[Tab, Kind] = {}
    for kind in kinds:
        for _ in range(kind.many):
            tab = Tab(plan["port"], "/ws/live/", Host=f"127.0.0.1:{plan['port']}", Origin=plan["origin"],
                      Cookie=f"sessionid={kind.cookie}")  # fmt: skip
            tab.say(json.dumps({"watch": list(kind.topics), "since": 1}))
            tabs[tab] = kind
    gather(list(tabs), lambda tab: tab.got.count(b'"missed"') >= len(tabs[tab].topics))
    for tab in tabs:
        tab.got.clear()
    print("open", flush=True)
    chooser = selectors.DefaultSelector()
    chooser.register(sys.stdin, selectors.EVENT_READ)
    for tab, kind in tabs.items():
        if not kind.deaf:
            chooser.register(tab.wire, selectors.EVENT_READ, tab)
    while not any(key.fileobj is sys.stdin for key, _ in _taken(chooser)):
        pass
    heard: dict[str, list[int]] = {kind.name: [] for kind in kinds}
    for tab, kind in tabs.items():
        heard[kind.name].append(sum(1 for _ in tab.messages()))
    print(json.dumps(heard))


def _taken(chooser: selectors.BaseSelector) -> list[tuple[selectors.SelectorKey, int]]:
    ready = chooser.select()
    for key, _ in ready:
        if key.data is not None:
            part = key.data.wire.recv(262_144)
            key.data.got += part
            if not part:
                chooser.unregister(key.fileobj)
    return ready


if __name__ == "__main__":
    _hold(json.loads(sys.argv[1]))
