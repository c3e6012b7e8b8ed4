"""The frame: what a person sees around every page, and what they keep as their choice."""

from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.test import RequestFactory
from django.utils.translation import gettext_lazy as _

from panel.core import shell
from panel.core.actors import Actor
from panel.core.shell import NavEntry, Shell


@pytest.fixture(autouse=True)
def _parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test has a frame of its own."""
    monkeypatch.setattr(shell, "_parts", shell._Parts())


def frame(path: str = "/", *, actor: Actor | None = None, user: Any = None, **cookies: str) -> Shell:
    request = RequestFactory().get(path)
    request.COOKIES.update(cookies)
    request.user = user or AnonymousUser()
    request.actor = actor  # type: ignore[attr-defined]
    return shell.of(request)


def test_the_longest_address_is_the_current_one() -> None:
    shell.register_nav("sandbox", NavEntry("sessions", "Sessions", "usersessions_list", "phone"))
    shell.register_nav("sandbox", NavEntry("mail", "E-mail", "account_email", "mail", order=10))
    nav = frame("/account/sessions/").nav
    assert [(item.key, item.current) for item in nav] == [("mail", False), ("sessions", True)]


def test_a_page_of_the_same_room_marks_the_rooms_entry() -> None:
    shell.register_nav(
        "ops",
        NavEntry("work", "My work", "console:work", "work"),
        NavEntry("operations", "Operations", "console:operation_list", "operations", also=("console:mail_list",)),
    )
    for path in ("/ops/operations/7/", "/ops/mail/", "/ops/mail/7/"):
        assert [item.key for item in frame(path).nav if item.current] == ["operations"]
    assert [item.key for item in frame("/ops/").nav if item.current] == ["work"]


def test_what_one_may_not_open_is_not_shown() -> None:
    shell.register_nav("sandbox", NavEntry("mail", "E-mail", "account_email", "mail", allowed=lambda request: False))
    assert frame().nav == []


def test_an_entry_of_an_app_that_is_not_there_is_left_out() -> None:
    shell.register_nav("sandbox", NavEntry("none", "None", "nowhere:at_all", "mail"))
    assert frame().nav == []


def test_a_key_registered_again_replaces_the_first() -> None:
    for name in ("Old", "New"):
        shell.register_nav("ops", NavEntry("mail", name, "account_email", "mail"))
    assert [entry.label for entry in shell.entries("ops")] == ["New"]


@pytest.mark.parametrize(
    ("path", "actor", "layout"),
    [
        ("/ops/", None, "ops.html"),
        ("/account/2fa/", Actor("person", user_id=1, staff_roles=frozenset({"abuse"})), "ops.html"),
        ("/account/2fa/", Actor("person", user_id=1, account_id=3, staff_roles=frozenset({"abuse"})), "base.html"),
        ("/account/2fa/", Actor("person", user_id=1, account_id=3), "base.html"),
    ],
)
def test_staff_has_its_own_face(path: str, actor: Actor | None, layout: str) -> None:
    assert frame(path, actor=actor).layout == layout


def test_the_theme_is_the_persons_before_the_browsers() -> None:
    person = SimpleNamespace(is_authenticated=True, theme="dark", name="Ada", email="ada@example.org")
    assert frame(user=person, theme="light").theme == "dark"
    assert frame(theme="light").theme == "light"
    assert frame(theme="javascript:").theme == "system"


def test_the_socket_and_the_search_are_for_people_who_have_logged_in() -> None:
    assert (frame().live_url, frame().palette_url) == ("", "")


def test_a_brand_colour_we_do_not_know_falls_back(settings: Any) -> None:
    settings.CLAUSE_BRAND = {"name": "Ours", "accent": "url(x)"}
    assert frame().accent == "petrol"
    settings.CLAUSE_BRAND = {"name": "Ours", "accent": "ember"}
    assert frame().accent == "ember"


def test_the_palette_finds_pages_and_what_is_registered() -> None:
    shell.register_nav("sandbox", NavEntry("sessions", _("Sessions"), "usersessions_list", "phone"))
    shell.register_search(lambda request, words: [shell.Hit(f"found {words}", "/x/")])
    request = frame().request
    assert [str(hit.label) for hit in shell.search(request, "sess")] == ["Sessions", "found sess"]
    assert [str(hit.label) for hit in shell.search(request, "")] == ["Sessions"]


def test_a_group_is_one_line_and_a_group_of_one_is_its_entry() -> None:
    group = shell.NavGroup("Billing", "billing")
    shell.register_nav(
        "ops",
        NavEntry("work", "My work", "console:work", "work", 1),
        NavEntry("operations", "Operations", "console:operation_list", "operations", 2, group=group),
        NavEntry("sessions", "Sessions", "usersessions_list", "phone", 3),
        NavEntry("mail", "Mail", "console:mail_list", "mail", 4, group=group),
        NavEntry("health", "Health", "console:health", "work", 5, group=shell.NavGroup("Alone", "work")),
    )
    lines = frame("/ops/mail/").nav_lines
    assert [[item.key for item in line.items] for line in lines] == [
        ["work"], ["operations", "mail"], ["sessions"], ["health"],
    ]  # fmt: skip
    assert [(line.group, line.current) for line in lines] == [
        (None, False), (group, True), (None, False), (None, False),
    ]  # fmt: skip
