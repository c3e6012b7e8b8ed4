"""The public status page (SUB-10): anybody may read it, and a feed reader may follow it."""

from datetime import datetime
from typing import Any

from django.conf import settings
from django.contrib.syndication.views import Feed
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.feedgenerator import Atom1Feed
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from panel.core import clock
from panel.core.web import actor, page
from servers import places
from servers.maintaining import maintenance_actions as actions
from servers.maintaining import maintenance_wording as wording
from servers.maintaining import status_selectors as selectors
from servers.maintaining import telling
from servers.maintaining.interruption_models import Interruption, InterruptionUpdate

FEED = 30  # entries


def _language() -> str:
    return "fr" if (get_language() or "").startswith("fr") else "en"


@page(actions.STATUS)
@require_safe
def status(request: HttpRequest) -> HttpResponse:
    language = _language()
    found = selectors.status(now=clock.now(), panel=str(wording.THE_PANEL), language=language)
    context = {
        "found": found, "worst": wording.WORST[found.worst],
        "components": [(one, wording.CONDITIONS[one.condition]) for one in found.components],
        "sections": [
            (_("Under way"), [wording.shown(row, language) for row in found.under_way]),
            (_("Announced"), [wording.shown(row, language) for row in found.ahead]),
        ],
        "past": [wording.shown(row, language) for row in found.past], "days": selectors.DAYS,
    }  # fmt: skip
    return render(request, "servers/status.html", context)


@page(actions.STATUS)
@require_safe
def interruption(request: HttpRequest, reference: str) -> HttpResponse:
    row = Interruption.objects.filter(reference=reference).prefetch_related("updates").first()
    if row is None:
        raise Http404(reference)
    asking = actor(request)
    mine = telling.servers_of(row).filter(account=asking.account_id).order_by("name") if asking.account_id else ()
    context = {"one": wording.shown(row, _language()), "row": row, "mine": mine[: telling.NAMED] if mine else ()}
    return render(request, "servers/status_interruption.html", context)


class StatusFeed(Feed):
    """Each update of an interruption is an entry, the newest first."""

    feed_type = Atom1Feed

    def title(self) -> str:
        return _("Status of %(brand)s") % {"brand": settings.CLAUSE_BRAND["name"]}

    def link(self) -> str:
        return reverse("servers:status")

    def items(self) -> list[InterruptionUpdate]:
        return list(InterruptionUpdate.objects.select_related("interruption").order_by("-at", "-pk")[:FEED])

    def item_title(self, item: Any) -> str:
        row = item.interruption
        where = places.label(row.place) if row.place else wording.THE_PANEL
        return f"{wording.SAID[item.what]}: {row.titled(_language())} ({where})"

    def item_description(self, item: Any) -> str:
        return str(item.said(_language()) or item.interruption.reasoned(_language()))

    def item_link(self, item: Any) -> str:
        return f"{reverse('servers:interruption', args=[item.interruption.reference])}#u{item.number}"

    def item_updateddate(self, item: Any) -> datetime:
        moment: datetime = item.at
        return moment

    item_pubdate = item_updateddate


_feed = StatusFeed()


@page(actions.STATUS)
@require_safe
def feed(request: HttpRequest) -> HttpResponse:
    return _feed(request)
