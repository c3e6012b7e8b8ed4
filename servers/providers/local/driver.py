"""A libcloud NodeDriver whose nodes are real hosts on this Linux machine."""

import os
import sys
import time
from collections.abc import Iterable
from contextlib import contextmanager, suppress
from ipaddress import IPv4Network, ip_address
from pathlib import Path
from typing import Any

from libcloud.compute.base import Node, NodeAuthPassword, NodeAuthSSHKey, NodeDriver, NodeImage, NodeLocation, NodeSize
from libcloud.compute.types import NodeState

from servers.networking.firewall_rules import Policy, as_json, of_json
from servers.providers.local import disks, filters, firewall, network, power, rootfs
from servers.providers.local.records import Record, Records, cable_of, ref_of
from servers.providers.local.shell import LocalError, RefusedError, which
from servers.providers.local.snapshots import Kept, Snapshots
from servers.providers.local.words import clean_key, host_name

IMAGE = "slim"
SIZES = {"local-1": (1024, 1), "local-2": (2048, 2), "local-4": (4096, 4)}
"""Name -> memory in MB and disk in GB, where the caller gives none."""
PROGRAMS = ("ip", "nft", "nsenter", "sshd", "ssh-keygen", "ldd", *disks.PROGRAMS)


def missing() -> list[str]:
    """What this machine lacks to give hosts, in words; empty when it can."""
    lacking = [] if sys.platform == "linux" else ["Linux"]
    if hasattr(os, "geteuid") and os.geteuid() != 0:
        lacking.append("root")
    if os.uname().machine not in ("x86_64", "aarch64", "riscv64"):
        lacking.append("a known processor")
    return lacking + sorted({name for name in (*PROGRAMS, *rootfs.missing()) if which(name) is None})


