"""Cables: a bridge for the place, one veth pair per host, and the counters on the machine's end of it."""

import json
import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_interface
from pathlib import Path

from servers.providers.local.records import Record
from servers.providers.local.rootfs import BASE_ID, ID_COUNT
from servers.providers.local.shell import LocalError, RefusedError, run
from servers.providers.local.words import prefix_of

LINK_BPS = 100_000_000_000
"""What a veth pair can move at most on any machine of today, in bits per second."""


@dataclass(frozen=True, slots=True)
class Network:
    """The place's own network: the machine is its first address, hosts have the others, nothing is routed beyond."""

    bridge: str
    subnet: IPv4Network

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z][a-z0-9]{0,14}", self.bridge):
            raise RefusedError(f"{self.bridge!r} is no bridge name: up to 15 small letters and digits")

    @property
    def gateway(self) -> IPv4Address:
        return self.subnet[1]

    @property
    def prefix(self) -> IPv6Network:
        """The IPv6 of the place; hosts have of it what is attached to them."""
        return IPv6Network(prefix_of(str(self.subnet)))

    @property
    def gateway6(self) -> IPv6Address:
        return self.prefix[1]

    def has(self, ip: str) -> bool:
        """Whether hosts can have `ip`."""
        if ":" not in ip:
            return ip in self.pool()
        return has_ipv6() and IPv6Address(ip) in self.prefix and IPv6Address(ip) > self.gateway6

    def pool(self) -> list[str]:
        """The addresses of IPv4 that hosts can have."""
        return [str(ip) for ip in self.subnet.hosts() if ip != self.gateway]

    def in_the_way(self, owner: str) -> str:
        """What keeps `owner`, a directory, from this network: another panel's bridge or a link; "" for nothing."""
        if self._exists():
            other = Path("/sys/class/net", self.bridge, "ifalias").read_text().strip()
            return f"the bridge {self.bridge} belongs to the hosts of {other}" if other not in ("", owner) else ""
        for link in json.loads(run("ip", "-j", "addr")):
            for held in link["addr_info"]:
                there = ip_interface(f"{held['local']}/{held['prefixlen']}").network
                ours = self.subnet if there.version == 4 else self.prefix
                if there.overlaps(ours):
                    return f"{ours} is in use on {link['ifname']}"
        return ""

    def ensure(self, owner: str) -> None:
        """Make the bridge with its address, where it is not there yet; RefusedError where something is in the way."""
        if problem := self.in_the_way(owner):
            raise RefusedError(problem)
        if not self._exists():
            run("ip", "link", "add", "name", self.bridge, "type", "bridge", "forward_delay", "0")
        run("ip", "link", "set", self.bridge, "alias", owner)
        # Neighbours ask for each other by groups that nobody has told the bridge of: it floods them instead.
        _write(f"/sys/class/net/{self.bridge}/bridge/multicast_snooping", "0")
        for name, value in (("accept_ra", "0"), ("disable_ipv6", "0")):
            _write(f"/proc/sys/net/ipv6/conf/{self.bridge}/{name}", value)
        if has_ipv6():
            run("ip", "addr", "replace", f"{self.gateway6}/{self.prefix.prefixlen}", "dev", self.bridge, "nodad")
        run("ip", "addr", "replace", f"{self.gateway}/{self.subnet.prefixlen}", "dev", self.bridge)
        # An address of its own: otherwise it borrows one from its cables, and hosts lose it when that cable goes.
        run("ip", "link", "set", self.bridge, "address", hardware_address(str(self.gateway)), "up")

    def remove(self) -> None:
        """Take the bridge down once no host is left."""
        if self._exists():
            run("ip", "link", "del", self.bridge)

    def _exists(self) -> bool:
        return Path("/sys/class/net", self.bridge).exists()

    def plug(self, record: Record, pid: int) -> None:
        """Connect the network namespace of process `pid` to the bridge and give it the host's addresses."""
        self.unplug(record)
        hardware = hardware_address(record.addresses[0])
        run(
            "ip",
            "link",
            "add",
            record.interface,
            "type",
            "veth",
            "peer",
            "name",
            "eth0",
            "address",
            hardware,
            "netns",
            str(pid),
        )
        _write(f"/proc/sys/net/ipv6/conf/{record.interface}/disable_ipv6", "1")
        first, last = BASE_ID, BASE_ID + ID_COUNT - 1
        settings = (
            "echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6",
            "echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6",
            f"echo {first} {last} > /proc/sys/net/ipv4/ping_group_range",
        )
        _inside(
            pid,
            "sh",
            "-c",
            "; ".join(settings),
        )
        _inside(pid, "ip", "link", "set", "lo", "up")
        for ip in record.addresses:
            self.add(pid, ip)
        _inside(pid, "ip", "link", "set", "eth0", "up")
        run("ip", "link", "set", record.interface, "master", self.bridge, "up")

    def unplug(self, record: Record) -> None:
        """Remove the cable; the kernel would do it some time after the namespace's end."""
        if Path("/sys/class/net", record.interface).exists():
            run("ip", "link", "del", record.interface, ok=(0, 1, 2))
            if Path("/sys/class/net", record.interface).exists():
                raise LocalError(f"{record.interface} cannot be removed")

    def add(self, pid: int, ip: str) -> None:
        """Give a running host one more address; who had it before is forgotten."""
        run("ip", "neigh", "flush", "to", ip, "dev", self.bridge)
        if ":" in ip:  # only a host that has an address of IPv6 speaks it
            _inside(pid, "sh", "-c", "echo 0 > /proc/sys/net/ipv6/conf/eth0/disable_ipv6")
        unchecked = ("nodad",) if ":" in ip else ()
        _inside(pid, "ip", "addr", "replace", self._with_length(ip), "dev", "eth0", *unchecked)

    def take(self, pid: int, ip: str) -> None:
        """Take an address from a running host, where it has it."""
        held = json.loads(_inside(pid, "ip", "-j", "addr", "show", "dev", "eth0"))
        if any(item.get("local") == ip for link in held for item in link.get("addr_info", ())):
            _inside(pid, "ip", "addr", "del", self._with_length(ip), "dev", "eth0")
            run("ip", "neigh", "flush", "to", ip, "dev", self.bridge)

    def _with_length(self, ip: str) -> str:
        return f"{ip}/{(self.prefix if ':' in ip else self.subnet).prefixlen}"


