"""The fake as an HTTP server on loopback, in threads of this process."""

from __future__ import annotations

import ipaddress
import json
import logging
import socket
import threading
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from invoicing.gateways.fake import control, hosted
from invoicing.gateways.fake.api import Api
from invoicing.gateways.fake.faults import Fault
from invoicing.gateways.fake.store import Store
from invoicing.gateways.fake.webhooks import Courier, Parcel, sign
from invoicing.gateways.fake.wire import Request, Response

LARGEST_BODY = 64 * 1024
logger = logging.getLogger(__name__)


class FakeStripe:
    """A running fake: where it is, and a handle on its control side for tests."""

    def __init__(self, server: ThreadingHTTPServer, store: Store, courier: Courier, api_key: str) -> None:
        self._server, self.store, self.courier, self.api_key = server, store, courier, api_key
        self._thread = threading.Thread(
            target=server.serve_forever, kwargs={"poll_interval": 0.03}, name="fake-stripe", daemon=True
        )
        self._thread.start()

    @property
    def base(self) -> str:
        """Where the official client finds it, e.g. http://127.0.0.1:18420."""
        return self.store.own_base

    def stop(self) -> None:
        self.courier.stop()
        self._server.shutdown()
        self._thread.join(timeout=5)
        self._server.server_close()
        self.store.close()

    def control(self, name: str, **given: Any) -> dict[str, Any]:
        """POST /_control/<name> (GET for `log`); ValueError with the sentence when it is refused."""
        request = urllib.request.Request(  # noqa: S310 - our own loopback address
            f"{self.base}/_control/{name}",
            method="GET" if name == "log" else "POST",
            data=None if name == "log" else json.dumps(given).encode(),
            headers={"Authorization": f"Bearer {self.api_key}", "Content-Type": "application/json"},
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=30) as answer:
                result: dict[str, Any] = json.load(answer)
                return result
        except urllib.error.HTTPError as refusal:
            raise ValueError(json.load(refusal)["error"]["message"]) from None

    def parcels(self) -> list[Parcel]:
        """Signed deliveries that are due, for a test that plays postman (pause the deliveries first)."""
        return self.courier.due()


def serve(
    host: str,
    port: int,
    data_path: Path | None,
    webhook_url: str,
    secret: str,
    *,
    api_key: str = "sk_test_clause",
    mounted_at: str = "",
    first_wait: float = 5.0,
) -> FakeStripe:
    """Start the fake; `port` 0 takes a free one, `data_path` None keeps everything in memory.

    `webhook_url` may be empty: then nothing is delivered. `mounted_at` is the path under which the panel shows the
    person's pages ("/test-bank"). `first_wait`: seconds before a refused webhook is tried again. ValueError for an
    empty secret, or an address that is not loopback: a simulated bank is nobody else's business.
    """
    if not ipaddress.ip_address(host).is_loopback:
        raise ValueError(f"The simulated payment provider listens on loopback only, not on {host}.")
    if not secret.strip() or not api_key.startswith("sk_test_"):
        raise ValueError("The simulated payment provider needs a webhook secret and a key that begins with sk_test_.")
    store = Store(data_path, webhook_url=webhook_url, mounted_at=mounted_at.rstrip("/"))
    courier = Courier(store, secret, first_wait=first_wait)
    server = _Server((host, port), _handler(store, courier, Api(store, api_key)))
    store.own_base = f"http://{f'[{host}]' if ':' in host else host}:{server.server_address[1]}"
    if webhook_url:
        courier.start()
    return FakeStripe(server, store, courier, api_key)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        logger.debug("a connection of the simulated payment provider broke: %s", client_address)


def _handler(store: Store, courier: Courier, api: Api) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 30

        def do_GET(self) -> None:
            self._answer()

        do_POST = do_HEAD = do_DELETE = do_PUT = do_PATCH = do_GET  # noqa: N815 - the base class asks for these names

        def _answer(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            if length > LARGEST_BODY:
                self.close_connection = True
                self._write(
                    Response.json(413, {"error": {"message": "Body too large", "type": "invalid_request_error"}})
                )
                return
            target = urlsplit(self.path)
            request = Request(
                self.command,
                target.path,
                target.query,
                {name.lower(): value for name, value in self.headers.items()},
                self.rfile.read(length),
            )
            try:
                response = self._respond(request)
            except Fault as fault:
                response = Response.json(fault.status, {"error": fault.body})
            except Exception:
                logger.exception("the simulated payment provider failed")
                response = Response.json(500, {"error": {"message": "An unknown error occurred", "type": "api_error"}})
            if response.drop:
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            self._write(response)

        def _respond(self, request: Request) -> Response:
            if hosted.owns(request.path):
                return hosted.handle(store, request)
            if request.path.startswith("/_control/"):
                api.authenticate(request)
                return control.handle(store, courier, request)
            return api.handle(request)

        def _write(self, response: Response) -> None:
            lines = [f"HTTP/1.1 {response.status} {self.responses.get(response.status, ('',))[0]}"]
            lines += [f"{name}: {value}" for name, value in response.headers.items()]
            lines += [
                f"Content-Length: {len(response.body)}",
                "Connection: " + ("close" if self.close_connection else "keep-alive"),
                "",
                "",
            ]
            body = b"" if self.command == "HEAD" else response.body
            self.wfile.write("\r\n".join(lines).encode() + body)

        def log_message(self, template: str, *args: Any) -> None:
            logger.debug(template, *args)

    return Handler


__all__ = ["FakeStripe", "Parcel", "serve", "sign"]
