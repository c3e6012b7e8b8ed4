"""Whatever a libcloud driver throws as our one error, which says what to do next: ask again, wait, look first, or give
up."""

import json
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import requests
from libcloud.common.exceptions import BaseHTTPError
from libcloud.common.types import InvalidCredsError, LibcloudError, MalformedResponseError

from panel.core.errors import ProviderError
from servers.providers import not_supported

NOT_NOW = frozenset({408, 409, 423, 425, 429})
"""HTTP answers in the 400s that mean "not now" and not "never"."""
TOO_MANY = 429
BROKEN = 500
NOT_FOUND = 404
READING = frozenset({"list", "look", "catalogue", "list snapshots", "read the firewall"})
"""Verbs that change nothing, so that their outcome cannot be unknown."""
FULL = ("capacity", "no valid host", "out of stock", "unavailable", "not available", "quota", "limit")
"""What places say, in their own words, when there is no room for one more machine now."""
BUSY = ("pending event", "task_state", "is locked", "is not in a", "incorrectinstancestate", "in vm_state")
"""What they say when a machine is occupied by something asked for before."""
THROTTLED = ("requestlimitexceeded", "throttl", "rate limit")
_ASKED = re.compile(r"(?<=url: )\S+|\?\S*|\S*(?:UserData|user_data|AWSAccessKeyId|Signature)=\S*")


@contextmanager
def asking(verb: str, label: str) -> Iterator[None]:
    """Every exception within becomes a ProviderError of `verb` at the place `label`, which stands alone: what it came
    of may repeat the whole request."""
    try:
        yield
    except ProviderError:
        raise
    except NotImplementedError as error:  # libcloud's own word for what a vendor's driver cannot do
        raise not_supported(verb, label) from error
    except InvalidCredsError:
        raise ProviderError(f"{label} refuses our credentials", permanent=True, code="credentials") from None
    except BaseHTTPError as error:
        raise answered(error, verb, label) from None
    except (requests.ConnectTimeout, requests.ConnectionError, socket.gaierror) as error:
        unknown = verb not in READING and not _never_sent(error)
        raise ProviderError(f"{verb} at {label}: {_named(error)}", code="unreachable", unknown=unknown) from None
    except (requests.RequestException, OSError) as error:
        raise ProviderError(
            f"{verb} at {label}: {_named(error)}", code="unreachable", unknown=verb not in READING
        ) from None  # fmt: skip
    except Exception as error:  # LibcloudError, and the bare ones drivers throw of an answer they did not expect
        words = without_what_was_asked(str(error)) if isinstance(error, LibcloudError) else _named(error)
        code = "unreachable" if isinstance(error, MalformedResponseError) else "failed"
        raise ProviderError(f"{verb} at {label}: {words}", code=code, unknown=verb not in READING) from None


def without_what_was_asked(text: str) -> str:
    """At most 500 characters of what was said, without addresses and what follows a question mark: there some places
    are told what boots first, with our key and signature."""
    return _ASKED.sub("...", text)[:500]


def _named(error: Exception) -> str:
    return f"{type(error).__name__}: {without_what_was_asked(str(error))}".removesuffix(": ")


def answered(error: BaseHTTPError, verb: str, label: str) -> ProviderError:
    """What an HTTP answer means that is no success."""
    status, said = int(error.code), _said(error)
    message = f"{verb} at {label}: HTTP {status} {said}".strip()
    wait = _asked_to_wait(error)
    if status in (401, 403) and not _any(FULL, said):
        return ProviderError(f"{label} refuses our credentials: {message}", permanent=True, code="credentials")
    if status == TOO_MANY or _any(THROTTLED, said):
        return ProviderError(message, code="too_many", wait=wait or 60)
    if status >= BROKEN:
        full = _any(FULL[:3], said)
        unknown = verb not in READING and not full and not wait
        return ProviderError(message, code="out_of_capacity" if full else "unavailable", wait=wait, unknown=unknown)
    if _any(BUSY, said):
        return ProviderError(message, code="busy")
    if _any(FULL, said) and verb in {"create", "resize"}:
        return ProviderError(message, code="out_of_capacity", wait=max(wait, 300))
    if status in NOT_NOW:
        return ProviderError(message, code="busy", wait=wait)
    return ProviderError(message, permanent=True, code="not_found" if status == NOT_FOUND else "refused")


def _said(error: BaseHTTPError) -> str:
    """The place's own words, however its driver hands them over."""
    said: Any = error.message
    if isinstance(said, dict):
        said = said.get("message") or said.get("error") or said
    return without_what_was_asked(str(said or ""))


def _asked_to_wait(error: BaseHTTPError) -> int:
    """Seconds of the Retry-After header, which libcloud has made a number; 0 without one."""
    told = str((error.headers or {}).get("retry-after", ""))
    return int(float(told)) if told.replace(".", "", 1).isdecimal() else 0


def _any(words: tuple[str, ...], said: str) -> bool:
    return any(word in said.lower() for word in words)


def _never_sent(error: Exception) -> bool:
    """Whether no connection was made at all, so that nothing can have happened."""
    told = repr(error)
    return isinstance(error, requests.ConnectTimeout | socket.gaierror) or "NewConnectionError" in told


class ToldPlainly:
    """Before a driver's class of answers: what went wrong is one sentence, and never thrown past libcloud's own error,
    which keeps the status and the headers."""

    body: Any

    def parse_error(self) -> str:
        """The place's own words; of what is no JSON, the beginning."""
        try:
            told = json.loads(self.body or "{}")
        except ValueError:
            return str(self.body)[:200]
        return str(told.get("message") or told.get("error") or told) if isinstance(told, dict) else str(told)
