"""Any libcloud compute driver behind our port, as far as the driver goes; vendors whose habits differ have a class in
`vendors`.

Drivers agree on list, create, destroy and reboot, and on little else. This adapter finds out what its driver can do
(method really overridden, keyword really taken), finds machines again by our token, and believes no return value: after
each verb it reads the machine until it is as asked. Configuration of a place:

    {"provider": "libcloud", "label": "Paris", "driver": "openstack", "arguments": {"key": ..., "secret": ...},
     "sizes": {"vps-s": "<id there>"}, "images": {"debian-13": "<id there>"}, "location": "<id there>",
     "terminated_is_off": false, "lag_seconds": 120}
"""

import inspect
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from importlib import import_module
from typing import Any

from libcloud.compute.base import Node as VendorNode
from libcloud.compute.base import NodeAuthSSHKey, NodeDriver, NodeImage
from libcloud.compute.providers import get_driver
from libcloud.compute.types import NodeState

from panel.core.errors import ProviderError
from servers.networking.firewall_rules import Policy
from servers.providers import Capabilities, CloudProvider, Counters, Node, NodeSpec, Size, mark, not_supported
from servers.providers.libcloud_errors import asking
from servers.providers.libcloud_snapshots import BUILD_KEY, ImagesAsSnapshots
from servers.rules import Power
from servers.watching.vitals_rules import Reading

METADATA_KEY = "clause_token"
LAG = 120
"""Seconds after which a machine that was asked for is listed, where the configuration does not say: the longest call,
and as much again."""
NO_ADDRESS = frozenset({"", "0.0.0.0", "::"})  # noqa: S104
VENDORS: Mapping[str, str] = {
    name: f"servers.providers.vendors.{name}" for name in ("digitalocean", "vultr", "ec2", "openstack")
}
"""Drivers whose vendor has habits of its own: name -> the module whose `Vendor` knows them."""

POWERS: Mapping[str, Power] = {
    NodeState.RUNNING: Power.ON,
    NodeState.STARTING: Power.PENDING,
    NodeState.REBOOTING: Power.PENDING,
    NodeState.PENDING: Power.PENDING,
    NodeState.STOPPING: Power.PENDING,
    NodeState.RECONFIGURING: Power.PENDING,
    NodeState.UPDATING: Power.PENDING,
    NodeState.MIGRATING: Power.PENDING,
    NodeState.STOPPED: Power.OFF,
    NodeState.SUSPENDED: Power.OFF,
    NodeState.PAUSED: Power.OFF,
    NodeState.TERMINATED: Power.GONE,
}

START = ("start_node", "ex_start_node", "ex_power_on_node", "ex_start")
STOP = ("stop_node", "ex_stop_node", "ex_power_off_node", "ex_shutdown_node", "ex_stop")
SHUT_DOWN = ("ex_shutdown_node", "ex_shutdown_graceful")
TURN = "#"  # between the token and the turn of a machine that is made anew
RENAME = ("ex_rename_node", "ex_set_server_name")


def once(spec: NodeSpec) -> str:
    """Under which a place makes one machine however often it is asked: of its own for each that is made anew, for a
    place remembers the ended one."""
    return spec.token if spec.turn == 1 else f"{spec.token}{TURN}{spec.turn}"


