"""A strict imitation of an accredited platform on loopback, in its good and bad moods. Nothing leaves this machine.

Each time it is asked about a flow, the flow goes one step further, from deposited to approved, unless it was told to
stand still (`hold`) or to end otherwise (`decide`). `moods` are for the next questions: an outage before or after the
effect, a limit, nonsense.
"""

import base64
import hashlib
import json
import time
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from django.conf import settings

from invoicing.loopback import Asked, Office, Reply
from invoicing.platforms.accredited import FLOWS, SEARCH, AccreditedPlatform

TOKEN = "simulated-platform"  # noqa: S105 - opens nothing
STEPS = (200, 201, 202, 203, 204, 205)
REPORT_STEPS = (200, 205)
DOWN, LOST_ANSWER, GARBAGE, LIMIT = "down", "lost_answer", "garbage", "limit"
RULES = ("B2B", "B2BINT", "B2C", "B2CINT")


@dataclass
class _Flow:
    id: str
    tracking: str
    name: str
    kind: str
    digest: str
    steps: int = 1
    held: bool = False
    told: list[dict[str, str]] = field(default_factory=list)
    collected: list[dict[str, Any]] = field(default_factory=list)


class SimulatedPlatform:
    """A running imitation; with `path` it remembers what was handed in over a restart."""

    def __init__(self, path: Path | None = None) -> None:
        self._path, self._moods = path, list[str]()
        self.flows: dict[str, _Flow] = {}
        self.asked = 0
        if path and path.exists():
            self.flows = {key: _Flow(**row) for key, row in json.loads(path.read_text()).items()}
        self._office = Office(self._answer, "simulated-platform")

    def platform(self, token: str = TOKEN) -> AccreditedPlatform:
        """The adapter, pointed at it."""
        return AccreditedPlatform(self._office.base, token, simulated=True, seconds=20)

    def mood(self, *moods: str) -> None:
        """DOWN, LOST_ANSWER (after the effect), GARBAGE or LIMIT, one for each of the next questions."""
        self._moods = list(moods)

    def calm(self) -> None:
        self._moods = []
        self.flows.clear()
        self.asked = 0

    def stop(self) -> None:
        self._office.stop()

    def named(self, name: str) -> list[_Flow]:
        """Everything handed in under a document's number or a report's name."""
        return [flow for flow in self.flows.values() if flow.name == name]

    def hold(self, name: str) -> None:
        """It goes no further by itself."""
        for flow in self.named(name):
            flow.held = True

    def decide(self, name: str, code: int, reason: str = "") -> None:
        """Tell a status now: 210 the buyer refuses, 213 the platform rejects."""
        for flow in self.named(name):
            flow.held = True
            _tell(flow, code, reason)

    def _answer(self, asked: Asked) -> Reply:
        self.asked += 1
        mood = self._moods.pop(0) if self._moods else ""
        if mood == DOWN:
            return Reply(503, {"errorCode": "UNAVAILABLE"})
        if mood == LIMIT:
            return Reply(429, {"errorCode": "TOO_MANY_REQUESTS"})
        if mood == GARBAGE:
            return Reply(200, raw=b"\x00 not json")
        if asked.headers.get("authorization") != f"Bearer {TOKEN}":
            return Reply(401, {"errorCode": "UNAUTHORIZED"})
        reply = self._served(asked)
        if self._path:
            self._path.write_text(json.dumps({key: asdict(flow) for key, flow in self.flows.items()}))
        return Reply(lost=True) if mood == LOST_ANSWER else reply

    def _served(self, asked: Asked) -> Reply:
        if asked.method != "POST" or not isinstance(asked.body, dict):
            return _refused(400, "BAD_REQUEST", "JSON is posted here")
        if asked.path == FLOWS:
            return self._taken(asked.body)
        if asked.path == SEARCH:
            return self._search(asked.body.get("where") or {})
        flow = self.flows.get(asked.path.removeprefix(f"{FLOWS}/").removesuffix("/statuses"))
        return _refused(404, "NOT_FOUND", "no such flow") if flow is None else _collected(flow, asked.body)

    def _taken(self, body: dict[str, Any]) -> Reply:
        info, content = body.get("flowInfo") or {}, base64.b64decode(str(body.get("file") or ""))
        missing = [name for name in ("trackingId", "name", "flowType", "processingRule", "flowSyntax", "sha256")
                   if not info.get(name)]  # fmt: skip
        if missing:
            return _refused(400, "MISSING", ", ".join(missing))
        digest = hashlib.sha256(content).hexdigest()
        if digest != info["sha256"]:
            return _refused(400, "CHECKSUM", "the file is not the one announced")
        before = next((flow for flow in self.flows.values() if flow.tracking == info["trackingId"]), None)
        if before and before.digest != digest:
            return _refused(409, "DUPLICATE_TRACKING_ID", "another file came under this tracking id")
        if before:
            return Reply(200, {"flowId": before.id, "trackingId": before.tracking})
        if wrong := _wrong(info, content):
            return _refused(422, *wrong)
        twice = [flow for flow in self.named(info["name"]) if flow.kind == info["flowType"]]
        flow = _Flow(f"flow-{len(self.flows) + 1}", info["trackingId"], info["name"], info["flowType"], digest)
        self.flows[flow.id] = flow
        _tell(flow, STEPS[0])
        if twice:
            flow.held = True
            _tell(flow, 213, "REJ_UNI: this number was handed in before")
        return Reply(202, {"flowId": flow.id, "trackingId": flow.tracking})

    def _search(self, where: dict[str, Any]) -> Reply:
        ids, keys = set(where.get("flowId") or ()), set(where.get("trackingId") or ())
        found = [flow for flow in self.flows.values() if flow.id in ids or flow.tracking in keys]
        for flow in found:
            steps = REPORT_STEPS if flow.kind == "TransactionReport" else STEPS
            if flow.id in ids and not flow.held and flow.steps < len(steps):
                _tell(flow, steps[flow.steps])
                flow.steps += 1
        rows = [{"flowId": flow.id, "trackingId": flow.tracking, "lifeCycle": flow.told} for flow in found]
        return Reply(200, {"results": rows})


