"""Vultr's API v2 as far as the panel uses it: pages by cursor, one tag, an address that comes later."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from libcloud.common.vultr import VultrConnectionV2

from tests.support.vendors.wire import Answer, Asked, Refused, Vendor, listening, route

TOKEN = "vultr-good"
KNOWN = {
    "label", "region", "plan", "enable_ipv6", "activation_email", "os_id", "snapshot_id", "user_data", "tag",
    "hostname",
}  # fmt: skip
PLANS = {"vc2-1c-1gb": (1, 1024, 25), "vc2-2c-4gb": (2, 4096, 80), "vhf-1c-1gb": (1, 1024, 32)}
SYSTEMS = {1743: "Ubuntu 22.04 x64", 2284: "Ubuntu 24.04 LTS x64", 2625: "Debian 13 x64 (trixie)"}
WHEN = "2026-03-02T08:00:00+00:00"


def _error(status: int, words: str, **headers: str) -> Refused:
    return Refused(Answer(status, {"error": words, "status": status}, headers))


class Vultr(Vendor):
    """`slow`: looks until a new machine runs, until a copy is whole. `lag`: listings in which it does not show."""

    def __init__(self, *, slow: int = 1, lag: int = 0) -> None:
        super().__init__()
        self.slow, self.lag = slow, lag
        self.machines: dict[str, dict[str, Any]] = {}
        self.copies: dict[str, dict[str, Any]] = {}
        self.hidden: dict[str, int] = {}
        self.left: dict[str, int] = {}
        self.full = False
        self.another_size = ""

    def refuse_stranger(self, asked: Asked) -> None:
        if asked.headers.get("authorization") != f"Bearer {TOKEN}":
            raise _error(401, "Invalid API token.")

    def _paged(self, asked: Asked, name: str, rows: list[Any]) -> Answer:
        begin = int(asked.query.get("cursor") or 0)
        more = begin + self.page < len(rows)
        links = {"next": str(begin + self.page) if more else "", "prev": ""}
        some = rows[begin : begin + self.page]
        return Answer(200, {name: some, "meta": {"total": len(rows), "links": links}})

    # ------------------------------------------------------------ catalogue

    @route("GET", "/v2/os")
    def list_systems(self, asked: Asked) -> Answer:
        rows = [{"id": number, "name": name, "arch": "x64", "family": "linux"} for number, name in SYSTEMS.items()]
        return self._paged(asked, "os", rows)

    @route("GET", "/v2/regions")
    def list_regions(self, asked: Asked) -> Answer:
        rows = [
            {"id": name, "city": name, "country": "FR", "continent": "Europe", "options": []}
            for name in ("ams", "fra", "cdg")
        ]
        return self._paged(asked, "regions", rows)

    @route("GET", "/v2/plans")
    def list_plans(self, asked: Asked) -> Answer:
        rows = [
            {"id": name, "vcpu_count": cpu, "ram": ram, "disk": disk, "disk_count": 1, "bandwidth": 1024,
             "monthly_cost": 5, "type": "vc2", "locations": ["cdg"]}
            for name, (cpu, ram, disk) in PLANS.items()
        ]  # fmt: skip
        return self._paged(asked, "plans", rows)

    # ------------------------------------------------------------ machines

    @route("POST", "/v2/instances")
    def create(self, asked: Asked) -> Answer:
        given = asked.body
        if strange := set(given) - KNOWN:
            raise _error(400, f"Unknown parameters {sorted(strange)}")
        system, copy = given.get("os_id"), given.get("snapshot_id")
        if (system is None) == (copy is None):
            raise _error(400, "Exactly one of os_id, snapshot_id is needed.")
        if system is not None and (not isinstance(system, int) or system not in SYSTEMS):
            raise _error(400, "Invalid os_id.")
        if copy is not None and self.copies.get(copy, {}).get("status") != "complete":
            raise _error(400, "Invalid snapshot_id.")
        if given["plan"] not in PLANS or given["region"] not in ("ams", "fra", "cdg"):
            raise _error(400, "Invalid plan or region.")
        if self.full:
            raise _error(503, "Server out of stock in this region. No capacity.")
        plan, number = self.another_size or given["plan"], str(uuid.uuid4())
        row = {
            "id": number, "label": given["label"], "tag": given.get("tag", ""), "tags": [given.get("tag", "")],
            "plan": plan, "region": given["region"], "os_id": system or 0, "os": SYSTEMS.get(system or 0, "Snapshot"),
            "status": "pending", "power_status": "running", "server_status": "none", "main_ip": "0.0.0.0",  # noqa: S104
            "v6_main_ip": "", "v6_network": "", "v6_network_size": 0, "netmask_v4": "", "gateway_v4": "0.0.0.0",  # noqa: S104
            "internal_ip": "", "date_created": WHEN, "ram": PLANS[plan][1], "disk": PLANS[plan][2], "vcpu_count": 1,
            "app_id": 0, "image_id": "", "features": [], "allowed_bandwidth": 1000, "firewall_group_id": "",
            "hostname": given.get("hostname", ""), "user_data": given.get("user_data", ""),
        }  # fmt: skip
        self.machines[number], self.hidden[number], self.left[number] = row, self.lag, self.slow
        return Answer(202, {"instance": row | {"default_password": "secret"}})

    @route("GET", "/v2/instances")
    def list_machines(self, asked: Asked) -> Answer:
        rows = []
        for number, row in self.machines.items():
            self._work(number)
            if self.hidden[number] > 0:
                self.hidden[number] -= 1
            else:
                rows.append(row)
        return self._paged(asked, "instances", rows)

    @route("GET", r"/v2/instances/([0-9a-z-]+)")
    def look(self, asked: Asked) -> Answer:
        row = self._machine(asked)
        self._work(row["id"])
        return Answer(200, {"instance": row})

    @route("DELETE", r"/v2/instances/([0-9a-z-]+)")
    def destroy(self, asked: Asked) -> Answer:
        del self.machines[self._machine(asked)["id"]]
        return Answer(204)

    @route("PATCH", r"/v2/instances/([0-9a-z-]+)")
    def change(self, asked: Asked) -> Answer:
        row = self._machine(asked)
        if plan := asked.body.get("plan"):
            if PLANS[plan][2] < row["disk"]:
                raise _error(400, "Unable to downgrade: the disk would shrink.")
            row |= {"plan": plan, "disk": PLANS[plan][2], "status": "resizing"}
            self.left[row["id"]] = self.slow
        if label := asked.body.get("label"):
            row["label"] = label
        return Answer(202, {"instance": row})

    @route("POST", r"/v2/instances/([0-9a-f-]{36})/(start|reboot)")
    def switch_on(self, asked: Asked) -> Answer:
        row = self._machine(asked)
        row["power_status"] = "running"
        return Answer(204)

    @route("POST", "/v2/instances/halt")
    def halt(self, asked: Asked) -> Answer:
        for number in asked.body["instance_ids"]:
            self.machines[number]["power_status"] = "stopped"
        return Answer(204)

    # ------------------------------------------------------------ copies

    @route("POST", "/v2/snapshots")
    def copy(self, asked: Asked) -> Answer:
        if asked.body["instance_id"] not in self.machines:
            raise _error(404, "Invalid instance.")
        number = str(uuid.uuid4())
        self.copies[number] = {
            "id": number, "description": asked.body.get("description", ""), "date_created": WHEN, "size": 42949672960,
            "status": "pending", "os_id": 0, "app_id": 0,
        }  # fmt: skip
        self.left[number] = self.slow
        return Answer(201, {"snapshot": self.copies[number]})

    @route("GET", "/v2/snapshots")
    def list_copies(self, asked: Asked) -> Answer:
        shown = [dict(row) for row in self.copies.values()]
        for number, row in self.copies.items():
            self.left[number] -= 1
            row["status"] = "complete" if self.left[number] <= 0 else "pending"
        return self._paged(asked, "snapshots", shown)

    @route("DELETE", r"/v2/snapshots/([0-9a-f-]+)")
    def delete_copy(self, asked: Asked) -> Answer:
        if self.copies.pop(asked.parts[0], None) is None:
            raise _error(404, "Invalid snapshot.")
        return Answer(204)

    # ------------------------------------------------------------ inside

    def _machine(self, asked: Asked) -> dict[str, Any]:
        row = self.machines.get(asked.parts[0])
        if row is None:
            raise _error(404, "Invalid instance.")
        return row

    def _work(self, number: str) -> None:
        row = self.machines[number]
        self.left[number] -= 1
        if row["status"] != "active" and self.left[number] < 0:
            row |= {"status": "active", "main_ip": f"203.0.113.{list(self.machines).index(number) + 10}"}


@contextmanager
def vultr(**habits: Any) -> Iterator[Vultr]:
    """The vendor, and libcloud's driver turned to it: the driver itself takes no other host."""
    vendor, kept = Vultr(**habits), VultrConnectionV2.connect
    with listening(vendor):

        def connect(self: Any, *args: Any, **kwargs: Any) -> Any:
            self.host, self.port, self.secure = "127.0.0.1", vendor.port, 0
            return kept(self, *args, **kwargs)

        VultrConnectionV2.connect = connect
        try:
            yield vendor
        finally:
            VultrConnectionV2.connect = kept
