"""Amazon EC2: idempotent by client token, thousands of images, and machines that stay listed after their end.

A machine is found again by the client token it was made under, which is there before its tags are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from libcloud.common.types import MalformedResponseError
from libcloud.compute.base import Node as VendorNode
from libcloud.compute.base import NodeDriver, NodeImage
from libcloud.compute.drivers.ec2 import EC2Response

from panel.core.errors import ProviderError
from servers.providers import Capabilities, Node, NodeSpec, Size
from servers.providers.libcloud_adapter import TURN, LibcloudProvider
from servers.rules import Power


class Answer(EC2Response):
    """An answer whose errors keep status and headers, also where its body is no XML."""

    def parse_error(self) -> str:
        try:
            return str(super().parse_error())  # type: ignore[no-untyped-call]
        except MalformedResponseError:
            return str(self.body)[:200]


class Vendor(LibcloudProvider):
    """See the port for what each verb promises."""

    driver: Any
    notes = (
        "Found again by the client token, under which a second order gives the first; one made anew has its own.",
        "Sizes are instance types, images their `ami-` ids; without a `location` the place chooses the zone.",
        "A soft stop asks the machine, a hard one forces it.",
        "A new size needs the machine off; its disk stays as it is.",
        "An ended machine stays listed for a while; it counts as gone.",
    )

    def __init__(self, place: str, driver: NodeDriver, config: Mapping[str, Any]) -> None:
        super().__init__(place, driver, config)
        driver.connection.responseCls = Answer

    @property
    def capabilities(self) -> Capabilities:
        return replace(super().capabilities, soft_stop=True, rename=True, resize=True)

    def find(self, token: str) -> Node | None:
        with self._asking("list"):
            told = self.driver.list_nodes(ex_filters={"client-token": [token, f"{token}{TURN}*"]})
        alive = [node for node in map(self._ours, told) if node.power is not Power.GONE]
        return replace(alive[0], token=token) if alive else None

    def stop(self, ref: str) -> Node:
        if self._power(self._known(ref)) is not Power.OFF:
            forced = {"Action": "StopInstances", "InstanceId.1": ref, "Force": "true"}
            with self._asking("stop"):
                self.driver.connection.request(self.driver.path, params=forced)
        return self._settled(ref, lambda node: node.power is Power.OFF, "stop")

    def shut_down(self, ref: str) -> None:
        vendor = self._known(ref)
        if self._power(vendor) is not Power.OFF:
            with self._asking("shut down"):
                self.driver.stop_node(vendor)

    def rename(self, ref: str, name: str) -> None:
        vendor = self._known(ref)
        with self._asking("rename"):
            self.driver.ex_create_tags(vendor, {"Name": name})
        self._settled(ref, lambda node: node.name == name, "rename")

    def resize(self, ref: str, size: Size) -> Node:
        vendor, wanted = self._known(ref), self._named("sizes", size.code, self.driver.list_sizes)
        if self._size(vendor) != wanted.id:
            self.stop(ref)
            with self._asking("resize"):
                self.driver.ex_change_node_size(self._known(ref), wanted)
            self._settled(ref, lambda node: node.size == self._code(wanted.id), "resize")
        return self.start(ref)

    # ------------------------------------------------------------ below

    def _system(self, code: str) -> NodeImage:
        wanted = str(self.config.get("images", {}).get(code, code))
        with self._asking("catalogue"):
            found: Sequence[NodeImage] = self.driver.list_images(ex_image_ids=[wanted])
        if not found:
            raise ProviderError(f"{self.label} has no image {wanted!r}", permanent=True, code="unknown")
        return found[0]

    def _name(self, spec: NodeSpec) -> str:
        return spec.name

    def _token(self, node: VendorNode) -> str:
        return super()._token(node) or str((node.extra or {}).get("client_token") or "").partition(TURN)[0]

    def _size(self, node: VendorNode) -> str:
        return str((node.extra or {}).get("instance_type") or "")

    def _vendor(self, ref: str) -> VendorNode | None:
        with self._asking("look"):
            found: Sequence[VendorNode] = self.driver.list_nodes(ex_filters={"instance-id": ref})
        return next(iter(found), None)
