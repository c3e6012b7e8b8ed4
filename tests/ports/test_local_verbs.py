"""SRV-8 on real hosts: asked to end or cut off, renamed, rebuilt, rescued."""

import os
import signal
import subprocess
import sys
import textwrap

import pytest

from panel.core.errors import ProviderError
from servers.providers import Node
from servers.providers.local_adapter import LocalProvider
from servers.rules import Power
from tests.support import hosts
from tests.support.hosts import Customer, spec
from tests.support.wire import eventually

pytestmark = pytest.mark.local
NOTES_ITS_END = """
import pathlib, signal, sys, time
def ended(number, frame):
    pathlib.Path("/root/end").write_text("asked")
    sys.exit()
signal.signal(signal.SIGTERM, ended)
pathlib.Path("/root/ready").write_text("")
time.sleep(600)
"""


def power_of(cloud: LocalProvider, node: Node) -> Power | None:
    found = cloud.get(node.ref)
    return found.power if found else None


def first_process(cloud: LocalProvider, node: Node) -> int:
    record = cloud.driver.records.read(node.ref)
    assert record is not None
    assert record.boot is not None
    return record.boot.pid


def test_who_is_asked_may_tidy_up_and_who_is_cut_off_may_not(
    cloud: LocalProvider, customer: Customer, node: Node
) -> None:
    ends = {}
    for verb in (cloud.shut_down, cloud.stop):
        with customer.log_in(cloud, node) as inside:
            inside.run(["rm", "-f", "/root/end", "/root/ready"])
            hosts.background(inside, NOTES_ITS_END)
            assert eventually(lambda: inside.run(["test", "-e", "/root/ready"]).status == 0)
        verb(node.ref)
        assert eventually(lambda: power_of(cloud, node) is Power.OFF)
        cloud.start(node.ref)
        with customer.log_in(cloud, node) as inside:
            ends[verb.__name__] = inside.run(["cat", "/root/end"]).output
    assert ends == {"shut_down": "asked", "stop": ""}


def test_a_host_that_hangs_does_not_end_when_asked_and_does_when_cut_off(cloud: LocalProvider, node: Node) -> None:
    os.kill(first_process(cloud, node), signal.SIGSTOP)
    cloud.shut_down(node.ref)
    assert power_of(cloud, node) is Power.ON
    assert cloud.stop(node.ref).power is Power.OFF
    assert cloud.start(node.ref).power is Power.ON


def test_no_byte_counts_twice_after_a_host_was_asked_to_end(
    cloud: LocalProvider, customer: Customer, node: Node
) -> None:
    cloud.stop(node.ref)
    cloud.start(node.ref)
    customer.log_in(cloud, node).close()
    vendor = cloud.driver.ex_get_node(node.ref)
    assert vendor is not None
    before = cloud.driver.ex_counters(vendor)
    cloud.shut_down(node.ref)
    assert eventually(lambda: power_of(cloud, node) is Power.OFF)
    after = cloud.driver.ex_counters(vendor)
    assert after[0] == before[0]
    assert after[1] >= before[1]


def test_a_new_name_is_known_inside_at_once_and_after_a_restart(
    cloud: LocalProvider, customer: Customer, node: Node
) -> None:
    cloud.rename(node.ref, "shop")
    for _ in range(2):
        with customer.log_in(cloud, node) as inside:
            assert inside.run(["hostname"]).output == "shop\n"
        cloud.reboot(node.ref)


def test_a_rebuilt_host_has_a_new_disk_the_same_address_and_is_known_by_its_new_key_only(
    cloud: LocalProvider, customer: Customer, node: Node
) -> None:
    with customer.log_in(cloud, node) as inside:
        inside.run(["sh", "-c", "echo mine > /root/mine"])
    before = cloud.host_key(node.ref)
    order = spec("any", customer.public, first_boot="echo again > /root/first")
    made = cloud.rebuild(node.ref, order, "rebuild:1")
    assert made.addresses == node.addresses
    with pytest.raises(ProviderError, match="another host key"):
        customer.log_in(cloud, node, host_key=before)
    with customer.log_in(cloud, made) as inside:
        assert inside.run(["test", "-e", "/root/mine"]).status == 1
        assert eventually(lambda: inside.run(["cat", "/root/first"]).output == "again\n")
        assert inside.run(["hostname"]).output == "web-1\n"
        assert 0.5 * hosts.DISK_MB * 1024 < inside.facts().disk_total_kb <= hosts.DISK_MB * 1024


