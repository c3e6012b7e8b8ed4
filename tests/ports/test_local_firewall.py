"""SRV-8 on a real host: rules let real connections through or not, and only the machine can change them."""

import socket
from pathlib import Path

import pytest

from panel.core.errors import ProviderError
from servers import remote
from servers.networking.firewall_rules import OPEN, TEMPLATES, Policy, Verdict, closed_mail, of_json
from tests.support import hosts
from tests.support.hosts import Customer, spec
from tests.support.wire import eventually

pytestmark = pytest.mark.local
ANSWERS = """
import socket
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("", 25))
s.listen()
while True:
    s.accept()[0].close()
"""
CALLS = "import socket,sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 1).close(); print(1)"


def opens(ip: str, port: int) -> bool:
    try:
        socket.create_connection((ip, port), 0.5).close()
    except OSError:
        return False
    return True


def test_a_rule_blocks_and_unblocks_a_real_connection_either_way(tmp_path: Path) -> None:
    """Asked of one host: in, out, to a neighbour, with a lock above its own rules, and with its driver's tool away."""
    customer = Customer()
    with hosts.place(tmp_path) as cloud:
        node, other = (cloud.create(spec(name, customer.public)) for name in ("one", "two"))
        ip, neighbour = node.addresses[0], other.addresses[0]
        machine = str(cloud.driver.network.gateway)

        def calls(port: int) -> bool:
            return inside.run(["python3", "-c", CALLS, neighbour, str(port)], timeout=20).status == 0

        with customer.log_in(cloud, node) as inside, customer.log_in(cloud, other) as there:
            hosts.background(inside, ANSWERS)
            hosts.background(there, ANSWERS)
            assert eventually(lambda: opens(ip, 25) and opens(neighbour, 25))
            cloud.set_firewall(node.ref, TEMPLATES["ssh"].policy())
            assert (opens(ip, 25), opens(ip, 22)) == (False, True)
            assert remote.met_at(ip, 25, timeout=0.5) is remote.Met.FILTERED
            assert inside.run(["true"]).status == 0, "what was open before stays open"
            cloud.set_firewall(node.ref, of_json({"rules": [
                {"direction": "in", "action": "drop", "protocol": "tcp", "ports": "25", "peers": machine},
                {"direction": "out", "action": "accept", "protocol": "tcp", "ports": "25"},
            ]}))  # fmt: skip
            assert not opens(ip, 25)
            assert calls(25)
            locked = Policy(of_json({"rules": [
                {"direction": "out", "action": "accept", "protocol": "tcp", "ports": "25"}
            ]}).rules, locks=closed_mail(((25, 25),)))  # fmt: skip
            cloud.set_firewall(node.ref, locked)
            assert opens(ip, 25)
            assert (calls(25), calls(22)) == (False, True), "the lock stands above the customer's rule"
            flushed = inside.run(["sh", "-c", "nft flush ruleset || /usr/sbin/nft flush ruleset"])
            assert flushed.status != 0
            assert cloud.firewall(node.ref) == locked.canonical()
        cloud.set_firewall(node.ref, Policy(default_in=Verdict.DROP))
        cloud.reboot(node.ref)
        assert not opens(ip, 22), "in force from the first packet after a restart"
        cloud.set_firewall(node.ref, OPEN)
        assert opens(ip, 22)


def test_what_is_no_longer_as_it_was_written_is_said(tmp_path: Path) -> None:
    from servers.providers.local.shell import run

    with hosts.place(tmp_path) as cloud:
        node = cloud.create(spec("one", Customer().public))
        cloud.set_firewall(node.ref, TEMPLATES["web"].policy())
        record = cloud.driver.records.read(node.ref)
        assert record is not None
        assert record.boot is not None
        entered = ("nsenter", f"--net=/proc/{record.boot.pid}/ns/net", "nft")
        run(*entered, "add rule inet clause_firewall rules_in tcp dport 99 accept")
        assert cloud.firewall(node.ref) != TEMPLATES["web"].policy().canonical()
        run(*entered, "add rule inet clause_firewall rules_in meta mark 7 accept")
        with pytest.raises(ProviderError, match="none of ours"):
            cloud.firewall(node.ref)
        cloud.set_firewall(node.ref, TEMPLATES["web"].policy())
        run(*entered, "delete table inet clause_firewall")
        assert cloud.firewall(node.ref) == OPEN
