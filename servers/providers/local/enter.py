"""The way into a host. Run by `power` as a program of its own; at its end it has become the host's first process.

Outside, as the machine's root: a private mount namespace with the overlay, its own /dev (five harmless devices) and the
panel's read-only directory. Then into new user, pid, network, uts, ipc, cgroup and mount namespaces; the new process's
id is printed, and "go" awaited: meanwhile `power` maps the users and plugs the cable. Inside: /proc, then the old root
is thrown away and privileges are dropped. Only then does a program from the host's own disk run: nothing of that disk
is executed, or followed through a link, before.

Standard library only, everything imported at the top: once the old root is gone there is nothing left to import from.
"""
# ruff: noqa: PTH101,PTH102,PTH104,PTH110,PTH118,PTH211

import ctypes
import json
import os
import resource
import socket
import stat
import sys
import time

libc = ctypes.CDLL(None, use_errno=True)
SYS_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41, "riscv64": 41}[os.uname().machine]

NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET = (
    0x20000,
    0x02000000,
    0x04000000,
    0x08000000,
    0x10000000,
    0x20000000,
    0x40000000,
)
RDONLY, NOSUID, NODEV, NOEXEC, REMOUNT, BIND, REC, PRIVATE = 1, 2, 4, 8, 32, 4096, 16384, 1 << 18
DETACH = 2
PR_CAPBSET_DROP, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL = 24, 47, 4
LAST_CAPABILITY = 63

KEPT = (0, 1, 3, 4, 5, 6, 7, 10, 18)
"""chown dac_override fowner fsetid kill setgid setuid net_bind_service sys_chroot: for OpenSSH and ordinary root."""

DEVICES = {"null": (1, 3), "zero": (1, 5), "random": (1, 8), "urandom": (1, 9), "tty": (5, 0)}
HIDDEN = (
    "kcore",
    "keys",
    "key-users",
    "kmsg",
    "timer_list",
    "sched_debug",
    "sysrq-trigger",
    "latency_stats",
    "partitions",
    "diskstats",
    "mdstat",
    "swaps",
)
FROZEN = ("sys", "irq", "bus", "fs", "acpi", "scsi", "driver", "tty")


def check(result: int, what: str) -> None:
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{what}: {os.strerror(code)}")


def mount(source: str, target: str, kind: str = "", flags: int = 0, data: str = "") -> None:
    check(
        libc.mount(
            source.encode(), target.encode(), kind.encode() or None, ctypes.c_ulong(flags), data.encode() or None
        ),
        f"mount {target}",
    )


def directory(root: str, *parts: str) -> str:
    """root/parts as real directories: a link or file that the customer left in the way is set aside, never followed."""
    path = root
    for part in parts:
        path = os.path.join(path, part)
        try:
            found = os.lstat(path)
        except FileNotFoundError:
            os.mkdir(path, 0o755)
        else:
            if not stat.S_ISDIR(found.st_mode):
                os.rename(path, f"{path}.replaced-{time.time_ns()}")
                os.mkdir(path, 0o755)
    return path


def layers(lower: str, disk: str) -> str:
    return f"lowerdir={lower},upperdir={disk}/upper,workdir={disk}/work"


