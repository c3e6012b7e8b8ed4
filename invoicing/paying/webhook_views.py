"""Where the payment provider delivers its messages."""

import logging

from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from invoicing.gateways import SignatureRefused
from invoicing.paying import webhooks
from panel.core import clock, web
from panel.core.actions import Action

LARGEST_BODY = 512 * 1024
log = logging.getLogger(__name__)

RECEIVE = Action("invoicing.receive_webhook", _("Receive a message of the payment provider"), public=True)


@web.hook(RECEIVE)
@csrf_exempt
@require_POST
def stripe(request: HttpRequest) -> HttpResponse:
    """INV-12: 200 only once the message is kept; 400 when it is not the provider's, 503 when it cannot be kept."""
    if int(request.META.get("CONTENT_LENGTH") or 0) > LARGEST_BODY:
        return JsonResponse({"error": "too large"}, status=413)
    raw = request.read(LARGEST_BODY + 1)
    if len(raw) > LARGEST_BODY:
        return JsonResponse({"error": "too large"}, status=413)
    try:
        webhooks.receive(raw, request.headers, now=clock.now())
    except SignatureRefused as refusal:
        log.warning("webhook refused: %s", refusal)
        return JsonResponse({"error": "signature refused"}, status=400)
    except DatabaseError:
        log.exception("webhook not kept")
        return JsonResponse({"error": "try again"}, status=503)
    return JsonResponse({})
