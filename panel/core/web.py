"""The edge of every page: one decorator names its Action, one function answers, one place turns refusals into pages."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeAlias

from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import BadRequest, PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render as django_render

from panel.core.actions import Action
from panel.core.actors import Actor
from panel.core.errors import RuleViolation

View: TypeAlias = Callable[..., HttpResponse]


def actor(request: HttpRequest) -> Actor:
    """Who is asking (set by the accounts' middleware)."""
    return request.actor  # type: ignore[attr-defined,no-any-return]


def page(action: Action) -> Callable[[View], View]:
    """The view may be opened by whom `action` permits: else log-in (anonymous) or 403.

    A RuleViolation that the view lets through becomes a page that says the sentence, with status 409.
    """

    def wrap(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            asking = actor(request)
            if not action.permits(asking):
                if asking.user_id is None:
                    return redirect_to_login(request.get_full_path())
                raise PermissionDenied(action.name)
            if any("\0" in text for sent in (request.GET, request.POST) for text in sent.values()):
                raise BadRequest("a NUL in a text")  # PostgreSQL keeps none
            try:
                return view(request, *args, **kwargs)
            except RuleViolation as refusal:
                return django_render(request, "refused.html", {"refusal": refusal}, status=409)

        guarded.action = action  # type: ignore[attr-defined]
        return guarded

    return wrap


def part(request: HttpRequest, *names: str) -> str:
    """What to append to the name of a template for the part that is asked for (`?part=live`), one of `names`; "" for
    the whole page."""
    asked = request.GET.get("part", "")
    return f"#{asked}" if asked in names else ""


def hook(action: Action) -> Callable[[View], View]:
    """A machine's entry (webhook, health): checks itself; the action only names it."""

    def wrap(view: View) -> View:
        view.action = action  # type: ignore[attr-defined]
        return view

    return wrap


def say(request: HttpRequest, sentence: object, *, error: bool = False) -> None:
    """A toast on the next page."""
    (messages.error if error else messages.success)(request, str(sentence))
