"""What every adapter of the cloud port promises, asked of each: the simulated cloud, and this machine's real hosts."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from panel.core.errors import ProviderError
from servers import providers
from servers.networking.firewall_rules import OPEN, TEMPLATES, of_json
from servers.providers import CloudProvider, Node, NodeSpec, Size, Snapshot
from servers.providers.simulated import traffic
from servers.rules import Power
from tests.support.machines import simulated_place

NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)
ONE = "SUB-1"
SIZE = Size("vps-s", 1, 1024, 1)


def key() -> str:
    public = Ed25519PrivateKey.generate().public_key()
    return public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode() + " laptop"


class Bench:
    """A place under test with addresses of its own."""

    def __init__(self, addresses: list[str], cloud: CloudProvider | None = None, address6: str = "2001:db8::9") -> None:
        self.addresses, self.cloud, self.address6 = addresses, cloud or providers.get("sim-1"), address6

    def spec(self, token: str = ONE, **changes: Any) -> NodeSpec:
        values = {
            "name": "web-1",
            "image": "debian-12",
            "size": SIZE,
            "place": "sim-1",
            "address": self.addresses[0],
        }
        return NodeSpec(token=token, **(values | changes))

    def made(self, token: str = ONE, **changes: Any) -> Node:
        """A machine that is on."""
        self.cloud.create(self.spec(token, **changes))
        return self.until(lambda node: node is not None and node.power is Power.ON, token)

    def until(self, so: Callable[[Node | None], bool], token: str = ONE) -> Node:
        end = time.monotonic() + 20
        while not so(node := self.cloud.find(token)):
            assert time.monotonic() < end, node
            time.sleep(0.01)
        assert node is not None
        return node


@pytest.fixture(params=["simulated", pytest.param("local", marks=pytest.mark.local)])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    if request.param == "simulated":
        with simulated_place(tmp_path):
            yield Bench(["203.0.113.7", "203.0.113.8", "203.0.113.9"])
        return
    from tests.support import hosts

    with hosts.place(tmp_path) as provider:
        yield Bench(provider.driver.network.pool()[:3], provider, str(provider.driver.network.prefix[9]))


def test_the_same_token_is_the_same_machine(bench: Bench) -> None:
    first = bench.made()
    again = bench.cloud.create(bench.spec())
    assert again.ref == first.ref
    assert [node.ref for node in bench.cloud.list()].count(first.ref) == 1
    assert bench.cloud.find("SUB-other") is None
    other = bench.made("SUB-2", address=bench.addresses[1])
    assert other.ref != first.ref
    assert first.addresses == (bench.addresses[0],)


def test_power_is_read_back_and_asking_for_what_is_so_is_fine(bench: Bench) -> None:
    node, cloud = bench.made(), bench.cloud
    for _ in range(2):
        assert cloud.stop(node.ref).power is Power.OFF
    found = cloud.get(node.ref)
    assert found is not None
    assert found.power is Power.OFF
    for _ in range(2):
        assert cloud.start(node.ref).power is Power.ON
    assert cloud.reboot(node.ref).power is Power.ON


def test_destroyed_is_gone_and_destroying_it_again_is_fine(bench: Bench) -> None:
    node = bench.made()
    for _ in range(2):
        bench.cloud.destroy(node.ref)
    assert bench.cloud.get(node.ref) is None
    assert bench.cloud.find("SUB-1") is None
    assert all(one.ref != node.ref for one in bench.cloud.list())


def test_a_block_is_read_from_the_place_and_survives_a_power_cycle(bench: Bench) -> None:
    node, cloud, ip = bench.made(), bench.cloud, bench.addresses[0]
    for _ in range(2):
        cloud.block_address(node.ref, ip)
    assert cloud.blocked(node.ref) == {ip}
    cloud.stop(node.ref)
    cloud.start(node.ref)
    assert cloud.blocked(node.ref) == {ip}
    for _ in range(2):
        cloud.unblock_address(node.ref, ip)
    assert cloud.blocked(node.ref) == set()


def test_counters_grow_within_an_epoch_and_a_power_cycle_begins_another(bench: Bench) -> None:
    node, cloud = bench.made(), bench.cloud
    first = cloud.counters(node.ref, now=NOW)
    second = cloud.counters(node.ref, now=NOW + timedelta(hours=1))
    assert second.epoch == first.epoch
    assert second.rx_bytes >= first.rx_bytes
    assert second.tx_bytes >= first.tx_bytes
    assert second.at == NOW + timedelta(hours=1)
    cloud.stop(node.ref)
    held = cloud.counters(node.ref, now=NOW + timedelta(hours=2))
    assert held.rx_bytes >= second.rx_bytes
    cloud.start(node.ref)
    assert cloud.counters(node.ref, now=NOW + timedelta(hours=3)).epoch != first.epoch


def test_how_a_machine_does_is_told_while_it_is_on(bench: Bench) -> None:
    node, cloud = bench.made(), bench.cloud
    assert cloud.capabilities.vitals
    now = datetime.now(UTC)
    first, then = [cast("Any", cloud.vitals(node.ref, now=now + timedelta(minutes=each))) for each in range(2)]
    assert then.epoch == first.epoch
    assert (then.clock, then.cpu_seconds) >= (first.clock, first.cpu_seconds)
    assert 0 < then.memory_bytes < then.memory_total
    assert 0 < then.disk_bytes < then.disk_total
    cloud.stop(node.ref)
    assert cloud.vitals(node.ref, now=now) is None
    cloud.start(node.ref)
    assert cloud.vitals(node.ref, now=now).epoch != first.epoch  # type: ignore[union-attr]


def test_the_host_key_is_the_machines_own_and_lasts(bench: Bench) -> None:
    node = bench.made()
    host_key = bench.cloud.host_key(node.ref)
    assert host_key.startswith("ssh-ed25519 ")
    bench.cloud.reboot(node.ref)
    assert bench.cloud.host_key(node.ref) == host_key
    other = bench.made("SUB-2", address=bench.addresses[1])
    assert bench.cloud.host_key(other.ref) != host_key


def test_keys_come_and_go(bench: Bench) -> None:
    node, one = bench.made(keys=(key(),)), key()
    for change in (bench.cloud.add_key, bench.cloud.add_key, bench.cloud.remove_key, bench.cloud.remove_key):
        change(node.ref, one)
    with pytest.raises(ProviderError) as refused:
        bench.cloud.add_key(node.ref, "no key at all")
    assert refused.value.permanent


@pytest.mark.parametrize("family", [4, 6])
def test_further_addresses_come_and_go_and_the_first_stays(bench: Bench, family: int) -> None:
    assert bench.cloud.capabilities.extra_addresses
    assert bench.cloud.capabilities.ipv6
    node, ip = bench.made(), bench.addresses[1] if family == 4 else bench.address6
    for _ in range(2):
        bench.cloud.attach_address(node.ref, ip)
    bench.cloud.block_address(node.ref, ip)
    bench.cloud.reboot(node.ref)
    found = bench.cloud.get(node.ref)
    assert found is not None
    assert (found.addresses, bench.cloud.blocked(node.ref)) == ((bench.addresses[0], ip), {ip})
    bench.cloud.unblock_address(node.ref, ip)
    bench.cloud.detach_address(node.ref, ip)
    found = bench.cloud.get(node.ref)
    assert found is not None
    assert found.addresses == (bench.addresses[0],)


def test_a_machine_that_is_asked_to_shut_down_ends_and_can_be_started(bench: Bench) -> None:
    node, cloud = bench.made(), bench.cloud
    assert cloud.capabilities.soft_stop
    cloud.shut_down(node.ref)
    bench.until(lambda node: node is not None and node.power is Power.OFF)
    cloud.shut_down(node.ref)
    assert cloud.start(node.ref).power is Power.ON


def test_a_new_name_is_the_machines_own(bench: Bench) -> None:
    node, cloud = bench.made(), bench.cloud
    assert cloud.capabilities.rename
    for _ in range(2):
        cloud.rename(node.ref, "shop-2")
    found = cloud.get(node.ref)
    assert found is not None
    assert (found.name, found.power) == ("shop-2", Power.ON)


def test_a_rebuild_is_done_once_and_keeps_address_and_blocks_but_not_the_host_key(bench: Bench) -> None:
    node, cloud, ip = bench.made(), bench.cloud, bench.addresses[0]
    assert cloud.capabilities.rebuild
    cloud.block_address(node.ref, ip)
    before = cloud.host_key(node.ref)
    assert node.build == ""
    made = cloud.rebuild(node.ref, bench.spec(keys=(key(),)), "one")
    assert (made.ref, made.power, made.addresses, made.build) == (node.ref, Power.ON, (ip,), "one")
    after = cloud.host_key(node.ref)
    assert after != before
    assert cloud.blocked(node.ref) == {ip}
    epoch = cloud.counters(node.ref, now=NOW).epoch
    cloud.rebuild(node.ref, bench.spec(), "one")
    assert (cloud.host_key(node.ref), cloud.counters(node.ref, now=NOW).epoch) == (after, epoch)
    cloud.stop(node.ref)
    assert cloud.rebuild(node.ref, bench.spec(), "two").power is Power.ON
    assert cloud.host_key(node.ref) != after


def test_rescue_lasts_until_it_is_left_and_has_a_host_key_of_its_own(bench: Bench) -> None:
    node, cloud = bench.made(), bench.cloud
    assert cloud.capabilities.rescue
    own = cloud.host_key(node.ref)
    assert not node.rescue
    for _ in range(2):
        rescued = cloud.rescue(node.ref, (key(),))
        assert (rescued.power, rescued.rescue, rescued.addresses) == (Power.ON, True, node.addresses)
    assert cloud.host_key(node.ref) != own
    epoch = cloud.counters(node.ref, now=NOW).epoch
    assert cloud.reboot(node.ref).rescue
    assert cloud.counters(node.ref, now=NOW).epoch != epoch
    for _ in range(2):
        back = cloud.leave_rescue(node.ref)
        assert (back.power, back.rescue) == (Power.ON, False)
    assert cloud.host_key(node.ref) == own


def whole(bench: Bench, token: str) -> Snapshot:
    """The copy under `token` once it is whole."""
    end = time.monotonic() + 20
    while (found := bench.cloud.find_snapshot(token)) is None or not found.ready:
        assert time.monotonic() < end, found
        time.sleep(0.01)
    return found


def test_a_snapshot_is_taken_once_for_a_token_and_found_until_it_is_deleted(bench: Bench) -> None:
    node, cloud = bench.made(), bench.cloud
    assert cloud.capabilities.snapshots
    assert cloud.find_snapshot("copy:1") is None
    first = cloud.snapshot(node.ref, "copy:1")
    found = whole(bench, "copy:1")
    assert (found.ref, found.token) == (first.ref, "copy:1")
    assert found.size_bytes > 0
    assert cloud.snapshot(node.ref, "copy:1").ref == first.ref
    other = cloud.snapshot(node.ref, "copy:2")
    assert {one.ref for one in cloud.snapshots()} == {first.ref, other.ref}
    cloud.destroy(node.ref)
    assert cloud.find_snapshot("copy:1") is not None
    for _ in range(2):
        cloud.delete_snapshot(first.ref)
    assert cloud.find_snapshot("copy:1") is None
    assert [one.ref for one in cloud.snapshots()] == [other.ref]
    cloud.delete_snapshot(other.ref)


def test_a_restore_is_done_once_and_keeps_address_blocks_and_firewall(bench: Bench) -> None:
    node, cloud, ip = bench.made(), bench.cloud, bench.addresses[0]
    assert cloud.capabilities.restore
    taken = cloud.snapshot(node.ref, "copy:1")
    whole(bench, "copy:1")
    cloud.block_address(node.ref, ip)
    cloud.set_firewall(node.ref, TEMPLATES["web"].policy())
    cloud.stop(node.ref)
    back = cloud.restore(node.ref, taken.ref, "one")
    assert (back.ref, back.power, back.addresses, back.build) == (node.ref, Power.ON, (ip,), "one")
    assert cloud.blocked(node.ref) == {ip}
    assert cloud.firewall(node.ref) == TEMPLATES["web"].policy().canonical()
    epoch = cloud.counters(node.ref, now=NOW).epoch
    cloud.restore(node.ref, taken.ref, "one")
    assert cloud.counters(node.ref, now=NOW).epoch == epoch
    cloud.restore(node.ref, taken.ref, "two")
    assert cloud.counters(node.ref, now=NOW).epoch != epoch
    with pytest.raises(ProviderError) as gone:
        cloud.restore(node.ref, "nothing", "three")
    assert gone.value.permanent
    assert bench.made().power is Power.ON
    cloud.delete_snapshot(taken.ref)


def test_a_new_machine_can_begin_as_a_snapshot(bench: Bench) -> None:
    node, cloud = bench.made(), bench.cloud
    taken = cloud.snapshot(node.ref, "copy:1")
    whole(bench, "copy:1")
    other = bench.made("SUB-2", address=bench.addresses[1], snapshot=taken.ref)
    assert (other.addresses, other.power) == ((bench.addresses[1],), Power.ON)
    assert cloud.host_key(other.ref) != cloud.host_key(node.ref)
    with pytest.raises(ProviderError) as gone:
        cloud.create(bench.spec("SUB-3", address=bench.addresses[2], snapshot="nothing"))
    assert gone.value.permanent
    cloud.delete_snapshot(taken.ref)
    assert cloud.get(other.ref) is not None


RULES = [
    {"direction": "in", "action": "drop", "peers": "0.0.0.0/0", "protocol": "udp", "ports": "53"},
    {"direction": "in", "action": "accept", "protocol": "tcp", "ports": "22, 80, 8000-8100", "note": "mine"},
    {"direction": "out", "action": "drop", "protocol": "tcp", "peers": "192.0.2.0/24, 198.51.100.7"},
    {"direction": "in", "action": "accept", "protocol": "icmp", "peers": "2001:db8::/32"},
    {"direction": "in", "action": "drop", "peers": "203.0.113.1, 203.0.113.2, 203.0.113.3"},
    {"direction": "in", "action": "accept", "peers": "::/0", "protocol": "udp", "ports": "1-2"},
]


def test_the_firewall_is_read_back_as_it_was_written_and_lasts(bench: Bench) -> None:
    node, cloud = bench.made(), bench.cloud
    assert cloud.capabilities.firewall
    assert cloud.firewall(node.ref) == OPEN
    locked = [{"direction": "out", "action": "drop", "protocol": "tcp", "ports": "25"}]
    wanted = of_json({"default_in": "drop", "default_out": "accept", "rules": RULES, "locks": locked})
    for _ in range(2):
        cloud.set_firewall(node.ref, wanted)
    assert cloud.firewall(node.ref) == wanted.canonical() != OPEN
    cloud.reboot(node.ref)
    assert cloud.firewall(node.ref) == wanted.canonical()
    cloud.stop(node.ref)
    cloud.set_firewall(node.ref, TEMPLATES["web"].policy())
    cloud.start(node.ref)
    assert cloud.firewall(node.ref) == TEMPLATES["web"].policy().canonical()
    cloud.set_firewall(node.ref, OPEN)
    assert cloud.firewall(node.ref) == OPEN


def test_a_machine_that_does_not_exist_has_no_snapshot(bench: Bench) -> None:
    for ask in (lambda: bench.cloud.snapshot("nobody", "copy:1"), lambda: bench.cloud.restore("nobody", "x", "one")):
        with pytest.raises(ProviderError) as error:
            ask()
        assert error.value.permanent
    assert bench.cloud.snapshots() == []


@pytest.mark.parametrize("verb", ["start", "stop", "shut_down", "reboot", "leave_rescue", "host_key", "blocked"])
def test_a_machine_that_does_not_exist_is_a_lasting_error(bench: Bench, verb: str) -> None:
    with pytest.raises(ProviderError) as error:
        getattr(bench.cloud, verb)("nobody")
    assert error.value.permanent


# ---------------------------------------------------------------- what only the simulated cloud can show


def test_a_machine_is_pending_for_some_looks_and_refuses_verbs_until_then(tmp_path: Path) -> None:
    with simulated_place(tmp_path, boot_looks=3):
        cloud = Bench(["203.0.113.7"])
        node = cloud.cloud.create(cloud.spec())
        assert node.power is Power.PENDING
        with pytest.raises(ProviderError) as busy:
            cloud.cloud.stop(node.ref)
        assert (busy.value.permanent, busy.value.code) == (False, "busy")
        seen = [cloud.cloud.find("SUB-1").power for _ in range(3)]  # type: ignore[union-attr]
        assert seen == [Power.PENDING, Power.PENDING, Power.ON]
        cloud.cloud.stop(node.ref)
        with pytest.raises(ProviderError) as wrong:
            cloud.cloud.reboot(node.ref)
        assert (wrong.value.permanent, wrong.value.code) == (True, "wrong_state")


def test_planned_faults_strike_before_or_after_the_effect(tmp_path: Path) -> None:
    with simulated_place(tmp_path) as control:
        bench = Bench(["203.0.113.7"])
        control.plan("create", "transient")
        with pytest.raises(ProviderError):
            bench.cloud.create(bench.spec())
        assert control.refs() == []
        control.plan("create", "lost")
        with pytest.raises(ProviderError):
            bench.cloud.create(bench.spec())
        assert len(control.refs()) == 1
        assert control.calls("create") == ["transient", "lost"]


def test_a_simulated_snapshot_comes_late_and_sometimes_twice(tmp_path: Path) -> None:
    with simulated_place(tmp_path, boot_looks=2) as control:
        bench = Bench(["203.0.113.7"])
        node = bench.made()
        control.write(node.ref, "then")
        control.plan("snapshot", "double")
        taken = bench.cloud.snapshot(node.ref, "copy:1")
        assert control.tokens_of_snapshots() == ["copy:1"] * 2
        with pytest.raises(ProviderError) as busy:
            bench.cloud.restore(node.ref, taken.ref, "one")
        assert (busy.value.permanent, busy.value.code) == (False, "busy")
        assert whole(bench, "copy:1").ref == taken.ref
        control.write(node.ref, "now")
        bench.cloud.restore(node.ref, taken.ref, "one")
        assert control.disk(node.ref) == "then"
        made = bench.made("SUB-2", address="203.0.113.8", snapshot=taken.ref)
        assert control.disk(made.ref) == "then"


def test_trouble_by_seed_is_the_same_each_time_and_capacity_ends(tmp_path: Path) -> None:
    def outcomes(folder: str) -> list[str]:
        (tmp_path / folder).mkdir()
        trouble = {"lost": 0.2, "transient": 0.2, "duplicate": 0.5}
        with simulated_place(tmp_path / folder, seed=7, trouble=trouble, capacity=30) as control:
            bench = Bench(["203.0.113.7"])
            for number in range(40):
                try:
                    bench.cloud.create(bench.spec(f"SUB-{number}"))
                except ProviderError:
                    continue
            assert len(control.refs()) <= 30
            return control.calls("create")

    first = outcomes("one")
    assert first == outcomes("two")
    assert {"ok", "lost", "transient"} <= set(first)


def test_it_is_remembered_across_processes(tmp_path: Path) -> None:
    with simulated_place(tmp_path):
        ref = Bench(["203.0.113.7"]).made().ref
    with simulated_place(tmp_path, label="the same file, another connection") as control:
        assert control.refs() == [ref]


def test_traffic_looks_alike_however_often_it_is_read() -> None:
    end = NOW + timedelta(days=3)
    whole = traffic.between("sim-x", NOW, end, 10**9)
    parts = [traffic.between("sim-x", NOW + timedelta(hours=n), NOW + timedelta(hours=n + 1), 10**9) for n in range(72)]
    assert (sum(rx for rx, _ in parts), sum(tx for _, tx in parts)) == whole
    assert 10**9 < sum(whole) < 6 * 10**9
    assert len({sum(part) for part in parts}) > 60  # a curve, not a line


def test_reading_the_past_changes_nothing(tmp_path: Path) -> None:
    with simulated_place(tmp_path) as control:
        bench = Bench(["203.0.113.7"])
        node = bench.made()
        control.carry(node.ref, bytes_a_day=10**9)
        bench.cloud.counters(node.ref, now=NOW)
        later = bench.cloud.counters(node.ref, now=NOW + timedelta(days=1))
        back = bench.cloud.counters(node.ref, now=NOW + timedelta(hours=1))
        assert (back.rx_bytes, back.tx_bytes) == (later.rx_bytes, later.tx_bytes)
        assert later.rx_bytes > 0
