"""How often one token, or one address without a token, may ask; told in headers, refused with 429."""

from dataclasses import dataclass
from datetime import datetime

from django.core.cache import cache
from django.http import HttpRequest, HttpResponse

from panel.api.problems import TooMany


@dataclass(frozen=True)
class Limit:
    """At most `count` in each window of `seconds`."""

    name: str
    count: int
    seconds: int


TOKEN = Limit("token", 240, 60)
STRANGER = Limit("stranger", 30, 60)
REPORTS = Limit("reports", 10, 3600)


def spend(request: HttpRequest, limit: Limit, who: str, *, now: datetime) -> None:
    """Count one request of `who`; TooMany when the window is used up."""
    window, passed = divmod(int(now.timestamp()), limit.seconds)
    key = f"api:{limit.name}:{who}:{window}"
    cache.add(key, 0, limit.seconds * 2)
    used = cache.incr(key)
    left = limit.seconds - passed
    request.rate = (limit.count, max(0, limit.count - used), left)  # type: ignore[attr-defined]
    if used > limit.count:
        raise TooMany(left)


def tell(request: HttpRequest, response: HttpResponse) -> None:
    """Write the state of the limit into the response."""
    rate = getattr(request, "rate", None)
    if rate is not None:
        for name, value in zip(("Limit", "Remaining", "Reset"), rate, strict=True):
            response[f"RateLimit-{name}"] = str(value)
