"""Ansible as a program: one playbook on one server, over SSH to a host key that is known, told line by line (SRV-9).

Nothing of the person's or the machine's own settings of SSH or ansible is read. What it says is one JSON object a line
(`ansible/managed/callback_plugins`), bounded in length and number; everything it starts has ended when `play` returns.
"""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from django.conf import settings

from panel.core.errors import ProviderError
from servers.remote import Target

FOLDER = Path(settings.BASE_DIR) / "ansible" / "managed"
MOST_LINES = 2_000
LONGEST_LINE = 1_200_000  # bytes
LAST_WORDS = 2_000  # characters kept of what it says on its error output
_MARKS = ("{{", "{%", "{#")  # of a template, which ansible would carry out here
_ADDRESS, _USER = re.compile(r"[0-9A-Fa-f:][0-9A-Fa-f.:]*"), re.compile(r"[a-z_][a-z0-9_-]*")
_HOST_KEY = re.compile(r"[a-z][a-z0-9@.-]* [A-Za-z0-9+/]+=*")


@dataclass(frozen=True, slots=True)
class Line:
    """What a run told: that a task has begun, or how it ended ("ok", "changed", "skipped", "failed", "unreachable")."""

    role: str
    task: str
    status: str
    message: str = ""
    told: str = ""
    exists: bool = False


@dataclass(slots=True)
class Outcome:
    """How many tasks ended how, and what was told of those that were to tell something."""

    ok: int = 0
    changed: int = 0
    told: list[Line] = field(default_factory=list)


def play(
    target: Target, playbook: str, words: Mapping[str, Any], *, heard: Callable[[Line], None], timeout: float
) -> Outcome:
    """Run `playbook` of ansible/managed on one server with `words` as its variables; each line goes to `heard`.

    No word is ever a template: what looks like one is refused before anything begins, and the others are marked. A
    second run of the same changes nothing. ProviderError: code "words" for such ones or a target that is none,
    "unreachable" where nobody answered, "host_key" where somebody else did, "timeout" after `timeout` seconds, "failed"
    with the task's own words where one failed.
    """
    _check(target, words)
    with _workshop(target, words) as shop:
        process = subprocess.Popen(
            [sys.executable, "-m", "ansible", "playbook", "-i", "inventory.json", "-e", "@words.json",
             str(FOLDER / f"{playbook}.yml")],
            cwd=shop, env=_environment(shop), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            start_new_session=True,
        )  # fmt: skip
        late = threading.Event()
        alarm = threading.Timer(timeout, _end, (process, late))
        alarm.daemon = True
        alarm.start()
        errors: list[str] = []
        beside = threading.Thread(target=_drain, args=(process.stderr, errors), daemon=True)
        beside.start()
        outcome, failure = Outcome(), None
        try:
            for line in _lines(process.stdout):
                heard(line)
                failure = _counted(outcome, line) or failure
            process.wait()
        finally:
            alarm.cancel()
            _end(process)
            beside.join(5)
        if late.is_set():
            raise ProviderError(f"{playbook}: no end within {timeout:.0f} seconds", code="timeout")
        if failure is not None:
            raise _told_as_error(failure)
        if process.returncode != 0:
            raise ProviderError(f"ansible ended with {process.returncode}: {''.join(errors)[-500:]}", code="failed")
        return outcome


def _check(target: Target, words: Mapping[str, Any]) -> None:
    """Words and targets come from customers, their machines and places: ProviderError, which does not repeat them."""
    if any(mark in text for text in _texts(words) for mark in _MARKS):
        raise ProviderError("a template stands among the words of a run", permanent=True, code="words")
    fits = _ADDRESS.fullmatch(target.address) and _USER.fullmatch(target.user)
    if not fits or not _HOST_KEY.fullmatch(" ".join(target.host_key.split()[:2])):
        raise ProviderError("no plain address, user and host key to go to", permanent=True, code="words")


def _texts(words: object) -> Iterator[str]:
    """Every string within, also those that name something."""
    if isinstance(words, str):
        yield words
    elif isinstance(words, Mapping):
        for pair in words.items():
            yield from _texts(pair)
    elif isinstance(words, Iterable):
        for one in words:
            yield from _texts(one)


def plain(words: Any) -> Any:
    """The same as JSON in which each string is marked as words alone: ansible never carries it out as a template."""
    match words:
        case str():
            return {"__ansible_unsafe": words}
        case Mapping():
            return {key: plain(one) for key, one in words.items()}
        case list() | tuple():
            return [plain(one) for one in words]
    return words


def _counted(outcome: Outcome, line: Line) -> Line | None:
    """The line itself where it ends the run."""
    match line.status:
        case "ok":
            outcome.ok += 1
        case "changed":
            outcome.changed += 1
        case "failed" | "unreachable":
            return line
    if line.told or line.exists:
        outcome.told.append(line)
    return None


def _told_as_error(line: Line) -> ProviderError:
    words = f"{line.role}: {line.task}: {line.message}".removeprefix(": ")
    if "HOST IDENTIFICATION HAS CHANGED" in line.message or "Host key verification failed" in line.message:
        return ProviderError(words, permanent=True, code="host_key")
    if "Permission denied" in line.message and line.status == "unreachable":
        return ProviderError(words, permanent=True, code="refused")
    return ProviderError(words, code="unreachable" if line.status == "unreachable" else "failed")


