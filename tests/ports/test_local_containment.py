"""A real host is a closed room: root inside reaches none of the machine's files, devices, processes or networks."""

import json
import os
import socket
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from servers.providers import Node
from servers.providers.local import rootfs
from servers.providers.local_adapter import LocalProvider
from servers.remote import Remote
from tests.support import hosts
from tests.support.hosts import Customer, spec

pytestmark = pytest.mark.local

PRELUDE = """
import ctypes, errno, json, os, socket, stat, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
def attempt(what):
    try:
        what()
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error.errno))
    return "done"
def call(function, *arguments):
    ctypes.set_errno(0)
    if function(*arguments) < 0:
        raise OSError(ctypes.get_errno(), "refused")
"""

ATTEMPTS = """
def mount(kind, source, target, flags=0, data=None):
    return lambda: call(libc.mount, source, target, kind, ctypes.c_ulong(flags), data)
def write(path, text):
    def doing():
        with open(path, "w") as file:
            file.write(text)
    return doing
def device(kind, major, minor):
    return lambda: os.mknod(f"/root/device-{major}-{minor}", kind | 0o600, os.makedev(major, minor))
def system(on_intel, on_others, *arguments):
    number = on_intel if os.uname().machine == "x86_64" else on_others
    return lambda: call(libc.syscall, number, *arguments)
def join(name, flag):
    def doing():
        with open(f"/proc/1/ns/{name}") as space:
            call(libc.setns, space.fileno(), flag)
    return doing
os.makedirs("/root/point", exist_ok=True)
others = int(sys.argv[1])
found = {
    "mknod disk": device(stat.S_IFBLK, 254, 0), "mknod loop": device(stat.S_IFBLK, 7, 0),
    "mknod memory": device(stat.S_IFCHR, 1, 1), "mknod fuse": device(stat.S_IFCHR, 10, 229),
    "mount tmpfs": mount(b"tmpfs", b"tmpfs", b"/root/point"), "mount proc": mount(b"proc", b"proc", b"/root/point"),
    "mount sysfs": mount(b"sysfs", b"sysfs", b"/root/point"),
    "mount cgroup": mount(b"cgroup2", b"none", b"/root/point"),
    "mount bind": mount(None, b"/proc", b"/root/point", 4096),
    "remount": mount(None, b"none", b"/proc/sys", 4096 | 32),
    "remount panel's": mount(None, b"none", b"/etc/clause", 4096 | 32),
    "umount mask": lambda: call(libc.umount2, b"/proc/sys", 2), "umount root": lambda: call(libc.umount2, b"/", 2),
    "pivot": system(155, 41, b"/", b"/root/point"), "module": system(313, 273, 0, b"", 0),
    "kexec": system(246, 104, 0, 0, 0, 0), "reboot": system(169, 142, 0, 0, 0, 0),
    "swap": lambda: call(libc.swapon, b"/root/point", 0),
    "clock": lambda: __import__("time").clock_settime(0, 0),
    "bpf": system(321, 280, 5, ctypes.create_string_buffer(128), 128),
    "by handle": lambda: call(libc.open_by_handle_at, -100, struct.pack("Ii8s", 8, 1, bytes([2])), 0),
    "user namespace": lambda: call(libc.unshare, 0x10000000), "mount namespace": lambda: call(libc.unshare, 0x20000),
    "join mounts": join("mnt", 0x20000), "join network": join("net", 0x40000000),
    "core pattern": write("/proc/sys/kernel/core_pattern", "|/bin/sh"),
    "modprobe": write("/proc/sys/kernel/modprobe", "/bin/sh"),
    "forwarding": write("/proc/sys/net/ipv4/ip_forward", "1"),
    "panel's files": write("/etc/clause/keys/root", ""), "panel's init": write("/etc/clause/init", ""),
    "kill": lambda: os.kill(others, 0), "ptrace": lambda: call(libc.ptrace, 16, others, 0, 0),
    "read memory": lambda: open(f"/proc/{others}/mem", "rb"),
    "raw socket": lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW),
    "raw ip": lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1),
    "nice": lambda: os.nice(-5), "own uid map": write("/proc/self/uid_map", "0 0 1"),
}
print(json.dumps({name: attempt(what) for name, what in found.items()}))
"""

