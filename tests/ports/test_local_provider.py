"""SRV-1 to SRV-4, ABU-3 on real hosts: one per token, the customer's key, honest counters, packets that stop."""

import shutil
import socket
import subprocess
import sys
import textwrap
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from panel.core.errors import ProviderError
from servers.providers import Node
from servers.providers.local import enter
from servers.providers.local.driver import LocalNodeDriver
from servers.providers.local_adapter import LocalProvider
from servers.rules import Power
from tests.support import hosts, wire
from tests.support.hosts import Customer, spec
from tests.support.wire import BEAT, eventually, heard

pytestmark = pytest.mark.local
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def node(cloud: LocalProvider, customer: Customer) -> Node:
    return cloud.create(spec("op-1", customer.public, name="web one", first_boot="echo it ran > /root/first"))


def test_the_customers_key_opens_the_host_that_the_provider_vouches_for(
    cloud: LocalProvider, customer: Customer, node: Node
) -> None:
    assert node.power is Power.ON
    with customer.log_in(cloud, node) as inside:
        assert inside.run(["hostname"]).output == "web-one\n"
        assert inside.run(["sh", "-c", "exit 7"]).status == 7
        assert eventually(lambda: inside.run(["cat", "/root/first"]).output == "it ran\n")
        facts = inside.facts()
        assert facts.hostname == "web-one"
        assert facts.memory_available_kb <= facts.memory_total_kb
        assert 0.5 * hosts.DISK_MB * 1024 < facts.disk_total_kb <= hosts.DISK_MB * 1024


def test_a_foreign_key_and_a_foreign_host_are_refused(cloud: LocalProvider, customer: Customer, node: Node) -> None:
    with pytest.raises(ProviderError, match="refuses our key") as refused:
        Customer().log_in(cloud, node)
    assert refused.value.permanent
    with pytest.raises(ProviderError, match="another host key") as other:
        customer.log_in(cloud, node, host_key=Customer().public)
    assert (other.value.permanent, other.value.code) == (True, "host_key")


def test_keys_come_and_go_from_both_sides(cloud: LocalProvider, customer: Customer, node: Node) -> None:
    colleague, friend = Customer(), Customer()
    cloud.add_key(node.ref, colleague.public)
    with colleague.log_in(cloud, node) as inside:
        inside.install_key(friend.public)
        inside.install_key(friend.public)
        assert inside.run(["grep", "-c", "", ".ssh/authorized_keys"]).output == "1\n"
    with friend.log_in(cloud, node) as inside:
        inside.remove_key(f"{friend.public} under another comment")
    cloud.remove_key(node.ref, colleague.public)
    for gone in (colleague, friend):
        with pytest.raises(ProviderError, match="refuses our key"):
            gone.log_in(cloud, node)
    customer.log_in(cloud, node).close()
    with pytest.raises(ProviderError, match="no public key"):
        cloud.add_key(node.ref, "ssh-ed25519 AAAA\nssh-ed25519 BBBB")


def test_a_bulk_transfer_is_metered_to_a_thousandth(cloud: LocalProvider, customer: Customer, node: Node) -> None:
    with customer.log_in(cloud, node) as inside:
        wire.listen(inside)
    time.sleep(0.3)  # the last packets of the log-in
    before = cloud.counters(node.ref, now=NOW)
    expected = wire.bulk(node.addresses[0])
    after = cloud.counters(node.ref, now=NOW)
    carried = after.rx_bytes + after.tx_bytes - before.rx_bytes - before.tx_bytes
    assert abs(carried - expected) <= expected / 1000
    assert after.rx_bytes - before.rx_bytes >= expected, "into the host is the host's rx"
    assert after.epoch == before.epoch


