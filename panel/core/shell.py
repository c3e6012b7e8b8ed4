"""The frame around every page: navigation, accounts, banners, search. Higher floors register their parts here, so that
the frame knows none of them:

    shell.register_nav("sandbox", NavEntry("servers", _("Servers"), "servers:server_list", "server", order=30))
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils import timezone, translation
from django.utils.functional import Promise, cached_property
from django.utils.http import url_has_allowed_host_and_scheme

from panel.core import clock
from panel.core.prepared import Numbers, Prepared
from panel.core.quantities import zone_word

Text = str | Promise
THEMES = ("system", "light", "dark")
ACCENTS = ("petrol", "indigo", "forest", "ember", "rose")
NAV_LIMIT = 9


def _everybody(request: HttpRequest) -> bool:
    return True


@dataclass(frozen=True)
class NavGroup:
    """A line of the navigation under which several entries are folded until one of them is open."""

    label: Text
    icon: str


@dataclass(frozen=True)
class NavEntry:
    """One line of the left navigation. `go`: the letter after `g`; `count`: what waits on them (a counted query, which
    may have the slot `account`); `allowed`: whether they see the line; `also`: further pages of the same room; `group`:
    the line it is folded under."""

    key: str
    label: Text
    url_name: str
    icon: str
    order: int = 50
    go: str = ""
    group: NavGroup | None = None
    allowed: Callable[[HttpRequest], bool] = _everybody
    count: Prepared | None = None
    also: tuple[str, ...] = ()


@dataclass(frozen=True)
class NavItem:
    """A navigation entry made ready for one request."""

    key: str
    label: Text
    url: str
    icon: str
    go: str
    group: NavGroup | None
    count: int
    current: bool


@dataclass
class NavLine:
    """A line of the top level: one entry, or a group with its entries."""

    group: NavGroup | None
    items: list[NavItem]

    @property
    def count(self) -> int:
        return sum(item.count for item in self.items)

    @property
    def current(self) -> bool:
        return any(item.current for item in self.items)


@dataclass(frozen=True)
class Banner:
    """A constant notice above every page: a restriction, acting for a customer, a simulated cloud."""

    tone: str
    text: Text
    icon: str = "info"
    url: str = ""
    label: Text = ""
    post_url: str = ""


@dataclass(frozen=True)
class AccountChoice:
    """An account the person may work in; `url` switches to it (POST)."""

    reference: str
    name: str
    url: str = ""
    current: bool = False


@dataclass(frozen=True)
class Hit:
    """One result of the palette."""

    label: Text
    url: str
    hint: Text = ""
    icon: str = "arrow"
    group: Text = ""


@dataclass(frozen=True)
class MenuEntry:
    """One line of the person's own menu (security, API tokens ...); `allowed`: whether they see the line."""

    label: Text
    url_name: str
    icon: str
    order: int = 50
    allowed: Callable[[HttpRequest], bool] = _everybody


@dataclass(frozen=True)
class MenuItem:
    """A menu entry made ready."""

    label: Text
    url: str
    icon: str


@dataclass
class _Parts:
    nav: dict[str, list[NavEntry]] = field(default_factory=lambda: {"sandbox": [], "ops": []})
    menu: dict[str, MenuEntry] = field(default_factory=dict)
    banners: list[Callable[[HttpRequest], Iterable[Banner]]] = field(default_factory=list)
    accounts: list[Callable[[HttpRequest], Iterable[AccountChoice]]] = field(default_factory=list)
    search: list[Callable[[HttpRequest, str], Iterable[Hit]]] = field(default_factory=list)


_parts = _Parts()


def register_nav(face: str, *entries: NavEntry) -> None:
    """Add entries to the navigation of `face` ("sandbox" or "ops"); a key registered again replaces the first."""
    kept = [known for known in _parts.nav[face] if known.key not in {entry.key for entry in entries}]
    _parts.nav[face] = sorted([*kept, *entries], key=lambda entry: entry.order)


def register_menu(*entries: MenuEntry) -> None:
    """Add entries to the person's menu."""
    _parts.menu.update({entry.url_name: entry for entry in entries})


