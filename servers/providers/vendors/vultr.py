"""Vultr (API v2): one tag in place of metadata, halts without asking, and an address that comes later.

libcloud's driver throws errors past libcloud's own, without status and headers; here they keep both. Numbers of systems
are numbers on the wire. Bare metal is left out: nobody orders it here.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from libcloud.common.vultr import VultrResponseV2
from libcloud.compute.base import Node as VendorNode
from libcloud.compute.base import NodeDriver, NodeImage

from panel.core.errors import ProviderError
from servers.providers import Capabilities, Node, NodeSpec, Size, Snapshot, mark
from servers.providers.libcloud_adapter import LibcloudProvider
from servers.providers.libcloud_errors import ToldPlainly
from servers.providers.libcloud_snapshots import PREFIX
from servers.rules import Power

TAG = "clause:"


class Answer(ToldPlainly, VultrResponseV2):
    """An answer whose errors keep status and headers."""


class Vendor(LibcloudProvider):
    """See the port for what each verb promises."""

    driver: Any
    notes = (
        "Found again by its tag, `clause:` and the token's mark.",
        "Sizes are plans, images the numbers of systems; a region (`location`) is required.",
        "A halt does not ask the machine: there is no soft stop.",
        "Only a larger plan can follow; the machine restarts by itself.",
        "A copy put back, or a rebuild, would leave no mark of it on the machine; neither is offered.",
    )

    def __init__(self, place: str, driver: NodeDriver, config: Mapping[str, Any]) -> None:
        super().__init__(place, driver, config)
        driver.connection.responseCls = Answer

    @property
    def capabilities(self) -> Capabilities:
        return replace(super().capabilities, rename=True, resize=True, snapshots=True, soft_stop=False)

    def rename(self, ref: str, name: str) -> None:
        if self._known(ref).name != name:
            self._patch(ref, "rename", label=name)
        self._settled(ref, lambda node: node.name == name, "rename")

    def resize(self, ref: str, size: Size) -> Node:
        vendor = self._known(ref)
        wanted = self._named("sizes", size.code, self._sizes)
        if self._size(vendor) != wanted.id:
            self._patch(ref, "resize", plan=wanted.id)
        reached = self._code(wanted.id)
        return self._settled(ref, lambda node: node.size == reached and node.power is not Power.PENDING, "resize")

    def snapshot(self, ref: str, token: str) -> Snapshot:
        if (there := self.find_snapshot(token)) is not None:
            return there
        vendor = self._known(ref)
        with self._asking("take a snapshot"):
            return _copy(self.driver.ex_create_snapshot(vendor, f"{PREFIX}{mark(token)}"))

    def snapshots(self) -> Sequence[Snapshot]:
        with self._asking("list snapshots"):
            told = self.driver.ex_list_snapshots()
        ours = [_copy(one) for one in told if str(one.extra["description"]).startswith(PREFIX)]
        return sorted(ours, key=lambda one: not one.ready)

    def delete_snapshot(self, snapshot: str) -> None:
        with self._asking("list snapshots"):
            there = next((one for one in self.driver.ex_list_snapshots() if str(one.id) == snapshot), None)
        if there is not None:
            with self._asking("delete a snapshot"):
                self.driver.ex_delete_snapshot(there)

    # ------------------------------------------------------------ below

    def _order(self, spec: NodeSpec) -> dict[str, Any]:
        order = super()._order(replace(spec, snapshot=""))
        order |= {"ex_tag": f"{TAG}{mark(spec.token)}", "ex_hostname": spec.name}
        if not spec.snapshot:
            order["image"].id = int(order["image"].id)
            return order
        there = next((one for one in self.snapshots() if one.ref == spec.snapshot), None)
        if there is None:
            raise ProviderError(f"{self.label} has no snapshot {spec.snapshot}", permanent=True, code="no_snapshot")
        if not there.ready:
            raise ProviderError(f"{spec.snapshot} is not whole yet", code="busy")
        return order | {"image": None, "ex_snapshot": spec.snapshot}

    def _system(self, code: str) -> NodeImage:
        if not str(self.config.get("images", {}).get(code, code)).isdecimal():
            raise ProviderError(f"{self.label} knows systems by numbers, not {code!r}", permanent=True, code="unknown")
        return super()._system(code)

    def _named(self, table: str, code: str, listing: Any) -> Any:
        return super()._named(table, code, self._sizes if table == "sizes" else listing)

    def _sizes(self) -> list[Any]:
        return list(self.driver.list_sizes(ex_list_bare_metals=False))

    def _name(self, spec: NodeSpec) -> str:
        return spec.name

    def _token(self, node: VendorNode) -> str:
        tag = str((node.extra or {}).get("tag") or "")
        return tag.removeprefix(TAG) if tag.startswith(TAG) else ""

    def _size(self, node: VendorNode) -> str:
        return str(node.size or "")

    def _power(self, node: VendorNode) -> Power:
        """A machine whose first address is still to come is being made, whatever its power."""
        made = any(ip not in ("0.0.0.0", "") for ip in node.public_ips or ())  # noqa: S104
        return super()._power(node) if made else Power.PENDING

    def _vendors(self) -> Sequence[VendorNode]:
        return list(self.driver.list_nodes(ex_list_bare_metals=False))

    def _vendor(self, ref: str) -> VendorNode | None:
        return self._there(lambda: self.driver.ex_get_node(ref))

    def _patch(self, ref: str, verb: str, **changes: Any) -> None:
        with self._asking(verb):
            self.driver.connection.request(f"/v2/instances/{ref}", method="PATCH", data=json.dumps(changes))


def _copy(told: Any) -> Snapshot:
    token = str(told.extra["description"]).removeprefix(PREFIX)
    return Snapshot(str(told.id), token, str(told.state) == "available", int(float(told.size or 0) * 1024**3))
