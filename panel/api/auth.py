"""Who asks: a bearer token stands for a person in one account, with the token's scopes. Sessions do not count here."""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from ninja.security import HttpBearer

from panel.accounts import tokens
from panel.accounts.middleware import client_ip, neighbourhood
from panel.api import limits
from panel.core import clock
from panel.core.actions import Action
from panel.core.actors import Actor


class Bearer(HttpBearer):
    """Sets `request.auth` to the Actor the token stands for."""

    def authenticate(self, request: HttpRequest, token: str) -> Actor | None:
        now, ip = clock.now(), client_ip(request)
        actor = tokens.authenticate(token, now=now, ip=ip)
        if actor is None:
            limits.spend(request, limits.STRANGER, neighbourhood(ip), now=now)
            return None
        limits.spend(request, limits.TOKEN, str(actor.token_id), now=now)
        return actor


def actor(request: HttpRequest, action: Action, obj: Any = None) -> Actor:
    """The actor of the request, once `action` permits it: PermissionDenied, or RuleViolation where the state forbids
    it."""
    asking: Actor = request.auth  # type: ignore[attr-defined]
    if obj is None:
        if not action.permits(asking):
            raise PermissionDenied(action.name)
    else:
        action.check(asking, obj)
    return asking
