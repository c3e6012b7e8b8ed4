"""A platform's flow service, after XP Z12-013: flows are handed in with a tracking id, and asked about later."""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from invoicing import http_calls
from invoicing.platforms import Flow, Status
from panel.core.errors import ProviderError
from panel.core.money import Cents, euros

FLOWS, SEARCH = "/v1/flows", "/v1/flows/search"
OK, CREATED, ACCEPTED, TOO_MANY, BROKEN = 200, 201, 202, 429, 500
AT_ONCE = 200  # flows asked about in one question


class AccreditedPlatform:
    """`url`: the service's address; `token`: the bearer token of the operator's account there."""

    def __init__(self, url: str, token: str, *, simulated: bool = False, seconds: float = 30) -> None:
        self._url, self._token, self.simulated, self._seconds = url.rstrip("/"), token, simulated, seconds

    def hand_in(self, flow: Flow, *, key: str) -> str:
        asked = {
            "flowInfo": {
                "trackingId": key, "name": flow.name, "flowType": flow.kind, "processingRule": flow.rule,
                "flowSyntax": flow.syntax, "sha256": hashlib.sha256(flow.content).hexdigest(),
            },
            "file": base64.b64encode(flow.content).decode(),
        }  # fmt: skip
        said = self._ask("POST", FLOWS, asked)
        if said.get("trackingId") != key or not said.get("flowId"):
            raise ProviderError("the platform acknowledged another flow")
        return str(said["flowId"])[:120]

    def find(self, key: str) -> str | None:
        rows = self._results({"where": {"trackingId": [key]}})
        return next((str(row["flowId"])[:120] for row in rows if row.get("trackingId") == key), None)

    def statuses(self, refs: Sequence[str]) -> dict[str, list[Status]]:
        found: dict[str, list[Status]] = {}
        for start in range(0, len(refs), AT_ONCE):
            for row in self._results({"where": {"flowId": list(refs[start : start + AT_ONCE])}}):
                if row.get("flowId") in refs:
                    found[str(row["flowId"])] = [_status(one) for one in row.get("lifeCycle") or ()]
        return found

    def collected(self, ref: str, by_rate: Mapping[str, Cents], at: datetime, *, key: str) -> None:
        amounts = [{"rate": rate, "amount": str(euros(cents))} for rate, cents in sorted(by_rate.items())]
        said = {"trackingId": key, "code": 212, "at": at.isoformat(), "amounts": amounts}
        self._ask("POST", f"{FLOWS}/{ref}/statuses", said)

    def _results(self, asked: Mapping[str, Any]) -> list[dict[str, Any]]:
        rows = self._ask("POST", SEARCH, asked).get("results")
        if not isinstance(rows, list) or not all(isinstance(row, dict) and row.get("flowId") for row in rows):
            raise ProviderError("the platform answered a search without results")
        return rows

    def _ask(self, method: str, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self._token}"}
        status, said = http_calls.ask(method, self._url + path, body=body, headers=headers, seconds=self._seconds)
        if not isinstance(said, dict):
            raise ProviderError(f"the platform answered {status} with no object")
        if status in (OK, CREATED, ACCEPTED):
            return said
        code = str(said.get("errorCode") or status)[:60]
        sentence = f"the platform refused: {code} {str(said.get('errorMessage') or '')[:300]}"
        raise ProviderError(sentence, permanent=status < BROKEN and status != TOO_MANY, code=code)


def _status(said: Any) -> Status:
    try:
        return Status(int(said["code"]), datetime.fromisoformat(str(said["at"])), str(said.get("reason") or "")[:300])
    except (KeyError, TypeError, ValueError):
        raise ProviderError("the platform told a status that is none") from None
