"""Snapshots of real hosts: what is written is on the disk again, a new host is another one, a crash leaves nothing held
up (SRV-8, SUB-14)."""

import subprocess
import sys
import textwrap
import time
from dataclasses import replace
from pathlib import Path

import pytest

from panel.core.errors import ProviderError
from servers.providers import Node
from servers.providers.local import disks
from servers.providers.local_adapter import LocalProvider
from servers.rules import Power
from tests.support import hosts
from tests.support.hosts import Customer
from tests.support.wire import eventually

pytestmark = pytest.mark.local


def said(cloud: LocalProvider, customer: Customer, node: Node, script: str) -> str:
    with customer.log_in(cloud, node) as inside:
        return inside.run(["sh", "-c", script]).output


def dies_in(cloud: LocalProvider, where: str, call: str) -> None:
    """A panel that is killed right after `where` was carried out."""
    module, _, name = where.partition(".")
    script = f"""
        import os, pathlib
        from servers.providers.local import disks, power, snapshots
        from servers.providers.local_adapter import LocalProvider, LocalNodeDriver
        from tests.support.hosts import DISK_MB
        real = {where}
        def dies(*args, **kwargs):
            real(*args, **kwargs)
            os._exit(9)
        {module}.{name} = dies
        driver = LocalNodeDriver(data_dir=pathlib.Path({str(cloud.driver.records.directory.parent)!r}),
                                 bridge={cloud.driver.network.bridge!r}, subnet={str(cloud.driver.network.subnet)!r})
        place = LocalProvider("local-test", driver, {{"max_disk_mb": DISK_MB}})
        place.{call}
    """
    died = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=False, capture_output=True, text=True)
    assert died.returncode == 9, died.stderr


def test_a_restored_host_has_the_disk_of_then_and_stays_who_it_is(
    cloud: LocalProvider, customer: Customer, node: Node
) -> None:
    said(cloud, customer, node, "echo then > /root/mine; sync")
    taken = cloud.snapshot(node.ref, "copy:1")
    assert 0 < taken.size_bytes < hosts.DISK_MB * 1024 * 1024
    said(cloud, customer, node, "echo now > /root/mine; echo more > /root/more")
    key = cloud.host_key(node.ref)
    back = cloud.restore(node.ref, taken.ref, "one")
    assert (back.power, back.addresses, cloud.host_key(node.ref)) == (Power.ON, node.addresses, key)
    assert said(cloud, customer, back, "cat /root/mine; ls /root") == "then\nmine\n"
    said(cloud, customer, back, "echo since > /root/mine")
    cloud.restore(node.ref, taken.ref, "one")
    assert said(cloud, customer, back, "cat /root/mine") == "since\n", "once for a mark"


