"""The port to the register of VAT numbers (VIES): is this number valid today, and how do we prove that we asked?

One adapter, `commission`, talks to the Commission's REST service. In the embedded runtime and in tests the same
adapter talks to `simulated`, a strict imitation on loopback.
"""

from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Protocol

from django.conf import settings
from django.core import checks

from invoicing.http_calls import usable


@dataclass(frozen=True, slots=True)
class Answer:
    """What the register said of a number; `consultation` is its proof that we asked, "" where it gave none."""

    valid: bool
    consultation: str
    day: date


class Register(Protocol):
    """What the panel asks of the register."""

    simulated: bool

    def ask(self, number: str) -> Answer:
        """Is `number` (with its country's prefix) valid today? ProviderError when there is no answer: an outage is
        never a yes, nor a no."""


@lru_cache(maxsize=4)
def _made(url: str, requester: str) -> Register:
    from invoicing.vies.commission import CommissionRegister

    return CommissionRegister(url, requester)


def get() -> Register:
    """The register of the settings: the Commission's, or (`url` empty) the simulated one."""
    requester = str(settings.CLAUSE_SELLER["vat_number"])
    if settings.CLAUSE_VIES["url"]:
        return _made(str(settings.CLAUSE_VIES["url"]), requester)
    from invoicing.vies.simulated import running

    return running().register(requester)


def check_settings(**_: object) -> list[checks.CheckMessage]:
    """Refuse to start with an address that is not https (registered by the app)."""
    url = str(settings.CLAUSE_VIES["url"])
    if not url or usable(url):
        return []
    return [checks.Error("CLAUSE_VIES_URL must be https, or an address of this machine.", id="invoicing.E002")]
