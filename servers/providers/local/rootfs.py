"""The slim lower layer: copies of some programs with their libraries, an /etc written here, nothing else.

It is built once into the cache directory, named after its content's recipe, and owned by the unprivileged users of the
hosts' user namespace (`BASE_ID`). Hosts see it read-only through their overlay.
"""

import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

from servers.providers.local.shell import RefusedError, run, which

BASE_ID = 1_258_291_200
"""The user of this machine that a host's root is; the 65536 ids from here, which no account has, are a host's users."""
ID_COUNT = 65_536

_PROGRAMS = """
needed sh bash sshd env id cat ls cp mv rm mkdir rmdir ln chmod chown touch stat mktemp head tail wc sort uniq cut
needed tr echo printf test true false date sleep dd df du sync uname hostname whoami readlink realpath basename
needed dirname tee seq sha256sum base64 grep sed ps kill ip
welcome python3 awk mawk gawk find xargs diff tar gzip gunzip zcat xz more less vi vim.tiny nano clear top free
welcome uptime pgrep pkill pidof w watch sysctl tty stty who users groups nproc md5sum sha1sum sha512sum od split
welcome paste comm join fold expr yes timeout nohup nice install mkfifo mknod truncate shuf tac nl egrep fgrep
welcome getent ldd locale ss bridge tc ping tracepath mount umount findmnt mountpoint setsid flock getopt logger
welcome script su runuser useradd userdel usermod groupadd groupdel setpriv capsh unshare nsenter lsblk chroot dmesg
welcome ssh scp sftp ssh-keygen curl
welcome apt apt-get apt-cache apt-config apt-mark dpkg dpkg-deb dpkg-query dpkg-split dpkg-divert dpkg-statoverride
welcome ldconfig start-stop-daemon update-alternatives nologin chgrp groupmod
"""


def _programs(kind: str) -> tuple[str, ...]:
    lines = [line.split() for line in _PROGRAMS.strip().splitlines()]
    return tuple(name for first, *names in lines if first == kind for name in names)


NEEDED = _programs("needed")
"""A machine without one of these cannot give hosts."""

WELCOME = _programs("welcome")
"""Copied where the machine has them: what somebody who logs in, and ansible, expect to find."""

BESIDE = (
    "usr/lib/openssh/sshd-session",
    "usr/lib/openssh/sshd-auth",
    "usr/lib/openssh/sftp-server",
    "usr/libexec/openssh/sshd-session",
    "usr/libexec/openssh/sshd-auth",
    "usr/libexec/openssh/sftp-server",
)
PACKAGING = ("usr/lib/apt/methods", "usr/lib/python3/dist-packages/apt")
"""What installs packages, beside its programs: where the machine is a Debian, a host can have packages of its own."""
DATA = (
    "usr/share/dpkg",
    "usr/share/terminfo/x",
    "usr/share/terminfo/d",
    "usr/share/terminfo/l",
    "usr/share/terminfo/s",
    "lib/terminfo",
    "usr/lib/locale/C.utf8",
    "usr/share/zoneinfo/UTC",
    "usr/share/zoneinfo/Europe/Paris",
)
NOT_PYTHON = shutil.ignore_patterns(
    "test",
    "tests",
    "idlelib",
    "tkinter",
    "turtledemo",
    "ensurepip",
    "lib2to3",
    "__pycache__",
    "site-packages",
    "dist-packages",
    "config-*",
)

_USERS = """root:x:0:0:root:/root:/bin/bash
sshd:x:100:65534::/run/sshd:/usr/sbin/nologin
nobody:x:65534:65534::/nonexistent:/usr/sbin/nologin
"""
_RELEASE = """ID=clause
NAME="Clause local host"
PRETTY_NAME="Clause local host (namespaces)"
VERSION_ID="1"
"""
_PROFILE = """export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
PS1='\\u@\\h:\\w\\$ '
"""
ETC = {
    "passwd": _USERS,
    "group": "root:x:0:\ntty:x:5:\nusers:x:100:\nnogroup:x:65534:\n",
    "shadow": "".join(f"{line.split(':')[0]}:*:19000:0:99999:7:::\n" for line in _USERS.splitlines()),
    "nsswitch.conf": "passwd: files\ngroup: files\nshadow: files\nhosts: files\n",
    "hosts": "127.0.0.1 localhost\n",
    "hostname": "localhost\n",
    "shells": "/bin/sh\n/bin/bash\n",
    "profile": _PROFILE,
    "os-release": _RELEASE,
    "apt/apt.conf.d/00clause": 'APT::Sandbox::User "root";\nAPT::Install-Recommends "false";\n',
    "apt/sources.list": "",
    "pam.d/other": "".join(f"{kind} required pam_deny.so\n" for kind in ("auth", "account", "session", "password")),
}
DIRECTORIES = (
    "root",
    "home",
    "tmp",
    "run",
    "proc",
    "sys",
    "dev",
    "mnt",
    "opt",
    "srv",
    "var/log",
    "var/tmp",
    "var/lib",
    "var/empty",
    "usr/local/bin",
    "usr/local/sbin",
    "etc/clause",
    "etc/ssh",
    "usr/bin",
    "usr/sbin",
    "usr/lib",
    "usr/lib64",
    "usr/libexec",
    "etc/apt/preferences.d",
    "etc/security/limits.d",
    "etc/ssh/sshd_config.d",
    "etc/ssl",
    "etc/sysctl.d",
    "var/lib/dpkg/info",
    "var/lib/dpkg/updates",
    "var/lib/apt/lists/partial",
    "var/cache/apt/archives/partial",
    "var/log/apt",
)
LINKS = {"bin": "usr/bin", "sbin": "usr/sbin", "lib": "usr/lib", "lib64": "usr/lib64", "var/run": "/run"}