def test_what_is_written_while_it_is_copied_goes_on_afterwards(
    cloud: LocalProvider, customer: Customer, node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    with customer.log_in(cloud, node) as inside:
        busy = "import time\nfor n in range(200):\n  open('/root/n', 'a').write(f'{n}\\n'); time.sleep(0.01)\n"
        hosts.background(inside, busy)
        written, copied, sizes = cloud.driver.records.home(node.ref) / "disk/upper/root/n", disks._copy, []

        def slow(source: Path, target: Path) -> None:
            for _ in range(2):
                sizes.append(written.stat().st_size)
                time.sleep(0.2)
            copied(source, target)

        assert eventually(written.exists)
        monkeypatch.setattr(disks, "_copy", slow)
        taken = cloud.snapshot(node.ref, "copy:busy")
        monkeypatch.undo()
        assert sizes[0] == sizes[1], "what it writes meanwhile is held up"
        until = "import time\nwhile sum(1 for _ in open('/root/n')) < 200: time.sleep(0.05)\nprint(200)"
        assert hosts.python(inside, until) == 200, "nothing that was held up is lost"
    cloud.restore(node.ref, taken.ref, "one")
    lines = said(cloud, customer, node, "cat /root/n 2>/dev/null").split()
    assert lines == [str(number) for number in range(len(lines))], "the state of one instant"
    assert len(lines) < 200


def test_a_new_host_made_of_a_snapshot_has_the_files_and_a_key_and_a_size_of_its_own(
    cloud: LocalProvider, customer: Customer, node: Node
) -> None:
    said(cloud, customer, node, "echo then > /root/mine; sync")
    taken = cloud.snapshot(node.ref, "copy:1")
    vendor = cloud.driver.ex_get_node(node.ref)
    assert vendor is not None
    other = cloud.driver.create_node(
        "web-2", replace_disk(cloud, 2 * hosts.DISK_MB), cloud.driver.list_images()[0], ex_token="grown",
        ex_keys=[customer.public], ex_snapshot=taken.ref,
    )  # fmt: skip
    made = cloud.get(str(other.id))
    assert made is not None
    try:
        assert said(cloud, customer, made, "cat /root/mine; hostname") == "then\nweb-2\n"
        assert cloud.host_key(made.ref) != cloud.host_key(node.ref)
        with customer.log_in(cloud, made) as inside:
            assert inside.facts().disk_total_kb > 1.5 * hosts.DISK_MB * 1024, "its file system fills the larger disk"
        cloud.snapshot(made.ref, "copy:large")
        large = cloud.find_snapshot("copy:large")
        assert large is not None
        with pytest.raises(ProviderError, match="too large") as refused:
            cloud.restore(node.ref, large.ref, "two")
        assert refused.value.permanent
        assert said(cloud, customer, node, "cat /root/mine") == "then\n", "refused before anything was lost"
    finally:
        cloud.destroy(made.ref)


def replace_disk(cloud: LocalProvider, disk_mb: int) -> object:
    size = cloud.driver.list_sizes()[0]
    size.extra = {"disk_mb": disk_mb}
    return size


@pytest.mark.parametrize("where", ["power.switch_off", "disks.put_up", "power.switch_on"])
def test_a_panel_that_dies_in_the_middle_of_a_restore_finishes_it_when_it_asks_again(
    cloud: LocalProvider, customer: Customer, node: Node, where: str
) -> None:
    said(cloud, customer, node, "echo then > /root/mine; sync")
    taken = cloud.snapshot(node.ref, "copy:1")
    said(cloud, customer, node, "echo now > /root/mine; sync")
    dies_in(cloud, where, f"restore({node.ref!r}, {taken.ref!r}, 'one')")
    back = cloud.restore(node.ref, taken.ref, "one")
    assert (back.power, back.build) == (Power.ON, "one")
    assert said(cloud, customer, back, "cat /root/mine") == "then\n"


@pytest.mark.parametrize("where", ["disks._copy", "disks.copy"])
def test_half_a_copy_is_none_and_the_host_it_was_of_is_not_held_up(
    cloud: LocalProvider, customer: Customer, node: Node, where: str
) -> None:
    said(cloud, customer, node, "echo then > /root/mine; sync")
    dies_in(cloud, where, f"snapshot({node.ref!r}, 'copy:1')")
    assert cloud.find_snapshot("copy:1") is None
    taken = cloud.snapshot(node.ref, "copy:1")
    assert said(cloud, customer, node, "echo now > /root/mine; sync; cat /root/mine") == "now\n"
    cloud.restore(node.ref, taken.ref, "one")
    assert said(cloud, customer, node, "cat /root/mine") == "then\n"


def test_a_host_that_a_crash_left_held_up_can_still_be_switched_off(
    cloud: LocalProvider, customer: Customer, node: Node
) -> None:
    with customer.log_in(cloud, node) as inside:
        hosts.background(inside, "import os\nwhile True:\n  open('/root/n', 'w').write('x' * 9999); os.sync()\n")
    dies_in(cloud, "disks._copy", f"snapshot({node.ref!r}, 'copy:1')")
    assert cloud.stop(node.ref).power is Power.OFF
    assert cloud.start(node.ref).power is Power.ON


def test_names_of_snapshots_are_no_paths(cloud: LocalProvider, node: Node) -> None:
    for name in ("../hosts", "ls-../x", "", "ls-"):
        cloud.delete_snapshot(name)
        with pytest.raises(ProviderError) as refused:
            cloud.restore(node.ref, name, "one")
        assert refused.value.permanent
    assert cloud.get(node.ref) == replace(node, power=Power.ON)
