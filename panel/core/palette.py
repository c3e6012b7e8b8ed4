"""The command palette's results (Ctrl K, `/`)."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET

from panel.core import shell, web
from panel.core.actions import Action
from panel.core.actors import STAFF_ROLES

LONGEST = 80
SEARCH = Action("core.search", _("Search"), permission="", roles=STAFF_ROLES)


@require_GET
@web.page(SEARCH)
def search(request: HttpRequest) -> HttpResponse:
    """The fragment for `?q=`: pages of the navigation and what the registered providers find, in groups."""
    words = request.GET.get("q", "").strip()[:LONGEST]
    return render(request, "ui/palette_results.html", {"hits": shell.search(request, words), "words": words})