class LocalNodeDriver(NodeDriver):
    """Hosts live under `data_dir`/<bridge>; `ex_` methods go beyond what libcloud knows. Errors are LocalError.

    `create_node` is idempotent by `ex_token`. Each change of a host holds its lock: panels can share a directory.
    """

    name = "Clause local hosts"
    website = "https://libcloud.readthedocs.io/"
    type = "clause_local"
    features: dict[str, list[str]] = {"create_node": ["ssh_key"]}

    def __init__(self, key: str = "", *, data_dir: Path, bridge: str = "clause0", subnet: str = "10.77.0.0/24") -> None:
        if lacking := missing():
            raise RefusedError(f"real hosts need: {', '.join(lacking)}")
        self.key = key
        self.network = network.Network(bridge, IPv4Network(subnet))
        self.firewall = firewall.Firewall(bridge)
        self.records = Records(Path(data_dir) / bridge)
        self.snapshots = Snapshots(self.records.directory)
        self.cache = Path(data_dir) / "rootfs"
        self._owner = str(self.records.directory.absolute())[-255:]  # as much as fits on a bridge

    # ------------------------------------------------------------ what libcloud knows

    def list_nodes(self) -> list[Node]:
        return [self._node(record) for record in self.records.all()]

    def list_images(self, location: NodeLocation | None = None) -> list[NodeImage]:
        return [NodeImage(IMAGE, "Slim Linux of this machine's own programs", self)]

    def list_sizes(self, location: NodeLocation | None = None) -> list[NodeSize]:
        return [NodeSize(name, name, memory, disk, None, 0.0, self) for name, (memory, disk) in SIZES.items()]

    def list_locations(self) -> list[NodeLocation]:
        return [NodeLocation(self.network.bridge, f"This machine, {self.network.subnet}", "", self)]

    def create_node(
        self,
        name: str,
        size: NodeSize,
        image: NodeImage,
        location: NodeLocation | None = None,
        auth: NodeAuthSSHKey | NodeAuthPassword | None = None,
        *,
        ex_token: str = "",
        ex_address: str = "",
        ex_keys: Iterable[str] = (),
        ex_first_boot: str = "",
        ex_snapshot: str = "",
    ) -> Node:
        """Make and start a host, or give (and finish, if it was left half made) the one that `ex_token` made.

        `size.ram` in MB bounds its processes; `size.disk` in GB, or `extra["disk_mb"]`, its disk. Without
        `ex_address` it gets the first free one.
        """
        if image.id != IMAGE:
            raise RefusedError(f"no image {image.id!r} here, only {IMAGE!r}")
        if isinstance(auth, NodeAuthPassword):
            raise RefusedError("hosts are entered by key only")
        keys = tuple(dict.fromkeys([*([auth.pubkey] if auth else []), *ex_keys]))
        ref = ref_of(ex_token or f"{name} {time.time_ns()}")
        with self.records.lock(ref):
            record = self.records.read(ref) or self._reserve(ref, ex_token, name, size, ex_address, ex_snapshot)
            if record.phase == "destroying":
                raise RefusedError(f"{ref} is being destroyed")
            if record.phase == "building":
                home = self.records.home(ref)
                power.furnish(home, tuple(clean_key(key) for key in keys), ex_first_boot)
                if record.source and not (home / "disk.img").exists():
                    disks.put_up(home, self.snapshots.disk(record.source, record.disk_mb), record.disk_mb)
                self._on(record)
                record.phase = "ready"
                self.records.write(record)
            return self._node(record)

    def destroy_node(self, node: Node) -> bool:
        """Remove the host with its disk, its cable and its blocks; the last one takes the bridge along."""
        with self.records.lock(str(node.id)):
            record = self.records.read(str(node.id))
            if record is not None:
                record.phase = "destroying"
                self.records.write(record)
                power.switch_off(self.records, record, self.network)
                disks.erase(self.records.home(str(node.id)))
                self._lift(record)
                self.records.forget(str(node.id))
            elif self.records.home(str(node.id)).exists():  # a crash right before the record was first written
                self.records.forget(str(node.id))
        with self.records.lock("place"):
            if not self.records.all() and not self.ex_in_the_way():  # nothing of another panel's
                self.firewall.remove()
                self.network.remove()
        return True

    def start_node(self, node: Node) -> bool:
        with self._changing(node) as record:
            if not power.running(record):
                self._on(record)
        return True

    def stop_node(self, node: Node) -> bool:
        with self._changing(node) as record:
            power.switch_off(self.records, record, self.network)
        return True

    def reboot_node(self, node: Node) -> bool:
        with self._changing(node) as record:
            power.switch_off(self.records, record, self.network)
            self._on(record)
        return True

    # ------------------------------------------------------------ what it does not

    def ex_shut_down(self, node: Node) -> None:
        """Ask the host to end; whether it does shows in its state."""
        with self._changing(node) as record:
            power.ask_to_end(self.records, record)

    def ex_rename(self, node: Node, name: str) -> None:
        with self._changing(node) as record:
            record.name = host_name(name)
            self.records.write(record)
            power.name_inside(record)

    def ex_rebuild(self, node: Node, keys: Iterable[str], first_boot: str, mark: str) -> None:
        """A new disk and a new host key, once per `mark`; what a crash left half done is done again from the start."""
        allowed = tuple(clean_key(key) for key in dict.fromkeys(keys))
        with self.records.lock(str(node.id)):
            record, home = self._record(node), self.records.home(str(node.id))
            if record.phase == "ready" and record.build == mark:
                return
            self._renew(record, "rebuilding", mark)
            disks.erase(home)
            power.forget(home)
            power.furnish(home, allowed, first_boot)
            self._on(record)
            record.phase = "ready"
            self.records.write(record)

    def ex_restore(self, node: Node, snapshot: str, mark: str) -> None:
        """The disk of a snapshot, once per `mark`; what a crash left half done is done again from the start. Host key
        and allowed keys lie outside the disk and stay."""
        with self.records.lock(str(node.id)):
            record, home = self._record(node), self.records.home(str(node.id))
            if record.phase == "ready" and record.build == mark:
                return
            source = self.snapshots.disk(snapshot, record.disk_mb)
            self._renew(record, "restoring", mark)
            disks.put_up(home, source, record.disk_mb)
            self._on(record)
            record.phase = "ready"
            self.records.write(record)

    def _renew(self, record: Record, phase: str, mark: str) -> None:
        if record.phase not in ("ready", "rebuilding", "restoring"):
            raise LocalError(f"{record.ref} is {record.phase}")
        record.phase, record.build, record.rescue = phase, mark, False
        self.records.write(record)
        power.switch_off(self.records, record, self.network)

    def ex_snapshot(self, node: Node, token: str) -> Kept:
        """A copy of the host's disk as it is now, once for `token`."""
        with self._changing(node):
            return self.snapshots.take(token, str(node.id), self.records.home(str(node.id)))

    def ex_delete_snapshot(self, ref: str) -> None:
        if (kept := self.snapshots.read(ref)) is not None:
            with self.records.lock(kept.host):
                self.snapshots.remove(ref)

    def ex_rescue(self, node: Node, keys: Iterable[str]) -> None:
        """Start it from memory, with its disk below /mnt, for `keys` alone."""
        allowed = tuple(clean_key(key) for key in dict.fromkeys(keys))
        with self._changing(node) as record:
            power.furnish(self.records.home(str(node.id)), allowed, "", part=power.RESCUE)
            self._boot_into(record, rescue=True)

    def ex_leave_rescue(self, node: Node) -> None:
        with self._changing(node) as record:
            self._boot_into(record, rescue=False)

    def _boot_into(self, record: Record, *, rescue: bool) -> None:
        if record.rescue == rescue == self._in_rescue(record):
            return
        record.rescue = rescue
        self.records.write(record)
        power.switch_off(self.records, record, self.network)
        self._on(record)

    @staticmethod
    def _in_rescue(record: Record) -> bool:
        return power.running(record) and record.boot is not None and record.boot.rescue

    def ex_get_node(self, ref: str) -> Node | None:
        record = self.records.read(ref)
        return self._node(record) if record else None

    def ex_in_the_way(self) -> str:
        """What of this machine keeps hosts from being made here: another panel's bridge or subnet; "" for nothing."""
        return self.network.in_the_way(self._owner)

    def ex_find(self, token: str) -> Node | None:
        """The host made under `token`, half-made ones too."""
        return self.ex_get_node(ref_of(token))

    def ex_attach_address(self, node: Node, ip: str) -> None:
        with self._changing(node) as record:
            if ip in record.addresses:
                return
            with self.records.lock("place"):
                record.addresses.append(self._free(ip))
                self.records.write(record)
            if power.running(record) and record.boot:
                self.network.add(record.boot.pid, ip)

    def ex_detach_address(self, node: Node, ip: str) -> None:
        with self._changing(node) as record:
            if ip == record.addresses[0]:
                raise RefusedError(f"{ip} is the main address of {node.id}")
            if power.running(record) and record.boot:
                self.network.take(record.boot.pid, ip)
            self._lift(record, ip)
            record.addresses = [held for held in record.addresses if held != ip]
            self.records.write(record)

    def ex_block_address(self, node: Node, ip: str) -> None:
        """No packet from or to `ip` passes, in any direction, until it is unblocked; whatever happens to the host."""
        with self._changing(node) as record:
            self._own(record, ip)
            record.blocked = sorted({*record.blocked, ip})
            self.records.write(record)
            self._ensure_rules()
            self.firewall.block(ip)

    def ex_unblock_address(self, node: Node, ip: str) -> None:
        with self._changing(node) as record:
            self._own(record, ip)
            record.blocked = [held for held in record.blocked if held != ip]
            self.records.write(record)
            self._ensure_rules()
            self.firewall.unblock(ip)

    def ex_blocked(self, node: Node) -> set[str]:
        """The node's addresses that the kernel drops now."""
        return self.firewall.blocked() & set(self._record(node).addresses)

    def ex_set_firewall(self, node: Node, policy: Policy) -> None:
        """Let exactly `policy` stand, now and at each start."""
        with self._changing(node) as record:
            record.firewall = as_json(policy.canonical())
            self.records.write(record)
            if power.running(record) and record.boot:
                filters.load(record.boot.pid, policy)

    def ex_firewall(self, node: Node) -> Policy:
        """What the kernel has; of a host that is off, what it starts with."""
        record = self._record(node)
        if power.running(record) and record.boot:
            return filters.read(record.boot.pid)
        return of_json(record.firewall)

    def ex_block_port(self, node: Node, ip: str, protocol: str, port: int, direction: str) -> None:
        """Drop what goes to `port` of the host ("in") or from it to `port` of others ("out"); tcp or udp."""
        entry = firewall.port_entry(direction, ip, protocol, port)
        with self._changing(node) as record:
            self._own(record, ip)
            record.blocked_ports = sorted({*record.blocked_ports, entry})
            self.records.write(record)
            self._ensure_rules()
            self.firewall.block_port(entry)

    def ex_unblock_port(self, node: Node, ip: str, protocol: str, port: int, direction: str) -> None:
        entry = firewall.port_entry(direction, ip, protocol, port)
        with self._changing(node) as record:
            record.blocked_ports = [held for held in record.blocked_ports if held != entry]
            self.records.write(record)
            self._ensure_rules()
            self.firewall.unblock_port(entry)

    def ex_counters(self, node: Node) -> tuple[str, int, int]:
        """(epoch, bytes into the host, bytes out of it): Ethernet frames seen on the machine's side.

        A stopped host gives its last reading.
        """
        record = self._record(node)
        if (now := network.read_counters(record.interface)) is not None:
            return f"{power.boot_id()}:{now[0]}", now[1], now[2]
        if (record := self._record(node)).last is None:
            raise LocalError(f"{node.id} was never on")
        return record.last.epoch, record.last.rx_bytes, record.last.tx_bytes

    def ex_host_key(self, node: Node) -> str:
        """The host's public SSH key, type and base64, from the file that the host can only read."""
        part = power.RESCUE if self._record(node).rescue else power.MANAGED
        text = (self.records.home(str(node.id)) / part / "ssh_host_ed25519_key.pub").read_text()
        return " ".join(text.split()[:2])

    def ex_add_key(self, node: Node, key: str) -> None:
        with self._changing(node):
            home = self.records.home(str(node.id))
            power.write_keys(home, tuple(dict.fromkeys([*power.read_keys(home), clean_key(key)])))

    def ex_remove_key(self, node: Node, key: str) -> None:
        """Every line with the same type and key material goes, whatever its comment."""
        with self._changing(node):
            home, material = self.records.home(str(node.id)), clean_key(key).split()[:2]
            power.write_keys(home, tuple(held for held in power.read_keys(home) if held.split()[:2] != material))

    def ex_pool(self) -> list[str]:
        """Every address that hosts of this place can have."""
        return self.network.pool()

    # ------------------------------------------------------------ below

    def _reserve(self, ref: str, token: str, name: str, size: NodeSize, address: str, source: str) -> Record:
        """Write the record of a host to be: from here on its address is taken and a crash leaves something to find."""
        lower = rootfs.ensure(self.cache)
        with self.records.lock("place"):
            record = Record(
                ref=ref,
                token=token,
                name=host_name(name),
                image=IMAGE,
                size=str(size.id),
                memory_mb=int(size.ram),
                disk_mb=max(16, int((size.extra or {}).get("disk_mb") or size.disk * 1024)),
                addresses=[self._free(address)],
                lower=str(lower),
                created_at=time.time(),
                source=source,
                cable=cable_of(self.records.directory, ref),
            )
            self.records.write(record)
        return record

    def _free(self, address: str) -> str:
        """`address`, or the first free one where it is empty; refused when it cannot be had. Hold the place's lock."""
        taken = {ip for record in self.records.all() for ip in record.addresses}
        if not address:
            found = next((ip for ip in self.network.pool() if ip not in taken), None)
            if found is None:
                raise RefusedError(f"no free address in {self.network.subnet}")
            return found
        with suppress(ValueError):
            address = str(ip_address(address))
        if not self.network.has(address) or address in taken:
            ours = f"no address of {self.network.subnet} or {self.network.prefix} for hosts"
            raise RefusedError(f"{address} is {'taken' if address in taken else ours}")
        return address

    def _on(self, record: Record) -> None:
        if not Path(record.lower).is_dir():
            record.lower = str(rootfs.ensure(self.cache))
        with self.records.lock("place"):
            self.network.ensure(self._owner)
            self.firewall.ensure(self.records.all())
        if power.running(record):  # left half made by a crash, after its start
            power.switch_off(self.records, record, self.network)
        power.switch_on(self.records, record, self.network)

    def _ensure_rules(self) -> None:
        with self.records.lock("place"):
            self.firewall.ensure(self.records.all())

    def _lift(self, record: Record, only: str = "") -> None:
        """Remove the blocks of the host's addresses, so that who gets them next starts clean."""
        self._ensure_rules()
        for ip in [held for held in record.blocked if only in ("", held)]:
            self.firewall.unblock(ip)
        for entry in [held for held in record.blocked_ports if only in ("", held.split()[1])]:
            self.firewall.unblock_port(entry)
        record.blocked = [held for held in record.blocked if only not in ("", held)]
        record.blocked_ports = [held for held in record.blocked_ports if only not in ("", held.split()[1])]
        self.records.write(record)

    @contextmanager
    def _changing(self, node: Node) -> Any:
        with self.records.lock(str(node.id)):
            record = self._record(node)
            if record.phase != "ready":
                raise LocalError(f"{node.id} is {record.phase}")
            yield record

    def _record(self, node: Node) -> Record:
        record = self.records.read(str(node.id))
        if record is None:
            raise RefusedError(f"no host {node.id}")
        return record

    @staticmethod
    def _own(record: Record, ip: str) -> None:
        if ip not in record.addresses:
            raise RefusedError(f"{ip} is no address of {record.ref}")

    def _node(self, record: Record) -> Node:
        ready = NodeState.RUNNING if power.running(record) else NodeState.STOPPED
        state = ready if record.phase == "ready" else NodeState.PENDING
        return Node(
            record.ref,
            record.name,
            state,
            list(record.addresses),
            [],
            self,
            extra={
                "token": record.token,
                "phase": record.phase,
                "build": record.build,
                "rescue": self._in_rescue(record),
            },
        )
