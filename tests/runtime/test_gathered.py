"""A burst of commits wakes Celery a few times, and the last commit of it is never forgotten."""

import threading
import time

import pytest

from panel.runtime.gathered import Gathered


def test_a_burst_is_two_calls_and_what_comes_later_is_called_at_once() -> None:
    calls: list[float] = []
    made = threading.Semaphore(0)

    def call() -> None:
        calls.append(time.monotonic())
        made.release()

    wake = Gathered(call, pause=0.5)
    for _ in range(50):
        wake()
    assert len(calls) == 1
    for _ in range(2):
        assert made.acquire(timeout=10)
    assert calls[1] - calls[0] >= 0.45
    time.sleep(0.6)
    assert len(calls) == 2
    wake()
    assert len(calls) == 3


def test_a_late_one_that_fails_is_told_and_does_not_end_it(caplog: pytest.LogCaptureFixture) -> None:
    made = threading.Semaphore(0)

    def call() -> None:
        made.release()
        if threading.current_thread() is not threading.main_thread():
            raise ConnectionError

    wake = Gathered(call, pause=0.2)
    for _ in range(2):
        wake()
        wake()
        for _called in range(2):
            assert made.acquire(timeout=10)
        time.sleep(0.3)
    assert [record.levelname for record in caplog.records] == ["ERROR", "ERROR"]
