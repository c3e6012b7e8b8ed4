"""The pure law of a place's messages: who may have sent one, how old it may be, and what it has to say."""

import hashlib
import hmac
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

HEADER = "Clause-Push"
"""`t=<seconds since 1970>,v1=<hex>`: HMAC-SHA256 over the seconds, a dot and the bytes of the body; several v1 while a
secret is being replaced."""
WINDOW = timedelta(minutes=5)
LARGEST = 64 * 1024
LONGEST_ID, LONGEST_REF, LONGEST_KIND = 120, 120, 80


class Refused(Exception):
    """The message is not the place's, or no message at all; `str` says why, for staff."""


class Unreadable(Refused):
    """It is the place's, who may therefore read why."""


@dataclass(frozen=True, slots=True)
class Push:
    """One message: its own id at the place, the machine it is about, and what it calls the change."""

    id: str
    ref: str
    kind: str
    raw: bytes


def signature(secret: str, raw: bytes, at: datetime) -> str:
    """The header of a message that is sent at `at`."""
    seconds = str(int(at.timestamp()))
    return f"t={seconds},v1={_digest(secret, seconds, raw)}"


def _digest(secret: str, seconds: str, raw: bytes) -> str:
    return hmac.new(secret.encode(), seconds.encode() + b"." + raw, hashlib.sha256).hexdigest()


def verify(secrets: Iterable[str], header: str, raw: bytes, *, now: datetime) -> None:
    """Refused unless one of `secrets` signed exactly these bytes within the window around `now`."""
    parts = [part.strip().partition("=") for part in header.split(",")]
    seconds = next((value for name, _equals, value in parts if name == "t"), "")
    told = [value for name, _equals, value in parts if name == "v1"]
    if not told or not seconds.isdecimal() or len(seconds) > 12:
        raise Refused("no signature")
    known = [_digest(secret, seconds, raw) for secret in secrets if secret]
    matches = [hmac.compare_digest(one.encode(), given.encode()) for one in known for given in told]
    if not any(matches):
        raise Refused("wrong signature")
    if abs(now.timestamp() - int(seconds)) > WINDOW.total_seconds():
        raise Refused("signed too long ago, or in the future")


def read(raw: bytes) -> Push:
    """What a verified message says. Unreadable where it names no event or no machine, or in words nobody can keep."""
    try:
        told = json.loads(raw)
        found = Push(str(told["id"]), str(told["ref"]), str(told.get("kind", ""))[:LONGEST_KIND], raw)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise Unreadable("not to be understood") from error
    if not 0 < len(found.id) <= LONGEST_ID or not 0 < len(found.ref) <= LONGEST_REF:
        raise Unreadable("an id that cannot be one")
    if not all(map(_can_be_kept, (found.id, found.ref, found.kind))):
        raise Unreadable("words that cannot be kept: a NUL, or half of a character")
    return found


def _can_be_kept(text: str) -> bool:
    """Whether both databases take it: JSON can say NUL and lone surrogates, which are no UTF-8 text of theirs."""
    return not any(char == "\0" or "\ud800" <= char <= "\udfff" for char in text)
