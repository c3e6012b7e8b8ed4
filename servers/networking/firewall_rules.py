"""The pure law of a server's firewall: what a rule may say, what a list of them lets through, and ready-made lists.

The first rule that fits decides, the default where none does. `locks` are the provider's own and come before all of
them. What answers to something let through passes by itself, and so does what the machine says to itself.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network, collapse_addresses, ip_address, ip_network
from typing import Any, cast

Network = IPv4Network | IPv6Network
Ports = tuple[tuple[int, int], ...]

MOST_RULES = 50
MOST_RANGES = 15
MOST_PEERS = 20
LONGEST_NOTE = 80
SSH = 22


class Direction(StrEnum):
    """Seen from the machine."""

    IN = "in"
    OUT = "out"


class Protocol(StrEnum):
    """`ICMP` is that of both families."""

    ANY = "any"
    TCP = "tcp"
    UDP = "udp"
    ICMP = "icmp"


class Verdict(StrEnum):
    """What happens to a packet; a dropped one is not answered."""

    ACCEPT = "accept"
    DROP = "drop"


WITH_PORTS = frozenset({Protocol.TCP, Protocol.UDP})


class Wrong(Exception):
    """A rule that cannot be: in `field`, `why` in one word, with the `value` that is wrong and the rule's number."""

    def __init__(self, field: str, why: str, value: object = "", *, number: int = 0) -> None:
        super().__init__(f"{field}: {why} {value}".strip())
        self.field, self.why, self.value, self.number = field, why, value, number


@dataclass(frozen=True, slots=True)
class Rule:
    """`ports` are the destination's, as ranges with both ends; `peers` the other side's networks, of one family. Empty
    means any."""

    direction: Direction
    action: Verdict
    protocol: Protocol = Protocol.ANY
    ports: Ports = ()
    peers: tuple[str, ...] = ()
    note: str = ""

    def fits(self, direction: Direction, protocol: Protocol, port: int, peer: str) -> bool:
        """Whether it decides over a new connection to `port` with `peer`, an address."""
        if self.direction is not direction or self.protocol not in (Protocol.ANY, protocol):
            return False
        there = ip_address(peer)
        in_range = not self.ports or any(low <= port <= high for low, high in self.ports)
        return in_range and (not self.peers or any(there in ip_network(one) for one in self.peers))


@dataclass(frozen=True, slots=True)
class Policy:
    """Everything that a place is told of one machine's packets."""

    rules: tuple[Rule, ...] = ()
    default_in: Verdict = Verdict.ACCEPT
    default_out: Verdict = Verdict.ACCEPT
    locks: tuple[Rule, ...] = ()

    def verdict(self, direction: Direction, protocol: Protocol, port: int, peer: str) -> Verdict:
        """What happens to a new connection; `peer` is the other side's address."""
        for rule in (*self.locks, *self.rules):
            if rule.fits(direction, protocol, port, peer):
                return rule.action
        return self.default_in if direction is Direction.IN else self.default_out

    def canonical(self) -> "Policy":
        """The one form of everything that means the same to a place: no notes, ranges and networks joined, what comes
        in before what goes out (the two never meet)."""
        return replace(self, rules=_canonical(self.rules), locks=_canonical(self.locks))

    @property
    def is_open(self) -> bool:
        """Whether it lets everything through."""
        lists = (*self.locks, *self.rules)
        both = {self.default_in, self.default_out, *(rule.action for rule in lists)}
        return both == {Verdict.ACCEPT}


OPEN = Policy()


def _canonical(rules: Iterable[Rule]) -> tuple[Rule, ...]:
    bare = [replace(rule, note="", ports=joined(rule.ports), peers=collapsed(rule.peers)) for rule in rules]
    return tuple(sorted(bare, key=lambda rule: rule.direction is Direction.OUT))


def joined(ports: Iterable[tuple[int, int]]) -> Ports:
    """The same ports in ascending ranges that neither meet nor overlap."""
    made: list[tuple[int, int]] = []
    for low, high in sorted(ports):
        if made and low <= made[-1][1] + 1:
            made[-1] = (made[-1][0], max(made[-1][1], high))
        else:
            made.append((low, high))
    return tuple(made)