SIGHT = """
marker, machine, elsewhere, port = sys.argv[1:5]
devices, marked, left = [], [], ["/"]
while left:  # the kind of an entry is in its directory: no file is asked, or this takes a minute on a slow disk
    directory = left.pop()
    for entry in os.scandir(directory):
        if marker in entry.name:
            marked.append(entry.path)
        if entry.is_dir(follow_symlinks=False):
            if entry.path not in ("/proc", "/sys"):
                left.append(entry.path)
        elif not entry.is_file(follow_symlinks=False) and not entry.is_symlink():
            mode = entry.stat(follow_symlinks=False).st_mode
            if stat.S_ISBLK(mode) or stat.S_ISCHR(mode):
                devices.append(entry.path)
def reach(address):
    with socket.socket() as wire:
        wire.settimeout(2)
        try:
            wire.connect((address, int(port)))
            return "open"
        except TimeoutError:
            return "silent"
        except OSError as error:
            return errno.errorcode[error.errno]
status = dict(line.split(":", 1) for line in open("/proc/1/status").read().splitlines())
print(json.dumps({
    "devices": sorted(path for path in devices if not path.startswith("/dev/pts/")), "marked": marked,
    "processes": [open(f"/proc/{name}/cmdline").read() for name in os.listdir("/proc") if name.isdigit()],
    "mounts": [line.split() for line in open("/proc/self/mounts")],
    "capabilities": [status[name].strip() for name in ("CapBnd", "CapPrm", "CapEff", "CapInh", "CapAmb")],
    "users": open("/proc/1/uid_map").read().split(), "shadow": open("/etc/shadow").read(),
    "top": sorted(os.listdir("/")),
    "root": [os.stat("/proc/1/root/").st_ino == os.stat("/").st_ino, sorted(os.listdir("/proc/1/root/"))],
    "partitions": open("/proc/partitions").read(), "home": sorted(os.listdir("/home")), "sys": os.listdir("/sys"),
    "links": sorted(os.listdir("/proc/sys/net/ipv4/conf")), "reach": [reach(machine), reach(elsewhere)],
    "descriptors": sorted(os.readlink(f"/proc/1/fd/{number}").split(":")[0] for number in os.listdir("/proc/1/fd")),
}))
"""

CHROOT = """
os.makedirs("/root/jail", exist_ok=True)
before = os.stat("/").st_ino
handle = os.open("/", os.O_RDONLY)
os.chroot("/root/jail")
os.fchdir(handle)
for _ in range(64):
    os.chdir("..")
os.chroot(".")
print(json.dumps([os.stat("/").st_ino == before, sorted(os.listdir("/"))]))
"""


CUSTOMER = Customer()
REFUSALS = {"EPERM", "EACCES", "EROFS", "ESRCH", "ENOENT", "ENOSPC", "ENOSYS", "EBUSY"}
EXACTLY = {
    "mknod disk": "EPERM",
    "mount tmpfs": "EPERM",
    "mount bind": "EPERM",
    "join mounts": "EPERM",
    "reboot": "EPERM",
    "by handle": "EPERM",
    "user namespace": "ENOSPC",
    "kill": "ESRCH",
    "ptrace": "ESRCH",
    "core pattern": "EROFS",
}


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalProvider]:
    with hosts.place(tmp_path_factory.mktemp("contained")) as provider:
        yield provider


@pytest.fixture(scope="module")
def node(cloud: LocalProvider) -> Node:
    return cloud.create(spec("op-closed", CUSTOMER.public))


@pytest.fixture(scope="module")
def inside(cloud: LocalProvider, node: Node) -> Iterator[Remote]:
    with CUSTOMER.log_in(cloud, node) as connection:
        yield connection


