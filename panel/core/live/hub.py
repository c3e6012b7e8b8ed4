"""The hub of one process: which socket watches what, and what it has still to be told.

Each socket has a slot where the latest message about an object replaces an older one; a writer sends what has gathered
as one frame. A slow reader therefore costs a slot of bounded size, and never holds others up.
"""

import asyncio
import json
import threading
import time
from collections import OrderedDict, defaultdict

LEAVE = "leave"  # the event that ends the sockets of a person
FULL = 500  # messages in a slot before they are folded into "load everything again"
REMEMBERED = 50_000  # topics of which the hub knows when they were last told
MISSED = "missed"  # the event that makes up for one that was told before the socket watched
REFRESH = '{"topic":"*","event":"refresh"}'


class Slot:
    """What one socket has still to be told. Belongs to the event loop's thread."""

    def __init__(self) -> None:
        self.topics: set[str] = set()
        self.left = False
        self._pending: dict[tuple[str, str, object], str] = {}
        self._ready = asyncio.Event()

    def put(self, key: tuple[str, str, object], text: str) -> None:
        self._pending.pop(key, None)
        self._pending[key] = text
        if len(self._pending) > FULL:
            self._pending = {("*", "refresh", None): REFRESH}
        self._ready.set()

    def leave(self) -> None:
        """The socket is to be closed."""
        self.left = True
        self._ready.set()

    async def frame(self) -> str | None:
        """Waits, then gives all that is pending as one JSON array; None when the socket is to be closed."""
        await self._ready.wait()
        self._ready.clear()
        if self.left:
            return None
        texts, self._pending = list(self._pending.values()), {}
        return "[" + ",".join(texts) + "]"


class Hub:
    """Watchers by topic. `deliver_soon` may be called from any thread, the rest only from the event loop's."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lock = threading.Lock()
        self._watchers: defaultdict[str, set[Slot]] = defaultdict(set)
        self._slots: set[Slot] = set()
        self._told: OrderedDict[str, float] = OrderedDict()  # when each topic was last told, seconds since 1970
        self._deaf_until = 0.0  # what was told before is not known

    def bind(self, loop: asyncio.AbstractEventLoop | None) -> None:
        """Sets the loop that holds the sockets; None, before it closes."""
        with self._lock:
            self._loop = loop
            self._deaf_until = time.time()

    def is_bound(self) -> bool:
        return self._loop is not None

    def join(self, slot: Slot) -> None:
        self._slots.add(slot)

    def watch(self, slot: Slot, topic: str, *, since: float | None = None) -> None:
        """`since`: when the page that shows the topic was read; it hears at once when something was told after that."""
        slot.topics.add(topic)
        self._watchers[topic].add(slot)
        if since is not None and since <= max(self._told.get(topic, 0.0), self._deaf_until):
            slot.put((topic, MISSED, None), json.dumps({"topic": topic, "event": MISSED}, separators=(",", ":")))

    def unwatch(self, slot: Slot, topic: str) -> None:
        slot.topics.discard(topic)
        watchers = self._watchers.get(topic)
        if watchers is not None:
            watchers.discard(slot)
            if not watchers:
                del self._watchers[topic]

    def watched(self, prefix: str) -> set[str]:
        """The names of the topics "<prefix>:<name>" that somebody watches."""
        start = f"{prefix}:"
        return {topic.removeprefix(start) for topic in self._watchers if topic.startswith(start)}

    def part(self, slot: Slot) -> None:
        """The socket is gone."""
        for topic in list(slot.topics):
            self.unwatch(slot, topic)
        self._slots.discard(slot)

    def deliver_soon(self, message: bytes) -> None:
        """Hands a message over to the loop; without a loop nobody is listening, and nothing happens."""
        with self._lock:
            if self._loop is not None:
                self._loop.call_soon_threadsafe(self.deliver, message)

    def deliver(self, message: bytes) -> None:
        """Puts a message into the slots of those who watch one of its topics; encoded once for each topic."""
        data = json.loads(message)
        event, payload = data["event"], data["payload"]
        self._remember(data["topics"])
        for topic in data["topics"]:
            watchers = self._watchers.get(topic)
            if not watchers:
                continue
            if event == LEAVE:
                for slot in watchers:
                    slot.leave()
                continue
            text = json.dumps({**payload, "topic": topic, "event": event}, separators=(",", ":"))
            key = (topic, event, payload.get("id"))
            for slot in watchers:
                slot.put(key, text)

    def _remember(self, topics: list[str]) -> None:
        now = time.time()
        for topic in topics:
            self._told[topic] = now
            self._told.move_to_end(topic)
        while len(self._told) > REMEMBERED:
            self._deaf_until = self._told.popitem(last=False)[1]

    def refresh_all(self) -> None:
        """Messages may have been lost: every page loads its live parts again."""
        self._deaf_until = time.time()
        for slot in self._slots:
            slot.put(("*", "refresh", None), REFRESH)


hub = Hub()
