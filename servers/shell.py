"""What servers add to the frame around every page: navigation and search."""

from collections.abc import Iterable

from django.db.models import Q
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from panel.core.querysets import at_ip
from panel.core.shell import Hit, NavEntry, register_nav, register_search
from panel.core.web import actor
from servers import actions
from servers.models import Server

MOST_HITS = 8


def _may_see(request: HttpRequest) -> bool:
    return actions.SEE.permits(actor(request))


def _staff_may_see(request: HttpRequest) -> bool:
    return actions.STAFF_SEE.permits(actor(request))


def find(request: HttpRequest, words: str) -> Iterable[Hit]:
    """Servers by name, reference or address, as far as the person may see them."""
    asking = actor(request)
    staff = actions.STAFF_SEE.permits(asking)
    if not staff and not actions.SEE.permits(asking):
        return
    named = Q(name__startswith=words.lower()) | Q(reference__iexact=words)
    held = at_ip(words, "holdings__address__ip", holdings__until=None)
    rows = Server.objects.visible_to(asking).alive().filter(named | held).distinct()[:MOST_HITS]
    page = "servers:staff_server_detail" if staff else "servers:server_detail"
    for server in rows:
        yield Hit(server.name, reverse(page, args=[server.reference]), server.reference, "server", _("Servers"))


register_nav(
    "sandbox",
    NavEntry(
        "servers",
        _("Servers"),
        "servers:server_list",
        "server",
        order=20,
        go="s",
        allowed=_may_see,
        also=("servers:address_list",),
    ),
)
register_nav(
    "ops",
    NavEntry(
        "servers",
        _("Fleet"),
        "servers:staff_server_list",
        "server",
        order=40,
        go="f",
        allowed=_staff_may_see,
        also=("servers:staff_interruption_list", "servers:staff_pool_list", "servers:staff_reading_list"),
    ),
)
register_search(find)
