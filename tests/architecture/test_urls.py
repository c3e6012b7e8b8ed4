"""Every address has an Action: who may, and what it is called. Pages, the API and the sockets ask the same."""

from collections.abc import Iterator
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver

from panel.core.actions import REGISTRY, Action

# Rooms that others built, guarded by themselves: log-in and the API's own operations (which name their actions).
OTHERS = ("allauth.", "ninja.", "django.views.static")


def addresses(resolver: URLResolver, before: str = "") -> Iterator[tuple[str, Any]]:
    for entry in resolver.url_patterns:
        path = before + str(entry.pattern)
        if isinstance(entry, URLResolver):
            yield from addresses(entry, path)
        elif isinstance(entry, URLPattern):
            yield path, entry.callback


def module_of(view: Any) -> str:
    return str(getattr(getattr(view, "view_class", view), "__module__", ""))


def test_every_address_has_an_action() -> None:
    without = [
        path
        for path, view in addresses(get_resolver())
        if not module_of(view).startswith(OTHERS) and not isinstance(getattr(view, "action", None), Action)
    ]
    assert without == []


def test_actions_have_a_label_and_somebody_who_may() -> None:
    for action in REGISTRY.values():
        assert str(action.label), action.name
        assert action.public or action.roles or action.permission is not None, f"nobody may do {action.name}"
