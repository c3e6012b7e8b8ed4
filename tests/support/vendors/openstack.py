"""OpenStack as far as the panel uses it: Keystone v3, Nova 2.1, Glance v2, Neutron v2.0; strict as Nova above all."""

import base64
import re
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.support.vendors.wire import Answer, Asked, Refused, Vendor, listening, route

PASSWORD, TICKET, PROJECT, NETWORK = "good", "gAAAA-good", "p1", "net-1"
FLAVOURS = {"f-1": (1, 1024, 20), "f-2": (2, 2048, 40), "f-3": (4, 8192, 80)}
WHEN = "2026-03-02T08:00:00Z"
CREATES = {"name", "imageRef", "flavorRef", "metadata", "user_data", "security_groups", "networks"}
REBUILDS = {"name", "imageRef", "metadata", "user_data"}
USER_DATA_SINCE = (2, 57)
SERVER, GROUP = r"/compute/v2\.1/servers/([0-9a-f-]{36})", r"/network/v2\.0/security-groups/([0-9a-f-]{36})"


def error(status: int, words: str) -> Answer:
    """How Nova says that something failed."""
    name = {401: "error", 403: "forbidden", 404: "itemNotFound", 409: "conflictingRequest", 413: "overLimit",
            429: "overLimit"}.get(status, "computeFault")  # fmt: skip
    return Answer(status, {name: {"code": status, "message": words}})


def _refused(status: int, words: str) -> Refused:
    return Refused(error(status, words))


def _only(given: Mapping[str, Any], known: set[str]) -> None:
    if strange := set(given) - known:
        raise _refused(400, f"Additional properties are not allowed ({sorted(strange)} were unexpected)")


