"""A strict imitation of VIES on loopback: it says yes to numbers of the right form unless it is told otherwise.

`moods` are by number, or "" for every one: what it answers instead, for the next `times` questions (None: always).
"""

import itertools
import time
from dataclasses import dataclass
from functools import cache

from stdnum.eu import vat as eu_vat

from invoicing.loopback import Asked, Office, Reply
from invoicing.vies.commission import PATH, CommissionRegister

INVALID, SILENT, GARBAGE, OTHER_NUMBER, NO_ANSWER = "invalid", "silent", "garbage", "other_number", "no_answer"
OUTAGES = (
    "MS_UNAVAILABLE", "SERVICE_UNAVAILABLE", "TIMEOUT", "GLOBAL_MAX_CONCURRENT_REQ", "MS_MAX_CONCURRENT_REQ",
)  # fmt: skip


@dataclass
class _Mood:
    what: str
    times: int | None


class SimulatedVies:
    """A running imitation."""

    def __init__(self) -> None:
        self._moods: dict[str, _Mood] = {}
        self._numbers = itertools.count(1)
        self.asked: list[str] = []
        self._office = Office(self._answer, "simulated-vies")

    @property
    def base(self) -> str:
        return self._office.base

    def register(self, requester: str, *, seconds: float = 20) -> CommissionRegister:
        """The adapter, pointed at it."""
        return CommissionRegister(self.base, requester, simulated=True, seconds=seconds)

    def mood(self, what: str, *, number: str = "", times: int | None = None) -> None:
        """INVALID, one of OUTAGES, SILENT (the connection breaks), GARBAGE, OTHER_NUMBER or NO_ANSWER; "" for none."""
        self._moods[number] = _Mood(what, times)

    def calm(self) -> None:
        """Forget every mood and every question."""
        self._moods.clear()
        self.asked.clear()

    def stop(self) -> None:
        self._office.stop()

    def _answer(self, asked: Asked) -> Reply:
        body = asked.body
        if asked.path != PATH or asked.method != "POST" or not isinstance(body, dict):
            return Reply(404, {"actionSucceed": False, "errorWrappers": [{"error": "NOT_FOUND"}]})
        number = f"{body.get('countryCode')}{body.get('vatNumber')}"
        requester = f"{body.get('requesterMemberStateCode')}{body.get('requesterNumber')}"
        self.asked.append(number)
        if not eu_vat.is_valid(requester):
            return _refused("INVALID_REQUESTER_INFO")
        mood = self._mood_of(number)
        if mood == SILENT:
            return Reply(lost=True)
        if mood == GARBAGE:
            return Reply(200, raw=b"<html><body>Maintenance</body></html>")
        if mood in OUTAGES:
            return _refused(mood)
        if not eu_vat.is_valid(number):
            return _refused("INVALID_INPUT")
        return Reply(200, self._said(number, body, mood))

    def _mood_of(self, number: str) -> str:
        mood = self._moods.get(number) or self._moods.get("")
        if mood is None or mood.times == 0:
            return ""
        if mood.times is not None:
            mood.times -= 1
        return mood.what

    def _said(self, number: str, body: dict[str, object], mood: str) -> dict[str, object]:
        valid = mood != INVALID
        said: dict[str, object] = {
            "countryCode": number[:2], "vatNumber": number[2:] if mood != OTHER_NUMBER else "000000000",
            "requestDate": _now(), "valid": valid, "name": "---", "address": "---",
            "requestIdentifier": f"WAPIAAAA{next(self._numbers):08d}" if valid else "",
        }  # fmt: skip
        if mood == NO_ANSWER:
            del said["valid"]
        return said


def _refused(error: str) -> Reply:
    return Reply(500 if error in OUTAGES else 400, {
        "actionSucceed": False, "requestDate": _now(), "errorWrappers": [{"error": error}],
    })  # fmt: skip


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


@cache
def running() -> SimulatedVies:
    """The one of this process, started when it is first asked."""
    return SimulatedVies()
