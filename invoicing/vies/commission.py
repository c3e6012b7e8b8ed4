"""The Commission's REST service of VIES, asked in the seller's own name, so that each answer has a number."""

from datetime import date
from typing import Any

from invoicing import http_calls
from invoicing.vies import Answer
from panel.core.errors import ProviderError

PATH = "/check-vat-number"
OUR_MISTAKES = frozenset({"INVALID_REQUESTER_INFO", "VAT_BLOCKED", "IP_BLOCKED"})
SECONDS = 20
OK = 200


class CommissionRegister:
    """`url`: the service without its last step; `requester`: the seller's VAT number."""

    def __init__(self, url: str, requester: str, *, simulated: bool = False, seconds: float = SECONDS) -> None:
        self._url, self._requester, self._seconds = url.rstrip("/") + PATH, requester, seconds
        self.simulated = simulated

    def ask(self, number: str) -> Answer:
        country, digits = number[:2], number[2:]
        asked = {
            "countryCode": country, "vatNumber": digits,
            "requesterMemberStateCode": self._requester[:2], "requesterNumber": self._requester[2:],
        }  # fmt: skip
        status, said = http_calls.ask("POST", self._url, body=asked, seconds=self._seconds)
        if not isinstance(said, dict):
            raise ProviderError(f"VIES answered {status} with no object")
        if wrong := _error(said):
            if wrong == "INVALID_INPUT":  # no number of that country looks like this
                return Answer(valid=False, consultation="", day=_day(said))
            raise ProviderError(f"VIES: {wrong}", permanent=wrong in OUR_MISTAKES, code=wrong)
        if status != OK or not isinstance(said.get("valid"), bool):
            raise ProviderError(f"VIES answered {status} without a yes or a no")
        if (said.get("countryCode"), said.get("vatNumber")) != (country, digits):
            raise ProviderError("VIES answered about another number")
        return Answer(said["valid"], str(said.get("requestIdentifier") or "")[:40], _day(said))


def _error(said: dict[str, Any]) -> str:
    """The code of an error, in either of the forms the service has: a list of wrappers, or `userError`."""
    wrappers = said.get("errorWrappers")
    if isinstance(wrappers, list) and wrappers:
        return str(wrappers[0].get("error") or "UNKNOWN") if isinstance(wrappers[0], dict) else "UNKNOWN"
    user = str(said.get("userError") or "VALID")
    return "" if user in ("VALID", "INVALID") else user


def _day(said: dict[str, Any]) -> date:
    try:
        return date.fromisoformat(str(said.get("requestDate"))[:10])
    except ValueError:
        raise ProviderError("VIES answered without a date") from None
