"""Kills a process with signal 9 at every point of a scene, lets another take up the work, and looks at what came of it.

A scene is a module with three functions, each run in a process of its own on the same database and data directory:

    act()      what is done; it is killed somewhere in here
    resume()   what a fresh start does (take back what was running, carry out what is due); also run when nothing died
    verify()   the state afterwards, as something JSON can hold: the same whatever was killed

`Stage(scene).points()` plays it once and lists every commit and every outside call; `Stage.after_killing(point)` kills
it there. A zygote that has imported everything forks each process, so that one point costs about a second. PostgreSQL
only: each play has a database of its own, copied from one that is migrated and, by the scene's `prepare()`, furnished.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import psycopg

ROOT = Path(__file__).resolve().parents[2]
ENTRY = ROOT / "tests" / "support" / "crash_zygote.py"


def url_of(database: dict[str, Any]) -> str:
    """The URL of a Django database on PostgreSQL."""
    who = quote(database["USER"]) + (f":{quote(database['PASSWORD'])}" if database["PASSWORD"] else "")
    host = database["HOST"]
    at, socket = ("127.0.0.1", f"?host={host}") if host.startswith("/") else (host, "")
    return f"postgresql://{who}@{at}:{database['PORT'] or 5432}/{database['NAME']}{socket}"


def copied(template: str | None) -> str:
    """The clause of CREATE DATABASE."""
    return f' TEMPLATE "{template}"' if template else ""


@contextlib.contextmanager
def own_copy(database: dict[str, Any], name: str) -> Iterator[str]:
    """The URL of a migrated database beside the given one, empty where there is no template; dropped afterwards."""
    url = urlsplit(url_of(database))
    own = f"{url.path.lstrip('/')}_{name}_{os.getpid()}"  # workers of one run share the given one
    with psycopg.connect(url._replace(path="/postgres").geturl(), autocommit=True) as admin:
        admin.execute(f'DROP DATABASE IF EXISTS "{own}" WITH (FORCE)')  # type: ignore[call-overload]
        template = copied(os.environ.get("CLAUSE_TEST_TEMPLATE"))
        admin.execute(f'CREATE DATABASE "{own}"{template}')  # type: ignore[call-overload]
        try:
            yield url._replace(path=f"/{own}").geturl()
        finally:
            admin.execute(f'DROP DATABASE IF EXISTS "{own}" WITH (FORCE)')  # type: ignore[call-overload]


class Stage:
    """Plays one scene again and again. Use it in a `with`."""

    def __init__(self, scene: str, *, database_url: str) -> None:
        self.scene = scene
        self._server = database_url
        self._name = urlsplit(database_url).path.lstrip("/") + f"_crash_{os.getpid()}"
        self._folder = Path(tempfile.mkdtemp(prefix="clause-crash-"))
        self._plays = 0
        self._zygote: subprocess.Popen[str] | None = None

    def __enter__(self) -> "Stage":
        self._recreate(self._name, template=os.environ.get("CLAUSE_TEST_TEMPLATE"))
        self._data(0).mkdir()
        environment = {
            **os.environ, "CLAUSE_DATABASE_URL": self._url(self._name), "CLAUSE_DATA": str(self._data(0)),
            "CLAUSE_CRASH_LOG": "", "CLAUSE_CRASH_AT": "", "CLAUSE_REDIS_URL": "",
        }  # fmt: skip
        self._zygote = subprocess.Popen(
            [sys.executable, str(ENTRY), self.scene], cwd=ROOT, env=environment,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip
        assert self._tell("prepare", self._name, self._data(0))["status"] == 0, "the stage cannot be furnished"
        return self

    def __exit__(self, *error: object) -> None:
        assert self._zygote is not None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._zygote.pid, signal.SIGKILL)
        self._zygote.wait(10)
        self._admin(f'DROP DATABASE IF EXISTS "{self._name}" WITH (FORCE)')
        shutil.rmtree(self._folder, ignore_errors=True)

    def points(self) -> tuple[list[str], Any]:
        """Plays the scene unharmed: the points in the order they were reached ("name:n"), and what `verify` says."""
        with self._play() as (database, data):
            log = data / "points.txt"
            log.touch()
            assert self._tell("act", database, data, log=str(log))["status"] == 0, "the scene itself fails"
            reached = log.read_text().splitlines()
            return reached, self._rest(database, data)

    def after_killing(self, point: str) -> Any:
        """Plays the scene, kills it at `point`, and gives what `verify` says after a fresh start."""
        with self._play() as (database, data):
            status = self._tell("act", database, data, at=point)["status"]
            assert status == -signal.SIGKILL, f"the process did not come to {point}, or fell otherwise ({status})"
            return self._rest(database, data)

    def _rest(self, database: str, data: Path) -> Any:
        assert self._tell("resume", database, data)["status"] == 0, "the fresh start fails"
        answer = self._tell("verify", database, data)
        assert answer["status"] == 0, "the scene cannot be verified"
        return answer["result"]

    @contextlib.contextmanager
    def _play(self) -> Iterator[tuple[str, Path]]:
        self._plays += 1
        database, data = f"{self._name}_{self._plays}", self._data(self._plays)
        shutil.copytree(self._data(0), data)
        self._recreate(database, template=self._name)
        try:
            yield database, data
        finally:
            self._admin(f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)')
            shutil.rmtree(data, ignore_errors=True)

    def _tell(self, deed: str, database: str, data: Path, *, log: str = "", at: str = "") -> dict[str, Any]:
        assert self._zygote is not None
        assert self._zygote.stdin
        assert self._zygote.stdout
        order = {"deed": deed, "database": database, "data": str(data), "log": log, "at": at}
        self._zygote.stdin.write(json.dumps(order) + "\n")
        self._zygote.stdin.flush()
        for line in self._zygote.stdout:
            if line.startswith("zygote: "):
                answer: dict[str, Any] = json.loads(line.removeprefix("zygote: "))
                return answer
            sys.stdout.write(line)
        raise AssertionError("the zygote died")

    def _data(self, play: int) -> Path:
        return self._folder / str(play)

    def _url(self, database: str) -> str:
        return urlsplit(self._server)._replace(path=f"/{database}").geturl()

    def _recreate(self, database: str, *, template: str | None) -> None:
        self._admin(f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)')
        self._admin(f'CREATE DATABASE "{database}"{copied(template)}')

    def _admin(self, statement: str) -> None:
        with psycopg.connect(self._url("postgres"), autocommit=True) as connection:
            connection.execute(statement)  # type: ignore[call-overload]
