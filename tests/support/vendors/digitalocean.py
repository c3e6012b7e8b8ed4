"""DigitalOcean's API v2 as far as the panel uses it: paged lists, tags, and actions that take some looks."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from libcloud.common.digitalocean import DigitalOcean_v2_Connection

from tests.support.vendors.wire import Answer, Asked, Refused, Vendor, listening, route

TOKEN = "dop_v1_good"
KNOWN = {"name", "size", "image", "region", "user_data", "tags", "ipv6", "backups", "ssh_keys", "private_networking"}
SIZES = {"s-1vcpu-1gb": (1, 1024, 25), "s-2vcpu-2gb": (2, 2048, 60), "s-4vcpu-8gb": (4, 8192, 160)}
SYSTEMS = {101: "ubuntu-24-04-x64", 102: "fedora-40-x64", 103: "debian-13-x64"}
WHEN = "2026-03-02T08:00:00Z"


def _error(status: int, name: str, message: str, **headers: str) -> Refused:
    return Refused(Answer(status, {"id": name, "message": message, "request_id": "r"}, headers))


class DigitalOcean(Vendor):
    """`slow`: looks that an action takes. `lag`: listings in which a new machine does not show."""

    def __init__(self, *, slow: int = 1, lag: int = 0) -> None:
        super().__init__()
        self.slow, self.lag = slow, lag
        self.machines: dict[int, dict[str, Any]] = {}
        self.hidden: dict[int, int] = {}
        self.actions: dict[int, dict[str, Any]] = {}
        self.images: dict[int, dict[str, Any]] = {number: _image(number, slug) for number, slug in SYSTEMS.items()}
        self.full = False
        self.another_size = ""
        self.numbers = 1000

    def _number(self) -> int:
        self.numbers += 1
        return self.numbers

    def refuse_stranger(self, asked: Asked) -> None:
        if asked.headers.get("authorization") != f"Bearer {TOKEN}":
            raise _error(401, "unauthorized", "Unable to authenticate you")
        if asked.headers.get("content-type") != "application/json":
            raise _error(415, "unsupported_media_type", "JSON, please")

    def _paged(self, asked: Asked, name: str, rows: list[Any]) -> Answer:
        page, each = int(asked.query.get("page", 1)), min(int(asked.query.get("per_page", 20)), self.page)
        pages = max(1, -(-len(rows) // each))
        links = {"pages": {"last": f"https://api.digitalocean.com{asked.path}?page={pages}&per_page={each}"}}
        some = rows[(page - 1) * each : page * each]
        return Answer(200, {name: some, "links": links if pages > page else {}, "meta": {"total": len(rows)}})

    # ------------------------------------------------------------ catalogue

    @route("GET", "/v2/images")
    def list_images(self, asked: Asked) -> Answer:
        return self._paged(asked, "images", list(self.images.values()))

    @route("DELETE", r"/v2/images/(\d+)")
    def delete_image(self, asked: Asked) -> Answer:
        if self.images.pop(int(asked.parts[0]), None) is None:
            raise _error(404, "not_found", "The resource you requested could not be found.")
        return Answer(204)

    @route("GET", "/v2/regions")
    def list_regions(self, asked: Asked) -> Answer:
        rows = [{"slug": slug, "name": slug, "available": True, "features": []} for slug in ("ams3", "fra1", "nyc1")]
        return self._paged(asked, "regions", rows)

    @route("GET", "/v2/sizes")
    def list_sizes(self, asked: Asked) -> Answer:
        return self._paged(asked, "sizes", [_size(slug) for slug in SIZES])

    # ------------------------------------------------------------ machines

    @route("POST", "/v2/droplets")
    def create(self, asked: Asked) -> Answer:
        given = {name: value for name, value in asked.body.items() if value is not None}
        if strange := set(given) - KNOWN:
            raise _error(422, "unprocessable_entity", f"unknown attributes {sorted(strange)}")
        if not re.fullmatch(r"[A-Za-z0-9.-]+", given["name"]):
            raise _error(422, "unprocessable_entity", "Only valid hostname characters are allowed.")
        if any(not re.fullmatch(r"[A-Za-z0-9:_-]{1,255}", tag) for tag in given.get("tags", ())):
            raise _error(422, "unprocessable_entity", "Tags contain invalid characters")
        image = given["image"]
        known = image in self.images if isinstance(image, int) else image in SYSTEMS.values()
        if given["size"] not in SIZES or given["region"] not in ("ams3", "fra1", "nyc1") or not known:
            raise _error(422, "unprocessable_entity", "You specified an invalid size, image or region.")
        if self.full:
            raise _error(422, "unprocessable_entity", "The region is at capacity for this size. Please try another.")
        number, size = self._number(), self.another_size or given["size"]
        row = {
            "id": number, "name": given["name"], "status": "new", "memory": SIZES[size][1], "vcpus": SIZES[size][0],
            "disk": SIZES[size][2], "locked": False, "created_at": WHEN, "networks": {"v4": [], "v6": []},
            "kernel": None, "backup_ids": [], "snapshot_ids": [], "features": [], "tags": given.get("tags", []),
            "size_slug": size, "size": _size(size), "region": {"slug": given["region"], "name": given["region"]},
            "image": _image(103, "debian-13-x64"), "user_data": given.get("user_data", ""),
        }  # fmt: skip
        self.machines[number] = row
        self.hidden[number] = self.lag
        self._begin(number, "create", {})
        return Answer(202, {"droplet": _shown(row), "links": {"actions": []}})

    @route("GET", "/v2/droplets")
    def list_machines(self, asked: Asked) -> Answer:
        self._work()
        tag, rows = asked.query.get("tag_name"), []
        for number, row in self.machines.items():
            if self.hidden[number] > 0:
                self.hidden[number] -= 1
            elif tag is None or tag in row["tags"]:
                rows.append(_shown(row))
        return self._paged(asked, "droplets", rows)

    @route("GET", r"/v2/droplets/(\d+)")
    def look(self, asked: Asked) -> Answer:
        self._work()
        return Answer(200, {"droplet": _shown(self._machine(asked))})

    @route("DELETE", r"/v2/droplets/(\d+)")
    def destroy(self, asked: Asked) -> Answer:
        self._machine(asked)
        del self.machines[int(asked.parts[0])]
        return Answer(204)

    @route("POST", r"/v2/droplets/(\d+)/actions")
    def act(self, asked: Asked) -> Answer:
        row = self._machine(asked)
        if any(one["status"] == "in-progress" and one["of"] == row["id"] for one in self.actions.values()):
            raise _error(422, "unprocessable_entity", "Droplet already has a pending event.")
        kind = asked.body["type"]
        if kind == "resize" and (row["status"] != "off" or asked.body.get("disk") is not True):
            raise _error(422, "unprocessable_entity", "Droplet must be powered off to resize its disk.")
        if kind in ("power_off", "shutdown", "reboot") and row["status"] != "active":
            raise _error(422, "unprocessable_entity", "Droplet is already powered off.")
        number = self._begin(row["id"], kind, asked.body)
        return Answer(201, {"action": {"id": number, "status": "in-progress", "type": kind}})

    @route("GET", r"/v2/actions/(\d+)")
    def action(self, asked: Asked) -> Answer:
        self._work()
        one = self.actions[int(asked.parts[0])]
        return Answer(200, {"action": {name: one[name] for name in ("id", "status", "type")}})

    # ------------------------------------------------------------ inside

    def _machine(self, asked: Asked) -> dict[str, Any]:
        row = self.machines.get(int(asked.parts[0]))
        if row is None:
            raise _error(404, "not_found", "The resource you requested could not be found.")
        return row

    def _begin(self, machine: int, kind: str, body: dict[str, Any]) -> int:
        number = self._number()
        self.actions[number] = {
            "id": number, "of": machine, "type": kind, "status": "in-progress", "left": self.slow, "body": body,
        }  # fmt: skip
        return number

    def _work(self) -> None:
        """Each look brings what is under way further."""
        for one in self.actions.values():
            one["left"] -= 1
            if one["status"] == "in-progress" and one["left"] <= 0:
                one["status"] = "completed"
                if one["of"] in self.machines:
                    self._finish(self.machines[one["of"]], one["type"], one["body"])

    def _finish(self, row: dict[str, Any], kind: str, body: dict[str, Any]) -> None:
        match kind:
            case "create":
                row["status"] = "active"
                address = f"203.0.113.{row['id'] % 250 + 1}"
                row["networks"] = {
                    "v4": [{"ip_address": address, "type": "public"}, {"ip_address": "10.1.1.1", "type": "private"}],
                    "v6": [],
                }
            case "power_on" | "reboot":
                row["status"] = "active"
            case "power_off" | "shutdown":
                row["status"] = "off"
            case "rename":
                row["name"] = body["name"]
            case "resize":
                row["size_slug"] = body["size"]
            case "snapshot":
                number = self._number()
                self.images[number] = _image(number, None, name=body["name"])


def _size(slug: str) -> dict[str, Any]:
    vcpus, memory, disk = SIZES[slug]
    return {
        "slug": slug, "memory": memory, "vcpus": vcpus, "disk": disk, "transfer": 1.0, "price_monthly": 6.0,
        "price_hourly": 0.009, "regions": ["ams3", "fra1", "nyc1"], "available": True,
    }  # fmt: skip


def _image(number: int, slug: str | None, *, name: str = "") -> dict[str, Any]:
    return {
        "id": number, "name": name or str(slug), "slug": slug, "distribution": "Debian", "public": slug is not None,
        "regions": ["ams3"], "min_disk_size": 25, "created_at": WHEN, "type": "base" if slug else "snapshot",
    }  # fmt: skip


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "user_data"}


@contextmanager
def digitalocean(**habits: Any) -> Iterator[DigitalOcean]:
    """The vendor, and libcloud's driver turned to it: the driver itself takes no other host."""
    vendor, kept = DigitalOcean(**habits), DigitalOcean_v2_Connection.connect
    with listening(vendor):

        def connect(self: Any, *args: Any, **kwargs: Any) -> Any:
            self.host, self.port, self.secure = "127.0.0.1", vendor.port, 0
            return kept(self, *args, **kwargs)

        DigitalOcean_v2_Connection.connect = connect
        try:
            yield vendor
        finally:
            DigitalOcean_v2_Connection.connect = kept