def test_a_blocked_address_is_silent_in_both_directions_and_others_are_not(
    cloud: LocalProvider, customer: Customer, node: Node
) -> None:
    other = cloud.create(spec("op-neighbour", customer.public))
    mine, theirs = node.addresses[0], other.addresses[0]
    with customer.log_in(cloud, node) as inside:
        hosts.background(inside, BEAT, theirs)
    with customer.log_in(cloud, other) as neighbour, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        hosts.background(neighbour, BEAT, mine)
        machine = str(cloud.driver.network.gateway)
        with customer.log_in(cloud, node) as inside:
            assert eventually(lambda: heard(neighbour, mine) > 5 and heard(inside, theirs) > 5)
            line.sendto(b"beat", (mine, 5000))
            assert eventually(lambda: heard(inside, machine) == 1)

        cloud.block_address(node.ref, mine)
        cloud.block_address(node.ref, mine)
        assert cloud.blocked(node.ref) == {mine}
        assert cloud.blocked(other.ref) == set()
        time.sleep(0.1)
        disk = cloud.driver.records.home(node.ref) / "disk" / "upper" / "tmp" / "got.json"
        silence, deafness = heard(neighbour, mine), disk.read_text()
        for _ in range(20):
            with pytest.raises(PermissionError):
                line.sendto(b"beat", (mine, 5000))
        with pytest.raises(ProviderError) as cut:
            customer.log_in(cloud, node, patience=1)
        assert cut.value.code == "unreachable"
        assert heard(neighbour, mine) == silence
        assert disk.read_text() == deafness, "read from the machine's side: nothing reached the host, and it lives"

        cloud.unblock_address(node.ref, mine)
        cloud.unblock_address(node.ref, mine)
        assert eventually(lambda: heard(neighbour, mine) > silence + 5)
        with customer.log_in(cloud, node) as inside:
            assert heard(inside, machine) == 1, "what was sent meanwhile is lost, not delayed"
    cloud.destroy(other.ref)


def test_a_block_survives_the_power_cycle_and_dies_with_the_host(cloud: LocalProvider, customer: Customer) -> None:
    node = cloud.create(spec("op-blocked", customer.public))
    ip = node.addresses[0]
    cloud.block_address(node.ref, ip)
    cloud.reboot(node.ref)
    assert cloud.blocked(node.ref) == {ip}
    with pytest.raises(ProviderError):
        customer.log_in(cloud, node, patience=1)
    subprocess.run(["/usr/sbin/nft", "delete", "table", "inet", cloud.driver.firewall.table], check=True)
    cloud.reboot(node.ref)
    assert cloud.blocked(node.ref) == {ip}, "rules lost to somebody's flush come back"
    cloud.destroy(node.ref)
    heir = cloud.create(spec("op-heir", customer.public, address=ip))
    assert cloud.blocked(heir.ref) == set()
    customer.log_in(cloud, heir).close()
    cloud.destroy(heir.ref)


def test_one_port_can_be_filtered(cloud: LocalProvider, customer: Customer, node: Node) -> None:
    vendor = cloud.driver.ex_get_node(node.ref)
    assert vendor is not None
    cloud.driver.ex_block_port(vendor, node.addresses[0], "tcp", 22, "in")
    with pytest.raises(ProviderError):
        customer.log_in(cloud, node, patience=1)
    cloud.driver.ex_unblock_port(vendor, node.addresses[0], "tcp", 22, "in")
    customer.log_in(cloud, node).close()


def test_a_power_cycle_keeps_the_disk_and_begins_a_new_epoch(
    cloud: LocalProvider, customer: Customer, node: Node
) -> None:
    with customer.log_in(cloud, node) as inside:
        inside.run(["sh", "-c", "echo kept > /root/kept; rm /root/first"])
    key, before = cloud.host_key(node.ref), cloud.counters(node.ref, now=NOW)
    assert cloud.stop(node.ref).power is Power.OFF
    assert cloud.stop(node.ref).power is Power.OFF
    last = cloud.counters(node.ref, now=NOW)
    assert (last.epoch, last.rx_bytes >= before.rx_bytes) == (before.epoch, True), "no byte is lost by looking after"
    with pytest.raises(ProviderError):
        customer.log_in(cloud, node, patience=1)
    assert cloud.start(node.ref).power is Power.ON
    after = cloud.counters(node.ref, now=NOW)
    assert after.epoch != before.epoch
    assert after.rx_bytes < before.rx_bytes
    assert cloud.host_key(node.ref) == key
    with customer.log_in(cloud, node) as inside:
        assert inside.run(["cat", "/root/kept"]).output == "kept\n"
        assert inside.run(["ls", "/root/first"]).status != 0, "first boot is once"


def test_a_host_that_ends_itself_is_seen_as_off(cloud: LocalProvider, customer: Customer, node: Node) -> None:
    with customer.log_in(cloud, node) as inside, pytest.raises(ProviderError):
        inside.run(["sh", "-c", "kill -TERM 1; sleep 5"], timeout=2)
    found = cloud.get(node.ref)
    assert found is not None
    assert found.power is Power.OFF
    assert cloud.start(node.ref).power is Power.ON
    customer.log_in(cloud, node).close()


