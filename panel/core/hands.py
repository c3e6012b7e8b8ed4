"""Long work in portions, by several hands where the database takes more than one writer: while it writes what one hand
gave it, the others read and draw up the next. Hands are threads; for many portions processes, where there are any."""

import gc
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from typing import TypeAlias, TypeVar

from django.db import connection

Portion = TypeVar("Portion")
Done = TypeVar("Done")
Pool: TypeAlias = Callable[[int], Executor]

HANDS = 3  # threads: one writes, one draws up, one has its next portion ready
APART = min(HANDS, os.cpu_count() or 1)  # processes: more than there are cores would wait for each other
MANY = 4  # portions that are worth processes
_apart: list[Pool] = []


def use(pool: Pool) -> None:
    """Have processes of `pool` do what has many portions (panel/runtime/apart.py)."""
    _apart[:] = [pool]


def side_by_side(work: Callable[[Portion], Done], portions: Sequence[Portion]) -> list[Done]:
    """What `work` gives for each of `portions`, in their order. Each has a connection and transactions of its own, and
    waits for no other, so `work` must hold several at once, and be a function of a module (or a partial of one): it may
    be called in another process. In turn, here, inside a transaction or on SQLite. The first exception is raised when
    every hand has put down its work; BrokenProcessPool where a hand was killed."""
    with _undisturbed():
        if len(portions) < 2 or connection.vendor != "postgresql" or connection.in_atomic_block:
            return [work(portion) for portion in portions]
        if _apart and len(portions) >= MANY:
            with _apart[0](APART) as pool:
                asked = [pool.submit(work, portion) for portion in portions]
            return [one.result() for one in asked]
        return _by_threads(work, portions)


def _by_threads(work: Callable[[Portion], Done], portions: Sequence[Portion]) -> list[Done]:
    waiting: SimpleQueue[tuple[int, Portion]] = SimpleQueue()
    for numbered in enumerate(portions):
        waiting.put(numbered)
    done: dict[int, Done] = {}
    with ThreadPoolExecutor(HANDS, thread_name_prefix="hand") as pool:
        for hand in [pool.submit(_all_that_waits, work, waiting, done) for _ in range(HANDS)]:
            hand.result()
    return [done[place] for place in range(len(portions))]


def _all_that_waits(
    work: Callable[[Portion], Done], waiting: "SimpleQueue[tuple[int, Portion]]", done: dict[int, Done]
) -> None:
    try:
        while True:
            place, portion = waiting.get_nowait()
            done[place] = work(portion)
    except Empty:
        return
    finally:
        connection.close()


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Without the search for rings of forgotten objects: thousands of rows are made and dropped, none in a ring, and
    each search would go through everything the process holds."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()
