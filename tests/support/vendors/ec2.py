"""EC2 as moto plays it, behind a wire of ours that loses, refuses and delays: moto itself never fails.

Shims, for this version of moto alone: its XML namespace lacks the last slash, it counts tags from one, and it keeps
client tokens without minding them.
"""

import http.client
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from functools import cache
from typing import Any
from unittest import mock
from urllib.parse import urlencode
from xml.sax.saxutils import escape

from libcloud.compute.drivers import ec2
from moto.ec2.models import ec2_backends
from moto.server import ThreadedMotoServer

from tests.support.vendors.wire import Answer, Asked, Vendor, listening

REGION = "eu-west-3"
ACCOUNT = "123456789012"
NOBODY = '<DescribeInstancesResponse xmlns="{}"><reservationSet/></DescribeInstancesResponse>'


def error(status: int, words: str) -> Answer:
    """What EC2 says of a failure: `Code: words`, or an `InternalError`."""
    code, colon, rest = words.partition(": ")
    told = (code, rest) if colon else ({401: "AuthFailure", 429: "RequestLimitExceeded"}.get(status, "Error"), words)
    return Answer(status, f"<Response><Errors><Error><Code>{told[0]}</Code><Message>{escape(told[1])}</Message>"
                          "</Error></Errors><RequestID>r</RequestID></Response>")  # fmt: skip


@cache
def _moto() -> tuple[str, int]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    return server.get_host_and_port()


class Ec2(Vendor):
    """`lag`: listings in which a new machine does not show."""

    def __init__(self, *, lag: int = 0) -> None:
        super().__init__()
        self.lag, self.hidden, self.full, self.another_size = lag, 0, False, ""
        self.made: dict[str, tuple[str, str]] = {}
        self._forward("POST", "/moto-api/reset", {})
        self.image = str(next(iter(self.backend.describe_images())).id)

    @property
    def backend(self) -> Any:
        return ec2_backends[ACCOUNT][REGION]

    @property
    def machines(self) -> dict[str, dict[str, Any]]:
        """Those that were not ended."""
        alive = (one for one in self.backend.all_instances() if one.state != "terminated")
        return {one.id: {"id": one.id, "user_data": _text(one.user_data)} for one in alive}

    def take(self, asked: Asked) -> Answer | None:
        asked.path = f"/{asked.query.get('Action', '')}"
        return super().take(asked)

    def _answered(self, asked: Asked) -> Answer:
        query = dict(asked.query)
        if asked.path == "/RunInstances":
            if self.full:
                return error(500, "InsufficientInstanceCapacity: There is no Spot capacity available.")
            if query["ClientToken"] in self.made:
                return Answer(200, self.made[query["ClientToken"]][1])
            self.hidden = self.lag
            query["InstanceType"] = self.another_size or query["InstanceType"]
        if query.get("Filter.1.Name") == "client-token":
            wanted = [query.pop(name) for name in list(query) if name.startswith("Filter.1.Value.")]
            known = [made[0] for token, made in self.made.items() if any(fnmatchcase(token, one) for one in wanted)]
            query["Filter.1.Name"] = "instance-id"
            query |= {f"Filter.1.Value.{number}": one for number, one in enumerate(known or ["i-0"], 1)}
        if asked.path == "/DescribeInstances" and self.hidden > 0:
            self.hidden -= 1
            return Answer(200, NOBODY.format(ec2.NAMESPACE))
        status, body = self._forward(asked.method, "/", query, asked.headers)
        if asked.path == "/RunInstances" and status == 200:
            number = body.partition("<instanceId>")[2].partition("<")[0]
            self.made[query["ClientToken"]] = (number, body)
        return Answer(status, body)

    def _forward(
        self, method: str, path: str, query: dict[str, str], headers: dict[str, str] | None = None
    ) -> tuple[int, str]:
        kept = {name: value for name, value in (headers or {}).items() if name in ("authorization", "x-amz-date")}
        there = http.client.HTTPConnection(*_moto())
        there.request(method, f"{path}?{urlencode(query)}", headers=kept | {"Host": f"ec2.{REGION}.amazonaws.com"})
        answer = there.getresponse()
        found = answer.status, answer.read().decode()
        there.close()
        return found


def _text(given: Any) -> str:
    return given.decode() if isinstance(given, bytes) else str(given or "")


def _counted_from_one(params: dict[str, str]) -> dict[str, str]:
    if params.get("Action") not in ("CreateTags", "DeleteTags"):
        return params
    return {_up(name): value for name, value in params.items()}


def _up(name: str) -> str:
    head, dot, rest = name.partition(".")
    if head not in ("ResourceId", "Tag") or not dot:
        return name
    number, *more = rest.split(".")
    return ".".join([head, str(int(number) + 1), *more])


@contextmanager
def amazon(**habits: Any) -> Iterator[Ec2]:
    """EC2 on a port of this machine."""
    kept = ec2.EC2Connection.add_default_params

    def shimmed(self: Any, params: dict[str, str]) -> dict[str, str]:
        made = dict(_counted_from_one(kept(self, params)))
        params.clear()
        params.update(made)
        return params

    vendor = Ec2(**habits)
    with (
        mock.patch.object(ec2, "NAMESPACE", ec2.NAMESPACE.rstrip("/")),
        mock.patch.object(ec2.EC2Connection, "add_default_params", shimmed),
        listening(vendor),
    ):
        yield vendor