# ---------------------------------------------------------------- the program


@contextmanager
def _workshop(target: Target, words: Mapping[str, Any]) -> Iterator[Path]:
    """A directory of its own, for root's eyes, with the key, the known host, the inventory; gone afterwards, and with
    it the connection that was kept open."""
    shop = Path(tempfile.mkdtemp(prefix="play-"))
    try:
        key, known = shop / "key", shop / "known_hosts"
        _write(key, target.private_key)
        name = target.address if target.port == 22 else f"[{target.address}]:{target.port}"
        _write(known, f"{name} {' '.join(target.host_key.split()[:2])}\n")
        host = {
            "ansible_host": target.address, "ansible_port": target.port, "ansible_user": target.user,
            "ansible_ssh_private_key_file": str(key), "ansible_python_interpreter": "/usr/bin/python3",
        }  # fmt: skip
        _write(shop / "inventory.json", json.dumps({"all": {"hosts": {"server": host}}}))
        _write(shop / "ansible.cfg", "[defaults]\n")  # or it would look for one elsewhere
        _write(shop / "words.json", json.dumps(plain(words)))
        yield shop
    finally:
        _hang_up(shop, target)
        shutil.rmtree(shop, ignore_errors=True)


def _write(path: Path, text: str) -> None:
    path.touch(0o600)
    path.write_text(text)


def _environment(shop: Path) -> dict[str, str]:
    known = shop / "known_hosts"
    options = {
        "UserKnownHostsFile": known, "GlobalKnownHostsFile": "/dev/null", "StrictHostKeyChecking": "yes",
        "IdentitiesOnly": "yes", "BatchMode": "yes", "ConnectTimeout": 10, "ServerAliveInterval": 15,
        "ControlMaster": "auto", "ControlPersist": "60", "ControlPath": shop / "mux", "UpdateHostKeys": "no",
    }  # fmt: skip
    return {
        "PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LANG": "C.UTF-8", "HOME": str(shop), "TMPDIR": str(shop),
        "ANSIBLE_CONFIG": str(shop / "ansible.cfg"), "ANSIBLE_HOME": str(shop / "ansible"), "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_LOCAL_TEMP": str(shop / "local"), "ANSIBLE_REMOTE_TEMP": "/tmp",  # noqa: S108 - the server's own
        "ANSIBLE_ROLES_PATH": str(FOLDER / "roles"), "ANSIBLE_CALLBACK_PLUGINS": str(FOLDER / "callback_plugins"),
        "ANSIBLE_STDOUT_CALLBACK": "clause_lines", "ANSIBLE_PIPELINING": "1", "ANSIBLE_HOST_KEY_CHECKING": "1",
        "ANSIBLE_SSH_ARGS": " ".join(["-F", "none", *(f"-o {name}={value}" for name, value in options.items())]),
        "ANSIBLE_SSH_RETRIES": "1", "ANSIBLE_SSH_TRANSFER_METHOD": "piped", "ANSIBLE_RETRY_FILES_ENABLED": "0",
        "ANSIBLE_GATHER_TIMEOUT": "20", "ANSIBLE_TIMEOUT": "20", "ANSIBLE_DEPRECATION_WARNINGS": "0",
        "ANSIBLE_INJECT_FACT_VARS": "0", "PYTHONDONTWRITEBYTECODE": "1",
    }  # fmt: skip


def _lines(stream: IO[bytes] | None) -> Iterator[Line]:
    """What the callback says; anything else, and what comes after MOST_LINES, is left out."""
    count = 0
    while stream is not None and (raw := stream.readline(LONGEST_LINE)):
        try:
            row = json.loads(raw)
            kind = row["kind"]
        except (ValueError, KeyError, TypeError):
            continue
        count += 1
        if kind in ("begun", "ended") and count <= MOST_LINES:
            yield Line(
                str(row.get("role", "")), str(row.get("name", "")), str(row.get("status", "begun")),
                str(row.get("message", "")), str(row.get("told", "")), bool(row.get("exists")),
            )  # fmt: skip


def _drain(stream: IO[bytes] | None, into: list[str]) -> None:
    while stream is not None and (piece := stream.read(4096)):
        into[:] = ["".join([*into, piece.decode(errors="replace")])[-LAST_WORDS:]]


def _end(process: "subprocess.Popen[bytes]", late: threading.Event | None = None) -> None:
    """Whatever is left of the program's session ends."""
    if late is not None:
        late.set()
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _hang_up(shop: Path, target: Target) -> None:
    """Connections are kept open by programs in sessions of their own: the one that tasks share is asked to end, and
    whatever else still names our directory is ended, such as one that was only just connecting."""
    if (shop / "mux").exists():
        command = ["ssh", "-F", "none", "-o", f"ControlPath={shop / 'mux'}", "-O", "exit", target.address]
        with contextlib.suppress(subprocess.TimeoutExpired):
            subprocess.run(command, capture_output=True, timeout=10, check=False)
    until = time.monotonic() + 5
    while (left := _naming(shop)) and time.monotonic() < until:
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)


def _naming(shop: Path) -> list[int]:
    """Processes that work in a directory which exists for one run alone, or whose arguments name it."""
    found, named = [], str(shop).encode()
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if named in (process / "cmdline").read_bytes() or (process / "cwd").readlink() == shop:
                found.append(int(process.name))
    return found