def test_one_token_makes_one_host_however_often_it_is_asked(cloud: LocalProvider, customer: Customer) -> None:
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda _: cloud.create(spec("op-twice", customer.public)), range(4)))
    assert len({node.ref for node in made}) == 1
    assert [node.ref for node in cloud.list()].count(made[0].ref) == 1
    assert cloud.find("op-twice") == made[0]
    cloud.destroy(made[0].ref)
    assert cloud.find("op-twice") is None
    assert cloud.get(made[0].ref) is None
    cloud.destroy(made[0].ref)


def test_hosts_made_and_destroyed_side_by_side_leave_the_others_connections_alone(
    cloud: LocalProvider, customer: Customer, node: Node
) -> None:
    bridge = Path("/sys/class/net") / cloud.driver.network.bridge / "address"
    before = bridge.read_text()

    def comes_and_goes(number: int) -> str:
        made = cloud.create(spec(f"op-side-{number}", customer.public))
        with customer.log_in(cloud, made) as inside:
            assert inside.run(["hostname"]).output == f"op-side-{number}\n"
        cloud.destroy(made.ref)
        return made.addresses[0]

    with customer.log_in(cloud, node) as patient, ThreadPoolExecutor(4) as pool:
        assert len(list(pool.map(comes_and_goes, range(8)))) == 8
        assert patient.run(["true"], timeout=5).status == 0
    assert bridge.read_text() == before, "hosts would lose the machine's address for a while"


@pytest.mark.parametrize("where", ["disks.attach", "network.Network.plug", "power._await_sshd", "power.furnish"])
def test_a_panel_that_dies_while_creating_leaves_one_host_to_finish(
    cloud: LocalProvider, customer: Customer, where: str
) -> None:
    """The process is gone right after the named step; the next attempt under the same token finishes the same host."""
    token = f"op-crash-{where}"
    module, _, name = where.partition(".")
    script = f"""
        import os, pathlib
        from servers.providers.local import disks, network, power
        from servers.providers.local_adapter import LocalProvider, LocalNodeDriver
        from tests.support.hosts import DISK_MB, spec
        owner, _, name = {name!r}.rpartition(".")
        target = getattr({module}, owner) if owner else {module}
        real = getattr(target, name)
        def dies(*args, **kwargs):
            real(*args, **kwargs)
            os._exit(9)
        setattr(target, name, dies)
        driver = LocalNodeDriver(data_dir=pathlib.Path({str(cloud.driver.records.directory.parent)!r}),
                                 bridge={cloud.driver.network.bridge!r}, subnet={str(cloud.driver.network.subnet)!r})
        LocalProvider("local-test", driver, {{"max_disk_mb": DISK_MB}}).create(spec({token!r}, {customer.public!r}))
    """
    died = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=False, capture_output=True, text=True)
    assert died.returncode == 9, died.stderr
    half = cloud.find(token)
    assert half is not None
    assert half.power is Power.PENDING
    whole = cloud.create(spec(token, customer.public))
    assert (whole.ref, whole.addresses, whole.power) == (half.ref, half.addresses, Power.ON)
    customer.log_in(cloud, whole).close()
    cloud.destroy(whole.ref)