def missing() -> list[str]:
    """The programs without which no host can be given; empty when the machine is fit."""
    return [name for name in NEEDED if which(name) is None]


def ensure(cache: Path) -> Path:
    """The lower layer's directory, built on first use (some seconds); LocalError when a needed program is missing."""
    lower = cache / f"root-{_recipe()}"
    if lower.is_dir():
        return lower
    if lacking := missing():
        raise RefusedError(f"this machine lacks: {', '.join(lacking)}")
    cache.mkdir(parents=True, exist_ok=True, mode=0o700)
    building = Path(tempfile.mkdtemp(dir=cache, prefix="building-"))
    try:
        _build(building)
        building.rename(lower)
    except OSError:
        if not lower.is_dir():  # another process was faster otherwise
            raise
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return lower


def _recipe() -> str:
    """Changes when this file or one of the machine's programs does."""
    stamps = [Path(__file__).read_text()]
    for name in [*NEEDED, *WELCOME]:
        if path := which(name):
            found = Path(path).stat()
            stamps.append(f"{path} {found.st_size} {found.st_mtime_ns}")
    return hashlib.sha256("\n".join(stamps).encode()).hexdigest()[:16]


def _build(root: Path) -> None:
    for directory in DIRECTORIES:
        (root / directory).mkdir(parents=True, exist_ok=True)
    for link, target in LINKS.items():
        (root / link).symlink_to(target)
    programs = {path for name in [*NEEDED, *WELCOME] if (path := which(name))}
    programs |= {f"/{path}" for path in BESIDE if Path("/", path).is_file()}
    for path in sorted(programs):
        _copy(path, root)
    for path in DATA:
        if Path("/", path).exists():
            shutil.copytree(f"/{path}", _inside(root, path), dirs_exist_ok=True) if Path("/", path).is_dir() else _copy(
                f"/{path}", root
            )
    extensions = [*_python(root), *_packaging(root)]
    _libraries([*sorted(programs), *extensions, *_name_services()], root)
    for name, text in ETC.items():
        file = root / "etc" / name
        file.parent.mkdir(exist_ok=True, parents=True)
        file.write_text(text)
    (root / "var/lib/dpkg/status").touch()
    run("ldconfig", "-r", str(root)) if which("ldconfig") else None
    _hand_over(root)


def _python(root: Path) -> list[str]:
    """Copy the distribution's standard library (ansible needs it); gives its compiled extensions."""
    python = which("python3")
    if python is None:
        return []
    code = "import json, sysconfig; print(json.dumps([sysconfig.get_path('stdlib'), sysconfig.get_path('platstdlib')]))"
    extensions: list[str] = []
    for directory in sorted(set(json.loads(run(python, "-I", "-c", code)))):
        shutil.copytree(
            directory,
            _inside(root, directory),
            ignore=NOT_PYTHON,
            symlinks=False,
            ignore_dangling_symlinks=True,
            dirs_exist_ok=True,
        )
        extensions += [str(path) for path in Path(directory, "lib-dynload").glob("*.so")]
    return extensions


def _packaging(root: Path) -> list[str]:
    """Copy what apt and ansible need to install packages; gives its programs and compiled extensions."""
    copied = [Path("/", path) for path in PACKAGING if Path("/", path).is_dir()]
    for directory in copied:
        shutil.copytree(directory, _inside(root, str(directory)), ignore=shutil.ignore_patterns("__pycache__"))
    extensions = [str(path) for path in Path("/usr/lib/python3/dist-packages").glob("apt_*.so")]
    for path in extensions:
        _copy(path, root)
    return [*extensions, *(str(path) for directory in copied for path in directory.iterdir() if path.is_file())]


def _name_services() -> list[str]:
    """Libraries loaded at run time by name, which ldd does not tell: without them some C libraries know no users."""
    return [
        str(path)
        for directory in Path("/usr").glob("lib*/")
        for pattern in ("libnss_files.so.2", "*/libnss_files.so.2")
        for path in directory.glob(pattern)
    ]


def _libraries(binaries: Iterable[str], root: Path) -> None:
    """Copy every shared library that `binaries` name, to where the loader looks for it."""
    found: set[str] = set()
    batch = list(binaries)
    for start in range(0, len(batch), 50):  # scripts make ldd exit 1; their interpreters are in the list by themselves
        found |= set(re.findall(r"(/\S+\.so\S*) \(0x", run("ldd", *batch[start : start + 50], ok=(0, 1))))
    for library in sorted(found):
        _copy(library, root)


def _inside(root: Path, path: str) -> Path:
    """Where `path` of the machine stands under `root`, whose /bin, /lib ... are links into /usr."""
    parts = Path(path.lstrip("/")).parts
    return root / "usr" / Path(*parts) if parts[0] in ("bin", "sbin", "lib", "lib64") else root / Path(*parts)


def _copy(path: str, root: Path) -> None:
    """Copy what `path` points at (never the link), without set-user-id bits."""
    target = _inside(root, path)
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(path, target, follow_symlinks=True)
    target.chmod(0o755 if os.access(path, os.X_OK) else 0o644)


def _hand_over(root: Path) -> None:
    """Give the tree to the hosts' own root, and forbid what only root may read."""
    root.chmod(0o755)
    (root / "root").chmod(0o700)
    for shared in ("tmp", "var/tmp"):
        (root / shared).chmod(0o1777)
    (root / "etc/shadow").chmod(0o600)
    for directory, names, files in os.walk(root):
        for name in [*names, *files]:
            os.lchown(Path(directory, name), BASE_ID, BASE_ID)
    os.lchown(root, BASE_ID, BASE_ID)
