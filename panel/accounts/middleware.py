"""Who is asking: the actor of a request, and the second factor staff must have."""

import ipaddress
from collections.abc import Callable
from time import monotonic

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from panel.accounts.models import Standing, User
from panel.core.actors import Actor

ANONYMOUS = Actor(kind="person")
ACCOUNT_IN_SESSION = "account"


def client_ip(request: HttpRequest) -> str | None:
    """The client's address, behind as many proxies as the settings trust."""
    trusted = settings.ALLAUTH_TRUSTED_PROXY_COUNT
    if trusted:
        chain = [part.strip() for part in request.headers.get("X-Forwarded-For", "").split(",") if part.strip()]
        if len(chain) >= trusted:
            return chain[-trusted]
    return request.META.get("REMOTE_ADDR") or None


def neighbourhood(ip: str | None) -> str:
    """What counts as one stranger: an IPv4 address, or the /64 an IPv6 address comes from."""
    try:
        address = ipaddress.ip_address(ip or "")
    except ValueError:
        return "unknown"
    if address.version == 6:
        return str(ipaddress.ip_network(f"{address}/64", strict=False))
    return str(address)


class LastSeenMiddleware:
    """Keeps where each session was last used, for the person's list of sessions: written when its address or browser
    changes and else every few minutes, so that opening a page writes nothing."""

    EVERY = 300.0  # seconds
    MOST = 50_000

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        self._noted: dict[tuple[str, str | None, str], float] = {}

    def __call__(self, request: HttpRequest) -> HttpResponse:
        key = request.session.session_key
        if key and request.user.is_authenticated:
            self._note(request, (key, client_ip(request), request.META.get("HTTP_USER_AGENT", "")))
        return self.get_response(request)

    def _note(self, request: HttpRequest, seen: tuple[str, str | None, str]) -> None:
        from allauth.usersessions.models import UserSession

        if monotonic() - self._noted.get(seen, -self.EVERY) < self.EVERY:
            return
        UserSession.objects.create_from_request(request)
        if len(self._noted) >= self.MOST:
            self._noted.clear()
        self._noted[seen] = monotonic()


class ActorMiddleware:
    """Sets `request.actor`, and for those who are logged in `request.standing`."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.actor = self._actor(request)  # type: ignore[attr-defined]
        return self.get_response(request)

    def _actor(self, request: HttpRequest) -> Actor:
        from panel.accounts.identity import standing_of

        user, ip = request.user, client_ip(request)
        if not isinstance(user, User):
            return Actor(kind="person", ip=ip)
        standing = standing_of(user)
        request.standing = standing  # type: ignore[attr-defined]
        actor = standing.actor(user, request.session.get(ACCOUNT_IN_SESSION), ip)
        if actor.account_id is None and not actor.is_staff and standing.places:
            first = standing.places[0].account_id
            request.session[ACCOUNT_IN_SESSION] = first
            actor = standing.actor(user, first, ip)
        return actor


class StaffSecondFactorMiddleware:
    """Staff without a second factor is sent to set one up before anything else."""

    FREE = ("/account/", "/static/", "/healthz", "/preferences/")

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        actor: Actor = request.actor  # type: ignore[attr-defined]
        if settings.CLAUSE_REQUIRE_STAFF_MFA and actor.is_staff and not request.path.startswith(self.FREE):
            standing: Standing = request.standing  # type: ignore[attr-defined]
            if not standing.second_factor:
                return redirect("mfa_activate_totp")
        return self.get_response(request)
