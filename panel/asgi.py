"""Sockets, the payment provider's messages, and pages in a fixed pool of threads, for an ASGI server."""

from typing import Any, cast

from a2wsgi import WSGIMiddleware
from channels.routing import ProtocolTypeRouter, URLRouter
from channels.security.websocket import AllowedHostsOriginValidator
from channels.sessions import CookieMiddleware
from django.urls import path

from panel.wsgi import application as pages  # first: it sets Django up

from invoicing.paying.webhook_door import at_the_door  # isort: skip
from panel.live_socket import live_socket  # isort: skip
from panel.terminal_socket import terminal_socket  # isort: skip

PAGE_THREADS = 8

SOCKETS = [
    path("ws/live/", cast("Any", live_socket)),
    path("ws/terminal/<str:reference>/", cast("Any", terminal_socket)),
]

application = ProtocolTypeRouter(
    {
        "http": at_the_door(WSGIMiddleware(cast("Any", pages), workers=PAGE_THREADS)),
        "websocket": AllowedHostsOriginValidator(CookieMiddleware(URLRouter(SOCKETS))),
    }
)
