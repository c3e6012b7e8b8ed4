"""The socket of one terminal, /ws/terminal/<reference>/: from the browser's keys to the shell, and its screen back.

The browser sends {"size": [columns, rows]} first and after each change of its window, {"text": ...} what was composed,
{"key": "ArrowUp", "mods": "csa"}, {"paste": ..., "part": "first last"} and {"ack": n} once it has drawn frame n. It is
told {"n": n, "rows": ...} of `servers.terminals.screen`, {"left": seconds} shortly before time ends it, {"busy": true}
if more was typed than the server takes, and {"ended": how} last. A frame is sent only when the ones before it are
drawn: a slow browser gets the latest screen, and nothing queues.
"""

import asyncio
import contextlib
import json
from typing import Any

from channels.db import database_sync_to_async
from django.core.exceptions import PermissionDenied

from panel.core import clock
from panel.core.actors import Actor
from panel.core.errors import RuleViolation
from panel.core.live.hub import Slot, hub
from panel.live_socket import actor_of_scope, feed_hub
from servers.models import Server, TerminalSession
from servers.remote import Target
from servers.terminals import sessions, terminal_rules
from servers.terminals.line import Line
from servers.terminals.terminal_rules import Ending

NOT_NOW = "not_now"  # the page itself says why
MOST_HERE = 60  # terminals of one process: three threads each
LONGEST_MESSAGE = 60_000  # characters a browser may send at once
FIRST_WORD = 10.0  # seconds for the size
FRAME = 1 / 30  # seconds between two frames
UNDRAWN = 2  # frames that may be on their way
REVIEW = 10.0  # seconds between two looks at whether it may stay open, if nobody tells
WARN = 60.0  # seconds before time ends it
_open = 0


class _Nudge(Slot):
    """Rights, the session or the server may have changed: a reason to look, whatever the message says."""

    def __init__(self) -> None:
        super().__init__()
        self.told = asyncio.Event()

    def put(self, key: tuple[str, str, object], text: str) -> None:
        self.told.set()

    def leave(self) -> None:
        self.told.set()


@database_sync_to_async  # type: ignore[untyped-decorator]
def _begin(reference: str, actor: Actor) -> tuple[TerminalSession, Target] | None:
    try:
        server = Server.objects.visible_to(actor).select_related("subscription").get(reference=reference)
        return sessions.begin(server, actor=actor, now=clock.now())
    except (Server.DoesNotExist, RuleViolation, PermissionDenied):
        return None


@database_sync_to_async  # type: ignore[untyped-decorator]
def _review(session: TerminalSession, actor: Actor | None) -> Ending | None:
    ending = sessions.must_end(session, actor, now=clock.now())
    if ending is None:
        sessions.renew(session, now=clock.now())
    return ending


_connected = database_sync_to_async(sessions.connected)
_end = database_sync_to_async(sessions.end)


async def terminal_socket(scope: Any, receive: Any, send: Any) -> None:
    """One terminal, from its handshake to its end."""
    global _open
    await receive()  # websocket.connect
    feed_hub()
    actor = await actor_of_scope(scope)
    await send({"type": "websocket.accept"})
    size = await _first_word(receive) if actor is not None and actor.user_id is not None else None
    begun = None
    if size and actor and _open < MOST_HERE:
        begun = await _begin(scope["url_route"]["kwargs"]["reference"], actor)
    if begun is None or actor is None or size is None:
        await _say_last(send, NOT_NOW if actor is not None else Ending.SIGNED_OUT)
        return
    session, target = begun
    _open += 1
    talk = _Talk(scope, receive, send, session, actor)
    try:
        await talk.run(target, size)
    finally:
        _open -= 1
        with contextlib.suppress(Exception):  # the sweep closes what could not be written down
            await asyncio.shield(_end(session, talk.ending, actor=actor, now=clock.now()))


async def _first_word(receive: Any) -> tuple[int, int] | None:
    """The size of the browser's window; None when it says something else."""
    with contextlib.suppress(TimeoutError):
        message = _read(await asyncio.wait_for(receive(), FIRST_WORD))
        return _size(message) if message else None
    return None


async def _say_last(send: Any, how: str) -> None:
    with contextlib.suppress(Exception):  # the other side may have gone first
        await send({"type": "websocket.send", "text": json.dumps({"ended": str(how)})})
        await send({"type": "websocket.close", "code": 1000})