def collapsed(peers: Iterable[str]) -> tuple[str, ...]:
    """The same addresses of one family in as few networks as there can be."""
    networks = [ip_network(one) for one in peers]
    return tuple(str(one) for one in collapse_addresses(cast("list[IPv4Network]", networks)))


# ---------------------------------------------------------------- what people write


def ports_of(text: str) -> Ports:
    """`22, 80, 8000-8100` as ranges; empty for none. Wrong where that is no list of ports."""
    found = []
    for word in text.replace(",", " ").split():
        low, dash, high = word.partition("-")
        if not low.isdecimal() or (dash and not high.isdecimal()) or len(word) > 11:
            raise Wrong("ports", "no_port", word)
        first, last = int(low), int(high) if dash else int(low)
        for port in (first, last):
            if not 0 < port < 65_536:
                raise Wrong("ports", "out_of_range", port)
        if first > last:
            raise Wrong("ports", "backwards", word)
        found.append((first, last))
    if len(found) > MOST_RANGES:
        raise Wrong("ports", "too_many", MOST_RANGES)
    return joined(found)


def peers_of(text: str) -> tuple[str, ...]:
    """`192.0.2.0/24, 198.51.100.7` as networks of one family; empty for everybody. Wrong where it is none."""
    found: list[Network] = []
    for word in text.replace(",", " ").split():
        try:
            found.append(ip_network(word))
        except ValueError as error:
            raise Wrong("peers", _what_is_wrong(word), word) from error
    if len({one.version for one in found}) > 1:
        raise Wrong("peers", "mixed")
    if len(found) > MOST_PEERS:
        raise Wrong("peers", "too_many", MOST_PEERS)
    return collapsed(str(one) for one in found)


def _what_is_wrong(word: str) -> str:
    address, slash, _mask = word.partition("/")
    try:
        ip_address(address)
    except ValueError:
        return "no_address"
    if slash:
        try:
            ip_network(word, strict=False)
        except ValueError:
            return "wrong_mask"
        return "host_bits"
    return "no_address"


def rule_of(given: Mapping[str, Any]) -> Rule:
    """A rule from what a form, an API call or a kept row says. Wrong with the field where it cannot be."""
    try:
        direction, action = Direction(given.get("direction", "")), Verdict(given.get("action", ""))
        protocol = Protocol(given.get("protocol", Protocol.ANY))
    except ValueError as error:
        raise Wrong("action", "unknown", str(error)) from error
    ports, peers = ports_of(str(given.get("ports") or "")), peers_of(str(given.get("peers") or ""))
    if ports and protocol not in WITH_PORTS:
        raise Wrong("ports", "no_ports_here")
    note = " ".join(str(given.get("note") or "").split())
    if len(note) > LONGEST_NOTE:
        raise Wrong("note", "too_long", LONGEST_NOTE)
    return Rule(direction, action, protocol, ports, peers, note)


def ports_text(ports: Ports) -> str:
    """The ranges as people write them."""
    return ", ".join(str(low) if low == high else f"{low}-{high}" for low, high in ports)


def peers_text(peers: Iterable[str]) -> str:
    """The networks as people write them: one address without its mask."""
    return ", ".join(one.removesuffix("/32" if "." in one else "/128") for one in peers)


def row_of(rule: Rule) -> dict[str, str]:
    """What `rule_of` reads."""
    return {
        "direction": str(rule.direction), "action": str(rule.action), "protocol": str(rule.protocol),
        "ports": ports_text(rule.ports), "peers": peers_text(rule.peers), "note": rule.note,
    }  # fmt: skip


def as_json(policy: Policy) -> dict[str, Any]:
    """How a policy is kept."""
    return {
        "default_in": str(policy.default_in), "default_out": str(policy.default_out),
        "rules": [row_of(rule) for rule in policy.rules], "locks": [row_of(rule) for rule in policy.locks],
    }  # fmt: skip