class LibcloudProvider(ImagesAsSnapshots, CloudProvider):
    """One place. Not to be shared between threads: `servers.providers.get` keeps one per thread."""

    patience = 120.0
    """Seconds to wait for a verb's effect before saying "not confirmed"."""
    pause = 2.0
    notes: tuple[str, ...] = ()
    """What a vendor does differently, a sentence each, for the table of providers."""

    def __init__(self, place: str, driver: NodeDriver, config: Mapping[str, Any]) -> None:
        self.place = place
        self.driver = driver
        self.config = config
        self.label = str(config.get("label") or driver.name)

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(
            label=self.label,
            start_stop=bool(self._method(START) and self._method(STOP)),
            soft_stop=self._method(SHUT_DOWN) is not None,
            reboot=self._method(("reboot_node",)) is not None,
            rename=self._method(RENAME) is not None,
            first_boot=self._user_data() is not None,
            chooses_address=True,
            lag=int(self.config.get("lag_seconds", LAG)),
            snapshots=self._copies,
            restore=self._copies and self._restores(),
        )

    # ------------------------------------------------------------ machines

    def create(self, spec: NodeSpec) -> Node:
        if (there := self.find(spec.token)) is not None:
            return there
        order = self._order(spec)
        with self._asking("create"):
            self.driver.create_node(**order)
        until = self._end()
        while (node := self.find(spec.token)) is None:  # the answer may be of another machine: ours bears our token
            self._wait(until, f"create of {spec.name}: no machine of it is listed yet")
        return node

    def find(self, token: str) -> Node | None:
        alive = (node for node in self.list() if node.power is not Power.GONE)
        found = next((node for node in alive if node.token in (token, mark(token))), None)
        return replace(found, token=token) if found is not None else None

    def get(self, ref: str) -> Node | None:
        node = self._vendor(ref)
        return self._ours(node) if node is not None else None

    def list(self) -> list[Node]:
        with self._asking("list"):
            return [self._ours(node) for node in self._vendors()]

    def start(self, ref: str) -> Node:
        return self._switch(ref, START, "start", Power.ON)

    def stop(self, ref: str) -> Node:
        return self._switch(ref, STOP, "stop", Power.OFF)

    def shut_down(self, ref: str) -> None:
        if (ask := self._method(SHUT_DOWN)) is None:
            raise not_supported("shut down", self.label)
        vendor = self._known(ref)
        if self._power(vendor) is not Power.OFF:
            with self._asking("shut down"):
                ask(vendor)

    def rename(self, ref: str, name: str) -> None:
        if (call := self._method(RENAME)) is None:
            raise not_supported("rename", self.label)
        vendor = self._known(ref)
        _old, mark_of, its_mark = str(vendor.name).rpartition("--")  # where the name carries the token it goes on so
        wanted = f"{name[:40]}--{its_mark}" if mark_of else name
        with self._asking("rename"):
            call(vendor, wanted)
        self._settled(ref, lambda node: node.name == wanted, "rename")

    def reboot(self, ref: str) -> Node:
        if not self.capabilities.reboot:
            raise not_supported("reboot", self.label)
        vendor = self._known(ref)
        with self._asking("reboot"):
            self.driver.reboot_node(vendor)
        return self._settled(ref, lambda node: node.power is Power.ON, "reboot")

    def destroy(self, ref: str) -> None:
        if (vendor := self._vendor(ref)) is None or self._power(vendor) is Power.GONE:
            return
        try:
            with self._asking("destroy"):
                self.driver.destroy_node(vendor)
        except ProviderError as error:
            if error.code != "not_found":  # it went meanwhile
                raise
        until = self._end()
        while (node := self.get(ref)) is not None and node.power is not Power.GONE:
            self._wait(until, f"{ref} is still there after destroy")

    # ------------------------------------------------------------ what libcloud has no common words for

    def resize(self, ref: str, size: Size) -> Node:
        raise not_supported("resize", self.label)

    def rebuild(self, ref: str, spec: NodeSpec, mark: str) -> Node:
        raise not_supported("rebuild", self.label)

    def rescue(self, ref: str, keys: tuple[str, ...]) -> Node:
        raise not_supported("rescue", self.label)

    def leave_rescue(self, ref: str) -> Node:
        raise not_supported("leave the rescue system", self.label)

    def attach_address(self, ref: str, ip: str) -> None:
        raise not_supported("attach an address", self.label)

    def detach_address(self, ref: str, ip: str) -> None:
        raise not_supported("detach an address", self.label)

    def block_address(self, ref: str, ip: str) -> None:
        raise not_supported("block an address", self.label)

    def unblock_address(self, ref: str, ip: str) -> None:
        raise not_supported("unblock an address", self.label)

    def blocked(self, ref: str) -> set[str]:
        raise not_supported("tell blocked addresses", self.label)

    def set_firewall(self, ref: str, policy: Policy) -> None:
        raise not_supported("set the firewall", self.label)

    def firewall(self, ref: str) -> Policy:
        raise not_supported("tell the firewall", self.label)

    def counters(self, ref: str, *, now: Any) -> Counters:
        raise not_supported("read counters", self.label)

    def vitals(self, ref: str, *, now: Any) -> Reading | None:
        raise not_supported("tell how a machine does", self.label)

    def counters_of(self, refs: Sequence[str], *, now: Any) -> Mapping[str, Counters]:
        raise not_supported("read counters", self.label)

    def firewalls_of(self, refs: Sequence[str]) -> Mapping[str, Policy]:
        raise not_supported("tell firewalls", self.label)

    def host_key(self, ref: str) -> str:
        raise not_supported("tell the host key", self.label)

    def add_key(self, ref: str, key: str) -> None:
        raise not_supported("add a key", self.label)

    def remove_key(self, ref: str, key: str) -> None:
        raise not_supported("remove a key", self.label)

    # ------------------------------------------------------------ below

    def _order(self, spec: NodeSpec) -> dict[str, Any]:
        """The arguments of create_node that this driver takes; ProviderError(permanent) when the spec cannot be met."""
        size = self._named("sizes", spec.size.code, self.driver.list_sizes)
        image = self._image(spec.snapshot) if spec.snapshot else None
        order: dict[str, Any] = {"name": self._name(spec), "size": size, "image": image or self._system(spec.image)}
        if wanted := self.config.get("location"):
            order["location"] = self._named("", str(wanted), self.driver.list_locations)
        elif self._needs("location"):
            raise ProviderError(f"{self.label} needs a location", permanent=True, code="configuration")
        if self._takes("ex_metadata"):
            order["ex_metadata"] = {METADATA_KEY: spec.token}
        if self._takes("ex_clienttoken"):
            order["ex_clienttoken"] = once(spec)
        user_data = self._user_data()
        if user_data and (spec.keys or spec.first_boot):
            order[user_data] = first_boot_script(spec)
        elif spec.first_boot:
            raise not_supported("a first boot script", self.label)
        elif len(spec.keys) == 1 and "ssh_key" in self.driver.features.get("create_node", []):
            order["auth"] = NodeAuthSSHKey(spec.keys[0])
        elif spec.keys:
            raise not_supported(f"{len(spec.keys)} keys at creation", self.label)
        return order

    def _system(self, code: str) -> NodeImage:
        """The driver's image for the system that we call `code`."""
        found: NodeImage = self._named("images", code, self.driver.list_images)
        return found

    def _name(self, spec: NodeSpec) -> str:
        """Where metadata is not taken the token's mark stands in the name, which every driver has."""
        return spec.name if self._takes("ex_metadata") else f"{spec.name[:40]}--{mark(spec.token)}"

    def _token(self, node: VendorNode) -> str:
        """The token, or its mark where only the name carries it."""
        extra = node.extra or {}
        for bag in (extra.get("metadata"), extra.get("tags"), extra):
            if isinstance(bag, Mapping) and bag.get(METADATA_KEY):
                return str(bag[METADATA_KEY])
        return str(node.name).rpartition("--")[2] if "--" in str(node.name) else ""

    def _named(self, table: str, code: str, listing: Callable[[], Any]) -> Any:
        """The driver's object for our word `code`."""
        wanted = str(self.config.get(table, {}).get(code, code)) if table else code
        with self._asking("catalogue"):
            found = next((item for item in listing() if wanted in _names(item)), None)
        if found is None:
            raise ProviderError(
                f"{self.label} has no {table or 'location'} entry {wanted!r}", permanent=True, code="unknown"
            )
        return found

    def _takes(self, keyword: str) -> bool:
        return keyword in inspect.signature(self.driver.create_node).parameters

    def _needs(self, keyword: str) -> bool:
        given = inspect.signature(self.driver.create_node).parameters.get(keyword)
        return given is not None and given.default is inspect.Parameter.empty

    def _user_data(self) -> str | None:
        return next((name for name in ("ex_userdata", "ex_user_data", "ex_cloud_config") if self._takes(name)), None)

    def _method(self, names: tuple[str, ...]) -> Callable[..., Any] | None:
        """The first of `names` that the driver really has, and does not merely inherit from libcloud's base."""
        for name in names:
            found = getattr(type(self.driver), name, None)
            if found is not None and found is not getattr(NodeDriver, name, None):
                return getattr(self.driver, name)  # type: ignore[no-any-return]
        return None

    def _switch(self, ref: str, names: tuple[str, ...], verb: str, wanted: Power) -> Node:
        method = self._method(names)
        if method is None:
            raise not_supported(verb, self.label)
        vendor = self._known(ref)
        if self._power(vendor) is not wanted:
            with self._asking(verb):
                method(vendor)
        return self._settled(ref, lambda node: node.power is wanted, verb)

    def _settled(self, ref: str, reached: Callable[[Node], bool], verb: str) -> Node:
        """Read the machine until it is as asked."""
        until = self._end()
        while True:
            node = self.get(ref)
            if node is not None and reached(node):
                return node
            self._wait(until, f"{verb} of {ref}: the place says {node.power if node else 'that it does not exist'}")

    def _end(self) -> float:
        """When the patience is over, by the monotonic clock."""
        return time.monotonic() + self.patience

    def _wait(self, until: float, complaint: str) -> None:
        if time.monotonic() > until:
            raise ProviderError(complaint, code="not_confirmed", unknown=True)
        time.sleep(self.pause)

    def _vendors(self) -> Sequence[VendorNode]:
        return list(self.driver.list_nodes())

    def _vendor(self, ref: str) -> VendorNode | None:
        with self._asking("list"):
            return next((node for node in self._vendors() if str(node.id) == ref), None)

    def _there(self, look: Callable[[], VendorNode | None]) -> VendorNode | None:
        """What `look` finds; None where the place says that it has none."""
        try:
            with self._asking("look"):
                return look()
        except ProviderError as error:
            if error.code == "not_found":
                return None
            raise

    def _size(self, node: VendorNode) -> str:
        """The place's name for the size of a machine; empty where it does not tell."""
        return ""

    def _code(self, size: str) -> str:
        """Our word for the place's `size`; of several the first."""
        return next((str(code) for code, name in self.config.get("sizes", {}).items() if str(name) == size), size)

    def _known(self, ref: str) -> VendorNode:
        node = self._vendor(ref)
        if node is None or self._power(node) is Power.GONE:
            raise ProviderError(f"{self.label} has no machine {ref}", permanent=True, code="not_found")
        return node

    def _power(self, node: VendorNode) -> Power:
        power = POWERS.get(node.state, Power.UNKNOWN)
        return Power.OFF if power is Power.GONE and self.config.get("terminated_is_off") else power

    def _ours(self, node: VendorNode) -> Node:
        told = dict.fromkeys([*(node.public_ips or ()), *(node.private_ips or ())])
        addresses = tuple(ip for ip in told if ip not in NO_ADDRESS)
        return Node(
            str(node.id), self._token(node), str(node.name), self._power(node), self.place, addresses,
            size=self._code(self._size(node)),
            build=str(((node.extra or {}).get("metadata") or {}).get(BUILD_KEY, "")),
        )  # fmt: skip

    def _asking(self, verb: str) -> AbstractContextManager[None]:
        return asking(verb, self.label)


