"""Language, time zone and theme: chosen in the top bar, kept with the person, or in a cookie before log-in."""

import zoneinfo
from collections.abc import Callable
from functools import cache
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone, translation
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from panel.core import web
from panel.core.actions import Action
from panel.core.shell import THEMES

SAVE = Action("core.preferences", _("Choose language, time zone and theme"), public=True)
YEAR = 365 * 24 * 3600


@cache
def _zones() -> frozenset[str]:
    """Every zone of the tz database; finding them reads a whole folder."""
    return frozenset(zoneinfo.available_timezones())


def _allowed(name: str, value: str) -> bool:
    if name == "theme":
        return value in THEMES
    if name == "language":
        return value in dict(settings.LANGUAGES)
    return value in _zones()


@require_POST
@web.page(SAVE)
def save(request: HttpRequest) -> HttpResponse:
    """Keeps what the form names (theme, language, timezone) and goes back where it came from; 204 for a script."""
    chosen = {
        name: value
        for name in ("theme", "language", "timezone")
        if (value := request.POST.get(name, "")) and _allowed(name, value)
    }
    target = request.POST.get("next", "")
    safe = url_has_allowed_host_and_scheme(target, {request.get_host()}, require_https=request.is_secure())
    quiet = request.headers.get("X-Requested-With") == "clause"
    response: HttpResponse = HttpResponse(status=204) if quiet else HttpResponseRedirect(target if safe else "/")
    user: Any = request.user
    if user.is_authenticated:
        for name, value in chosen.items():
            setattr(user, name, value)
        if chosen:
            user.save(update_fields=list(chosen))
    for name, value in chosen.items():
        key = settings.LANGUAGE_COOKIE_NAME if name == "language" else name
        response.set_cookie(key, value, max_age=YEAR, samesite="Lax", secure=settings.SESSION_COOKIE_SECURE)
    return response


class PreferencesMiddleware:
    """Activates the person's language and time zone for the request; anonymous: cookie, else the settings."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        user: Any = request.user
        zone = getattr(user, "timezone", "") or request.COOKIES.get("timezone", "")
        language = getattr(user, "language", "")
        if language and _allowed("language", language):
            translation.activate(language)
            request.LANGUAGE_CODE = translation.get_language() or language
        if zone and _allowed("timezone", zone):
            with timezone.override(zoneinfo.ZoneInfo(zone)):
                return self.get_response(request)
        return self.get_response(request)