def entries(face: str) -> list[NavEntry]:
    """What has been registered for a face, in order; a test holds its lines to NAV_LIMIT."""
    return list(_parts.nav[face])


def register_banners(provider: Callable[[HttpRequest], Iterable[Banner]]) -> None:
    """`provider(request)` yields the banners that person must see on every page."""
    if provider not in _parts.banners:
        _parts.banners.append(provider)


def register_accounts(provider: Callable[[HttpRequest], Iterable[AccountChoice]]) -> None:
    """`provider(request)` yields the accounts the person may work in, the current one marked."""
    if provider not in _parts.accounts:
        _parts.accounts.append(provider)


def register_search(provider: Callable[[HttpRequest, str], Iterable[Hit]]) -> None:
    """`provider(request, words)` yields what `words` names, through `visible_to(actor)` alone."""
    if provider not in _parts.search:
        _parts.search.append(provider)


def search(request: HttpRequest, words: str) -> list[Hit]:
    """What every registered provider finds, pages of the navigation first."""
    frame = of(request)
    pages = [
        Hit(item.label, item.url, icon=item.icon)
        for item in frame.nav
        if words.casefold() in str(item.label).casefold()
    ]
    return pages + [hit for provider in _parts.search for hit in provider(request, words)] if words else pages


class Shell:
    """What the frame shows for one request; every part is read only when the template asks for it."""

    def __init__(self, request: HttpRequest, *, now: datetime) -> None:
        self.request = request
        self.now = now

    @cached_property
    def user(self) -> Any:
        return getattr(self.request, "user", None)

    @cached_property
    def signed_in(self) -> bool:
        return bool(self.user is not None and self.user.is_authenticated)

    @cached_property
    def actor(self) -> Any:
        return getattr(self.request, "actor", None)

    @cached_property
    def face(self) -> str:
        """ "ops" under /ops/, and for staff that work in no customer's account."""
        if self.request.path.startswith("/ops/"):
            return "ops"
        staff = self.actor is not None and self.actor.is_staff and self.actor.account_id is None
        return "ops" if staff else "sandbox"

    @property
    def layout(self) -> str:
        """The template a page of both faces extends: `{% extends shell.layout %}`."""
        return "ops.html" if self.face == "ops" else "base.html"

    @cached_property
    def nav(self) -> list[NavItem]:
        """The entries a person may open, the current one marked by the longest matching address."""
        shown = [entry for entry in _parts.nav[self.face] if entry.allowed(self.request)]
        addresses = [(entry, url) for entry in shown if (url := _address(entry.url_name))]
        rooms = [(entry, room) for entry, url in addresses for room in (url, *map(_address, entry.also)) if room]
        inside = [(len(room), entry.key) for entry, room in rooms if _within(self.request.path, room)]
        here = max(inside, default=(0, ""))[1]
        counts = {entry.key: entry.count for entry, _ in addresses if entry.count is not None}
        account = self.actor.account_id if self.actor else None
        waiting = dict(zip(counts, _numbers(*counts.values()).one(account=account), strict=True)) if counts else {}
        return [
            NavItem(
                entry.key,
                entry.label,
                url,
                entry.icon,
                entry.go,
                entry.group,
                waiting.get(entry.key, 0),
                entry.key == here,
            )
            for entry, url in addresses
        ]

    @cached_property
    def nav_lines(self) -> list[NavLine]:
        """The same as at most nine lines: a group stands where its first entry would, and one of one is that entry."""
        lines: list[NavLine] = []
        for item in self.nav:
            known = next((line for line in lines if item.group and line.group == item.group), None)
            if known:
                known.items.append(item)
            else:
                lines.append(NavLine(item.group, [item]))
        return [line if len(line.items) > 1 else NavLine(None, line.items) for line in lines]

    @cached_property
    def banners(self) -> list[Banner]:
        return [banner for provider in _parts.banners for banner in provider(self.request)]

    @cached_property
    def accounts(self) -> list[AccountChoice]:
        return [choice for provider in _parts.accounts for choice in provider(self.request)]

    @cached_property
    def account(self) -> AccountChoice | None:
        return next((choice for choice in self.accounts if choice.current), None)

    @cached_property
    def user_name(self) -> str:
        return (getattr(self.user, "name", "") or getattr(self.user, "email", "")) if self.signed_in else ""

    @cached_property
    def user_menu(self) -> list[MenuItem]:
        entries = sorted(_parts.menu.values(), key=lambda entry: entry.order)
        shown = [entry for entry in entries if entry.allowed(self.request)]
        return [MenuItem(entry.label, url, entry.icon) for entry in shown if (url := _address(entry.url_name))]

    @cached_property
    def identity(self) -> tuple[Any, ...]:
        """All that the frame shows but for `path`, `clock_word` and `instant`: who, where, how, and what waits."""
        return (
            getattr(self.user, "pk", None), self.user_name, getattr(self.user, "email", ""), self.face, self.language,
            self.theme, self.timezone, tuple(self.brand.values()), tuple(self.accounts),
            tuple((item.key, item.url, item.count, item.current) for item in self.nav),
            tuple(item.url for item in self.user_menu),
        )  # fmt: skip

    @property
    def path(self) -> str:
        """The address of this page, to come back to."""
        return self.request.get_full_path()

    @property
    def instant(self) -> str:
        """The server's clock, for the script."""
        return self.now.isoformat()

    @cached_property
    def clock_word(self) -> str:
        """The reader's time of day and zone: `05:31 CET`."""
        local = timezone.localtime(self.now)
        return f"{local:%H:%M} {zone_word(self.now)}"

    @cached_property
    def theme(self) -> str:
        kept = getattr(self.user, "theme", "") if self.signed_in else self.request.COOKIES.get("theme", "")
        return kept if kept in THEMES else "system"

    @property
    def language(self) -> str:
        return translation.get_language() or settings.LANGUAGE_CODE

    @cached_property
    def languages(self) -> list[tuple[str, str]]:
        return list(settings.LANGUAGES)

    @property
    def timezone(self) -> str:
        return timezone.get_current_timezone_name()

    @cached_property
    def brand(self) -> dict[str, str]:
        return {"name": "Clause", "short": "Clause", "product": "Clause", **settings.CLAUSE_BRAND}

    @property
    def accent(self) -> str:
        """The brand's hue; contrast is the same for each of ACCENTS."""
        wanted = self.brand.get("accent", "")
        return wanted if wanted in ACCENTS else ACCENTS[0]

    @property
    def live_url(self) -> str:
        """The socket; empty for those who have not signed in."""
        return "/ws/live/" if self.signed_in else ""

    @property
    def live_since(self) -> str:
        """When the reading of this page began, seconds since 1970 UTC: its socket is told what changed after that."""
        return repr(getattr(self.request, "reading_since", 0.0))

    @property
    def palette_url(self) -> str:
        return _address("palette") if self.signed_in else ""

    @property
    def back_url(self) -> str:
        """The page this one was reached from, where it was one of ours; else the start page."""
        came_from = self.request.META.get("HTTP_REFERER", "")
        ours = url_has_allowed_host_and_scheme(
            came_from, {self.request.get_host()}, require_https=self.request.is_secure()
        )
        return came_from if ours else "/"

    @property
    def preferences_url(self) -> str:
        return _address("preferences")


def of(request: HttpRequest) -> Shell:
    """The request's frame with its instant (read here, at the edge), made once and kept on the request."""
    frame: Shell | None = getattr(request, "shell", None)
    if frame is None:
        frame = Shell(request, now=clock.now())
        request.shell = frame  # type: ignore[attr-defined]
    return frame


def _within(path: str, url: str) -> bool:
    return path == url if url in ("/", "/ops/") else path.startswith(url)


_reversed = cache(reverse)


@cache
def _numbers(*counts: Prepared) -> Numbers:
    """What waits in each of these entries, in one statement."""
    return Numbers(counts)


def _address(url_name: str) -> str:
    """The address of a page, or nothing while its app is not installed."""
    try:
        return _reversed(url_name)
    except NoReverseMatch:
        return ""
