"""The place "this machine": the libcloud adapter, plus the network verbs that only our own driver has (LOCAL=1)."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from django.conf import settings
from libcloud.compute.base import Node as VendorNode
from libcloud.compute.base import NodeSize

from panel.core.errors import ProviderError
from servers.networking.firewall_rules import Policy
from servers.providers import Capabilities, Counters, Filtering, Node, NodeSpec, Snapshot
from servers.providers.libcloud_adapter import LibcloudProvider
from servers.providers.local import vitals
from servers.providers.local.driver import IMAGE, LocalNodeDriver
from servers.providers.local.network import LINK_BPS, has_ipv6
from servers.providers.local.shell import LocalError
from servers.providers.local.snapshots import Kept, ref_of
from servers.rules import Power
from servers.watching.vitals_rules import Reading

Told = TypeVar("Told")


class LocalProvider(LibcloudProvider):
    """Real hosts on this machine. Our sizes are made to measure, any image name means the one there is."""

    driver: LocalNodeDriver
    patience = 15.0
    pause = 0.05

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(
            label=self.label,
            start_stop=True,
            soft_stop=True,
            reboot=True,
            rename=True,
            rebuild=True,
            rescue=True,
            block_address=True,
            extra_addresses=True,
            ipv6=has_ipv6(),
            counters=True,
            vitals=True,
            host_key=True,
            keys=True,
            first_boot=True,
            firewall=Filtering(),
            snapshots=True,
            restore=True,
            counters_at_once=True,
            firewalls_at_once=True,
        )

    def create(self, spec: NodeSpec) -> Node:
        """The driver itself is idempotent by token and finishes what a crash left half made."""
        with self._asking("create"):
            made = self.driver.create_node(**self._order(spec))
        return self._ours(made)

    def find(self, token: str) -> Node | None:
        with self._asking("find"):
            node = self.driver.ex_find(token)
            return self._ours(node) if node is not None else None

    def shut_down(self, ref: str) -> None:
        with self._on(ref, "shut down") as node:
            self.driver.ex_shut_down(node)

    def rename(self, ref: str, name: str) -> None:
        with self._on(ref, "rename") as node:
            self.driver.ex_rename(node, name)

    def rebuild(self, ref: str, spec: NodeSpec, mark: str) -> Node:
        with self._on(ref, "rebuild") as node:
            self.driver.ex_rebuild(node, spec.keys, spec.first_boot, mark)
        return self._settled(ref, lambda node: node.power is Power.ON, "rebuild")

    def rescue(self, ref: str, keys: tuple[str, ...]) -> Node:
        with self._on(ref, "rescue") as node:
            self.driver.ex_rescue(node, keys)
        return self._settled(ref, lambda node: node.rescue, "rescue")

    def leave_rescue(self, ref: str) -> Node:
        with self._on(ref, "leave the rescue system") as node:
            self.driver.ex_leave_rescue(node)
        return self._settled(ref, lambda node: not node.rescue, "leave the rescue system")

    def snapshot(self, ref: str, token: str) -> Snapshot:
        with self._on(ref, "take a snapshot") as node:
            return _snapshot(self.driver.ex_snapshot(node, token))

    def find_snapshot(self, token: str) -> Snapshot | None:
        kept = self.driver.snapshots.read(ref_of(token))
        return _snapshot(kept) if kept is not None else None

    def snapshots(self) -> Sequence[Snapshot]:
        return [_snapshot(kept) for kept in self.driver.snapshots.all()]

    def delete_snapshot(self, snapshot: str) -> None:
        with self._asking("delete a snapshot"):
            self.driver.ex_delete_snapshot(snapshot)

    def restore(self, ref: str, snapshot: str, mark: str) -> Node:
        with self._on(ref, "restore") as node:
            self.driver.ex_restore(node, snapshot, mark)
        return self._settled(ref, lambda node: node.power is Power.ON, "restore")

    def attach_address(self, ref: str, ip: str) -> None:
        with self._on(ref, "attach an address") as node:
            self.driver.ex_attach_address(node, ip)

    def detach_address(self, ref: str, ip: str) -> None:
        with self._on(ref, "detach an address") as node:
            self.driver.ex_detach_address(node, ip)

    def block_address(self, ref: str, ip: str) -> None:
        with self._on(ref, "block an address") as node:
            self.driver.ex_block_address(node, ip)
            self._confirm(ip in self.driver.ex_blocked(node), f"{ip} still passes")

    def unblock_address(self, ref: str, ip: str) -> None:
        with self._on(ref, "unblock an address") as node:
            self.driver.ex_unblock_address(node, ip)
            self._confirm(ip not in self.driver.ex_blocked(node), f"{ip} is still cut off")

    def blocked(self, ref: str) -> set[str]:
        with self._on(ref, "tell blocked addresses") as node:
            return self.driver.ex_blocked(node)

    def set_firewall(self, ref: str, policy: Policy) -> None:
        with self._on(ref, "set the firewall") as node:
            self.driver.ex_set_firewall(node, policy)
            self._confirm(self.driver.ex_firewall(node) == policy.canonical(), "the rules are not as they were written")

    def firewall(self, ref: str) -> Policy:
        with self._on(ref, "tell the firewall") as node:
            return self.driver.ex_firewall(node)

    def counters(self, ref: str, *, now: datetime) -> Counters:
        with self._on(ref, "read counters") as node:
            epoch, into, out = self.driver.ex_counters(node)
            return Counters(epoch, into, out, at=now, link_bps=LINK_BPS)

    def vitals(self, ref: str, *, now: datetime) -> Reading | None:
        record = self.driver.records.read(ref)
        if record is None:
            raise ProviderError(f"no host {ref}", permanent=True, code="not_found")
        return vitals.read(self.driver.records.home(ref), record, now)

    def counters_of(self, refs: Sequence[str], *, now: datetime) -> Mapping[str, Counters]:
        each = self._each(refs, self.driver.ex_counters)
        return {ref: Counters(*read, at=now, link_bps=LINK_BPS) for ref, read in each}

    def firewalls_of(self, refs: Sequence[str]) -> Mapping[str, Policy]:
        return dict(self._each(refs, self.driver.ex_firewall))

    def host_key(self, ref: str) -> str:
        with self._on(ref, "tell the host key") as node:
            return self.driver.ex_host_key(node)

    def add_key(self, ref: str, key: str) -> None:
        with self._on(ref, "add a key") as node:
            self.driver.ex_add_key(node, key)

    def remove_key(self, ref: str, key: str) -> None:
        with self._on(ref, "remove a key") as node:
            self.driver.ex_remove_key(node, key)

    def _each(self, refs: Sequence[str], ask: Callable[[VendorNode], Told]) -> Iterator[tuple[str, Told]]:
        """What these hosts tell, by their refs; those that cannot are left out."""
        for ref in refs:
            with suppress(LocalError):
                node = self.driver.ex_get_node(ref)
                if node is not None:
                    yield ref, ask(node)

    def _order(self, spec: NodeSpec) -> dict[str, Any]:
        wanted, disk_mb = spec.size, self._disk_mb(spec)
        extra = {"disk_mb": disk_mb}
        size = NodeSize(wanted.code, wanted.code, wanted.memory_mb, disk_mb // 1024, 0, 0.0, self.driver, extra)
        image = next(image for image in self.driver.list_images() if image.id == IMAGE)
        return {
            "name": spec.name,
            "size": size,
            "image": image,
            "ex_token": spec.token,
            "ex_address": spec.address,
            "ex_keys": spec.keys,
            "ex_first_boot": spec.first_boot,
            "ex_snapshot": spec.snapshot,
        }

    def _disk_mb(self, spec: NodeSpec) -> int:
        """MB of the promised disk; `max_disk_mb` of the configuration bounds it on a small machine."""
        promised = spec.size.disk_gb * 1024
        return min(promised, int(self.config.get("max_disk_mb", promised)))

    def _token(self, node: VendorNode) -> str:
        return str(node.extra["token"])

    def _ours(self, node: VendorNode) -> Node:
        return replace(super()._ours(node), build=str(node.extra["build"]), rescue=bool(node.extra["rescue"]))

    def _vendor(self, ref: str) -> VendorNode | None:
        with self._asking("get"):
            return self.driver.ex_get_node(ref)

    @contextmanager
    def _on(self, ref: str, verb: str) -> Iterator[VendorNode]:
        node = self._known(ref)
        with self._asking(verb):
            yield node

    @staticmethod
    def _confirm(effect: bool, otherwise: str) -> None:
        if not effect:
            raise ProviderError(otherwise, code="not_confirmed")

    @contextmanager
    def _asking(self, verb: str) -> Iterator[None]:
        """A `RefusedError` is final; a tool of the machine that failed may work the next time."""
        with super()._asking(verb):
            try:
                yield
            except LocalError as error:
                code = "refused" if error.permanent else "failed"
                raise ProviderError(f"{verb} at {self.label}: {error}", permanent=error.permanent, code=code) from error


def _snapshot(kept: Kept) -> Snapshot:
    return Snapshot(kept.ref, kept.token, ready=True, size_bytes=kept.size_bytes)


def connect(place: str, config: Mapping[str, Any]) -> LocalProvider:
    """The adapter; ProviderError(permanent) unless LOCAL=1 was given and the machine can do it.

    `config`: "label", "bridge" (default clause0), "subnet" (default 10.77.0.0/24), "data" (default "local" in the
    panel's data directory), "max_disk_mb".
    """
    if not settings.CLAUSE_LOCAL_HOSTS:
        raise ProviderError("real hosts on this machine need LOCAL=1", permanent=True, code="configuration")
    data = Path(str(config.get("data") or settings.CLAUSE_DATA / "local"))
    network = {name: str(config[name]) for name in ("bridge", "subnet") if config.get(name)}
    try:
        driver = LocalNodeDriver(data_dir=data, **network)
        problem = driver.ex_in_the_way()
    except (LocalError, ValueError) as error:
        problem = str(error)
    if problem:
        raise ProviderError(problem, permanent=True, code="configuration")
    return LocalProvider(place, driver, config)
