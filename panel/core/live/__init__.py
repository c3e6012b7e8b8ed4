"""Live pages: after a commit, every open page that watches a topic hears that something changed.

`publish` is all that use cases need. A message says only what changed ("server:12", an event, an id); the page then
asks the server for its fragment again, so that no content crosses a shared channel and each view checks permissions.
Messages may be lost or doubled; pages that were cut off load themselves afresh, and one that was read before a change
and whose socket watches after it hears of that at once (`since`).

One `Channel` carries messages between processes: in-process for the embedded runtime, Redis in production. Each process
that holds sockets has one `hub`.
"""

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, TypeAlias

from django.db import transaction

from panel.core.actors import Actor
from panel.core.live.hub import LEAVE, Hub, hub

__all__ = [
    "Channel", "Hub", "attend", "attended", "channel", "close_sockets", "hub", "may_watch", "publish", "register_topic",
    "use",
]  # fmt: skip

log = logging.getLogger(__name__)


class Channel(Protocol):
    """Carries messages from any process to every process that holds sockets."""

    def send(self, message: bytes) -> None:
        """Hand over one message; raises OSError (or a kin of it) if the channel is down."""

    def is_up(self) -> bool:
        """Whether messages pass at present."""


WatchRule: TypeAlias = Callable[[Actor, str], bool]


@dataclass(frozen=True)
class _Here:
    """The channel of a process that is alone: straight into its own hub."""

    def send(self, message: bytes) -> None:
        hub.deliver_soon(message)

    def is_up(self) -> bool:
        return hub.is_bound()


Attendance: TypeAlias = Callable[[Sequence[str], datetime], None]
_channel: Channel = _Here()
_attended: dict[str, Attendance] = {}
_rules: dict[str, WatchRule] = {}


def use(chosen: Channel) -> None:
    """Set this process's channel, at its start."""
    global _channel
    _channel = chosen


def channel() -> Channel:
    """This process's channel."""
    return _channel


def publish(topics: Sequence[str], event: str, payload: dict[str, Any] | None = None) -> None:
    """After the commit of the running transaction, tell whoever watches one of `topics` ("account:7", "staff").

    `payload` is small and holds ids and codes; its "id" tells messages about different objects apart. A channel that is
    down is logged and disturbs nothing.
    """
    message = encode(topics, event, payload or {})

    def send() -> None:
        try:
            _channel.send(message)
        except Exception:
            log.exception("the live channel did not take %s", event)

    transaction.on_commit(send, robust=True)


def encode(topics: Sequence[str], event: str, payload: dict[str, Any]) -> bytes:
    """A message as it travels between processes."""
    return json.dumps({"topics": list(topics), "event": event, "payload": payload}, separators=(",", ":")).encode()


def close_sockets(user_id: int) -> None:
    """After the commit, end every socket of a person whose rights have changed; the page connects again."""
    publish([f"user:{user_id}"], LEAVE)


def register_topic(prefix: str, rule: WatchRule) -> None:
    """`rule(actor, "12")` says whether `actor` may watch "<prefix>:12" (or "<prefix>", with an empty name)."""
    if _rules.setdefault(prefix, rule) is not rule:
        raise ValueError(f"The topic {prefix} has a rule already.")


def attend(prefix: str, listener: Attendance) -> None:
    """`listener(["12", ...], now)` hears, outside any transaction and every few seconds, which topics "<prefix>:12" are
    watched by the sockets of this process."""
    if _attended.setdefault(prefix, listener) is not listener:
        raise ValueError(f"Somebody hears of who watches {prefix} already.")


def attended() -> dict[str, Attendance]:
    """Who hears of it, by prefix."""
    return dict(_attended)


def may_watch(actor: Actor, topic: str) -> bool:
    """Whether `actor` may hear of `topic`; a topic nobody registered is refused. May read the database."""
    prefix, _, name = topic.partition(":")
    rule = _rules.get(prefix)
    return rule is not None and rule(actor, name)


def _own_account(actor: Actor, name: str) -> bool:
    return actor.is_staff or (name == str(actor.account_id) and actor.may("see"))


def _staff(actor: Actor, name: str) -> bool:
    return actor.is_staff and not name


register_topic("account", _own_account)
register_topic("staff", _staff)
