"""The simulated payment provider in the demo world: its clock follows the walk, so that it pays out in its time."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from http import HTTPStatus
from http.client import HTTPConnection
from urllib.parse import urlsplit

from django.conf import settings


def control(bank: str, name: str, **given: object) -> dict[str, str]:
    """Ask the provider at `bank` to do what only its control side can; RuntimeError when it refuses."""
    at = urlsplit(bank)
    connection = HTTPConnection(at.hostname or "", at.port, timeout=10)
    headers = {"Authorization": f"Bearer {settings.CLAUSE_GATEWAY['api_key']}", "Content-Type": "application/json"}
    try:
        connection.request("POST", f"/_control/{name}", json.dumps(given), headers)
        answer = connection.getresponse()
        said: dict[str, str] = json.load(answer)
    finally:
        connection.close()
    if answer.status != HTTPStatus.OK:
        raise RuntimeError(f"the simulated provider refused {name}: {said}")
    return said


def clock(bank: str, now: datetime) -> None:
    """It is `now` at the provider."""
    control(bank, "clock", set=now.timestamp())


@contextmanager
def past(bank: str) -> Iterator[None]:
    """Afterwards the provider's clock is the machine's again."""
    try:
        yield
    finally:
        control(bank, "clock", live=True)
