"""What is known of each host: one JSON file per host under the place's directory, written whole or not at all."""

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any


@dataclass(slots=True)
class Boot:
    """Which process is the host's first one; the three together cannot mean another process."""

    pid: int
    started: int
    """Field 22 of /proc/<pid>/stat, clock ticks since the machine started."""
    boot_id: str
    """The machine's own boot, from /proc/sys/kernel/random/boot_id."""
    rescue: bool = False
    """Whether it runs the rescue system."""


@dataclass(slots=True)
class Reading:
    """The last counters of an epoch that has ended."""

    epoch: str
    rx_bytes: int
    tx_bytes: int


@dataclass(slots=True)
class Record:
    """One host. A `phase` building, rebuilding, restoring or destroying is left by a crash: the same verb again
    finishes it, and `destroy` any."""

    ref: str
    token: str
    name: str
    image: str
    memory_mb: int
    disk_mb: int
    addresses: list[str]
    lower: str
    created_at: float
    phase: str = "building"
    size: str = ""
    build: str = ""
    """The mark of the last rebuild or restore."""
    source: str = ""
    """The snapshot that its first disk is a copy of."""
    rescue: bool = False
    """Whether it is to start the rescue system, with its disk below /mnt."""
    blocked: list[str] = field(default_factory=list)
    blocked_ports: list[str] = field(default_factory=list)
    """Each "in|out address protocol port"."""
    firewall: dict[str, Any] = field(default_factory=dict)
    """The customer's rules, as `firewall_rules.as_json` writes them."""
    cable: str = ""
    boot: Boot | None = None
    last: Reading | None = None

    @property
    def interface(self) -> str:
        """The machine's end of the host's cable; at most 15 characters, as the kernel asks."""
        return self.cable or self.ref.replace("-", "")


def ref_of(token: str) -> str:
    """The host's name follows from the token: two creations under one token meet in one directory (SRV-1)."""
    return f"lh-{hashlib.sha256(token.encode()).hexdigest()[:12]}"


def cable_of(directory: Path, ref: str) -> str:
    """Every place of this machine has its own: two panels may well have a host of the same token."""
    return f"lh{hashlib.sha256(f'{directory} {ref}'.encode()).hexdigest()[:12]}"


class Records:
    """The place's directory: hosts/<ref>/{record.json, disk.img, ...} and locks/."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        for part in (directory, directory / "hosts", directory / "locks"):
            part.mkdir(parents=True, exist_ok=True, mode=0o700)

    def home(self, ref: str) -> Path:
        """The host's own directory; `ref` is checked, it may come from a request."""
        if not ref.startswith("lh-") or not ref.removeprefix("lh-").isalnum():
            raise KeyError(ref)
        return self.directory / "hosts" / ref

    @contextmanager
    def lock(self, name: str) -> Iterator[None]:
        """Only one holder of `name` at a time, across processes and threads; freed by the kernel when the holder dies.

        Hosts share 256 lock files: files that come and go with the hosts could be locked after their removal.
        """
        with open(self.directory / "locks" / name[:5], "w") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield

    def read(self, ref: str) -> Record | None:
        try:
            text = (self.home(ref) / "record.json").read_text()
        except (FileNotFoundError, NotADirectoryError, KeyError):
            return None
        return _load(json.loads(text))

    def all(self) -> list[Record]:
        """Every host, also half-made ones, oldest first."""
        found = [self.read(path.name) for path in (self.directory / "hosts").iterdir()]
        return sorted((record for record in found if record), key=lambda record: (record.created_at, record.ref))

    def write(self, record: Record) -> None:
        """Replace the record on disk; after a power cut the old or the new one is there, never half of one."""
        home = self.home(record.ref)
        home.mkdir(exist_ok=True, mode=0o700)
        fresh = home / "record.json.new"
        with open(fresh, "w") as handle:
            json.dump(asdict(record), handle, indent=1)
            handle.flush()
            os.fsync(handle.fileno())
        fresh.rename(home / "record.json")

    def forget(self, ref: str) -> None:
        """Remove the host's directory, its record last: what is left after a crash can still be found and destroyed."""
        home = self.home(ref)
        for path in home.iterdir() if home.is_dir() else ():
            if path.name != "record.json":
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        shutil.rmtree(home, ignore_errors=True)


def _load(data: dict[str, Any]) -> Record:
    known = {item.name for item in fields(Record)}
    values = {key: value for key, value in data.items() if key in known}
    values["boot"] = Boot(**data["boot"]) if data.get("boot") else None
    values["last"] = Reading(**data["last"]) if data.get("last") else None
    return Record(**values)
