"""The law of a firewall's rules: what is refused and where, and that the short forms mean what the long ones did."""

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servers.networking.firewall_rules import (
    OPEN,
    TEMPLATES,
    Direction,
    Policy,
    Protocol,
    Reach,
    Rule,
    Verdict,
    Wrong,
    as_json,
    of_json,
    peers_of,
    ports_of,
    reach,
    rule_of,
)

NETWORKS = ["192.0.2.0/24", "192.0.2.128/25", "198.51.100.7", "0.0.0.0/0"]
PEERS = ["192.0.2.1", "192.0.2.200", "198.51.100.7", "203.0.113.5"]
PORTS = st.lists(st.tuples(st.integers(1, 40), st.integers(0, 5)).map(lambda p: (p[0], p[0] + p[1])), max_size=4)
RULES = st.builds(
    Rule, st.sampled_from(Direction), st.sampled_from(Verdict), st.sampled_from([Protocol.TCP, Protocol.UDP]),
    PORTS.map(tuple), st.lists(st.sampled_from(NETWORKS), max_size=3).map(tuple), st.sampled_from(["", "a note"]),
)  # fmt: skip
POLICIES = st.builds(
    Policy, st.lists(RULES, max_size=5).map(tuple), st.sampled_from(Verdict), st.sampled_from(Verdict),
    st.lists(RULES, max_size=1).map(tuple),
)  # fmt: skip


@pytest.mark.parametrize(
    ("text", "why"),
    [("0", "out_of_range"), ("70000", "out_of_range"), ("22-", "no_port"), ("http", "no_port"), ("90-80", "backwards"),
     (", ".join(map(str, range(2, 40, 2))), "too_many"), ("1-99999999999999", "no_port"), ("-5", "no_port")],
)  # fmt: skip
def test_no_ports(text: str, why: str) -> None:
    with pytest.raises(Wrong) as wrong:
        ports_of(text)
    assert (wrong.value.field, wrong.value.why) == ("ports", why)


@pytest.mark.parametrize(
    ("text", "why"),
    [("192.0.2.0/33", "wrong_mask"), ("2001:db8::/129", "wrong_mask"), ("192.0.2.1/24", "host_bits"),
     ("192.0.2.0/24, 2001:db8::/32", "mixed"), ("somewhere", "no_address"), ("192.0.2.256", "no_address"),
     (" ".join(f"10.0.{n}.1" for n in range(21)), "too_many")],
)  # fmt: skip
def test_no_networks(text: str, why: str) -> None:
    with pytest.raises(Wrong) as wrong:
        peers_of(text)
    assert (wrong.value.field, wrong.value.why) == ("peers", why)


def test_what_else_cannot_be() -> None:
    base = {"direction": "in", "action": "accept"}
    for more, field in (
        ({"protocol": "icmp", "ports": "80"}, "ports"), ({"ports": "80"}, "ports"), ({"note": "x" * 81}, "note"),
        ({"action": "maybe"}, "action"), ({"protocol": "sctp"}, "action"),
    ):  # fmt: skip
        with pytest.raises(Wrong) as wrong:
            rule_of({**base, **more})
        assert wrong.value.field == field
    with pytest.raises(Wrong) as wrong:
        of_json({"rules": [base, {**base, "ports": "0"}]})
    assert wrong.value.number == 2
    with pytest.raises(Wrong) as wrong:
        of_json({"rules": [base] * 51})
    assert wrong.value.why == "too_many"
    with pytest.raises(Wrong):
        TEMPLATES["database"].policy()


@given(POLICIES)
def test_the_canonical_form_decides_alike_and_is_kept_as_it_is(policy: Policy) -> None:
    short = policy.canonical()
    assert short == short.canonical() == of_json(as_json(short))
    assert policy.canonical() == of_json(as_json(policy)).canonical()
    for way in Direction:
        for protocol in Protocol:
            for port in (1, 7, 22, 41):
                for peer in PEERS:
                    asked = (way, protocol, port, peer)
                    assert policy.verdict(*asked) == short.verdict(*asked)


@given(POLICIES)
def test_who_reaches_ssh_agrees_with_who_really_does(policy: Policy) -> None:
    everybody = [str(ip_address(ip)) for ip in (*PEERS, "8.8.8.8", "192.0.2.77")]
    really = {policy.verdict(Direction.IN, Protocol.TCP, 22, peer) for peer in everybody}
    said = reach(policy)
    if said is Reach.NOBODY:
        assert really == {Verdict.DROP}
    if said is Reach.EVERYBODY:
        assert really == {Verdict.ACCEPT}


def test_templates_let_ssh_in_and_little_else() -> None:
    for name, template in TEMPLATES.items():
        policy = template.policy("192.0.2.0/24") if template.private else template.policy()
        assert reach(policy) is Reach.EVERYBODY, name
        assert policy.verdict(Direction.IN, Protocol.TCP, 8080, "203.0.113.5") is Verdict.DROP
        assert policy.verdict(Direction.OUT, Protocol.TCP, 443, "203.0.113.5") is Verdict.ACCEPT
    database = TEMPLATES["database"].policy("192.0.2.0/24")
    assert database.verdict(Direction.IN, Protocol.TCP, 5432, "192.0.2.9") is Verdict.ACCEPT
    assert database.verdict(Direction.IN, Protocol.TCP, 5432, "203.0.113.5") is Verdict.DROP
    assert OPEN.is_open
