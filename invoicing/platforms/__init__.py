"""The port to the accredited platform ("plateforme agréée") through which e-invoices and e-reports leave.

One adapter, `accredited`, speaks the flow service that XP Z12-013 describes. In the embedded runtime and in tests the
same adapter talks to `simulated`, a strict imitation on loopback. Without a platform nothing is sent and everything
waits: before the operator's date of the reform that is lawful (docs/operations/books.md).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Protocol

from django.conf import settings
from django.core import checks

from invoicing.http_calls import usable
from panel.core.money import Cents

INVOICE, REPORT = "CustomerInvoice", "TransactionReport"
FACTUR_X, OURS = "Factur-X", "FRR"


@dataclass(frozen=True, slots=True)
class Flow:
    """Something to hand in: `name` is the document's number or the report's name, `rule` its channel."""

    kind: str
    name: str
    rule: str
    syntax: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Status:
    """A life-cycle status (200 to 213) of a flow."""

    code: int
    at: datetime
    note: str = ""


class Platform(Protocol):
    """What the panel asks of a platform. Every call may raise ProviderError; permanent where asking again is no use."""

    simulated: bool

    def hand_in(self, flow: Flow, *, key: str) -> str:
        """The platform's name of the flow; the same key and content again is the same flow."""

    def find(self, key: str) -> str | None:
        """Did it happen? The platform's name of what was handed in under `key`."""

    def statuses(self, refs: Sequence[str]) -> dict[str, list[Status]]:
        """Everything told so far about each flow; one the platform does not know is left out."""

    def collected(self, ref: str, by_rate: Mapping[str, Cents], at: datetime, *, key: str) -> None:
        """Tell what came in for an invoice or, below zero, went back: cents with VAT for each rate (status 212)."""


@lru_cache(maxsize=4)
def _made(url: str, token: str) -> Platform:
    from invoicing.platforms.accredited import AccreditedPlatform

    return AccreditedPlatform(url, token)


def get() -> Platform | None:
    """The platform of the settings; None where the operator has none yet."""
    configured = settings.CLAUSE_PLATFORM
    if configured["url"]:
        return _made(str(configured["url"]), str(configured["token"]))
    if not configured["simulated"]:
        return None
    from invoicing.platforms.simulated import running

    return running().platform()


def check_settings(**_: object) -> list[checks.CheckMessage]:
    """Refuse to start with an address that is not https, or without the token (registered by the app)."""
    url, token = str(settings.CLAUSE_PLATFORM["url"]), str(settings.CLAUSE_PLATFORM["token"])
    found = []
    if url and not usable(url):
        found.append("CLAUSE_PLATFORM_URL must be https, or an address of this machine.")
    if url and not token.strip():
        found.append("CLAUSE_PLATFORM_TOKEN is empty.")
    return [checks.Error(text, id="invoicing.E003") for text in found]
