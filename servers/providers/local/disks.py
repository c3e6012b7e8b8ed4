"""A host's disk: a sparse file with an ext4 file system of the promised size, mounted while the host runs."""

import os
import shutil
import time
from pathlib import Path

from servers.providers.local.rootfs import BASE_ID
from servers.providers.local.shell import LocalError, run, which

PROGRAMS = ("mkfs.ext4", "mount", "umount", "fsfreeze", "e2fsck", "resize2fs", "cp")
SCRATCH_MB = 64


def attach(home: Path, disk_mb: int) -> Path:
    """Mount the host's disk under `home`, made on first use; gives the mount point with `upper` and `work` in it."""
    image, point = home / "disk.img", home / "disk"
    if not image.exists():
        fresh = home / "disk.img.new"
        with open(fresh, "wb") as handle:
            handle.truncate(disk_mb * 1024 * 1024)
        run(which("mkfs.ext4") or "mkfs.ext4", "-q", "-F", "-m", "0", str(fresh), timeout=120)
        fresh.rename(image)
    point.mkdir(exist_ok=True, mode=0o700)
    if not os.path.ismount(point):
        run("mount", "-t", "ext4", "-o", "loop,nosuid,nodev", str(image), str(point))
    for part in ("upper", "work"):
        (point / part).mkdir(exist_ok=True)
    (point / "upper").chmod(0o755)
    os.chown(point / "upper", BASE_ID, BASE_ID)
    return point


def copy(home: Path, target: Path) -> None:
    """Copy the disk into the file `target` as it is at one instant, holding up what the host writes meanwhile."""
    point = home / "disk"
    frozen = os.path.ismount(point)
    if frozen:
        thaw(home)  # a copy that a crash interrupted left it frozen
        run("fsfreeze", "--freeze", str(point), timeout=60)
    try:
        _copy(home / "disk.img", target)
    finally:
        if frozen:
            thaw(home)


def thaw(home: Path) -> None:
    """Let the host write again; fine where nothing holds it up."""
    if os.path.ismount(home / "disk"):
        run("fsfreeze", "--unfreeze", str(home / "disk"), ok=(0, 1))


def put_up(home: Path, source: Path, disk_mb: int) -> None:
    """The disk of a host that is off becomes the copy `source`, grown to `disk_mb` where that is more."""
    detach(home)
    fresh = home / "disk.img.new"
    _copy(source, fresh)
    # what was running when it was copied replays its journal; 1: it found something, and mended it
    run("e2fsck", "-f", "-p", str(fresh), timeout=300, ok=(0, 1))
    if fresh.stat().st_size < disk_mb * 1024 * 1024:
        with open(fresh, "r+b") as handle:
            handle.truncate(disk_mb * 1024 * 1024)
        run("resize2fs", str(fresh), timeout=300)
    fresh.rename(home / "disk.img")


def _copy(source: Path, target: Path) -> None:
    """Holes stay holes, and what reached `target` survives a power cut."""
    run("cp", "--sparse=always", "--reflink=auto", str(source), str(target), timeout=600)
    with open(target, "rb") as handle:
        os.fsync(handle.fileno())


def scratch(home: Path) -> Path:
    """Mount what the rescue system may write to: memory, empty at each start."""
    point = home / "scratch"
    point.mkdir(exist_ok=True, mode=0o700)
    detach(home, name="scratch")
    run("mount", "-t", "tmpfs", "-o", f"nosuid,nodev,size={SCRATCH_MB}m", "scratch", str(point))
    for part in ("upper", "work"):
        (point / part).mkdir()
    (point / "upper").chmod(0o755)
    os.chown(point / "upper", BASE_ID, BASE_ID)
    return point


def detach(home: Path, *, name: str = "disk", patience: float = 10) -> None:
    """Unmount the disk, waiting up to `patience` seconds for the kernel to let go of a host that was just killed."""
    point, until = home / name, time.monotonic() + patience
    if name == "disk":
        thaw(home)
    while os.path.ismount(point):
        try:
            run("umount", str(point))
        except LocalError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)


def erase(home: Path) -> None:
    """Remove disk and content for good."""
    detach(home)
    for name in ("disk.img", "disk.img.new"):
        (home / name).unlink(missing_ok=True)
    shutil.rmtree(home / "disk", ignore_errors=True)
