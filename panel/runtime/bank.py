"""The simulated payment provider beside the panel: its API on loopback, its pages under the panel's own address."""

from typing import Any

from django.conf import settings

from invoicing.gateways.fake import FakeStripe, serve
from invoicing.gateways.fake.mount import pages

MOUNTED_AT = "/test-bank"


def open_bank(webhook_url: str) -> FakeStripe:
    """Starts it; if its usual port is taken, on a free one, of which this process's gateway is told."""
    gateway = settings.CLAUSE_GATEWAY
    port = int(gateway["api_base"].rsplit(":", 1)[1])

    def start(port: int) -> FakeStripe:
        return serve(
            "127.0.0.1",
            port,
            settings.CLAUSE_DATA / "test-bank.sqlite3",
            webhook_url,
            gateway["webhook_secret"],
            api_key=gateway["api_key"],
            mounted_at=MOUNTED_AT,
        )

    try:
        bank = start(port)
    except OSError:
        bank = start(0)
    gateway["api_base"] = bank.base
    return bank


def bank_pages(bank: FakeStripe) -> Any:
    """The ASGI application of its pages."""
    return pages(bank.base, MOUNTED_AT)
