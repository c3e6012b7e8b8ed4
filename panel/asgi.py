"""Sockets, the payment provider's messages, and pages in a fixed pool of threads, for an ASGI server."""

from typing import Any, cast

from a2wsgi import WSGIMiddleware
from channels.routing import ProtocolTypeRouter

from panel.wsgi import application as pages  # first: it sets Django up

from invoicing.paying.webhook_door import at_the_door  # isort: skip
from panel import live_socket  # isort: skip

PAGE_THREADS = 8

application = ProtocolTypeRouter(
    {
        "http": at_the_door(WSGIMiddleware(cast("Any", pages), workers=PAGE_THREADS)),
        "websocket": live_socket.application,
    }
)
