"""Which addresses and ports of the place are cut off, and what hosts may reach: nftables on the machine's side.

The hosts cannot see or change it. It is kept by address: whether a host is on, off or newly started does not matter.
From a host, the machine answers pings and what it began itself, nothing more; hosts reach each other; nothing is
forwarded elsewhere.
"""

import json
from collections.abc import Iterable

from servers.providers.local.records import Record
from servers.providers.local.shell import RefusedError, run
from servers.providers.local.words import OURS

_SETS = """
  set blocked_ip {{ type ipv4_addr; {ips} }}
  set blocked_ip6 {{ type ipv6_addr; {ips6} }}
  set blocked_in {{ type ipv4_addr . inet_proto . inet_service; {into} }}
  set blocked_out {{ type ipv4_addr . inet_proto . inet_service; {out} }}
  chain blocks {{
    ip saddr @blocked_ip counter drop
    ip daddr @blocked_ip counter drop
    ip6 saddr @blocked_ip6 counter drop
    ip6 daddr @blocked_ip6 counter drop
    meta l4proto {{ tcp, udp }} ip daddr . meta l4proto . th dport @blocked_in counter drop
    meta l4proto {{ tcp, udp }} ip saddr . meta l4proto . th dport @blocked_out counter drop
  }}
"""

_RULES = """
table inet {table} {{
{sets}
  chain to_machine {{
    type filter hook input priority -10; policy accept;
    iifname != "{bridge}" accept
    jump blocks
    ct state established,related accept
    ip protocol icmp accept
    icmpv6 type {{ nd-neighbor-solicit, nd-neighbor-advert, echo-request }} accept
    counter drop
  }}
  chain from_machine {{
    type filter hook output priority -10; policy accept;
    oifname "{bridge}" jump blocks
  }}
  chain beyond {{
    type filter hook forward priority -10; policy accept;
    iifname "{bridge}" oifname "{bridge}" goto blocks
    iifname "{bridge}" counter drop
    oifname "{bridge}" counter drop
  }}
}}
table bridge {table} {{
{sets}
  chain between_hosts {{
    type filter hook forward priority -10; policy accept;
    iifname "lh*" ether type != {{ ip, ip6, arp }} drop
    jump blocks
    icmpv6 type {{ nd-neighbor-solicit, nd-neighbor-advert }} accept
    ip6 saddr != {prefix} counter drop
    ip6 daddr != {prefix} counter drop
  }}
}}
"""


class Firewall:
    """The two tables of one place: `inet` for the machine's own traffic with a host, `bridge` for host to host.

    The bridge family knows cables, not the bridge (small kernels lack that match): hosts' cables are all named lh...,
    of whatever place. Of IPv6 they speak what is of our prefixes, and find each other: link-local addresses lead
    nowhere.
    """

    def __init__(self, bridge: str) -> None:
        self.bridge = bridge
        self.table = f"clause_{bridge}"

    def ensure(self, records: Iterable[Record]) -> None:
        """Load the tables, with every block on record, where they are missing (first host, restart, rules flushed)."""
        if self._present():
            return
        known = list(records)
        ports = [entry.split() for record in known for entry in record.blocked_ports]
        sets = _SETS.format(
            ips=_elements(ip for record in known for ip in record.blocked if ":" not in ip),
            ips6=_elements(ip for record in known for ip in record.blocked if ":" in ip),
            into=_elements(f"{ip} . {protocol} . {port}" for way, ip, protocol, port in ports if way == "in"),
            out=_elements(f"{ip} . {protocol} . {port}" for way, ip, protocol, port in ports if way == "out"),
        )
        self._load(self._without() + _RULES.format(table=self.table, bridge=self.bridge, prefix=OURS, sets=sets))

    def remove(self) -> None:
        """Drop both tables."""
        self._load(self._without())

    def _without(self) -> str:
        """Rules that leave no table of ours, whether they were there or not."""
        both = (f"{family} {self.table}" for family in ("inet", "bridge"))
        return "".join(f"table {table}\ndelete table {table}\n" for table in both)

    def block(self, ip: str) -> None:
        self._change("add", _set_of(ip), ip)

    def unblock(self, ip: str) -> None:
        self._change("delete", _set_of(ip), ip)

    def block_port(self, entry: str) -> None:
        """`entry` is "in|out address protocol port"."""
        way, ip, protocol, port = entry.split()
        self._change("add", f"blocked_{way}", f"{ip} . {protocol} . {port}")

    def unblock_port(self, entry: str) -> None:
        way, ip, protocol, port = entry.split()
        self._change("delete", f"blocked_{way}", f"{ip} . {protocol} . {port}")

    def blocked(self) -> set[str]:
        """The addresses cut off in both tables, as the kernel has them now."""
        if not self._present():
            return set()
        found: list[set[str]] = []
        for family in ("inet", "bridge"):
            listing = json.loads(run("nft", "-j", "list", "table", family, self.table))
            sets = [item["set"] for item in listing["nftables"] if "set" in item]
            ips = [item for item in sets if item["name"] in ("blocked_ip", "blocked_ip6")]
            found.append({str(element) for item in ips for element in item.get("elem", ())})
        return found[0] & found[1]

    def _change(self, verb: str, name: str, element: str) -> None:
        """One transaction for both families; asking twice is fine."""
        lines = []
        for family in ("inet", "bridge"):
            lines.append(f"add element {family} {self.table} {name} {{ {element} }}")
            if verb == "delete":
                lines.append(f"delete element {family} {self.table} {name} {{ {element} }}")
        self._load("\n".join(lines) + "\n")

    def _present(self) -> bool:
        """Both tables, and as they are written now: one of an earlier version knows no IPv6."""
        listing = json.loads(run("nft", "-j", "list", "sets"))
        found = [item["set"] for item in listing["nftables"] if "set" in item]
        mine = [one for one in found if one["table"] == self.table and one["name"] == "blocked_ip6"]
        return {one["family"] for one in mine} >= {"inet", "bridge"}

    @staticmethod
    def _load(rules: str) -> None:
        run("nft", "-f", "-", stdin=rules)


def _elements(items: Iterable[str]) -> str:
    joined = ", ".join(sorted(set(items)))
    return f"elements = {{ {joined} }};" if joined else ""


def _set_of(ip: str) -> str:
    return "blocked_ip6" if ":" in ip else "blocked_ip"


def port_entry(direction: str, ip: str, protocol: str, port: int) -> str:
    """The checked form of a port filter; LocalError when it makes no sense."""
    if ":" in ip or direction not in ("in", "out") or protocol not in ("tcp", "udp") or not 0 < port < 65_536:
        raise RefusedError(f"no such port filter: {direction} {protocol} {port}")
    return f"{direction} {ip} {protocol} {port}"