class OpenStack(Vendor):
    """`slow`: looks that a deed takes. `lag`: listings in which a new machine does not show."""

    def __init__(self, *, slow: int = 1, lag: int = 0) -> None:
        super().__init__()
        self.slow, self.lag = slow, lag
        self.machines: dict[str, dict[str, Any]] = {}
        self.inside: dict[str, dict[str, Any]] = {}
        self.images = {"img-13": _image("img-13", "Debian 13"), "img-24": _image("img-24", "Ubuntu 24.04"),
                       "img-r": _image("img-r", "Rescue")}  # fmt: skip
        self.groups: dict[str, dict[str, Any]] = {}
        self.full = self.no_host = False
        self.another_size = ""

    def refuse_stranger(self, asked: Asked) -> None:
        if not asked.path.startswith("/v3/") and asked.headers.get("x-auth-token") != TICKET:
            raise _refused(401, "The request you have made requires authentication.")

    # ------------------------------------------------------------ Keystone

    @route("POST", "/v3/auth/tokens")
    def log_in(self, asked: Asked) -> Answer:
        if asked.body["auth"]["identity"]["password"]["user"]["password"] != PASSWORD:
            raise _refused(401, "The request you have made requires authentication.")
        base = f"http://127.0.0.1:{self.port}"
        services = {"compute": ("nova", f"{base}/compute/v2.1"), "image": ("glance", f"{base}/image"),
                    "network": ("neutron", f"{base}/network")}  # fmt: skip
        catalog = [
            {"type": kind, "name": name, "id": name, "endpoints": [
                {"id": f"{name}-{face}", "interface": face, "region": "RegionOne", "region_id": "RegionOne", "url": url}
                for face in ("public", "internal", "admin")
            ]}
            for kind, (name, url) in services.items()
        ]  # fmt: skip
        until = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%S.000000Z")
        token = {"expires_at": until, "issued_at": WHEN, "methods": ["password"], "catalog": catalog,
                 "user": {"id": "u1", "name": "panel"}, "project": {"id": PROJECT, "name": "panel"},
                 "roles": []}  # fmt: skip
        return Answer(201, {"token": token}, {"X-Subject-Token": TICKET})

    # ------------------------------------------------------------ Nova

    @route("GET", r"/compute/v2\.1/flavors/detail")
    def flavours(self, asked: Asked) -> Answer:
        return Answer(200, {"flavors": [
            {"id": name, "name": f"vps.{name}", "vcpus": cpu, "ram": ram, "disk": disk, "swap": ""}
            for name, (cpu, ram, disk) in FLAVOURS.items()
        ]})  # fmt: skip

    @route("POST", r"/compute/v2\.1/servers")
    def create(self, asked: Asked) -> Answer:
        given = asked.body["server"]
        _only(given, CREATES)
        if any(len(value) > 255 for value in given["metadata"].values()):
            raise _refused(400, "metadata value too long")
        if given["flavorRef"] not in FLAVOURS or self._active(given["imageRef"]) is None:
            raise _refused(400, "Flavor or image could not be found.")
        groups = [one["name"] for one in given.get("security_groups", ())]
        if any(name not in self.groups for name in groups):
            raise _refused(400, f"Unable to find security_group with name or id {groups}")
        if self.full:
            raise _refused(403, "Quota exceeded for instances: Requested 1, but already used 10 of 10 instances")
        number, size = str(uuid.uuid4()), self.another_size or given["flavorRef"]
        self.machines[number] = {
            "id": number, "name": given["name"], "status": "BUILD", "OS-EXT-STS:vm_state": "building",
            "OS-EXT-STS:task_state": "spawning", "OS-EXT-STS:power_state": 0, "metadata": dict(given["metadata"]),
            "flavor": {"id": size}, "image": {"id": given["imageRef"]}, "addresses": {}, "hostId": "h", "created": WHEN,
            "updated": WHEN, "tenant_id": PROJECT, "user_id": "u1", "links": [{"rel": "self", "href": f"/{number}"}],
        }  # fmt: skip
        self.inside[number] = {
            "user_data": given.get("user_data", ""), "groups": groups or ["default"], "hidden": self.lag, "left": 0,
        }  # fmt: skip
        self._task(number, "spawning", "ERROR" if self.no_host else "ACTIVE")
        return Answer(202, {"server": {"id": number, "adminPass": "x", "links": [], "OS-DCF:diskConfig": "MANUAL"}})

    @route("GET", r"/compute/v2\.1/servers/detail")
    def list_machines(self, asked: Asked) -> Answer:
        shown = []
        for number in list(self.machines):
            self._work(number)
            if self.inside[number]["hidden"] > 0:
                self.inside[number]["hidden"] -= 1
            else:
                shown.append(self.machines[number])
        numbers = [row["id"] for row in shown]
        begin = numbers.index(asked.query["marker"]) + 1 if asked.query.get("marker") in numbers else 0
        page = shown[begin : begin + self.page]
        body: dict[str, Any] = {"servers": page}
        if begin + self.page < len(shown):
            href = f"http://127.0.0.1:{self.port}{asked.path}?marker={page[-1]['id']}"
            body["servers_links"] = [{"rel": "next", "href": href}]
        return Answer(200, body)

    @route("GET", SERVER)
    def look(self, asked: Asked) -> Answer:
        row = self._machine(asked)
        self._work(row["id"])
        return Answer(200, {"server": row})

    @route("DELETE", SERVER)
    def destroy(self, asked: Asked) -> Answer:
        del self.machines[self._machine(asked)["id"]]
        return Answer(204)

    @route("PUT", SERVER)
    def rename(self, asked: Asked) -> Answer:
        row = self._machine(asked)
        _only(asked.body["server"], {"name"})
        row["name"] = asked.body["server"]["name"]
        return Answer(200, {"server": row})

    @route("GET", f"{SERVER}/os-security-groups")
    def groups_of(self, asked: Asked) -> Answer:
        mine = self.inside[self._machine(asked)["id"]]["groups"]
        return Answer(200, {"security_groups": [{"id": one, "name": one, "rules": []} for one in mine]})

    @route("POST", f"{SERVER}/action")
    def act(self, asked: Asked) -> Answer:
        row = self._machine(asked)
        ((name, given),) = asked.body.items()
        state, task = row["OS-EXT-STS:vm_state"], row["OS-EXT-STS:task_state"]
        if task is not None:
            raise _refused(409, f"Cannot '{name}' instance {row['id']} while it is in task_state {task}")
        allowed = {
            "os-start": {"stopped"}, "os-stop": {"active"}, "reboot": {"active", "stopped", "rescued"},
            "resize": {"active", "stopped"}, "confirmResize": {"resized"}, "rebuild": {"active", "stopped", "error"},
            "rescue": {"active", "stopped", "error"}, "unrescue": {"rescued"}, "createImage": {"active", "stopped"},
        }  # fmt: skip
        if state not in allowed[name]:
            raise _refused(409, f"Cannot '{name}' instance {row['id']} while it is in vm_state {state}")
        call = getattr(self, f"_do_{name.replace('-', '_')}")
        return call(row, given or {}, asked)  # type: ignore[no-any-return]

    def _do_os_start(self, row: dict[str, Any], given: Any, asked: Asked) -> Answer:
        return self._task(row["id"], "powering-on", "ACTIVE")

    def _do_os_stop(self, row: dict[str, Any], given: Any, asked: Asked) -> Answer:
        return self._task(row["id"], "powering-off", "SHUTOFF")

    def _do_reboot(self, row: dict[str, Any], given: Any, asked: Asked) -> Answer:
        assert given["type"] in ("SOFT", "HARD")
        return self._task(row["id"], "rebooting", "ACTIVE", shown="HARD_REBOOT")

    def _do_resize(self, row: dict[str, Any], given: Any, asked: Asked) -> Answer:
        if given["flavorRef"] == row["flavor"]["id"]:
            raise _refused(400, "When resizing, instances must change flavor!")
        self.inside[row["id"]]["next"] = given["flavorRef"]
        return self._task(row["id"], "resize_prep", "VERIFY_RESIZE", shown="RESIZE")

    def _do_confirmResize(self, row: dict[str, Any], given: Any, asked: Asked) -> Answer:
        _settle(row, "ACTIVE")
        return Answer(204)

    def _do_rebuild(self, row: dict[str, Any], given: Any, asked: Asked) -> Answer:
        _only(given, REBUILDS)
        told = re.fullmatch(r"compute (\d+)\.(\d+)", asked.headers.get("openstack-api-version", "compute 2.1"))
        assert told is not None
        if "user_data" in given and (int(told[1]), int(told[2])) < USER_DATA_SINCE:
            raise _refused(400, "Additional properties are not allowed ('user_data' was unexpected)")
        if self._active(given["imageRef"]) is None:
            raise _refused(400, "Image not found.")
        row |= {"metadata": dict(given["metadata"]), "image": {"id": given["imageRef"]}, "name": given["name"]}
        self.inside[row["id"]]["user_data"] = given.get("user_data", "")
        after = "ACTIVE" if row["OS-EXT-STS:vm_state"] == "active" else "SHUTOFF"
        self._task(row["id"], "rebuilding", after, shown="REBUILD")
        return Answer(202, {"server": row})

    def _do_rescue(self, row: dict[str, Any], given: Any, asked: Asked) -> Answer:
        _only(given, {"rescue_image_ref", "adminPass"})
        self._task(row["id"], "rescuing", "RESCUE")
        return Answer(200, {"adminPass": "x"})

    def _do_unrescue(self, row: dict[str, Any], given: Any, asked: Asked) -> Answer:
        return self._task(row["id"], "unrescuing", "ACTIVE")

    def _do_createImage(self, row: dict[str, Any], given: Any, asked: Asked) -> Answer:
        number = str(uuid.uuid4())
        self.images[number] = _image(number, given["name"]) | {"status": "queued", "left": self.slow}
        where = f"http://127.0.0.1:{self.port}/image/v2/images/{number}"
        return Answer(202, None, {"Location": where})

    def _machine(self, asked: Asked) -> dict[str, Any]:
        row = self.machines.get(asked.parts[0])
        if row is None:
            raise _refused(404, f"Instance {asked.parts[0]} could not be found.")
        return row

    def _task(self, number: str, task: str, after: str, *, shown: str = "") -> Answer:
        row = self.machines[number]
        row["OS-EXT-STS:task_state"] = task
        row["status"] = shown or row["status"]
        self.inside[number] |= {"left": self.slow, "after": after}
        return Answer(202)

    def _work(self, number: str) -> None:
        row, inside = self.machines[number], self.inside[number]
        if row["OS-EXT-STS:task_state"] is None:
            return
        inside["left"] -= 1
        if inside["left"] < 0:
            if inside["after"] == "VERIFY_RESIZE":
                row["flavor"] = {"id": inside["next"]}
            if inside["after"] == "ERROR":
                row["fault"] = {"code": 500, "message": "No valid host was found. There are not enough hosts."}
            else:
                row["addresses"] = {"public": [{"addr": f"8.8.{list(self.machines).index(number)}.8", "version": 4}]}
            _settle(row, inside["after"])

    # ------------------------------------------------------------ Glance

    @route("GET", r"/image/v2/images")
    def list_images(self, asked: Asked) -> Answer:
        rows = list(self.images.values())
        begin = int(asked.query.get("marker", 0))
        more = {"next": f"/v2/images?marker={begin + self.page}"} if begin + self.page < len(rows) else {}
        shown = [dict(row) for row in rows[begin : begin + self.page]]
        for row in rows:
            row["left"] -= 1
            row["status"] = "active" if row["left"] <= 0 else row["status"]
        return Answer(200, {"images": shown, **more})

    @route("GET", r"/image/v2/images/([0-9a-z-]+)")
    def look_at_image(self, asked: Asked) -> Answer:
        return Answer(200, self.images[asked.parts[0]])

    @route("DELETE", r"/image/v2/images/([0-9a-z-]+)")
    def delete_image(self, asked: Asked) -> Answer:
        return self._without_image(asked)

    @route("DELETE", r"/compute/v2\.1/images/([0-9a-z-]+)")
    def delete_image_by_nova(self, asked: Asked) -> Answer:
        return self._without_image(asked)

    def _without_image(self, asked: Asked) -> Answer:
        if self.images.pop(asked.parts[0], None) is None:
            raise _refused(404, "No image found")
        return Answer(204)

    def _active(self, number: str) -> dict[str, Any] | None:
        row = self.images.get(number)
        return row if row is not None and row["status"] == "active" else None

    # ------------------------------------------------------------ Neutron

    @route("GET", r"/network/v2\.0/networks")
    def list_networks(self, asked: Asked) -> Answer:
        return Answer(200, {"networks": [{"id": NETWORK, "name": "public", "admin_state_up": True, "mtu": 1500,
                                          "shared": True, "status": "ACTIVE", "subnets": []}]})  # fmt: skip

    @route("GET", r"/network/v2\.0/security-groups")
    def list_groups(self, asked: Asked) -> Answer:
        named = asked.query.get("name")
        return Answer(200, {"security_groups": [
            row for row in self.groups.values() if named in (None, row["name"])
        ]})  # fmt: skip

    @route("POST", r"/network/v2\.0/security-groups")
    def make_group(self, asked: Asked) -> Answer:
        number = str(uuid.uuid4())
        outward = [
            _rule(number, {"direction": "egress", "ethertype": family}) for family in ("IPv4", "IPv6")
        ]  # fmt: skip
        self.groups[number] = {"id": number, **asked.body["security_group"], "security_group_rules": outward}
        return Answer(201, {"security_group": self.groups[number]})

    @route("DELETE", GROUP)
    def delete_group(self, asked: Asked) -> Answer:
        if any(asked.parts[0] in one["groups"] for number, one in self.inside.items() if number in self.machines):
            raise Refused(Answer(409, {"NeutronError": {"message": "Security Group in use.", "type": "InUse"}}))
        self.groups.pop(asked.parts[0])
        return Answer(204)

    @route("POST", r"/network/v2\.0/security-group-rules")
    def make_rule(self, asked: Asked) -> Answer:
        row = _rule("", asked.body["security_group_rule"])
        peer, ports = row["remote_ip_prefix"] or "", row["port_range_min"] is not None
        if (":" in peer) != (row["ethertype"] == "IPv6") and peer:
            raise Refused(Answer(400, {"NeutronError": {"message": "Conflicting value ethertype"}}))
        if ports and row["protocol"] not in ("tcp", "udp"):
            raise Refused(Answer(400, {"NeutronError": {"message": "Must also specify protocol"}}))
        group = self.groups[row["security_group_id"]]
        same = [{**one, "id": "", "description": ""} for one in group["security_group_rules"]]
        if {**row, "id": "", "description": ""} in same:
            raise Refused(Answer(409, {"NeutronError": {"message": "Security group rule already exists."}}))
        group["security_group_rules"].append(row)
        return Answer(201, {"security_group_rule": row})

    @route("DELETE", r"/network/v2\.0/security-group-rules/([0-9a-f-]{36})")
    def delete_rule(self, asked: Asked) -> Answer:
        for group in self.groups.values():
            rules = group["security_group_rules"]
            rules[:] = [row for row in rules if row["id"] != asked.parts[0]]
        return Answer(204)


