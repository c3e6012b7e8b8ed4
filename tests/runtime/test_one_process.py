"""The embedded runtime as it is started by `make run`: its start, its end, and what a power cut leaves."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.program import ROOT, Program

pytestmark = pytest.mark.crash

SLOW = [str(ROOT / "tests" / "runtime" / "slow_program.py")]
JOBS = 24  # more than are done while a busy machine ends the process that asked for them
ON_SQLITE = {"CLAUSE_DATABASE_URL": "", "CLAUSE_REDIS_URL": ""}


def program(data: Path) -> Program:
    return Program(data, command=SLOW, environment=ON_SQLITE)


def enqueue(running: Program, count: int, seconds: float) -> None:
    running.manage(
        script=f"""
import os, django
os.environ["DJANGO_SETTINGS_MODULE"] = "panel.settings"
django.setup()
from django.db import transaction
from panel.core import clock, operations
with transaction.atomic():
    for n in range({count}):
        operations.enqueue("test.slow", key=f"job-{{n}}", now=clock.now(), payload={{"seconds": {seconds}}})
"""
    )


def effects(data: Path) -> list[str]:
    path = data / "effects.txt"
    return path.read_text().splitlines() if path.exists() else []


def states(data: Path) -> dict[str, str]:
    with sqlite3.connect(data / "clause.sqlite3") as database:
        return dict(database.execute("SELECT key, state FROM core_operation WHERE kind = 'test.slow'"))


def wait_for(condition: Callable[[], bool], seconds: float, what: str) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(0.05)


def test_a_start_on_an_empty_directory_is_ready_soon_and_a_second_one_sooner(tmp_path: Path) -> None:
    with Program(tmp_path, environment=ON_SQLITE, new=True) as first:
        assert set(first.health()) == {"status", "database", "live", "worker", "clock", "disk"}
        assert "is ready: http://127.0.0.1" in first.said()
        assert tmp_path.stat().st_mode & 0o077 == 0, "nobody else of this machine reads the data"
        assert first.signal(signal.SIGTERM) == 0
    begun = time.monotonic()
    with Program(tmp_path, environment=ON_SQLITE):
        assert time.monotonic() - begun < 10


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_it_stops_cleanly_with_open_operations_and_takes_them_up_again(tmp_path: Path, number: int) -> None:
    with program(tmp_path) as running:
        enqueue(running, JOBS, 0.3)
        wait_for(lambda: len(effects(tmp_path)) > 1, 60, "the first jobs")
        begun = time.monotonic()
        assert running.signal(number) == 0
        assert time.monotonic() - begun < 5
        assert "Traceback" not in running.said()
        assert len(effects(tmp_path)) < JOBS, "the test wants to stop it in the middle"
        assert "running" not in states(tmp_path).values(), "a job under way comes to its end"
    with program(tmp_path):
        wait_for(lambda: set(states(tmp_path).values()) == {"done"}, 60, "all jobs done")
    assert sorted(effects(tmp_path)) == sorted(f"job-{n}" for n in range(JOBS))


def test_after_kill_9_nothing_is_lost_and_nothing_is_done_twice(tmp_path: Path) -> None:
    with program(tmp_path) as running:
        enqueue(running, JOBS, 0.3)
        wait_for(lambda: len(effects(tmp_path)) > 1, 60, "the first jobs")
        running.kill()
        assert len(effects(tmp_path)) < JOBS
    with program(tmp_path):
        wait_for(lambda: set(states(tmp_path).values()) == {"done"}, 15, "all jobs done, without waiting for a lease")
    assert sorted(effects(tmp_path)) == sorted(f"job-{n}" for n in range(JOBS))


def test_a_call_that_hangs_does_not_hold_the_end_up(tmp_path: Path) -> None:
    with program(tmp_path) as running:
        enqueue(running, 1, 60)
        wait_for(lambda: states(tmp_path).get("job-0") == "running", 60, "the job begun")
        begun = time.monotonic()
        assert running.signal(signal.SIGINT) == 0
        assert time.monotonic() - begun < 6
    assert states(tmp_path) == {"job-0": "running"}, "the next start asks whether it happened"


def test_a_second_start_on_the_same_data_is_refused_and_says_who_runs(tmp_path: Path) -> None:
    with Program(tmp_path, environment=ON_SQLITE) as first:
        second = Program(tmp_path, environment=ON_SQLITE)
        second.output = tmp_path / "second.txt"
        second.spawn()
        assert second.process.wait(60) == 1
        assert f"already running on {tmp_path}: pid {first.process.pid}, {first.base}" in second.said()
        assert first.health()["status"] == "ok"


def test_a_taken_port_is_said_in_one_sentence(tmp_path: Path) -> None:
    with Program(tmp_path / "one", environment=ON_SQLITE) as first:
        second = Program(tmp_path / "two", environment=ON_SQLITE)
        second.environment["PORT"] = str(first.port)
        second.spawn()
        assert second.process.wait(60) == 1
        assert "cannot be had" in second.said()
        assert "Traceback" not in second.said()


def test_the_clock_runs_and_writes_its_book(tmp_path: Path) -> None:
    with Program(tmp_path, environment=ON_SQLITE) as running:
        listed = json.loads(running.manage("sweep", "--list", "--json"))
        assert "core.seal" in listed

        def ticked() -> bool:
            with sqlite3.connect(tmp_path / "clause.sqlite3") as database:
                names = {name for (name,) in database.execute("SELECT name FROM core_tick")}
            return {"clock", "core.seal"} <= names

        wait_for(ticked, 60, "a tick of the clock and of the sealer")


def test_serve_is_not_for_production() -> None:
    environment = {
        "CLAUSE_PRODUCTION": "1",
        "CLAUSE_SECRET_KEY": "x" * 60,
        "CLAUSE_HOSTS": "panel.example",
        "CLAUSE_BASE_URL": "https://panel.example",
        "CLAUSE_STRIPE_KEY": "sk_test_x",
        "CLAUSE_STRIPE_WEBHOOK_SECRET": "whsec_x",
        "CLAUSE_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
        "CLAUSE_REDIS_URL": "redis://127.0.0.1:1/0",
    }
    command, all_of_it = [sys.executable, "manage.py", "serve"], {**os.environ, **environment}
    done = subprocess.run(command, cwd=ROOT, env=all_of_it, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 1
    assert "serve is the embedded runtime" in done.stderr