def _read(message: dict[str, Any]) -> dict[str, Any] | None:
    """What the browser says; None when it has gone or says too much at once. What is no object is an empty one."""
    text = message.get("text") or ""
    if message["type"] != "websocket.receive" or len(text) > LONGEST_MESSAGE:
        return None
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}


def _size(data: dict[str, Any]) -> tuple[int, int] | None:
    match data.get("size"):
        case [int(columns), int(rows)]:
            return columns, rows
    return None


class _Talk:
    """One terminal while it is open; `ending` says afterwards how it ended."""

    def __init__(self, scope: Any, receive: Any, send: Any, session: TerminalSession, actor: Actor) -> None:
        self._scope, self._receive, self._send = scope, receive, send
        self._session, self._actor = session, actor
        self.ending = Ending.LEFT
        self._limits = sessions.limits()
        self._typed_at = session.opened_at
        self._changed, self._drawn = asyncio.Event(), asyncio.Event()
        self._sent = self._acknowledged = 0
        self._warned = False

    async def run(self, target: Target, size: tuple[int, int]) -> None:
        loop, nudge = asyncio.get_running_loop(), _Nudge()

        def changed() -> None:
            with contextlib.suppress(RuntimeError):  # the loop closes with the process
                loop.call_soon_threadsafe(self._changed.set)

        self._line = Line(target, columns=size[0], rows=size[1], history=self._limits.history, changed=changed)
        hub.join(nudge)
        for topic in (f"user:{self._actor.user_id}", f"server:{self._session.server_id}"):
            hub.watch(nudge, topic)
        self._line.start()
        parts: list[asyncio.Task[Ending]] = [
            asyncio.create_task(part) for part in (self._listen(), self._show(), self._watch(nudge))
        ]
        try:
            done, _ = await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
            self.ending = next(iter(done)).result()
        finally:
            self._line.close(self.ending)
            hub.part(nudge)
            for part in parts:
                part.cancel()
            await asyncio.gather(*parts, return_exceptions=True)
        if self.ending is not Ending.LEFT:
            await _say_last(self._send, self.ending)

    async def _listen(self) -> Ending:
        """What is typed, until the browser leaves."""
        while (data := _read(await self._receive())) is not None:
            if isinstance(ack := data.get("ack"), int):
                self._acknowledged = min(ack, self._sent)
                self._drawn.set()
            elif (size := _size(data)) is not None:
                self._line.resize(*size)
            else:
                self._typed_at, self._warned = clock.now(), False
                if not self._type(data):
                    await self._send({"type": "websocket.send", "text": '{"busy":true}'})
        return Ending.LEFT

    def _type(self, data: dict[str, Any]) -> bool:
        match data:
            case {"key": str(key), **more}:
                mods = str(more.get("mods", ""))
                return self._line.press(key, ctrl="c" in mods, alt="a" in mods, shift="s" in mods)
            case {"text": str(text)}:
                return self._line.type(text)
            case {"paste": str(text), "part": str(part)}:
                return self._line.paste(text, first="first" in part, last="last" in part)
        return True

    async def _show(self) -> Ending:
        """The latest screen, whenever the browser is ready for it; the end of the shell after the last of it."""
        told = False
        while True:
            await self._changed.wait()
            self._changed.clear()
            if self._line.connected and not told:
                told = True
                await _connected(self._session, actor=self._actor, now=clock.now())
            while self._sent - self._acknowledged >= UNDRAWN:
                self._drawn.clear()
                await self._drawn.wait()
            frame = await asyncio.to_thread(self._line.changes) if self._line.connected else None
            if frame:
                self._sent += 1
                text = json.dumps({"n": self._sent, **frame}, separators=(",", ":"), ensure_ascii=False)
                await self._send({"type": "websocket.send", "text": text})
            if self._line.ending is not None:
                return self._line.ending
            await asyncio.sleep(FRAME)

    async def _watch(self, nudge: _Nudge) -> Ending:
        """Time, and whether it may stay open: at once when something was told, and every few seconds."""
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(nudge.told.wait(), REVIEW)
            nudge.told.clear()
            opened_at, now = self._session.opened_at, clock.now()
            if (over := terminal_rules.over(opened_at, self._typed_at, now, self._limits)) is not None:
                return over
            left = terminal_rules.left(opened_at, self._typed_at, now, self._limits).total_seconds()
            if left <= WARN and not self._warned:
                self._warned = True
                await self._send({"type": "websocket.send", "text": json.dumps({"left": round(left)})})
            ending: Ending | None = await _review(self._session, await actor_of_scope(self._scope))
            if ending is not None:
                return ending
