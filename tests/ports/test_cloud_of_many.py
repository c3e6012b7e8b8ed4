"""What an adapter of the cloud port tells of many machines in one call is what each tells by itself (SRV-4, SRV-8)."""

from servers.networking.firewall_rules import OPEN, TEMPLATES
from tests.ports.test_cloud_provider import NOW, Bench, bench

__all__ = ["bench"]  # the fixture: each place in turn


def test_counters_and_firewalls_of_many_are_told_in_one_call(bench: Bench) -> None:
    """One that is not there stops no other."""
    nodes = [bench.made(f"SUB-{number}", address=bench.addresses[number]) for number in (0, 1)]
    bench.cloud.set_firewall(nodes[0].ref, TEMPLATES["web"].policy())
    refs = [*(node.ref for node in nodes), "lh-000000000000"]
    assert bench.cloud.capabilities.counters_at_once
    told = bench.cloud.counters_of(refs, now=NOW)
    assert {ref: (read.epoch, read.at, read.link_bps) for ref, read in told.items()} == {
        ref: (read.epoch, read.at, read.link_bps)
        for ref, read in ((node.ref, bench.cloud.counters(node.ref, now=NOW)) for node in nodes)
    }
    assert bench.cloud.capabilities.firewalls_at_once
    assert bench.cloud.firewalls_of(refs) == {node.ref: bench.cloud.firewall(node.ref) for node in nodes}
    assert bench.cloud.firewalls_of(refs)[nodes[1].ref] == OPEN
