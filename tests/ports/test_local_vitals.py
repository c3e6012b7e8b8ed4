"""How a real host does is seen from outside of it, and who greets is asked of many at once (SRV-12)."""

import time
from datetime import UTC, datetime

import pytest

from servers import remote
from servers.providers import Node
from servers.providers.local_adapter import LocalProvider
from servers.remote import Remote
from servers.watching import vitals_rules
from servers.watching.vitals_rules import Rates, Reading
from tests.support import hosts
from tests.support.hosts import Customer, background
from tests.support.wire import eventually

pytestmark = pytest.mark.local
MB = 2**20
BURN = "while True: pass"
HOLD = "held = b'x' * (40 << 20)\nimport time\ntime.sleep(600)"


def read(cloud: LocalProvider, node: Node) -> Reading:
    found = cloud.vitals(node.ref, now=datetime.now(UTC))
    assert found is not None
    return found


def used(before: Reading, after: Reading) -> Rates:
    return vitals_rules.rates(before, Rates(), after, vcpu=1)


def end(inside: Remote) -> None:
    inside.run(["sh", "-c", "for each in /proc/[0-9]*; do grep -q job.py $each/cmdline && kill ${each#/proc/}; done"])


def test_what_happens_in_a_host_shows_in_its_figures(cloud: LocalProvider, customer: Customer, node: Node) -> None:
    with customer.log_in(cloud, node) as inside:
        idle = read(cloud, node)
        assert idle.memory_total == hosts.SMALL.memory_mb * MB
        assert idle.started_at is not None
        assert 0 <= (datetime.now(UTC) - idle.started_at).total_seconds() < 60
        time.sleep(1.2)
        quiet = used(idle, read(cloud, node))
        assert quiet.cpu_percent is not None
        assert quiet.cpu_percent < 30

        background(inside, BURN)
        assert eventually(lambda: (read(cloud, node).busy or 0) >= 1)
        before = read(cloud, node)
        time.sleep(1.5)
        after = read(cloud, node)
        busy = used(before, after)
        assert busy.cpu_percent is not None
        assert busy.cpu_percent > 3 * max(quiet.cpu_percent, 5)
        end(inside)
        # what a process used does not go with it, once somebody has waited for it
        assert eventually(lambda: (read(cloud, node).cpu_seconds or 0) >= (after.cpu_seconds or 0))
        ended = read(cloud, node)

        background(inside, HOLD)
        assert eventually(lambda: (read(cloud, node).memory_bytes or 0) > (ended.memory_bytes or 0) + 35 * MB)
        end(inside)

        empty = read(cloud, node)
        assert inside.run(["sh", "-c", "head -c 20971520 /dev/zero > /root/big; sync"]).status == 0
        full = read(cloud, node)
        assert (full.disk_bytes or 0) - (empty.disk_bytes or 0) >= 20 * MB
        assert (full.disk_total or 0) <= hosts.DISK_MB * MB
        inside.run(["rm", "/root/big"])


def test_a_host_that_is_off_has_none_and_another_start_is_another_epoch(cloud: LocalProvider, node: Node) -> None:
    first = read(cloud, node)
    cloud.stop(node.ref)
    assert cloud.vitals(node.ref, now=datetime.now(UTC)) is None
    cloud.start(node.ref)
    second = read(cloud, node)
    assert second.epoch != first.epoch
    assert second.started_at is not None
    assert first.started_at is not None
    assert second.started_at > first.started_at


def test_a_full_disk_is_seen_as_full(cloud: LocalProvider, customer: Customer, node: Node) -> None:
    with customer.log_in(cloud, node) as inside:
        inside.run(["sh", "-c", "cat /dev/zero > /root/all; sync"], timeout=60)
        found = read(cloud, node)
        assert vitals_rules.is_full(found.disk_bytes, found.disk_total)


def test_many_silent_addresses_cost_the_patience_for_one(cloud: LocalProvider, node: Node) -> None:
    pool = [ip for ip in cloud.driver.network.pool() if ip != node.addresses[0]]
    began = time.monotonic()
    assert remote.who_greets([*pool[:200], node.addresses[0]], timeout=2) == {node.addresses[0]}
    assert time.monotonic() - began < 20  # one after the other it would be 400
    assert remote.who_greets([]) == set()