def _settle(row: dict[str, Any], status: str) -> None:
    states = {"ACTIVE": "active", "SHUTOFF": "stopped", "VERIFY_RESIZE": "resized", "RESCUE": "rescued",
              "ERROR": "error"}  # fmt: skip
    row |= {"status": status, "OS-EXT-STS:task_state": None, "OS-EXT-STS:vm_state": states[status]}


def _image(number: str, name: str) -> dict[str, Any]:
    return {"id": number, "name": name, "status": "active", "created_at": WHEN, "updated_at": WHEN, "min_ram": 0,
            "min_disk": 0, "visibility": "public", "size": 2_000_000_000, "left": 0}  # fmt: skip


def _rule(group: str, given: Mapping[str, Any]) -> dict[str, Any]:
    empty = {"security_group_id": group, "direction": "ingress", "ethertype": "IPv4", "protocol": None,
             "port_range_min": None, "port_range_max": None, "remote_ip_prefix": None, "remote_group_id": None,
             "description": ""}  # fmt: skip
    return {**empty, **given, "id": str(uuid.uuid4())}


def script(vendor: OpenStack, number: str) -> str:
    """What a machine runs at its first boot."""
    return base64.b64decode(vendor.inside[number]["user_data"]).decode()


@contextmanager
def openstack(**habits: Any) -> Iterator[OpenStack]:
    """The cloud on a port of this machine."""
    vendor = OpenStack(**habits)
    with listening(vendor):
        yield vendor
