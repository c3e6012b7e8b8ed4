"""Real hosts for tests: a place of its own per test module, on a bridge and a subnet nobody else has."""

import json
import os
import secrets
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.test import override_settings

from servers import remote
from servers.providers import Node, NodeSpec, Size
from servers.providers.local.driver import LocalNodeDriver
from servers.providers.local_adapter import LocalProvider
from servers.remote import Remote, Target, ssh

SMALL = Size("test", vcpu=1, memory_mb=512, disk_gb=1)
DISK_MB = 64


@contextmanager
def place(directory: Path, *, disk_mb: int = DISK_MB) -> Iterator[LocalProvider]:
    """A local place under `directory`; at its end every host, the bridge and the rules are gone, or the test fails."""
    directory.chmod(0o700)
    bridge, subnet = f"t{secrets.token_hex(4)}", free_subnet()
    driver = LocalNodeDriver(data_dir=directory, bridge=bridge, subnet=subnet)
    provider = LocalProvider("local-test", driver, {"label": "Test place", "max_disk_mb": disk_mb})
    try:
        yield provider
    finally:
        for node in provider.list():
            provider.destroy(node.ref)
        shutil.rmtree(driver.cache, ignore_errors=True)
    assert leftovers(directory, bridge) == []


@contextmanager
def place_on_offer(directory: Path, name: str = "local-1", *, disk_mb: int = DISK_MB) -> Iterator[LocalProvider]:
    """The same, but as the panel knows it: customers can order there, under `name`, and nowhere else."""
    with place(directory, disk_mb=disk_mb) as provider:
        network = provider.driver.network
        config = {
            "provider": "local", "label": "This machine", "data": str(directory), "bridge": network.bridge,
            "subnet": str(network.subnet), "max_disk_mb": disk_mb,
        }  # fmt: skip
        with override_settings(CLAUSE_LOCAL_HOSTS=True, CLAUSE_PLACES={name: config}):
            yield provider


def spec(token: str, *keys: str, **other: str) -> NodeSpec:
    return NodeSpec(token, other.pop("name", token), "debian-13", SMALL, "local-test", keys=keys, **other)


class Customer:
    """Somebody with a key of their own."""

    def __init__(self) -> None:
        self.private = ssh.new_private_key()
        self.public = f"{ssh.public_key(self.private)} customer@home"

    def log_in(self, provider: LocalProvider, node: Node, *, patience: float = 10, **other: str) -> Remote:
        given = {"address": node.addresses[0], "host_key": provider.host_key(node.ref), "private_key": self.private}
        return remote.connect(Target(**{**given, **other}), timeout=patience)


def python(connection: Remote, script: str, *arguments: str) -> object:
    """Run `script` in the host with its own interpreter; what it prints is JSON."""
    result = connection.run(["python3", "-", *arguments], stdin=script, timeout=240)
    assert result.status == 0, result.errors
    return json.loads(result.output)


def background(connection: Remote, script: str, *arguments: str) -> None:
    """Leave `script` running in the host."""
    line = f"cat > /tmp/job.py; setsid python3 /tmp/job.py {shlex.join(arguments)} > /tmp/job.log 2>&1 < /dev/null &"
    assert connection.run(["sh", "-c", line], stdin=script).status == 0


def leftovers(directory: Path, bridge: str) -> list[str]:
    """Processes, mounts, loop devices, cables and rules that still belong to a place."""
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit() and int(process.name) != os.getpid():
            try:
                words = (process / "cmdline").read_bytes().decode(errors="replace")
                mounts = (process / "mountinfo").read_text()
                dead = (process / "stat").read_text().rpartition(")")[2].split()[0] in "ZX"
            except OSError:
                continue
            if not dead and (str(directory) in words or f"upperdir={directory}" in mounts):
                found.append(f"process {process.name}: {words}")
    found += [f"mount {line}" for line in Path("/proc/mounts").read_text().splitlines() if str(directory) in line]
    found += [f"loop {line}" for line in _tool("losetup", "-a") if str(directory) in line]
    found += [f"rules {line}" for line in _tool("nft", "list", "tables") if bridge in line]
    found += [
        f"link {line}" for line in _tool("ip", "-o", "link") if f" {bridge}:" in line or f"master {bridge} " in line
    ]
    return found


def free_subnet() -> str:
    """A network of 256 addresses that no link of this machine is on."""
    taken = _tool("ip", "-o", "-4", "addr")
    while True:
        first = f"10.{200 + secrets.randbelow(50)}.{secrets.randbelow(256)}."
        if not any(first in line for line in taken):
            return f"{first}0/24"


def _tool(*command: str) -> list[str]:
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=True).stdout.splitlines()
