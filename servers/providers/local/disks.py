"""A host's disk: a sparse file with an ext4 file system of the promised size, mounted while the host runs."""

import os
import shutil
import time
from pathlib import Path

from servers.providers.local.rootfs import BASE_ID
from servers.providers.local.shell import LocalError, run, which

PROGRAMS = ("mkfs.ext4", "mount", "umount")
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
