"""The socket of live pages, /ws/live/: who connects, what they may watch, and a writer that sends what has gathered.

Channels gives routing, cookies and the check of the origin; delivery is the hub's. The browser sends
{"watch": ["server:12", ...], "since": when its page was read} or {"unwatch": [...]}; each frame to it is a JSON array
of {"topic", "event", "id", ...}.
"""

import asyncio
import contextlib
import json
import logging
import time
from importlib import import_module
from types import SimpleNamespace
from typing import Any, cast

from channels.db import database_sync_to_async
from django.conf import settings
from django.contrib.auth import get_user

from panel.accounts.middleware import ACCOUNT_IN_SESSION
from panel.accounts.models import User, actor_of
from panel.core import clock, live
from panel.core.actors import Actor
from panel.core.live.hub import Slot, hub

log = logging.getLogger(__name__)

CHANGED = 4401  # the rights of this person have changed, or the session has ended: connect again
OVERFULL = 1013
MOST_TOPICS = 200  # on one socket
LONGEST_MESSAGE = 16_384  # characters a browser may send at once
PACE = 0.05  # seconds between two frames to one browser
GLANCE, AGAIN = 1.0, 8.0  # seconds between two looks at who watches what, and until all of it is told anew
REVIEW = 60.0  # seconds between two looks at whether the session and the rights still stand


class Refused(Exception):
    """The socket ends, with a code."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


@database_sync_to_async  # type: ignore[untyped-decorator]
def actor_of_scope(scope: Any) -> Actor | None:
    """Who the session says is asking, read afresh; None if nobody is logged in or staff lacks the second factor."""
    key = scope["cookies"].get(settings.SESSION_COOKIE_NAME)
    session = import_module(settings.SESSION_ENGINE).SessionStore(key)
    user = get_user(cast("Any", SimpleNamespace(session=session)))
    if not isinstance(user, User):
        return None
    account_id = session.get(ACCOUNT_IN_SESSION)
    if account_id is None:
        account_id = user.memberships.order_by("-is_owner", "pk").values_list("account_id", flat=True).first()
    actor = actor_of(user, account_id=account_id, ip=None)
    return None if actor.is_staff and not _has_second_factor(user) else actor


def _has_second_factor(user: User) -> bool:
    from allauth.mfa.utils import is_mfa_enabled

    return not settings.CLAUSE_REQUIRE_STAFF_MFA or bool(is_mfa_enabled(user))


may_watch = database_sync_to_async(live.may_watch)


_feed: asyncio.Task[None] | None = None
_attendance: asyncio.Task[None] | None = None


def feed_hub() -> None:
    """With the first socket of this process, the hub gets its loop and, in production, its subscription."""
    global _feed, _attendance
    if _attendance is None or _attendance.done():
        _attendance = asyncio.create_task(attendance())
    if _feed is None or _feed.done():
        hub.bind(asyncio.get_running_loop())
        if settings.CLAUSE_REDIS_URL:
            from panel.core.live.redis_channel import follow

            _feed = asyncio.create_task(follow(settings.CLAUSE_REDIS_URL, hub))


async def attendance() -> None:
    """Tells who asked for it which topics are watched: a new one at once, all of them now and then."""
    known: dict[str, set[str]] = {}
    told_at = 0.0
    while True:
        again = time.monotonic() - told_at >= AGAIN
        told_at = time.monotonic() if again else told_at
        for prefix, listener in live.attended().items():
            watched = hub.watched(prefix)
            fresh = watched if again else watched - known.get(prefix, set())
            known[prefix] = watched
            if fresh:
                try:
                    await database_sync_to_async(listener)(sorted(fresh), clock.now())
                except Exception:  # a database that is away for a moment ends no socket
                    log.exception("nobody could be told who watches %s", prefix)
        await asyncio.sleep(GLANCE)


async def live_socket(scope: Any, receive: Any, send: Any) -> None:
    """One socket, from its handshake to its end."""
    await receive()  # websocket.connect
    feed_hub()
    actor = await actor_of_scope(scope)
    if actor is None or actor.user_id is None:
        await send({"type": "websocket.close", "code": CHANGED})
        return
    await send({"type": "websocket.accept"})
    slot = Slot()
    hub.join(slot)
    hub.watch(slot, f"user:{actor.user_id}")
    parts = [
        asyncio.create_task(_read(scope, receive, slot, actor)),
        asyncio.create_task(_write(send, slot)),
        asyncio.create_task(_review(scope, slot, actor)),
    ]
    try:
        done, _ = await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
        for part in done:
            part.result()
    except Refused as refused:
        with contextlib.suppress(Exception):  # the other side may have gone first
            await send({"type": "websocket.close", "code": refused.code})
    finally:
        hub.part(slot)
        for part in parts:
            part.cancel()
        await asyncio.gather(*parts, return_exceptions=True)


async def _read(scope: Any, receive: Any, slot: Slot, actor: Actor) -> None:
    """What the browser asks for; ends when it leaves."""
    while True:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            return
        wishes, since = _wishes(message.get("text") or "")
        for topic in wishes.get("unwatch", []):
            if not topic.startswith("user:"):
                hub.unwatch(slot, topic)
        for topic in wishes.get("watch", []):
            if topic in slot.topics:
                continue
            if len(slot.topics) >= MOST_TOPICS:
                raise Refused(OVERFULL)
            if await may_watch(actor, topic):
                hub.watch(slot, topic, since=since)
            else:
                slot.put((topic, "refused", None), json.dumps({"topic": topic, "event": "refused"}))


def _wishes(text: str) -> tuple[dict[str, list[str]], float | None]:
    """The lists of topics in a message, and since when they are wished; whatever is neither is dropped."""
    if len(text) > LONGEST_MESSAGE:
        raise Refused(OVERFULL)
    try:
        data = json.loads(text)
    except ValueError:
        return {}, None
    if not isinstance(data, dict):
        return {}, None
    lists = {key: value for key, value in data.items() if isinstance(value, list)}
    since = data.get("since")
    wishes = {key: [topic for topic in value if isinstance(topic, str)] for key, value in lists.items()}
    return wishes, float(since) if isinstance(since, int | float) and not isinstance(since, bool) else None


async def _write(send: Any, slot: Slot) -> None:
    """Sends what has gathered, as one frame each time: the first change at once, what follows closely together."""
    while True:
        frame = await slot.frame()
        if frame is None:
            raise Refused(CHANGED)
        await send({"type": "websocket.send", "text": frame})
        await asyncio.sleep(PACE)


async def _review(scope: Any, slot: Slot, actor: Actor) -> None:
    """Even if nobody told: an ended session or changed rights end the socket within a minute."""
    while True:
        await asyncio.sleep(REVIEW)
        if await actor_of_scope(scope) != actor:
            raise Refused(CHANGED)
        for topic in list(slot.topics):
            if not topic.startswith("user:") and not await may_watch(actor, topic):
                hub.unwatch(slot, topic)
