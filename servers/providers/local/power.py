"""Switching a host on and off: its first process, what it is given at each start, and how it ends."""

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import time
from pathlib import Path

from servers.networking.firewall_rules import of_json
from servers.providers.local import disks, filters, rootfs
from servers.providers.local.network import Network, read_counters
from servers.providers.local.records import Boot, Reading, Record, Records
from servers.providers.local.shell import ENVIRONMENT, LocalError, run, which

ENTER = Path(__file__).with_name("enter.py")
PROCESSES_PER_GB = 512
"""How many processes a host may have for each GB of its memory; at least one GB's worth."""

INIT = """#!/bin/sh
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
cd /
hostname > /etc/hostname
if [ -f /etc/clause/first-boot ] && [ ! -e /var/lib/first-boot.done ]; then
  : > /var/lib/first-boot.done
  sh /etc/clause/first-boot > /var/log/first-boot.log 2>&1 &
fi
if [ -x /etc/rc.local ]; then sh /etc/rc.local > /var/log/rc.local.log 2>&1 & fi
exec /usr/sbin/sshd -D -f /etc/clause/sshd_config -E /var/log/sshd.log
"""

SSHD = """Include /etc/ssh/sshd_config.d/*.conf
Port 22
HostKey /etc/clause/ssh_host_ed25519_key
AuthorizedKeysFile /etc/clause/keys/%u .ssh/authorized_keys
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
AcceptEnv LANG LC_*
UseDNS no
PidFile none
PrintMotd no
X11Forwarding no
Subsystem sftp internal-sftp
"""


MANAGED, RESCUE = "managed", "rescue"
"""The directories of what the panel gives a host's own system, and its rescue system."""
LAST_WORDS = 3.0
"""Seconds that a host's programs have between being asked to end and the end of the host."""


def furnish(home: Path, keys: tuple[str, ...], first_boot: str, *, part: str = MANAGED) -> None:
    """What the panel gives a host, for it to read only: host key, allowed keys, sshd's settings, first boot."""
    managed = home / part
    (managed / "keys").mkdir(parents=True, exist_ok=True)
    (home / "root").mkdir(exist_ok=True)
    key = managed / "ssh_host_ed25519_key"
    if not key.exists():
        for leftover in home.glob("fresh_key*"):
            leftover.unlink()
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(home / "fresh_key"))
        (home / "fresh_key.pub").rename(managed / "ssh_host_ed25519_key.pub")
        (home / "fresh_key").rename(key)
    write_keys(home, keys, part=part)
    (managed / "init").write_text(INIT)
    (managed / "sshd_config").write_text(SSHD)
    (managed / "first-boot").unlink(missing_ok=True)
    if first_boot:
        (managed / "first-boot").write_text(first_boot)
    _hand_over(managed)


def read_keys(home: Path) -> tuple[str, ...]:
    """The public keys the panel lets in as root."""
    file = home / "managed" / "keys" / "root"
    return tuple(line for line in file.read_text().splitlines() if line) if file.exists() else ()


def write_keys(home: Path, keys: tuple[str, ...], *, part: str = MANAGED) -> None:
    """Replace them; a running host sees it at once."""
    file = home / part / "keys" / "root"
    fresh = home / "keys.new"
    fresh.write_text("".join(f"{key}\n" for key in keys))
    os.chown(fresh, rootfs.BASE_ID, rootfs.BASE_ID)
    fresh.chmod(0o644)
    fresh.rename(file)


def forget(home: Path) -> None:
    """A new disk is another machine: it gets another host key."""
    (home / MANAGED / "ssh_host_ed25519_key").unlink(missing_ok=True)


def running(record: Record) -> bool:
    """Whether the host's first process lives, and is still that process."""
    boot = record.boot
    return boot is not None and boot.boot_id == boot_id() and _started(boot.pid) == boot.started


def boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def switch_on(records: Records, record: Record, network: Network) -> None:
    """Start the host and wait until its sshd listens; LocalError, with nothing left running, when it does not."""
    home = records.home(record.ref)
    disk = disks.attach(home, record.disk_mb)
    config = {
        "root": str(home / "root"),
        "lower": record.lower,
        "own": str(disks.scratch(home) if record.rescue else disk),
        "rescued": str(disk) if record.rescue else "",
        "managed": str(home / (RESCUE if record.rescue else MANAGED)),
        "hostname": record.name,
        "base": rootfs.BASE_ID,
        "processes": PROCESSES_PER_GB * max(1, record.memory_mb // 1024),
    }
    with open(home / "boot.log", "w") as log:
        child = subprocess.Popen(
            [sys.executable, "-I", str(ENTER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env=ENVIRONMENT,
            cwd="/",
            start_new_session=True,
        )
    if child.stdin is None or child.stdout is None:
        raise LocalError("no pipe to the new host")
    try:
        child.stdin.write(json.dumps(config).encode() + b"\n")
        child.stdin.flush()
        pid = int(_line(child, home))
        record.boot = Boot(pid, _started(pid) or 0, boot_id(), rescue=record.rescue)
        records.write(record)
        for name in ("uid_map", "gid_map"):
            Path(f"/proc/{pid}/{name}").write_text(f"0 {rootfs.BASE_ID} {rootfs.ID_COUNT}\n")
        network.plug(record, pid)
        filters.load(pid, of_json(record.firewall))
        child.stdin.write(b"go\n")
        child.stdin.flush()
        _line(child, home)
        _await_sshd(pid, home)
    except BaseException:
        child.kill()
        switch_off(records, record, network)
        raise
    finally:
        for pipe in (child.stdin, child.stdout):
            with contextlib.suppress(OSError):
                pipe.close()
        child.wait()


def switch_off(records: Records, record: Record, network: Network) -> None:
    """Keep the last counters, end every process of the host, unplug it, unmount its disk; fine when it is off."""
    _keep_counters(records, record)
    disks.thaw(records.home(record.ref))  # or what waits to write would not even end when it is killed
    if running(record) and record.boot is not None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(record.boot.pid, signal.SIGKILL)  # the first process of a pid namespace takes all others with it
        until = time.monotonic() + 10
        while running(record):
            if time.monotonic() > until:
                raise LocalError(f"{record.ref}: process {record.boot.pid} does not end")
            time.sleep(0.01)
    network.unplug(record)
    disks.detach(records.home(record.ref), name="scratch")
    disks.detach(records.home(record.ref))
    if record.boot is not None:
        record.boot = None
        records.write(record)


def ask_to_end(records: Records, record: Record) -> None:
    """As a shutdown does: every program of the host gets a SIGTERM and some time, then its first process gets one."""
    if not running(record) or record.boot is None:
        return
    _keep_counters(records, record)
    first, others = record.boot.pid, members(record.boot.pid)
    for pid in others:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
    until = time.monotonic() + LAST_WORDS
    while time.monotonic() < until and any(_started(pid) is not None for pid in others):
        time.sleep(0.05)
    with contextlib.suppress(ProcessLookupError):
        os.kill(first, signal.SIGTERM)


def _keep_counters(records: Records, record: Record) -> None:
    if (counters := read_counters(record.interface)) is not None:
        record.last = Reading(f"{boot_id()}:{counters[0]}", counters[1], counters[2])
        records.write(record)


def members(first: int) -> list[int]:
    """The other processes in the pid namespace of a host's first one."""
    found, own = [], Path(f"/proc/{first}/ns/pid").readlink()
    for process in Path("/proc").iterdir():
        if process.name.isdigit() and int(process.name) != first:
            with contextlib.suppress(OSError):
                if (process / "ns/pid").readlink() == own:
                    found.append(int(process.name))
    return found


def name_inside(record: Record) -> None:
    """A running host learns its new name at once."""
    if running(record) and record.boot is not None:
        run("nsenter", "--uts", "--target", str(record.boot.pid), which("hostname") or "hostname", record.name)


def _hand_over(managed: Path) -> None:
    """The host's root owns these files (sshd insists) and sees them on a read-only mount; only we write here."""
    managed.chmod(0o755)
    for path in [managed, *managed.rglob("*")]:
        os.chown(path, rootfs.BASE_ID, rootfs.BASE_ID, follow_symlinks=False)
    (managed / "ssh_host_ed25519_key").chmod(0o600)


def _started(pid: int) -> int | None:
    """When process `pid` began (clock ticks since the machine's start); None when it is gone or a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def _line(child: "subprocess.Popen[bytes]", home: Path, timeout: float = 20) -> str:
    """The next line the starting host says; LocalError with its log when it says nothing."""
    if child.stdout is None:
        raise LocalError("no pipe from the new host")
    with selectors.DefaultSelector() as selector:
        selector.register(child.stdout, selectors.EVENT_READ)
        text = child.stdout.readline().decode() if selector.select(timeout) else ""
    if not text:
        raise LocalError(f"the host did not start: {(home / 'boot.log').read_text().strip()[-500:]}")
    return text


def _await_sshd(pid: int, home: Path, timeout: float = 15) -> None:
    """Wait until something listens on port 22 in the host, seen without a packet (its address may be cut off)."""
    until = time.monotonic() + timeout
    while time.monotonic() < until:
        try:
            tables = Path(f"/proc/{pid}/net/tcp").read_text()
        except OSError as error:
            raise LocalError(f"the host ended while it started: {(home / 'boot.log').read_text()[-500:]}") from error
        if any(line.split()[1].endswith(":0016") and line.split()[3] == "0A" for line in tables.splitlines()[1:]):
            return
        time.sleep(0.02)
    raise LocalError("the host's sshd does not listen")
