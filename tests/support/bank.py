"""The customer at the payment provider's pages, and a merchant's door that notes what is delivered."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urljoin

import requests

GOOD, DECLINED, POOR = "4242 4242 4242 4242", "4000 0000 0000 0002", "4000 0000 0000 9995"
EXPIRED, DECLINES_LATER, SECURE = "4000 0000 0000 0069", "4000 0000 0000 0341", "4000 0000 0000 3220"
SECURE_ONCE, SECURE_THEN_POOR, REFUND_FAILS = "4000 0025 0000 3155", "4000 0082 6000 3178", "4000 0000 0000 5126"


def type_card(url: str, number: str, *, expiry: str = "12 / 34", cvc: str = "123", **address: str) -> str:
    """Fill in the card form and press the button; the address the browser is sent to (not yet visited)."""
    form = {"number": number, "expiry": expiry, "cvc": cvc, "name": "Camille Martin", **address}
    answer = requests.post(url, data=form, allow_redirects=False, timeout=10)
    assert answer.status_code == 303, answer.text
    return urljoin(url, answer.headers["Location"])


def answer_challenge(url: str, answer: str = "authorise") -> str:
    """Press "Authorise" or "Refuse" at the bank; where it ends, the provider's own steps followed."""
    sent = requests.post(url, data={"answer": answer}, allow_redirects=False, timeout=10)
    assert sent.status_code == 303, sent.text
    target = urljoin(url, sent.headers["Location"])
    while re.search(r"/c/[^/]+/return", target):
        target = urljoin(target, requests.get(target, allow_redirects=False, timeout=10).headers["Location"])
    return target


@dataclass
class Door:
    """Where a merchant receives webhooks: notes every body, answers with `statuses` first, then 200."""

    url: str = ""
    received: list[tuple[bytes, str]] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    arrived: threading.Condition = field(default_factory=threading.Condition)

    def wait_for(self, number: int, seconds: float = 10) -> None:
        with self.arrived:
            assert self.arrived.wait_for(lambda: len(self.received) >= number, seconds), f"{len(self.received)} came"


@contextmanager
def open_door() -> Iterator[Door]:
    door = Door()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            with door.arrived:
                status = door.statuses.pop(0) if door.statuses else 200
                door.received.append((body, self.headers["Stripe-Signature"]))
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()
                door.arrived.notify_all()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    door.url = f"http://127.0.0.1:{server.server_address[1]}/hooks/stripe/"
    try:
        yield door
    finally:
        server.shutdown()
        server.server_close()


IBAN, IBAN_FAILS = "DE89 3704 0044 0532 0130 00", "DE62 3704 0044 0532 0130 01"


def sign_mandate(url: str, iban: str = IBAN) -> str:
    """Fill in the account form and sign; the address the browser is sent to (not yet visited)."""
    form = {"iban": iban, "name": "Camille Martin", "email": "camille@customer.example"}
    answer = requests.post(url, data=form, allow_redirects=False, timeout=10)
    assert answer.status_code == 303, answer.text
    return urljoin(url, answer.headers["Location"])
