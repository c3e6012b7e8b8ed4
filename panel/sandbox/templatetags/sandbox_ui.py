"""What the dashboard alone draws."""

from collections.abc import Sequence
from functools import lru_cache

from django import template
from django.urls import reverse
from django.utils.safestring import SafeString
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from panel.core import rows
from panel.core.quantities import bytes_in_words
from panel.core.templatetags.ui import badge, copy, meter
from servers.selectors import Brief

register = template.Library()
NOTHING = "\u2013"


@register.simple_tag
def server_table(servers: Sequence[Brief]) -> SafeString:
    """The account's newest servers: state, address, the traffic month so far."""
    return _server_table(tuple(servers), get_language() or "")


@lru_cache(maxsize=1024)
def _server_table(servers: tuple[Brief, ...], language: str) -> SafeString:
    """A function of its values: what has not changed is not drawn again."""
    words = {"server": _("Server"), "state": _("State"), "address": _("Address"), "traffic": _("Traffic this month")}
    badges = {state: badge(state, "server") for state in {server.state for server in servers}}
    base = reverse("servers:server_list")
    cells = [
        (f"{base}{server.reference}/", server.name, server.reference, badges[server.state],
         copy(server.address) if server.address else NOTHING, _traffic(server, words["traffic"]))
        for server in servers
    ]  # fmt: skip
    return rows.draw("sandbox/servers.html", rows=cells, words=words)


def _traffic(server: Brief, name: str) -> str:
    if not server.included:
        return NOTHING
    used = server.used or 0
    words = {"used": bytes_in_words(used), "included": bytes_in_words(server.included)}
    return meter(used, server.included, name, _("%(used)s of %(included)s") % words)