def has_ipv6() -> bool:
    """Whether this machine's kernel speaks IPv6."""
    return Path("/proc/sys/net/ipv6").exists()


def hardware_address(ip: str) -> str:
    """The Ethernet address that goes with a main address: neighbours need not notice power cycles and new holders."""
    return ":".join(f"{byte:02x}" for byte in (0x02, 0xC1, *IPv4Address(ip).packed))


def read_counters(interface: str) -> tuple[int, int, int] | None:
    """(interface index, bytes into the host, bytes out of it) on the machine's end; None when there is no cable.

    What the machine transmits is what the host receives: both directions are named from the host's point of view.
    """
    base = Path("/sys/class/net", interface)
    try:
        before = int((base / "ifindex").read_text())
        into, out = (int((base / "statistics" / name).read_text()) for name in ("tx_bytes", "rx_bytes"))
        after = int((base / "ifindex").read_text())
    except (OSError, ValueError):
        return None
    return (before, into, out) if before == after else None


def _inside(pid: int, *command: str) -> str:
    """Run one of the machine's tools in the network namespace of `pid`, and in no other namespace of it."""
    return run("nsenter", f"--net=/proc/{pid}/ns/net", *command)


def _write(path: str, value: str) -> None:
    """Set a kernel switch that this machine may not have."""
    if Path(path).exists():
        Path(path).write_text(value)