def prepare(config: dict) -> None:
    """As the machine's root, in a mount namespace of our own."""
    root, base = config["root"], config["base"]
    check(libc.unshare(NEWNS), "unshare")
    mount("none", "/", flags=REC | PRIVATE)
    mount("overlay", root, "overlay", NODEV, layers(config["lower"], config["own"]))
    if config["rescued"]:
        mnt = directory(root, "mnt")
        mount("overlay", mnt, "overlay", NODEV | NOSUID, layers(config["lower"], config["rescued"]))
    owner = f"uid={base},gid={base}"
    dev = directory(root, "dev")
    mount("tmpfs", dev, "tmpfs", NOSUID | NOEXEC, f"size=64k,nr_inodes=64,mode=755,{owner}")
    for name, (major, minor) in DEVICES.items():
        os.mknod(f"{dev}/{name}", 0o666 | stat.S_IFCHR, os.makedev(major, minor))
        os.chmod(f"{dev}/{name}", 0o666)  # noqa: S103
    for name, target in {
        "ptmx": "pts/ptmx",
        "fd": "/proc/self/fd",
        "stdin": "/proc/self/fd/0",
        "stdout": "/proc/self/fd/1",
        "stderr": "/proc/self/fd/2",
    }.items():
        os.symlink(target, f"{dev}/{name}")
    mount(
        "devpts", directory(dev, "pts"), "devpts", NOSUID | NOEXEC, f"newinstance,mode=620,ptmxmode=666,gid={base + 5}"
    )
    mount("tmpfs", directory(dev, "shm"), "tmpfs", NOSUID | NODEV | NOEXEC, f"size=16m,mode=1777,{owner}")
    run = directory(root, "run")
    mount("tmpfs", run, "tmpfs", NOSUID | NODEV, f"size=32m,mode=755,{owner}")
    os.chown(directory(run, "sshd"), base, base)
    managed = directory(root, "etc", "clause")
    mount(config["managed"], managed, flags=BIND)
    mount("none", managed, flags=REMOUNT | BIND | RDONLY | NOSUID | NODEV | NOEXEC)
    directory(root, "proc")


def enter(config: dict) -> None:
    """In the new namespaces, after "go": the host's own view of the world, and nothing else."""
    root = config["root"]
    socket.sethostname(config["hostname"])
    mount(root, root, flags=BIND | REC)
    os.chdir(root)
    mount("proc", "proc", "proc", NOSUID | NODEV | NOEXEC)
    with open("proc/sys/user/max_user_namespaces", "w") as switch:
        switch.write("0")
    for name in HIDDEN:
        if os.path.exists(f"proc/{name}"):
            mount("dev/null", f"proc/{name}", flags=BIND)
    for name in FROZEN:
        if os.path.exists(f"proc/{name}"):
            mount(f"proc/{name}", f"proc/{name}", flags=BIND | REC)
            mount("none", f"proc/{name}", flags=REMOUNT | BIND | RDONLY | NOSUID | NODEV | NOEXEC)
    check(libc.syscall(SYS_PIVOT_ROOT, b".", b"."), "pivot_root")
    check(libc.umount2(b".", DETACH), "umount")
    os.chdir("/")


def drop() -> None:
    """Become the host's root, with the kept capabilities and no way to others."""
    os.setgroups([])
    os.setresgid(0, 0, 0)
    os.setresuid(0, 0, 0)
    libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    for capability in range(LAST_CAPABILITY + 1):
        if capability not in KEPT and libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0 and capability < 38:
            check(-1, f"drop capability {capability}")
    kept = sum(1 << capability for capability in KEPT)
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    check(libc.capset(header, (ctypes.c_uint32 * 6)(kept, kept, 0, 0, 0, 0)), "capset")
    os.umask(0o022)


def main() -> None:
    config = json.loads(sys.stdin.readline())
    prepare(config)
    resource.setrlimit(resource.RLIMIT_NPROC, (config["processes"], config["processes"]))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    check(libc.unshare(NEWUSER | NEWPID | NEWNET | NEWUTS | NEWIPC | NEWNS | NEWCGROUP), "unshare")
    if pid := os.fork():
        os.write(1, f"{pid}\n".encode())
        os._exit(0)
    if sys.stdin.readline() != "go\n":  # the panel died meanwhile: so does this host, before it began
        os._exit(1)
    enter(config)
    drop()
    null = os.open("/dev/null", os.O_RDWR)
    os.write(1, b"in\n")
    for number in (0, 1, 2):
        os.dup2(null, number)
    os.closerange(3, 1024)
    os.execve(  # noqa: S606
        "/bin/sh", ["init", "/etc/clause/init"], {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root"}
    )


if __name__ == "__main__":
    main()
