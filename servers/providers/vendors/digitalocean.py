"""DigitalOcean (API v2): tags in place of metadata, and actions that are accepted first and done later.

libcloud's driver has no hard power-off and takes every answer for the deed; here each action is followed until its
place says that it is completed. A machine that is occupied refuses the next action: that is "busy", not "refused".
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from libcloud.common.digitalocean import DigitalOcean_v2_Response
from libcloud.compute.base import Node as VendorNode
from libcloud.compute.base import NodeDriver

from panel.core.errors import ProviderError
from servers.providers import Capabilities, Node, NodeSpec, Size, mark
from servers.providers.libcloud_adapter import LibcloudProvider
from servers.providers.libcloud_errors import ToldPlainly
from servers.rules import Power

TAG = "clause:"


class Answer(ToldPlainly, DigitalOcean_v2_Response):
    """An answer whose errors keep status and headers, whatever the body."""


class Vendor(LibcloudProvider):
    """See the port for what each verb promises."""

    driver: Any
    notes = (
        "Found again by a tag, `clause:` and the token's mark; asked for by tag, so that no page is left out.",
        "Sizes and images are named by their slug or their number; a region (`location`) is required.",
        "Power, name, size and copies are actions: accepted first, followed until completed.",
        "A new size needs the machine off; its disk grows with it, for good.",
        "A rebuild would keep the keys of the first boot; it is not offered, nor are firewall and rescue system.",
    )

    def __init__(self, place: str, driver: NodeDriver, config: Mapping[str, Any]) -> None:
        super().__init__(place, driver, config)
        driver.connection.responseCls = Answer

    @property
    def capabilities(self) -> Capabilities:
        return replace(super().capabilities, start_stop=True, soft_stop=True, resize=True)

    def find(self, token: str) -> Node | None:
        tagged = {"tag_name": f"{TAG}{mark(token)}", "per_page": 200}
        with self._asking("list"):
            told = self.driver.connection.request("/v2/droplets", params=tagged).object["droplets"]
            found = [self._ours(self.driver._to_node(one)) for one in told]
        alive = [node for node in found if node.power is not Power.GONE and node.token == mark(token)]
        return replace(alive[0], token=token) if alive else None

    def start(self, ref: str) -> Node:
        return self._powered(ref, "start", "power_on", Power.ON)

    def stop(self, ref: str) -> Node:
        return self._powered(ref, "stop", "power_off", Power.OFF)

    def shut_down(self, ref: str) -> None:
        if self._power(self._known(ref)) is not Power.OFF:
            self._ask(ref, "shut down", type="shutdown")

    def reboot(self, ref: str) -> Node:
        self._known(ref)
        self._act(ref, "reboot", type="reboot")
        return self._settled(ref, lambda node: node.power is Power.ON, "reboot")

    def rename(self, ref: str, name: str) -> None:
        if self._known(ref).name != name:
            self._act(ref, "rename", type="rename", name=name)
        self._settled(ref, lambda node: node.name == name, "rename")

    def resize(self, ref: str, size: Size) -> Node:
        vendor, wanted = self._known(ref), self._named("sizes", size.code, self.driver.list_sizes)
        if self._size(vendor) != wanted.id:
            self.stop(ref)
            self._act(ref, "resize", type="resize", size=wanted.id, disk=True)
            self.start(ref)
        return self._settled(ref, lambda node: node.size == self._code(wanted.id), "resize")

    def _copy(self, vendor: VendorNode, name: str) -> None:
        self._act(str(vendor.id), "take a snapshot", type="snapshot", name=name)

    # ------------------------------------------------------------ below

    def _order(self, spec: NodeSpec) -> dict[str, Any]:
        order = super()._order(spec)
        if str(order["image"].id).isdecimal():
            order["image"].id = int(order["image"].id)  # a number is an id, a text a slug
        return order | {"ex_create_attr": {"tags": [f"{TAG}{mark(spec.token)}"]}}

    def _name(self, spec: NodeSpec) -> str:
        return spec.name

    def _token(self, node: VendorNode) -> str:
        tags = (node.extra or {}).get("tags") or ()
        return next((str(tag).removeprefix(TAG) for tag in tags if str(tag).startswith(TAG)), "")

    def _size(self, node: VendorNode) -> str:
        return str((node.extra or {}).get("size_slug") or "")

    def _vendor(self, ref: str) -> VendorNode | None:
        return self._there(lambda: self.driver.ex_get_node_details(ref))

    def _powered(self, ref: str, verb: str, action: str, wanted: Power) -> Node:
        if self._power(self._known(ref)) is not wanted:
            self._act(ref, verb, type=action)
        return self._settled(ref, lambda node: node.power is wanted, verb)

    def _ask(self, ref: str, verb: str, **action: Any) -> str:
        with self._asking(verb):
            told = self.driver.connection.request(
                f"/v2/droplets/{ref}/actions", method="POST", data=json.dumps(action)
            )  # fmt: skip
            return str(told.object["action"]["id"])

    def _act(self, ref: str, verb: str, **action: Any) -> None:
        """Ask, and follow it to its end."""
        number, until = self._ask(ref, verb, **action), self._end()
        while (status := self._status(number)) == "in-progress":
            self._wait(until, f"{verb} of {ref} is still under way")
        if status != "completed":
            raise ProviderError(f"{verb} of {ref} at {self.label}: the place says {status}", code="failed")

    def _status(self, number: str) -> str:
        with self._asking("look"):
            return str(self.driver.ex_get_event(number)["status"])