def test_a_half_made_host_can_be_destroyed(cloud: LocalProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as broken:
        broken.setattr("servers.providers.local.power.INIT", "#!/bin/sh\nexit 3\n")
        with pytest.raises(ProviderError, match="ended while it started") as failed:
            cloud.create(spec("op-half"))
    assert not failed.value.permanent
    half = cloud.find("op-half")
    assert half is not None
    with pytest.raises(ProviderError, match="is building"):
        cloud.start(half.ref)
    cloud.destroy(half.ref)
    assert cloud.find("op-half") is None


def test_further_addresses_come_and_go_and_stay_over_a_power_cycle(
    cloud: LocalProvider, customer: Customer, node: Node
) -> None:
    extra = cloud.driver.ex_pool()[-1]
    cloud.attach_address(node.ref, extra)
    customer.log_in(cloud, node, address=extra).close()
    cloud.block_address(node.ref, extra)
    with pytest.raises(ProviderError):
        customer.log_in(cloud, node, patience=1, address=extra)
    customer.log_in(cloud, node).close()
    cloud.reboot(node.ref)
    assert cloud.blocked(node.ref) == {extra}
    cloud.unblock_address(node.ref, extra)
    customer.log_in(cloud, node, address=extra).close()
    cloud.detach_address(node.ref, extra)
    with pytest.raises(ProviderError):
        customer.log_in(cloud, node, patience=1, address=extra)
    with pytest.raises(ProviderError, match="main address"):
        cloud.detach_address(node.ref, node.addresses[0])
    with pytest.raises(ProviderError, match="no address of"):
        cloud.block_address(node.ref, extra)


@pytest.mark.parametrize("address", ["10.0.0.1", "nonsense", "first", "gateway"])
def test_an_address_that_cannot_be_had_is_refused_for_good(cloud: LocalProvider, node: Node, address: str) -> None:
    wanted = {"first": node.addresses[0], "gateway": str(cloud.driver.network.gateway)}.get(address, address)
    with pytest.raises(ProviderError) as refused:
        cloud.create(spec("op-refused", address=wanted))
    assert (refused.value.permanent, refused.value.code) == (True, "refused")
    assert cloud.find("op-refused") is None


def test_a_second_panel_is_kept_off_our_bridge_and_our_subnet(
    cloud: LocalProvider, customer: Customer, node: Node, tmp_path: Path
) -> None:
    """With records of its own it would give our hosts' addresses to others, and tear our bridge down with its last."""
    ours = cloud.driver.network
    beside = LocalNodeDriver(data_dir=tmp_path, bridge="tbeside", subnet=str(ours.subnet))
    assert beside.ex_in_the_way() == f"{ours.subnet} is in use on {ours.bridge}"
    driver = LocalNodeDriver(data_dir=tmp_path, bridge=ours.bridge, subnet=str(ours.subnet))
    second = LocalProvider("second", driver, {"max_disk_mb": hosts.DISK_MB})
    with pytest.raises(ProviderError, match="belongs to the hosts of") as refused:
        second.create(spec("op-second"))
    assert refused.value.permanent
    for left in second.list():
        second.destroy(left.ref)
    shutil.rmtree(driver.cache)
    customer.log_in(cloud, node).close()


def test_two_places_of_one_machine_can_have_hosts_of_the_same_token(
    cloud: LocalProvider, customer: Customer, tmp_path: Path
) -> None:
    mine = cloud.create(spec("op-same", customer.public))
    with hosts.place(tmp_path) as other:
        theirs = other.create(spec("op-same", customer.public))
        assert theirs.ref == mine.ref
        other.stop(theirs.ref)
    with customer.log_in(cloud, mine) as inside:
        assert inside.run(["true"]).status == 0, "the other's end takes nobody's cable away"
    cloud.destroy(mine.ref)


def test_an_unknown_host_is_said_to_be_unknown(cloud: LocalProvider) -> None:
    assert cloud.get("lh-none") is None
    assert cloud.get("../../etc") is None
    for verb in (cloud.start, cloud.stop, cloud.reboot, cloud.blocked, cloud.host_key):
        with pytest.raises(ProviderError) as unknown:
            verb("lh-000000000000")
        assert (unknown.value.permanent, unknown.value.code) == (True, "not_found")
    cloud.destroy("lh-000000000000")


def test_destroying_leaves_nothing(cloud: LocalProvider, customer: Customer) -> None:
    node = cloud.create(spec("op-gone", customer.public))
    with customer.log_in(cloud, node) as inside:
        hosts.background(inside, "import time; time.sleep(600)")
    home = cloud.driver.records.home(node.ref)
    assert any(str(home) in line for line in hosts.leftovers(home, "none")), "the search finds a living host"
    cloud.destroy(node.ref)
    assert hosts.leftovers(home, "none") == []
    assert not home.exists()
    assert subprocess.run(
        ["/usr/sbin/ip", "link", "show", node.ref.replace("-", "")], capture_output=True, check=False
    ).returncode


def test_links_in_the_way_of_mounts_are_set_aside_and_not_followed(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    elsewhere = tmp_path / "machine"
    elsewhere.mkdir()
    (root / "etc").symlink_to(elsewhere)
    assert enter.directory(str(root), "etc", "clause") == f"{root}/etc/clause"
    assert list(elsewhere.iterdir()) == []
    assert not (root / "etc").is_symlink()