@pytest.fixture(scope="module")
def sight(cloud: LocalProvider, inside: Remote, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What root inside can see, while the machine holds a file of a name nobody else has and offers a port."""
    marker = f"only-on-the-machine-{os.getpid()}"
    tmp_path_factory.mktemp("secret").joinpath(marker).touch()
    with socket.socket() as offer:
        offer.bind(("0.0.0.0", 0))  # noqa: S104
        offer.listen()
        elsewhere = next((ip for ip in _machine_addresses() if ip != str(cloud.driver.network.gateway)), "127.0.0.2")
        arguments = (marker, str(cloud.driver.network.gateway), elsewhere, str(offer.getsockname()[1]))
        found = hosts.python(inside, PRELUDE + SIGHT, *arguments)
    assert isinstance(found, dict)
    return found


def test_nothing_that_needs_power_over_the_machine_is_allowed(inside: Remote) -> None:
    found = hosts.python(inside, PRELUDE + ATTEMPTS, str(os.getpid()))
    assert isinstance(found, dict)
    allowed = {name: result for name, result in found.items() if result not in REFUSALS}
    assert allowed == {}
    wrong = {name: result for name, result in found.items() if name in EXACTLY and result != EXACTLY[name]}
    assert wrong == {}


def test_the_machines_files_are_not_there(sight: dict[str, Any]) -> None:
    assert sight["marked"] == []
    assert sight["top"] == sorted({*rootfs.LINKS, *(name.split("/")[0] for name in rootfs.DIRECTORIES)} - {"var/run"})
    assert sight["home"] == []
    assert Path("/etc/shadow").read_text() != sight["shadow"]
    assert sight["shadow"] == rootfs.ETC["shadow"]
    assert sight["root"] == [True, sight["top"]], "/proc/1/root is the host's own root"
    ordinary = {"/dev/null", "socket", "pipe", "anon_inode", "/var/log/sshd.log"}
    assert set(sight["descriptors"]) <= ordinary, "nothing of the machine was left open"


def test_only_five_harmless_devices_exist(sight: dict[str, Any]) -> None:
    assert sight["devices"] == [f"/dev/{name}" for name in ("null", "random", "tty", "urandom", "zero")]
    assert sight["partitions"] == ""
    assert sight["sys"] == []


def test_only_its_own_processes_mounts_and_powers_are_seen(sight: dict[str, Any]) -> None:
    assert all("sshd" in line or "python3" in line or line.startswith(("sh", "bash")) for line in sight["processes"])
    assert sight["capabilities"] == ["00000000000404fb"] * 3 + ["0000000000000000"] * 2
    assert sight["users"] == ["0", str(rootfs.BASE_ID), str(rootfs.ID_COUNT)]
    points = {point: options.split(",") for _, point, _, options, *_ in sight["mounts"]}
    assert {point.split("/")[1] for point in points} == {"", "dev", "etc", "proc", "run"}
    assert "ro" in points["/etc/clause"]
    assert "ro" in points["/proc/sys"]
    assert "nodev" in points["/"]


def test_no_network_but_the_bridge(sight: dict[str, Any], inside: Remote) -> None:
    assert sight["links"] == ["all", "default", "eth0", "lo"]
    assert sight["reach"][0] == "silent", "the machine answers no connection from a host"
    assert sight["reach"][1] in ("ENETUNREACH", "ECONNREFUSED")
    routes = inside.run(["ip", "route"]).output.splitlines()
    assert [line.split()[1:3] for line in routes] == [["dev", "eth0"]]
    assert inside.run(["ip", "-6", "addr"]).output == ""
    assert inside.run(["ip", "addr", "add", "10.0.0.9/24", "dev", "eth0"]).status != 0


def test_the_known_way_out_of_chroot_leads_to_the_same_room(inside: Remote, sight: dict[str, Any]) -> None:
    assert hosts.python(inside, PRELUDE + CHROOT) == [True, sight["top"]]


def test_a_customer_who_fills_everything_hits_the_hosts_own_walls(inside: Remote) -> None:
    assert "No space left" in inside.run(["sh", "-c", "head -c 200M /dev/zero > /root/full"]).errors
    inside.run(["rm", "/root/full"])
    bomb = "i=0; while [ $i -lt 2000 ]; do sleep 20 >/dev/null 2>&1 & i=$((i+1)); done"
    assert "Cannot fork" in inside.run(["sh", "-c", bomb], timeout=60).errors
    inside.run(["pkill", "sleep"])


def test_programs_a_customer_replaced_do_not_run_with_the_machines_power(
    cloud: LocalProvider, node: Node, tmp_path: Path
) -> None:
    """What runs on the way in runs from the machine; the customer's own programs come after every power is gone."""
    spy = tmp_path / "escaped"
    script = f'#!/bin/bash\nid -u > {spy}; cat /proc/self/uid_map > /root/spied\nexec /usr/bin/bash.real "$@"\n'
    with CUSTOMER.log_in(cloud, node) as inside:
        names = "umount mount setpriv unshare ip hostname sh"
        line = "cat > /root/spy; chmod 755 /root/spy; cp /usr/bin/bash /usr/bin/bash.real; "
        line += f"for n in {names}; do cp /root/spy /usr/bin/$n; done"
        assert inside.run(["/usr/bin/bash", "-c", line], stdin=script).status == 0
    cloud.reboot(node.ref)
    assert not spy.exists()
    with CUSTOMER.log_in(cloud, node) as inside:
        assert inside.run(["/usr/bin/cat", "/root/spied"]).output.split() == [
            "0",
            str(rootfs.BASE_ID),
            str(rootfs.ID_COUNT),
        ]
    found = stat.S_IMODE(cloud.driver.records.home(node.ref).stat().st_mode)
    assert found == 0o700, "nobody else of the machine looks into a host's disk"


def test_without_the_switch_no_host_is_made(tmp_path: Path, settings: Any) -> None:
    from panel.core.errors import ProviderError
    from servers import providers

    settings.CLAUSE_PLACES = {"here": {"provider": "local", "data": str(tmp_path)}}
    settings.CLAUSE_LOCAL_HOSTS = False
    with pytest.raises(ProviderError, match="LOCAL=1") as refused:
        providers.get("here")
    assert refused.value.permanent
    settings.CLAUSE_LOCAL_HOSTS = True
    assert providers.get("here").capabilities.label == "Clause local hosts"
    assert providers.get("here") is providers.get("here")


def _machine_addresses() -> list[str]:
    listing = subprocess.run(["ip", "-j", "-4", "addr"], capture_output=True, text=True, check=True).stdout
    held = [item["local"] for link in json.loads(listing) for item in link["addr_info"]]
    return [ip for ip in held if not ip.startswith(("127.", "10."))]
