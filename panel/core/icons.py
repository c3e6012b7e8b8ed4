"""Our names for the icons (Tabler, MIT, from the `tablericons2` package), drawn inline by the server."""

import re
from functools import cache
from importlib.resources import files
from zipfile import ZipFile

from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

NAMES = {
    # places
    "home": "layout-dashboard", "services": "package", "server": "server-2", "domain": "world-www",
    "billing": "credit-card", "invoice": "file-invoice", "support": "lifebuoy", "contacts": "users",
    "account": "user-circle", "settings": "settings", "cases": "gavel", "reports": "inbox",
    "operations": "activity", "customers": "building", "audit": "history", "mail": "mail",
    "approvals": "clipboard-check", "work": "checklist", "catalogue": "stack-2", "legal": "scale",
    "health": "heartbeat", "tickets": "messages", "order": "shopping-cart", "wallet": "wallet",
    "brand": "section-sign",
    # things
    "key": "key", "address": "network", "traffic": "chart-area", "cpu": "cpu", "memory": "device-sd-card",
    "disk": "database", "place": "map-pin", "clock": "clock", "calendar": "calendar", "document": "file-text",
    "attachment": "paperclip", "note": "note", "tag": "tag", "user": "user", "user-add": "user-plus",
    "user-remove": "user-minus", "phone": "device-mobile", "token": "api", "terminal": "terminal-2",
    "shield": "shield-check", "fingerprint": "fingerprint", "bell": "bell", "book": "book", "language": "language",
    "keyboard": "keyboard", "world": "world", "percent": "percentage", "flag": "flag",
    # deeds
    "search": "search", "add": "plus", "edit": "pencil", "trash": "trash", "copy": "copy", "download": "download",
    "upload": "upload", "print": "printer", "play": "player-play", "stop": "player-stop", "pause": "player-pause",
    "reboot": "refresh", "power": "power", "external": "external-link", "reply": "arrow-back-up",
    "filter": "filter", "login": "login", "logout": "logout", "show": "eye", "hide": "eye-off", "menu": "menu-2",
    "more": "dots", "close": "x", "arrow": "arrow-right", "back": "arrow-left", "next": "chevron-right",
    "previous": "chevron-left", "down": "chevron-down", "switch": "selector", "sort": "arrows-sort",
    "sort-up": "sort-ascending", "sort-down": "sort-descending", "wand": "wand",
    # states
    "info": "info-circle", "good": "circle-check", "warning": "alert-triangle", "bad": "alert-octagon",
    "help": "help-circle", "check": "check", "failed": "alert-circle", "waiting": "clock", "working": "loader-2",
    "running": "player-play", "stopped": "player-stop", "paused": "player-pause", "hourglass": "hourglass",
    "alarm": "alarm", "ban": "ban", "locked": "lock", "unlocked": "lock-open", "hand": "hand-stop",
    "undo": "rotate", "closed": "circle-x", "dot": "point", "draft": "circle-dashed", "review": "eye",
    "message": "message-circle", "inbox": "inbox", "link": "link", "coin": "coin", "scale": "scale",
    "mail-off": "mail-off", "simulated": "flask", "live": "wifi", "offline": "wifi-off",
    # themes
    "theme-system": "device-desktop", "theme-light": "sun", "theme-dark": "moon",
}  # fmt: skip
FILLED = frozenset({"running", "stopped", "paused"})
STROKES = 'fill="none" stroke="currentColor" stroke-width="1.75" stroke-linecap="round" stroke-linejoin="round"'


@cache
def _drawings() -> dict[str, str]:
    """Every icon we name, read from the package's archive once: its SVG on one line, sized and named by us."""
    with (files("tablericons") / "tablericons.zip").open("rb") as archive, ZipFile(archive) as icons:
        return {name: _ours(icons.read(f"{_folder(name)}/{drawing}.svg").decode()) for name, drawing in NAMES.items()}


def _folder(name: str) -> str:
    return "filled" if name in FILLED else "outline"


def _ours(svg: str) -> str:
    body = re.sub(r"\s*\n\s*", "", svg[svg.index(">", svg.index("<svg")) + 1 : svg.rindex("</svg>")])
    paint = 'fill="currentColor"' if 'fill="currentColor"' in svg.split(">", 1)[0] else STROKES
    hidden = 'aria-hidden="true" focusable="false"'
    return f'<svg class="icon" width="18" height="18" viewBox="0 0 24 24" {paint} {hidden}>{body}</svg>'


def draw(name: str, label: str = "") -> SafeString:
    """The inline SVG of one of our names; with a label it is announced. KeyError: not one of our names."""
    drawing = mark_safe(_drawings()[name])  # the package's own drawing, no input in it
    return format_html('{}<span class="hush">{}</span>', drawing, label) if label else drawing
