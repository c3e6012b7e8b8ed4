"""Copies of hosts' disks: below the place's directory, snapshots/<ref>/{snapshot.json, disk.img}."""

import hashlib
import json
import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

from servers.providers.local import disks
from servers.providers.local.shell import RefusedError


@dataclass(frozen=True, slots=True)
class Kept:
    """A copy that is whole. `size_bytes`: what it takes up on this machine."""

    ref: str
    token: str
    host: str
    disk_mb: int
    size_bytes: int


def ref_of(token: str) -> str:
    """The copy's name follows from the token: two creations under one token meet in one directory."""
    return f"ls-{hashlib.sha256(token.encode()).hexdigest()[:12]}"


class Snapshots:
    """All copies of a place. Whoever makes or uses one holds the lock of its host."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory / "snapshots"
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)

    def take(self, token: str, host: str, home: Path) -> Kept:
        """Copy the disk of the host at `home`, once for a token; half a copy is done again from its start."""
        ref = ref_of(token)
        if (kept := self.read(ref)) is not None:
            return kept
        folder = self.directory / ref
        folder.mkdir(exist_ok=True, mode=0o700)
        disks.copy(home, folder / "disk.img")
        found = (folder / "disk.img").stat()
        kept = Kept(ref, token, host, found.st_size // (1024 * 1024), found.st_blocks * 512)
        fresh = folder / "snapshot.json.new"
        with open(fresh, "w") as handle:
            json.dump(asdict(kept), handle)
            handle.flush()
            os.fsync(handle.fileno())
        fresh.rename(folder / "snapshot.json")
        return kept

    def read(self, ref: str) -> Kept | None:
        """The copy of that name, where it is whole; `ref` is checked, it may come from a request."""
        if not ref.startswith("ls-") or not ref.removeprefix("ls-").isalnum():
            return None
        try:
            return Kept(**json.loads((self.directory / ref / "snapshot.json").read_text()))
        except (FileNotFoundError, NotADirectoryError):
            return None

    def all(self) -> list[Kept]:
        found = [self.read(path.name) for path in sorted(self.directory.iterdir())]
        return [kept for kept in found if kept is not None]

    def disk(self, ref: str, disk_mb: int) -> Path:
        """The file with its disk, for a host of `disk_mb`; refused where there is none or it does not fit."""
        kept = self.read(ref)
        if kept is None:
            raise RefusedError(f"no snapshot {ref}")
        if kept.disk_mb > disk_mb:
            raise RefusedError(f"{ref} has {kept.disk_mb} MB: too large for a disk of {disk_mb} MB")
        return self.directory / ref / "disk.img"

    def remove(self, ref: str) -> None:
        """Its description goes first: what is left after a crash is no copy any more."""
        if (kept := self.read(ref)) is not None:
            (self.directory / kept.ref / "snapshot.json").unlink()
            shutil.rmtree(self.directory / kept.ref)