def _names(item: Any) -> set[str]:
    """What the configuration may call an image, a size or a location: by its number, or by its name where it has one of
    its own."""
    extra = item.extra if isinstance(getattr(item, "extra", None), Mapping) else {}
    return {str(item.id), str(extra.get("slug") or item.id)}


def first_boot_script(spec: NodeSpec, *, before: str = "") -> str:
    """What a cloud image runs at its first start: the keys for root, `before`, then the customer's own script."""
    lines = [
        "#!/bin/sh",
        "umask 077",
        "mkdir -p /root/.ssh",
        "cat >> /root/.ssh/authorized_keys <<'KEYS'",
        *spec.keys,
        "KEYS",
        *before.splitlines(),
    ]
    if spec.first_boot:
        lines += ["cat > /root/first-boot.sh <<'FIRST_BOOT_END'", spec.first_boot.rstrip("\n"), "FIRST_BOOT_END"]
        lines += ["sh /root/first-boot.sh > /var/log/first-boot.log 2>&1"]
    return "\n".join(lines) + "\n"


def connect(place: str, config: Mapping[str, Any]) -> LibcloudProvider:
    """The adapter for `config["driver"]`, a libcloud provider name; ProviderError(permanent) when it cannot be made."""
    known = VENDORS.get(str(config.get("driver")))
    adapter = import_module(known).Vendor if known else LibcloudProvider
    try:
        factory = get_driver(str(config["driver"]))
        driver = factory(**config.get("arguments", {}))
    except Exception as error:
        message = f"place {place}: the libcloud driver {config.get('driver')!r} cannot be made: {error}"
        raise ProviderError(message, permanent=True, code="configuration") from error
    provider: LibcloudProvider = adapter(place, driver, config)
    return provider
