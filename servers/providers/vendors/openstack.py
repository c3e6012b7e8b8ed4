"""OpenStack: Nova's machines with metadata, Glance's images, Neutron's security groups as the firewall.

What libcloud's driver sends for a rebuild is refused by today's Nova, so that is asked for here, in the version that
takes user data; keys come by user data alone. Every machine has a security group of its own from its first second, and
stays in it: a policy is its entries.
"""

import base64
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from libcloud.compute.base import Node as VendorNode
from libcloud.compute.base import NodeImage

from panel.core.errors import ProviderError
from servers.networking.firewall_rules import OPEN, Policy, Protocol
from servers.providers import Capabilities, Filtering, Node, NodeSpec, Size, mark, not_supported, security_groups
from servers.providers.libcloud_adapter import METADATA_KEY, LibcloudProvider, first_boot_script
from servers.providers.libcloud_snapshots import BUILD_KEY
from servers.providers.security_groups import Entry
from servers.rules import Power

KEYS_KEY = "clause_keys"
GROUP = "clause-"
WITH_USER_DATA = {"OpenStack-API-Version": "compute 2.57", "X-OpenStack-Nova-API-Version": "2.57"}
"""The first version of Nova in which a rebuild takes user data."""
OWN_DISK = """for disk in /dev/vdb1 /dev/sdb1; do
  [ -b "$disk" ] && mount "$disk" /mnt && { [ -e /mnt/etc/passwd ] && exit 0; umount /mnt; }
done
"""
"""In the rescue system the machine's own disk is beside it, and what it is to do at its first boot is not for here."""
ICMP = {4: "icmp", 6: "ipv6-icmp"}
FULL_WAIT = 300  # seconds


