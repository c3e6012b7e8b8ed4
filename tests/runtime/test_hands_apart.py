"""What has many portions is done by processes: on the same database, all of it or an error, and none that stays."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import pytest
from django.db import connection, transaction

from panel.core import hands
from panel.core.models import Operation
from panel.runtime import apart
from tests.runtime.test_many_rows import open_ones, operation

pytestmark = [pytest.mark.postgres, pytest.mark.crash, pytest.mark.django_db(transaction=True)]

ROOT = Path(__file__).resolve().parents[2]
PORTIONS = range(hands.MANY + 2)


@pytest.fixture(autouse=True)
def _processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hands, "_apart", [])
    monkeypatch.setattr(hands, "APART", 2)
    hands.use(apart.pool)


def write(number: int) -> tuple[int, int, int]:
    with transaction.atomic(), connection.cursor() as cursor:
        operation(f"{number}").save(force_insert=True)
        cursor.execute("SELECT pg_backend_pid()")
        backend = int(cursor.fetchone()[0])
    time.sleep(0.2)  # both have something
    return number, os.getpid(), backend


def write_or_die(number: int) -> None:
    if number == 0:
        time.sleep(1)  # the others are done
        operation("half").save(force_insert=True)
        os.kill(os.getpid(), signal.SIGKILL)
    operation(f"{number}").save(force_insert=True)


def write_or_fail(number: int) -> None:
    if number == 0:
        raise ValueError("the first")
    operation(f"{number}").save(force_insert=True)


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


def until(holds: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert holds()


def test_processes_write_to_this_database_and_leave_no_connection() -> None:
    done = hands.side_by_side(write, PORTIONS)
    assert [number for number, _process, _backend in done] == list(PORTIONS)
    assert len({process for _number, process, _backend in done} - {os.getpid()}) == 2
    assert Operation.objects.count() == len(PORTIONS)
    until(lambda: open_ones({backend for _number, _process, backend in done}) == 0)


def test_few_portions_are_left_to_threads() -> None:
    assert {process for _number, process, _backend in hands.side_by_side(write, range(hands.MANY - 1))} == {os.getpid()}


def test_an_error_is_told_once_every_portion_was_tried() -> None:
    with pytest.raises(ValueError, match="the first"):
        hands.side_by_side(write_or_fail, PORTIONS)
    assert Operation.objects.count() == len(PORTIONS) - 1


def test_a_hand_that_is_killed_is_an_error_and_the_next_run_has_hands_again() -> None:
    with pytest.raises(BrokenProcessPool):
        hands.side_by_side(write_or_die, PORTIONS)
    Operation.objects.all().delete()
    hands.side_by_side(write, PORTIONS)
    assert Operation.objects.count() == len(PORTIONS)


def hold() -> None:
    """The body of a process of its own: prints its hands, and holds them."""
    pool = apart.pool(2)
    print(*{pool.submit(slowly).result() for _turn in range(2)}, flush=True)
    pool.submit(time.sleep, 60).result()


def slowly() -> int:
    time.sleep(0.3)
    return os.getpid()


def test_hands_end_with_the_process_that_asked_for_them() -> None:
    script = "from panel.runtime import apart_loaded; from tests.runtime.test_hands_apart import hold; hold()"
    head = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert head.stdout is not None
    found = [int(word) for word in head.stdout.readline().split()]
    assert found
    assert not any(gone(pid) for pid in found)
    head.kill()
    head.wait()
    head.stdout.close()
    until(lambda: all(gone(pid) for pid in found), 10)
