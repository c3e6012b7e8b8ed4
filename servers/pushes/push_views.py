"""Where places deliver their messages."""

import logging

from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from panel.core import clock, web
from panel.core.actions import Action
from servers.pushes import push_rules, pushes

log = logging.getLogger(__name__)

RECEIVE = Action("servers.receive_push", _("Receive a message of a place"), public=True)


@web.hook(RECEIVE)
@csrf_exempt
@require_POST
def receive(request: HttpRequest, place: str) -> HttpResponse:
    """SRV-12: 200 only once the message is kept; 400 when it is not the place's, 404 where none are taken, 503 when it
    cannot be kept."""
    if not pushes.secrets(place):
        return JsonResponse({"error": "no such place"}, status=404)
    raw = request.read(push_rules.LARGEST + 1)
    if len(raw) > push_rules.LARGEST:
        return JsonResponse({"error": "too large"}, status=413)
    try:
        pushes.receive(place, raw, request.headers, now=clock.now())
    except push_rules.Refused as refused:
        log.warning("message of %s refused: %s", place, refused)
        unreadable = isinstance(refused, push_rules.Unreadable)
        return JsonResponse({"error": str(refused) if unreadable else "signature refused"}, status=400)
    except DatabaseError:
        log.exception("message of %s not kept", place)
        return JsonResponse({"error": "try again"}, status=503)
    return JsonResponse({})
