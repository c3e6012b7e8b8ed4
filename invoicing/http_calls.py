"""Asking an office over HTTP: JSON out, JSON in; whatever goes wrong on the way is a ProviderError."""

import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

from panel.core.errors import ProviderError

SECONDS = 20
LARGEST_ANSWER = 4 * 1024 * 1024
# no proxy of the environment stands between the panel and this machine's own simulators
_near = urllib.request.build_opener(urllib.request.ProxyHandler({}))
_far = urllib.request.build_opener()


def ask(
    method: str,
    url: str,
    *,
    body: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
    seconds: float = SECONDS,
) -> tuple[int, Any]:
    """(status, decoded JSON) of an answer, refusals (4xx) included.

    ProviderError, not permanent: nobody there, no answer within `seconds`, a 5xx without JSON, or what is no JSON.
    """
    request = urllib.request.Request(  # noqa: S310 - the address is a setting, checked at the start
        url,
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Accept": "application/json", "Content-Type": "application/json", **(headers or {})},
    )
    opener = _near if url.startswith("http://127.0.0.1:") else _far
    try:
        with opener.open(request, timeout=seconds) as answer:
            status, content = answer.status, answer.read(LARGEST_ANSWER + 1)
    except urllib.error.HTTPError as refusal:
        status, content = refusal.code, refusal.read(LARGEST_ANSWER + 1)
    except (OSError, http.client.HTTPException) as error:
        raise ProviderError(f"no answer from {_place(url)}: {type(error).__name__}") from error
    if len(content) > LARGEST_ANSWER:
        raise ProviderError(f"{_place(url)} answered with more than {LARGEST_ANSWER} bytes")
    try:
        return status, json.loads(content)
    except ValueError:
        raise ProviderError(f"{_place(url)} answered {status} with what is no JSON") from None


def _place(url: str) -> str:
    return url.partition("://")[2].partition("/")[0]


def usable(url: str) -> bool:
    """Whether an address may be asked: https, or this machine."""
    return url.startswith(("https://", "http://127.0.0.1:", "http://localhost:", "http://[::1]:"))
