"""The customer's firewall of one host: nftables in its own network namespace, which its root has no capability for.

It is loaded before the host's first program runs, and goes with the namespace when the host goes off. Above it, on the
machine's side and out of its reach, stand the blocks of `firewall`.
"""

import json
from collections.abc import Iterable
from ipaddress import IPv4Address, ip_address, ip_network, summarize_address_range
from typing import Any, cast

from servers.networking.firewall_rules import OPEN, Direction, Policy, Ports, Protocol, Rule, Verdict, collapsed, joined
from servers.providers.local.shell import LocalError, run

TABLE = "clause_firewall"
_CHAINS = """
table inet {table} {{
  chain locks_in {{
{locks_in}
  }}
  chain locks_out {{
{locks_out}
  }}
  chain rules_in {{
{rules_in}
  }}
  chain rules_out {{
{rules_out}
  }}
  chain input {{
    type filter hook input priority 0; policy {default_in};
    iif "lo" accept
    jump locks_in
    ct state established,related accept
    icmpv6 type {{ nd-neighbor-solicit, nd-neighbor-advert, nd-router-solicit, nd-router-advert }} accept
    jump rules_in
  }}
  chain output {{
    type filter hook output priority 0; policy {default_out};
    oif "lo" accept
    jump locks_out
    ct state established,related accept
    icmpv6 type {{ nd-neighbor-solicit, nd-neighbor-advert, nd-router-solicit, nd-router-advert }} accept
    jump rules_out
  }}
}}
"""
_ICMP = {"icmp", "ipv6-icmp"}
_FAMILY = {4: "ip", 6: "ip6"}


def load(pid: int, policy: Policy) -> None:
    """Let exactly `policy` stand in the namespace of process `pid`, in one step."""
    script = f"table inet {TABLE}\ndelete table inet {TABLE}\n"
    if policy.canonical() != OPEN:
        script += _CHAINS.format(
            table=TABLE, default_in=policy.default_in, default_out=policy.default_out,
            **{f"{name}_{way}": _lines(rules, way)
               for name, rules in (("locks", policy.locks), ("rules", policy.rules)) for way in Direction},
        )  # fmt: skip
    _nft(pid, "-f", "-", stdin=script)


def read(pid: int) -> Policy:
    """What stands there, as the kernel has it; LocalError where that was not written by `load`."""
    tables = json.loads(_nft(pid, "-j", "list", "tables"))["nftables"]
    if not any(item.get("table", {}).get("name") == TABLE for item in tables):
        return OPEN
    listing = json.loads(_nft(pid, "-j", "list", "table", "inet", TABLE))["nftables"]
    chains = {item["chain"]["name"]: item["chain"] for item in listing if "chain" in item}
    found: dict[str, list[Rule]] = {"locks": [], "rules": []}
    for item in listing:
        name, _, way = str(item.get("rule", {}).get("chain", "")).partition("_")
        if name in found:
            found[name].append(_rule(Direction(way), item["rule"]["expr"]))
    try:
        into, out = Verdict(chains["input"]["policy"]), Verdict(chains["output"]["policy"])
    except (KeyError, ValueError) as error:
        raise LocalError(f"the firewall of process {pid} is not as it was written") from error
    return Policy(tuple(found["rules"]), into, out, tuple(found["locks"])).canonical()


def _nft(pid: int, *words: str, stdin: str = "") -> str:
    return run("nsenter", f"--net=/proc/{pid}/ns/net", "nft", *words, stdin=stdin)


# ---------------------------------------------------------------- written


def _lines(rules: Iterable[Rule], way: Direction) -> str:
    return "\n".join(f"    {_line(rule)}" for rule in rules if rule.direction is way)


def _line(rule: Rule) -> str:
    words = []
    peers = collapsed(rule.peers)
    if peers:
        version, side = ip_network(peers[0]).version, "saddr" if rule.direction is Direction.IN else "daddr"
        if ip_network(peers[0]).prefixlen == 0:
            words.append(f"meta nfproto ipv{version}")
        else:
            words.append(f"{_FAMILY[version]} {side} {{ {', '.join(peers)} }}")
    if rule.ports:
        ranges = ", ".join(f"{low}-{high}" if low != high else str(low) for low, high in joined(rule.ports))
        words.append(f"{rule.protocol} dport {{ {ranges} }}")
    elif rule.protocol is Protocol.ICMP:
        words.append("meta l4proto { icmp, ipv6-icmp }")
    elif rule.protocol is not Protocol.ANY:
        words.append(f"meta l4proto {rule.protocol}")
    return " ".join([*words, str(rule.action)])


# ---------------------------------------------------------------- read back


def _rule(way: Direction, expressions: list[dict[str, Any]]) -> Rule:
    protocol, ports, peers = Protocol.ANY, cast("Ports", ()), cast("tuple[str, ...]", ())
    action: Verdict | None = None
    try:
        for one in expressions:
            if "match" not in one:
                action = Verdict(next(iter(one)))
                continue
            left, right = one["match"]["left"], one["match"]["right"]
            key = left["meta"]["key"] if "meta" in left else left["payload"]["field"]
            if key == "nfproto":
                peers = ("0.0.0.0/0",) if right == "ipv4" else ("::/0",)
            elif key == "l4proto":
                protocol = Protocol.ICMP if set(_items(right)) == _ICMP else Protocol(right)
            elif key == "dport":
                protocol, ports = Protocol(left["payload"]["protocol"]), _ports(right)
            else:
                peers = _networks(right)
        if action is None:
            raise ValueError("no verdict")
    except (KeyError, TypeError, ValueError, StopIteration) as error:
        raise LocalError(f"a rule that is none of ours: {json.dumps(expressions)[:200]}") from error
    return Rule(way, action, protocol, ports, peers)


def _items(right: Any) -> list[Any]:
    return list(right["set"]) if isinstance(right, dict) and "set" in right else [right]


def _ports(right: Any) -> Ports:
    pairs = [item["range"] if isinstance(item, dict) else (item, item) for item in _items(right)]
    return joined((int(low), int(high)) for low, high in pairs)


def _networks(right: Any) -> tuple[str, ...]:
    found: list[str] = []
    for item in _items(right):
        if isinstance(item, str):
            found.append(item)
        elif "prefix" in item:
            found.append(f"{item['prefix']['addr']}/{item['prefix']['len']}")
        else:
            first, last = (ip_address(end) for end in item["range"])
            between = summarize_address_range(cast("IPv4Address", first), cast("IPv4Address", last))
            found += [str(network) for network in between]
    return collapsed(found)