def _wrong(info: dict[str, str], content: bytes) -> tuple[str, str] | None:
    """Why a flow is refused at the door: (code, sentence)."""
    if info["processingRule"] not in RULES:
        return "RULE", "no such processing rule"
    if info["flowType"] == "CustomerInvoice":
        if info["processingRule"] != "B2B":
            return "RULE", "only domestic invoices between businesses are exchanged"
        if info["flowSyntax"] != "Factur-X" or not content.startswith(b"%PDF-"):
            return "SYNTAX", "no Factur-X"
    elif info["flowType"] != "TransactionReport" or info["processingRule"] == "B2B":
        return "TYPE", "no such flow"
    return None


def _collected(flow: _Flow, body: dict[str, Any]) -> Reply:
    if body.get("code") != 212 or not body.get("amounts") or not body.get("trackingId"):
        return _refused(400, "STATUS", "only a collection with its amounts is told here")
    if body["trackingId"] not in [row["trackingId"] for row in flow.collected]:
        flow.collected.append(body)
        _tell(flow, 212)
    return Reply(200, {"flowId": flow.id})


def _tell(flow: _Flow, code: int, reason: str = "") -> None:
    flow.told.append({
        "code": str(code), "at": time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime()), "reason": reason,
    })  # fmt: skip


def _refused(status: int, code: str, sentence: str) -> Reply:
    return Reply(status, {"errorCode": code, "errorMessage": sentence})


@cache
def running() -> SimulatedPlatform:
    """The one of this process, started when it is first asked; the embedded one remembers."""
    return SimulatedPlatform(None if settings.TESTING else settings.CLAUSE_DATA / "simulated-platform.json")
