"""A small package repository for hosts without a network: packages of the machine's own programs, and made-up ones."""

import hashlib
import re
import shutil
import subprocess
from collections.abc import Collection, Iterable
from pathlib import Path

ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}
LIBRARIES = "machine-libraries"
NOT_NEEDED = re.compile(r"/\.$|/usr/share/(doc|man|lintian|locale|bash-completion)|/etc/init")


USERS = """for name in {}; do
  getent group $name > /dev/null || groupadd --system $name
  getent passwd $name > /dev/null || useradd --system -g $name -d /nonexistent -s /usr/sbin/nologin $name
done
"""
SETTLED = {
    "dovecot-core": USERS.format("dovecot dovenull"),
    "postfix": USERS.format("postfix postdrop")
    + """mkdir -p /var/lib/postfix
chown postfix: /var/lib/postfix
echo compatibility_level=3.6 > /etc/postfix/main.cf
cp /usr/share/postfix/master.cf.dist /etc/postfix/master.cf
touch /etc/postfix/dynamicmaps.cf
postfix set-permissions create-missing || true
""",
    "nginx-light": USERS.format("www-data")
    + """mkdir -p /var/log/nginx /var/lib/nginx /etc/nginx/sites-enabled
ln -sf /etc/nginx/sites-available/default /etc/nginx/sites-enabled/default
""",
}
"""What the distribution's packages do when they are installed, as far as these hosts need it."""


class Repository:
    """Packages below `folder`, as apt reads them, for hosts that begin with `image`."""

    def __init__(self, folder: Path, image: Path) -> None:
        self.folder, self.image = folder, image
        self.packed: set[str] = set()
        self.loaded: set[str] = set()
        folder.mkdir(parents=True, exist_ok=True)

    def copy(self, name: str, *installed: str, needs: str = "", after: str = "") -> None:
        """A package of what packages that this machine has installed consist of."""
        files = files_of(*(installed or (name,)))
        self.loaded |= libraries(files)
        self._build(name, "1.0", files, needs=", ".join(filter(None, [LIBRARIES, needs])), after=after)

    def make(self, name: str, version: str = "1.0") -> None:
        """A package with nothing in it; an older one of the same name goes."""
        for old in self.folder.glob(f"{name}_*.deb"):
            old.unlink()
        self._build(name, version, ())

    def index(self) -> None:
        """Write down what there is, for apt to read, as the distribution's updates that matter."""
        files = [path for path in self.loaded if not (self._inside(path).exists() or path in self.packed)]
        if files:
            self._build(LIBRARIES, "1.0", files)
        entries = []
        for deb in sorted(self.folder.glob("*.deb")):
            content = deb.read_bytes()
            entries.append(
                f"{_tool('dpkg-deb', '-f', str(deb)).strip()}\nFilename: ./{deb.name}\nSize: {len(content)}\n"
                f"SHA256: {hashlib.sha256(content).hexdigest()}\n"
            )
        packages = "\n".join(entries)
        (self.folder / "Packages").write_text(packages)
        digest = hashlib.sha256(packages.encode()).hexdigest()
        (self.folder / "Release").write_text(
            f"Origin: Debian\nLabel: Debian-Security\nSuite: stable\nSHA256:\n {digest} {len(packages)} Packages\n"
        )

    def archive(self) -> bytes:
        """All of it, for a host to unpack."""
        command = ["tar", "-C", str(self.folder), "-cf", "-", "."]
        return subprocess.run(command, capture_output=True, env=ENVIRONMENT, check=True).stdout

    def _inside(self, path: str) -> Path:
        return self.image / _merged(path)

    def _build(self, name: str, version: str, files: Iterable[str], *, needs: str = "", after: str = "") -> None:
        root = self.folder / "building"
        control = root / "DEBIAN"
        control.mkdir(parents=True)
        for path in files:
            target = root / _merged(path)
            if Path(path).is_dir():
                target.mkdir(parents=True, exist_ok=True)
                continue
            self.packed.add(path)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target, follow_symlinks=name == LIBRARIES)
        depends = f"Depends: {needs}\n" if needs else ""
        (control / "control").write_text(
            f"Package: {name}\nVersion: {version}\nArchitecture: all\nMaintainer: a story <story@packages.example>\n"
            f"{depends}Description: {name}\n"
        )
        if after:
            (control / "postinst").write_text(f"#!/bin/sh\nset -e\n{after}\n")
            (control / "postinst").chmod(0o755)
        _tool("dpkg-deb", "-Zgzip", "-z1", "--root-owner-group", "--build", str(root), str(self.folder))
        shutil.rmtree(root)


def files_of(*packages: str) -> list[str]:
    """The files and directories of packages that this machine has installed, without what only people read."""
    lines = {line for line in _tool("dpkg", "-L", *packages).splitlines() if line.startswith("/")}
    found = [line for line in sorted(lines) if not NOT_NEEDED.match(line)]
    return [line for line in found if Path(line).exists() and not (Path(line).is_symlink() and Path(line).is_dir())]


def libraries(files: Collection[str]) -> set[str]:
    """What programs among `files` load."""
    programs = [path for path in files if not path.startswith("/usr/share") and _is_program(Path(path))]
    return set(re.findall(r"(/\S+\.so\S*) \(0x", _tool("ldd", *programs, ok=(0, 1)))) if programs else set()


def _merged(path: str) -> str:
    """Where `path` lies where /bin, /lib ... are links into /usr."""
    return f"usr{path}" if re.match(r"/(s?bin|lib\w*)/", path) else path.lstrip("/")


def _is_program(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(4) == b"\x7fELF"


def _tool(*command: str, ok: tuple[int, ...] = (0,)) -> str:
    result = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, check=False)
    if result.returncode not in ok:
        raise RuntimeError(f"{command[:3]}: {result.stderr[-500:]}")
    return result.stdout
