"""The real program on a data directory of its own: for tests of the runtime, of sockets and of pages in a browser."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.support import migrated
from tests.support.cluster import free_port

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 60.0  # seconds until the program must answer
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Program:
    """`manage.py serve` in a process group of its own; use it in a `with`, so that nothing is left behind.

    `command` replaces what is started (it must serve in the same way); `environment` adds to its environment;
    without `bare` it builds the demo world first; `patience`: seconds until it must answer. Unless it is to be `new` it
    finds a migrated database in its directory, as on every day but the first.
    """

    def __init__(
        self,
        data: Path,
        *,
        command: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
        bare: bool = True,
        patience: float = PATIENCE,
        new: bool = False,
    ) -> None:
        self.data, self._patience, self._new = data, patience, new
        self.port = free_port()
        self.bank_port = free_port()
        words = list(command) or [str(ROOT / "manage.py"), "serve"]
        self._command = [sys.executable, *words, *(["--bare"] if bare else [])]
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("CLAUSE_CRASH", "PYTEST_"))},
            "CLAUSE_DATA": str(data), "PORT": str(self.port), "HOST": "127.0.0.1", "LOCAL": "",
            "CLAUSE_FAKE_STRIPE_PORT": str(self.bank_port), "PYTHONUNBUFFERED": "1", **(environment or {}),
        }  # fmt: skip
        self.output = data / "output.txt"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "Program":
        return self.start()

    def __exit__(self, *error: object) -> None:
        self.end_group()

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def process(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, "the program was not started"
        return self._process

    def start(self) -> "Program":
        """Starts it and waits until it is well."""
        self.spawn()
        self.wait_until_well()
        return self

    def spawn(self) -> None:
        self.data.mkdir(parents=True, exist_ok=True)
        database = self.data / "clause.sqlite3"
        if not (self._new or self.environment.get("CLAUSE_DATABASE_URL") or database.exists()):
            migrated.copy_to(database)
        with self.output.open("ab") as output:
            self._process = subprocess.Popen(
                self._command, cwd=ROOT, env=self.environment, stdout=output, stderr=output, start_new_session=True
            )

    def wait_until_well(self) -> None:
        end = time.monotonic() + self._patience
        while True:
            if self.process.poll() is not None:
                raise AssertionError(f"the program ended with {self.process.returncode}:\n{self.said()}")
            if self.health().get("status") == "ok":
                return
            if time.monotonic() > end:
                raise AssertionError(
                    f"the program is not well after {self._patience} s: {self.health()}\n{self.said()}"
                )
            time.sleep(0.05)

    def health(self) -> dict[str, Any]:
        """What /healthz says; empty while nothing listens."""
        try:
            status, body = self.get("/healthz")
        except OSError:
            return {}
        return json.loads(body) if status in (200, 503) else {}

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> tuple[int, str]:
        request = urllib.request.Request(self.base + path, headers=dict(headers or {}))
        try:
            with _direct.open(request, timeout=20) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refusal:
            return refusal.code, refusal.read().decode()

    def said(self) -> str:
        return self.output.read_text(errors="replace") if self.output.exists() else ""

    def signal(self, number: int, *, patience: float = 60.0) -> int:
        """Sends a signal to the program, waits for its end, and gives its return code."""
        self.process.send_signal(number)
        return self.process.wait(patience)

    def kill(self) -> None:
        """What a power cut does."""
        self.signal(signal.SIGKILL)

    def manage(self, *words: str, script: str = "") -> str:
        """Runs a management command, or a script, beside the program on the same data; gives what it said."""
        command = [sys.executable, str(ROOT / "manage.py"), *words] if words else [sys.executable, "-c", script]
        done = subprocess.run(
            command, cwd=ROOT, env=self.environment, capture_output=True, text=True, timeout=180, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def end_group(self) -> None:
        """Whatever is left of it, its children included."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(10)


def prepared_copy(prepared: Path, target: Path) -> Path:
    """A copy of a data directory that a program has left in order."""
    shutil.copytree(prepared, target, ignore=shutil.ignore_patterns("lock", "output.txt"))
    return target