def of_json(kept: Mapping[str, Any]) -> Policy:
    """The policy that was kept so. Wrong, with the number of the rule, where it was no policy."""
    lists: dict[str, tuple[Rule, ...]] = {}
    for name in ("rules", "locks"):
        made = []
        for number, row in enumerate(kept.get(name) or (), start=1):
            try:
                made.append(rule_of(row))
            except Wrong as wrong:
                raise Wrong(wrong.field, wrong.why, wrong.value, number=number) from wrong
        lists[name] = tuple(made)
    if len(lists["rules"]) > MOST_RULES:
        raise Wrong("rules", "too_many", MOST_RULES)
    try:
        into, out = Verdict(kept.get("default_in", "accept")), Verdict(kept.get("default_out", "accept"))
    except ValueError as error:
        raise Wrong("default", "unknown", str(error)) from error
    return Policy(lists["rules"], into, out, lists["locks"])


# ---------------------------------------------------------------- who still gets in


class Reach(StrEnum):
    """Who can open a connection to a port: everybody, some addresses, nobody."""

    EVERYBODY = "everybody"
    SOME = "some"
    NOBODY = "nobody"


def reach(policy: Policy, port: int = SSH) -> Reach:
    """Who reaches `port` by TCP. Exact for an address that no rule names; "some" where a rule lets named ones in that
    no rule before it keeps out."""
    rules = [
        rule for rule in (*policy.locks, *policy.rules)
        if rule.direction is Direction.IN and rule.protocol in (Protocol.ANY, Protocol.TCP)
        and (not rule.ports or any(low <= port <= high for low, high in rule.ports))
    ]  # fmt: skip
    some = False
    shut: list[Network] = []
    for rule in rules:
        networks = [ip_network(one) for one in rule.peers]
        if rule.action is Verdict.ACCEPT:
            if not networks:
                return Reach.SOME if shut else Reach.EVERYBODY
            some = some or any(not _within(one, shut) for one in networks)
        elif not networks:
            return Reach.SOME if some else Reach.NOBODY
        else:
            shut += networks
    if policy.default_in is Verdict.ACCEPT:
        return Reach.SOME if shut else Reach.EVERYBODY
    return Reach.SOME if some else Reach.NOBODY


def _within(one: Network, shut: Sequence[Network]) -> bool:
    return any(one.version == other.version and one.subnet_of(other) for other in shut)  # type: ignore[arg-type]


# ---------------------------------------------------------------- ready-made lists


@dataclass(frozen=True, slots=True)
class Template:
    """A ready-made list: what may come in by TCP and by UDP besides SSH. `private`: `tcp` only from addresses that
    whoever takes it names."""

    tcp: str = ""
    udp: str = ""
    private: bool = False

    def policy(self, peers: str = "") -> Policy:
        """The list; `peers` where it is `private`. Wrong where they are missing or no addresses."""
        named = peers_of(peers)
        if self.private and not named:
            raise Wrong("peers", "missing")
        into = (Direction.IN, Verdict.ACCEPT)
        rules = [Rule(*into, Protocol.TCP, ((SSH, SSH),), note="SSH"), Rule(*into, Protocol.ICMP, note="ping")]
        if self.tcp:
            rules.append(Rule(*into, Protocol.TCP, ports_of(self.tcp), named if self.private else ()))
        if self.udp:
            rules.append(Rule(*into, Protocol.UDP, ports_of(self.udp)))
        return Policy(tuple(rules), default_in=Verdict.DROP)


TEMPLATES: Mapping[str, Template] = {
    "ssh": Template(),
    "web": Template(tcp="80, 443", udp="443"),
    "mail": Template(tcp="25, 110, 143, 465, 587, 993, 995"),
    "database": Template(tcp="3306, 5432", private=True),
    "dns": Template(tcp="53", udp="53"),
}


def closed_mail(ports: Ports) -> tuple[Rule, ...]:
    """The lock of a new account: no mail leaves by these ports."""
    return (Rule(Direction.OUT, Verdict.DROP, Protocol.TCP, ports),) if ports else ()
