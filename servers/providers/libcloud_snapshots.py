"""Snapshots by libcloud's own calls: an image made of a machine is a copy of its disk.

Drivers agree on `create_image(node, name)`, `delete_image` and `list_images`; what they answer is not believed: the
image is looked for by its name, which carries our token's mark. Where a driver rebuilds a machine from an image and
writes its metadata in the same call (OpenStack), that restores it; the metadata says that it was done.
"""

import inspect
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

from libcloud.compute.base import Node as VendorNode
from libcloud.compute.base import NodeDriver, NodeImage

from panel.core.errors import ProviderError
from servers.providers import Node, Snapshot, mark, not_supported
from servers.rules import Power

PREFIX = "clause-"
BUILD_KEY = "clause_build"
NOT_YET = frozenset({"SAVING", "QUEUED", "PENDING", "CREATING", "IMPORTING", "UPLOADING"})
"""What drivers call an image that is not whole yet, in their `extra`."""


class ImagesAsSnapshots(ABC):
    """Part of `LibcloudProvider`, which has what is abstract here; see the port for what each verb promises."""

    driver: NodeDriver
    label: str
    patience: float

    @abstractmethod
    def _method(self, names: tuple[str, ...]) -> Callable[..., Any] | None:
        """The first of `names` that the driver has."""

    @abstractmethod
    def _asking(self, verb: str) -> AbstractContextManager[None]:
        """Turns what a driver throws into our error."""

    @abstractmethod
    def _known(self, ref: str) -> VendorNode:
        """The machine; ProviderError for one that is not there."""

    @abstractmethod
    def _settled(self, ref: str, reached: Callable[[Node], bool], verb: str) -> Node:
        """The machine, once it is as asked."""

    @abstractmethod
    def _wait(self, until: float, complaint: str) -> None:
        """A pause; ProviderError when the patience is over."""

    @property
    def _copies(self) -> bool:
        """Whether the driver makes images of machines; some make them of something else."""
        make = self._method(("create_image",))
        return make is not None and self._method(("delete_image",)) is not None and "node" in _takes(make)

    def _restores(self) -> bool:
        again = self._method(("ex_rebuild",))
        return again is not None and {"image", "kwargs"} <= _takes(again)

    def snapshot(self, ref: str, token: str) -> Snapshot:
        if not self._copies:
            raise not_supported("take a snapshot", self.label)
        if (there := self.find_snapshot(token)) is not None:
            return there
        vendor = self._known(ref)
        self._copy(vendor, f"{PREFIX}{mark(token)}")
        until = time.monotonic() + self.patience
        while (there := self.find_snapshot(token)) is None:
            self._wait(until, f"no snapshot of {ref} after it was taken")
        return there

    def _copy(self, vendor: VendorNode, name: str) -> None:
        with self._asking("take a snapshot"):
            self.driver.create_image(vendor, name)

    def find_snapshot(self, token: str) -> Snapshot | None:
        return next((one for one in self.snapshots() if one.token == mark(token)), None)

    def snapshots(self) -> Sequence[Snapshot]:
        if not self._copies:
            raise not_supported("list snapshots", self.label)
        found = [_snapshot(image) for image in self._images() if str(image.name).startswith(PREFIX)]
        return sorted(found, key=lambda one: not one.ready)  # of two, the one that is whole

    def delete_snapshot(self, snapshot: str) -> None:
        if not self._copies:
            raise not_supported("delete a snapshot", self.label)
        until, asked = time.monotonic() + self.patience, False
        while (image := next((one for one in self._images() if str(one.id) == snapshot), None)) is not None:
            if asked:
                self._wait(until, f"{snapshot} is still there after it was deleted")
                continue
            with self._asking("delete a snapshot"):
                self.driver.delete_image(image)
            asked = True

    def restore(self, ref: str, snapshot: str, mark: str) -> Node:
        again = self._method(("ex_rebuild",)) if self._copies and self._restores() else None
        if again is None:
            raise not_supported("restore", self.label)
        vendor = self._known(ref)
        if _build(vendor) != mark:
            image, metadata = self._image(snapshot), (vendor.extra or {}).get("metadata") or {}
            with self._asking("restore"):
                again(vendor, image, name=vendor.name, ex_metadata={**metadata, BUILD_KEY: mark})
        return self._settled(ref, lambda node: node.build == mark and node.power is Power.ON, "restore")

    def _image(self, snapshot: str) -> NodeImage:
        image = next((one for one in self._images() if str(one.id) == snapshot), None)
        if image is None:
            raise ProviderError(f"{self.label} has no snapshot {snapshot}", permanent=True, code="no_snapshot")
        if not _snapshot(image).ready:
            raise ProviderError(f"{snapshot} is not whole yet", code="busy")
        return image

    def _images(self) -> list[NodeImage]:
        """Our own images, unfinished ones too, where the driver tells them apart."""
        known = inspect.signature(self.driver.list_images).parameters
        wanted: dict[str, Any] = {"ex_owner": "self", "ex_only_active": False}
        with self._asking("list snapshots"):
            return list(self.driver.list_images(**{name: wanted[name] for name in wanted if name in known}))


def _takes(method: Callable[..., Any]) -> set[str]:
    return set(inspect.signature(method).parameters)


def _build(node: VendorNode) -> str:
    return str(((node.extra or {}).get("metadata") or {}).get(BUILD_KEY, ""))


def _snapshot(image: NodeImage) -> Snapshot:
    extra: Mapping[str, Any] = image.extra or {}
    state = str(extra.get("status") or extra.get("state") or "").upper()
    size = extra.get("size") or extra.get("size_bytes") or 0  # what counts in GB elsewhere is told under other names
    token = str(image.name).removeprefix(PREFIX)
    return Snapshot(str(image.id), token, state not in NOT_YET, int(size) if str(size).isdecimal() else 0)
