"""A firewall in the words of security groups, which only let things in: one entry a protocol, port range and network.

Pure. `entries` takes a policy apart, `policy_of` puts it together again from what a place has; each entry bears the
number of the rule it comes from, so that both agree unless somebody changed the group.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from ipaddress import ip_network

from servers.networking.firewall_rules import (
    OPEN,
    WITH_PORTS,
    Direction,
    Policy,
    Protocol,
    Rule,
    Verdict,
    collapsed,
    joined,
)

EVERYTHING = 0
"""The number of the entries that stand for a default of letting everything in."""


@dataclass(frozen=True, slots=True, order=True)
class Entry:
    """What may come in: `family` is 4 or 6, `peer` empty for everybody, `low` 0 for every port."""

    number: int
    family: int
    protocol: str
    low: int = 0
    high: int = 0
    peer: str = ""


def can(policy: Policy) -> bool:
    """Whether groups can say it: nothing that leaves is filtered, and nothing is dropped but by the default."""
    rules = (*policy.locks, *policy.rules)
    inward = all(rule.direction is Direction.IN and rule.action is Verdict.ACCEPT for rule in rules)
    shut = policy.default_in is Verdict.DROP or not rules
    return inward and shut and policy.default_out is Verdict.ACCEPT


def repeated(policy: Policy) -> bool:
    """Whether two of its rules say the same of something; a place keeps each entry once."""
    said = [replace(entry, number=1) for entry in entries(policy)]
    return len(said) != len(set(said))


def entries(policy: Policy) -> frozenset[Entry]:
    """The policy, taken apart."""
    if policy.default_in is Verdict.ACCEPT:
        return frozenset(Entry(EVERYTHING, family, Protocol.ANY) for family in (4, 6))
    return frozenset(
        entry for number, rule in enumerate(policy.canonical().rules, start=1) for entry in _of(number, rule)
    )


def _of(number: int, rule: Rule) -> Iterable[Entry]:
    ports = rule.ports if rule.protocol in WITH_PORTS and rule.ports else ((0, 0),)
    peers = [(ip_network(one).version, one) for one in rule.peers] or [(4, ""), (6, "")]
    return (
        Entry(number, family, rule.protocol, low, high, peer) for low, high in ports for family, peer in peers
    )  # fmt: skip


def policy_of(found: Iterable[Entry]) -> Policy:
    """The policy that a place's entries make; of those that make no whole rule, each by itself."""
    there = set(found)
    if {entry for entry in there if entry.number == EVERYTHING} == entries(OPEN):
        return OPEN
    rules: list[Rule] = []
    for number in sorted({entry.number for entry in there}):
        mine = sorted(entry for entry in there if entry.number == number)
        whole = _joined(mine)
        rules += [whole] if set(_of(number, whole)) == set(mine) else map(_alone, mine)
    return Policy(tuple(rules), default_in=Verdict.DROP)


def _joined(mine: list[Entry]) -> Rule:
    ranges = {(entry.low, entry.high) for entry in mine if entry.low}
    peers = [entry.peer for entry in mine if entry.peer]
    one_family = {ip_network(peer).version for peer in peers}
    named = collapsed(set(peers)) if len(one_family) == 1 else ()
    return replace(_alone(mine[0]), ports=joined(ranges), peers=named)


def _alone(entry: Entry) -> Rule:
    """One entry as a rule; everybody of one family alone is named as a network."""
    everybody = "0.0.0.0/0" if entry.family == 4 else "::/0"
    ports = ((entry.low, entry.high),) if entry.low else ()
    peer = entry.peer or everybody
    return Rule(Direction.IN, Verdict.ACCEPT, Protocol(entry.protocol), ports, (peer,))
