"""A policy that security groups can say is the same after it was taken apart and put together again."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from servers.networking.firewall_rules import OPEN, Direction, Policy, Protocol, Rule, Verdict, collapsed, joined
from servers.providers.security_groups import can, entries, policy_of, repeated

RANGES = st.tuples(st.integers(1, 65_535), st.integers(0, 50)).map(lambda pair: (pair[0], min(sum(pair), 65_535)))
PEERS = {
    4: ["0.0.0.0/0", "192.0.2.0/24", "198.51.100.7/32", "203.0.113.0/25"],
    6: ["::/0", "2001:db8::/32", "2001:db9::1/128"],
}


@st.composite
def rules(draw: st.DrawFn) -> Rule:
    protocol = draw(st.sampled_from(Protocol))
    with_ports = protocol in (Protocol.TCP, Protocol.UDP)
    ports = joined(draw(st.lists(RANGES, max_size=4))) if with_ports else ()
    peers = collapsed(draw(st.lists(st.sampled_from(PEERS[draw(st.sampled_from((4, 6)))]), max_size=3, unique=True)))
    return Rule(Direction.IN, Verdict.ACCEPT, protocol, ports, peers, draw(st.sampled_from(("", "a note"))))


@given(st.lists(rules(), max_size=6))
def test_taken_apart_and_put_together_it_is_the_same(made: list[Rule]) -> None:
    policy = Policy(tuple(made), default_in=Verdict.DROP)
    assert can(policy)
    assert repeated(policy) or policy_of(entries(policy)) == policy.canonical()
    assert policy_of(entries(OPEN)) == OPEN


@given(st.lists(rules(), min_size=1, max_size=6), st.data())
def test_an_entry_more_or_less_is_another_policy(made: list[Rule], data: st.DataObject) -> None:
    policy = Policy(tuple(made), default_in=Verdict.DROP)
    there = entries(policy)
    gone = data.draw(st.sampled_from(sorted(there)))
    assert policy_of(there - {gone}) != policy.canonical()
    assert policy_of(there | {replace(gone, number=10_000, low=0, high=0, protocol="any")}) != policy.canonical()


def test_what_drops_or_filters_what_leaves_cannot_be_said() -> None:
    out = Rule(Direction.OUT, Verdict.ACCEPT)
    drop = Rule(Direction.IN, Verdict.DROP)
    inward = Rule(Direction.IN, Verdict.ACCEPT)
    shut = Policy(default_in=Verdict.DROP)
    assert [can(replace(shut, rules=(one,))) for one in (inward, out, drop)] == [True, False, False]
    assert not can(replace(shut, default_out=Verdict.DROP))
    assert not can(Policy((inward,)))
    assert not can(replace(shut, locks=(drop,)))
    assert repeated(replace(shut, rules=(inward, inward)))
    assert not repeated(replace(shut, rules=(inward,)))