def test_the_rescue_system_opens_to_the_given_key_alone_and_has_the_disk_below_mnt(
    cloud: LocalProvider, customer: Customer, node: Node
) -> None:
    with customer.log_in(cloud, node) as inside:
        inside.run(["sh", "-c", "echo broken > /etc/setting; echo once >> /root/boots"])
    rescuer = Customer()
    rescued = cloud.rescue(node.ref, (rescuer.public,))
    with pytest.raises(ProviderError, match="refuses our key"):
        customer.log_in(cloud, rescued)
    with rescuer.log_in(cloud, rescued) as inside:
        assert inside.run(["test", "-e", "/etc/setting"]).status == 1, "it is another system"
        assert inside.run(["cat", "/mnt/etc/setting"]).output == "broken\n"
        assert inside.run(["chroot", "/mnt", "sh", "-c", "echo mended > /etc/setting"]).status == 0
        inside.run(["sh", "-c", "echo scratch > /root/scratch"])
    cloud.reboot(node.ref)
    with rescuer.log_in(cloud, rescued) as inside:
        assert inside.run(["test", "-e", "/root/scratch"]).status == 1, "the rescue system keeps nothing"
        assert inside.run(["cat", "/mnt/etc/setting"]).output == "mended\n"
    cloud.leave_rescue(node.ref)
    with customer.log_in(cloud, node) as inside:
        assert inside.run(["cat", "/etc/setting"]).output == "mended\n"
    with pytest.raises(ProviderError, match="refuses our key"):
        rescuer.log_in(cloud, node)


@pytest.mark.parametrize(("verb", "where"), [
    ("rebuild", "disks.erase"), ("rebuild", "power.furnish"), ("rebuild", "power.switch_on"),
    ("rescue", "power.switch_off"), ("rescue", "power.switch_on"), ("leave_rescue", "power.switch_off"),
])  # fmt: skip
def test_a_panel_that_dies_in_the_middle_finds_one_result_when_it_asks_again(
    cloud: LocalProvider, customer: Customer, node: Node, verb: str, where: str
) -> None:
    arguments = {"rebuild": (spec("any", customer.public), "one"), "rescue": ((customer.public,),), "leave_rescue": ()}
    if verb == "leave_rescue":
        cloud.rescue(node.ref, (customer.public,))
    module, _, name = where.partition(".")
    script = f"""
        import os, pathlib
        from servers.providers.local import disks, power
        from servers.providers.local_adapter import LocalProvider, LocalNodeDriver
        from tests.support.hosts import DISK_MB, spec
        real = {where}
        def dies(*args, **kwargs):
            real(*args, **kwargs)
            os._exit(9)
        {module}.{name} = dies
        driver = LocalNodeDriver(data_dir=pathlib.Path({str(cloud.driver.records.directory.parent)!r}),
                                 bridge={cloud.driver.network.bridge!r}, subnet={str(cloud.driver.network.subnet)!r})
        place = LocalProvider("local-test", driver, {{"max_disk_mb": DISK_MB}})
        given = {{"rebuild": (spec("any", {customer.public!r}), "one"), "rescue": (({customer.public!r},),),
                  "leave_rescue": ()}}
        place.{verb}({node.ref!r}, *given[{verb!r}])
    """
    died = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=False, capture_output=True, text=True)
    assert died.returncode == 9, died.stderr
    made = getattr(cloud, verb)(node.ref, *arguments[verb])
    if made.power is Power.OFF:  # nobody promised more than to leave the rescue system
        made = cloud.start(node.ref)
    assert (made.power, made.rescue, made.addresses) == (Power.ON, verb == "rescue", node.addresses)
    customer.log_in(cloud, made).close()