class Vendor(LibcloudProvider):
    """See the port for what each verb promises."""

    driver: Any
    notes = (
        "Found again by metadata, `clause_token`. A machine that could not be built is removed before the next try.",
        "Sizes and images are named by their ids; `network` names one of several.",
        "A stop asks the machine and forces it after Nova's own patience; there is no harder one.",
        "A new size is confirmed by the panel once the machine has it.",
        "Rebuild and rescue carry the keys as user data: a rescue system knows those of the last build, no later ones.",
        "Security groups only let things in: no rule that drops, none for what leaves.",
    )

    @property
    def capabilities(self) -> Capabilities:
        return replace(
            super().capabilities, soft_stop=True, resize=True, rebuild=True, rescue=True, snapshots=True, restore=True,
            firewall=Filtering(drops=False, outgoing=False), rescue_keys=False,
        )  # fmt: skip

    # ------------------------------------------------------------ machines

    def create(self, spec: NodeSpec) -> Node:
        node = super().create(spec)
        if node.power is not Power.UNKNOWN:
            return node
        fault = ((self._known(node.ref).extra or {}).get("fault") or {}).get("message", "no reason given")
        self.destroy(node.ref)
        full = "no valid host" in str(fault).lower()
        raise ProviderError(
            f"{self.label} could not build {spec.name}: {fault}", code="out_of_capacity" if full else "failed",
            wait=FULL_WAIT,
        )  # fmt: skip

    def shut_down(self, ref: str) -> None:
        vendor = self._known(ref)
        if self._power(vendor) is not Power.OFF:
            with self._asking("shut down"):
                self.driver.stop_node(vendor)

    def destroy(self, ref: str) -> None:
        vendor = self._vendor(ref)
        super().destroy(ref)
        token = self._token(vendor) if vendor else ""
        for group in self._groups(token) if token else ():
            with self._asking("delete a security group"):
                self._neutron("DELETE", f"/v2.0/security-groups/{group['id']}")

    def resize(self, ref: str, size: Size) -> Node:
        wanted = self._named("sizes", size.code, self.driver.list_sizes)
        for _turn in range(2):  # one that waits for its confirmation may be to another size
            self._confirm(ref)
            vendor = self._known(ref)
            if self._size(vendor) == wanted.id:
                break
            with self._asking("resize"):
                self.driver.ex_resize(vendor, wanted)
            self._settled(ref, lambda node: not node.size and node.power is not Power.PENDING, "resize")
        return self._settled(ref, lambda node: node.size == self._code(wanted.id), "resize")

    def _confirm(self, ref: str) -> None:
        vendor = self._known(ref)
        if _vm_state(vendor) == "resized":
            with self._asking("resize"):
                self.driver.ex_confirm_resize(vendor)
            self._settled(ref, lambda node: bool(node.size), "resize")

    def rebuild(self, ref: str, spec: NodeSpec, mark: str) -> Node:
        more = {"user_data": _encoded(self._script(spec))} if spec.keys or spec.first_boot else {}
        return self._replaced(ref, lambda: self._system(spec.image), mark, "rebuild", spec.keys, more)

    def restore(self, ref: str, snapshot: str, mark: str) -> Node:
        return self._replaced(ref, lambda: self._image(snapshot), mark, "restore", None, {})

    def _replaced(
        self, ref: str, image: Any, mark: str, verb: str, keys: tuple[str, ...] | None, more: Mapping[str, Any]
    ) -> Node:
        """Another disk, and the mark of it in the same call."""
        vendor = self._known(ref)
        metadata = dict((vendor.extra or {}).get("metadata") or {})
        if metadata.get(BUILD_KEY) != mark:
            metadata |= {BUILD_KEY: mark} | ({KEYS_KEY: _prints(keys)} if keys is not None else {})
            body = {"imageRef": image().id, "name": vendor.name, "metadata": metadata, **more}
            with self._asking(verb):
                self.driver.connection.request(
                    f"/servers/{ref}/action", method="POST", data={"rebuild": body}, headers=dict(WITH_USER_DATA)
                )
        node = self._settled(ref, lambda node: node.build == mark and node.power in (Power.ON, Power.OFF), verb)
        return node if node.power is Power.ON else self.start(ref)

    def rescue(self, ref: str, keys: tuple[str, ...]) -> Node:
        vendor = self._known(ref)
        if _vm_state(vendor) != "rescued":
            known = str(((vendor.extra or {}).get("metadata") or {}).get(KEYS_KEY, "")).split(",")
            if not set(_prints(keys).split(",")) & set(known) - {""}:
                raise ProviderError(
                    f"the rescue system of {ref} would let in nobody: none of the keys was there when it was built",
                    permanent=True, code="no_key",
                )  # fmt: skip
            chosen = {"rescue_image_ref": str(self.config["rescue_image"])} if self.config.get("rescue_image") else {}
            with self._asking("rescue"):
                self.driver._node_action(vendor, "rescue", **chosen)
        return self._settled(ref, lambda node: node.rescue and node.power is Power.ON, "rescue")

    def leave_rescue(self, ref: str) -> Node:
        vendor = self._known(ref)
        if _vm_state(vendor) == "rescued":
            with self._asking("leave the rescue system"):
                self.driver.ex_unrescue(vendor)
        return self._settled(
            ref, lambda node: not node.rescue and node.power is not Power.PENDING, "leave the rescue system"
        )  # fmt: skip

    # ------------------------------------------------------------ firewall

    def set_firewall(self, ref: str, policy: Policy) -> None:
        if not security_groups.can(policy):
            raise not_supported("a firewall that drops, or filters what leaves", self.label)
        group = self._group(self._token(self._known(ref)))
        there, wanted = _entries(group), security_groups.entries(policy)
        stale = {entry: numbers for entry, numbers in there.items() if entry not in wanted}
        same = {replace(entry, number=0): entry for entry in stale}
        for entry in sorted(wanted - there.keys()):
            if (of_another_rule := same.pop(replace(entry, number=0), None)) is not None:  # it may not be there twice
                self._let_in_no_more(stale.pop(of_another_rule))
            self._let_in(group, entry, "set the firewall")
        for numbers in stale.values():
            self._let_in_no_more(numbers)
        if self.firewall(ref) != policy.canonical():
            raise ProviderError(f"the firewall of {ref} is not as it was set", code="not_confirmed", unknown=True)

    def firewall(self, ref: str) -> Policy:
        vendor = self._known(ref)
        group = self._group(self._token(vendor))
        with self._asking("read the firewall"):
            told = self.driver.connection.request(f"/servers/{ref}/os-security-groups").object["security_groups"]
        if [one["id"] for one in told] != [group["id"]]:
            raise ProviderError(f"{ref} is in other security groups than its own", code="wrong_group")
        return security_groups.policy_of(_entries(group))

    def _groups(self, token: str) -> list[dict[str, Any]]:
        asked = urlencode({"name": f"{GROUP}{mark(token)}"})
        with self._asking("read the firewall"):
            found = self._neutron("GET", f"/v2.0/security-groups?{asked}")["security_groups"]
        return list(found)

    def _group(self, token: str) -> dict[str, Any]:
        """The security group of the machine made under `token`; ProviderError where it has none."""
        if found := self._groups(token) if token else ():
            return found[0]
        raise ProviderError("this machine has no security group of its own", permanent=True, code="no_group")

    def _group_for(self, spec: NodeSpec) -> dict[str, Any]:
        """The group of a machine to be made, which lets everything in."""
        if found := self._groups(spec.token):
            group = found[0]
        else:
            wanted = {"name": f"{GROUP}{mark(spec.token)}", "description": spec.name}
            with self._asking("make a security group"):
                group = self._neutron("POST", "/v2.0/security-groups", {"security_group": wanted})["security_group"]
        for entry in sorted(security_groups.entries(OPEN) - _entries(group).keys()):
            self._let_in(group, entry, "make a security group")
        return group

    def _let_in(self, group: Mapping[str, Any], entry: Entry, verb: str) -> None:
        with self._asking(verb):
            self._neutron("POST", "/v2.0/security-group-rules", {"security_group_rule": _row(group["id"], entry)})

    def _let_in_no_more(self, rules: Iterable[str]) -> None:
        for number in rules:
            with self._asking("set the firewall"):
                self._neutron("DELETE", f"/v2.0/security-group-rules/{number}")

    def _neutron(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        return self.driver.network_connection.request(path, method=method, data=body).object

    # ------------------------------------------------------------ below

    def _order(self, spec: NodeSpec) -> dict[str, Any]:
        order = super()._order(spec)
        order["ex_metadata"] = {METADATA_KEY: spec.token, KEYS_KEY: _prints(spec.keys)}
        if "ex_userdata" in order:
            order["ex_userdata"] = self._script(spec)
        if wanted := self.config.get("network"):
            order["networks"] = [self._network(str(wanted))]
        return order | {"ex_security_groups": [_Named(self._group_for(spec)["id"])]}

    def _network(self, wanted: str) -> Any:
        with self._asking("catalogue"):
            found = next((one for one in self.driver.ex_list_networks() if wanted in (one.id, one.name)), None)
        if found is None:
            raise ProviderError(f"{self.label} has no network {wanted!r}", permanent=True, code="unknown")
        return found

    @staticmethod
    def _script(spec: NodeSpec) -> str:
        return first_boot_script(spec, before=OWN_DISK)

    def _ours(self, node: VendorNode) -> Node:
        return replace(super()._ours(node), rescue=_vm_state(node) == "rescued")

    def _power(self, node: VendorNode) -> Power:
        settled = (node.extra or {}).get("task_state") is None
        return Power.ON if _vm_state(node) == "rescued" and settled else super()._power(node)

    def _size(self, node: VendorNode) -> str:
        """Nothing while it waits for its confirmation."""
        return "" if _vm_state(node) == "resized" else str((node.extra or {}).get("flavorId") or "")

    def _vendor(self, ref: str) -> VendorNode | None:
        return self._there(lambda: self.driver.ex_get_node_details(ref))

    def _images(self) -> list[NodeImage]:
        with self._asking("list snapshots"):
            return [image for image in self.driver.list_images() if image.extra["status"] != "deleted"]


class _Named:
    """A security group as libcloud's driver names one; Nova takes the id for a name, which may be there twice."""

    def __init__(self, name: str) -> None:
        self.name = name


def _vm_state(node: VendorNode) -> str:
    return str((node.extra or {}).get("vm_state") or "")


def _encoded(script: str) -> str:
    return base64.b64encode(script.encode()).decode()


def _prints(keys: tuple[str, ...]) -> str:
    """What tells keys apart, short enough for a value of metadata."""
    bodies = sorted(" ".join(key.split()[:2]) for key in keys)
    return ",".join(hashlib.sha256(one.encode()).hexdigest()[:8] for one in bodies)[:255]


def _entries(group: Mapping[str, Any]) -> dict[Entry, list[str]]:
    """What a group lets in, each with the rules that say so; one that leads to another group is none of ours."""
    found: dict[Entry, list[str]] = {}
    for row in group["security_group_rules"]:
        if row["direction"] == "ingress":
            found.setdefault(_entry(row), []).append(row["id"])
    return found


def _entry(row: Mapping[str, Any]) -> Entry:
    family = 6 if row["ethertype"] == "IPv6" else 4
    protocol = Protocol.ICMP if row["protocol"] in ICMP.values() else (row["protocol"] or Protocol.ANY)
    number = str(row.get("description") or "").removeprefix(GROUP)
    return Entry(
        int(number) if number.isdecimal() else 10_000, family, str(protocol), row["port_range_min"] or 0,
        row["port_range_max"] or 0, row["remote_ip_prefix"] or "",
    )  # fmt: skip


def _row(group: str, entry: Entry) -> dict[str, Any]:
    protocol = {Protocol.ANY: None, Protocol.ICMP: ICMP[entry.family]}.get(Protocol(entry.protocol), entry.protocol)
    return {
        "security_group_id": group, "direction": "ingress", "ethertype": f"IPv{entry.family}", "protocol": protocol,
        "port_range_min": entry.low or None, "port_range_max": entry.high or None,
        "remote_ip_prefix": entry.peer or None, "description": f"{GROUP}{entry.number}",
    }  # fmt: skip
