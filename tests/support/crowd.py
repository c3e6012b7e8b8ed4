"""Many threads, each with its own connection to the database, at the same deed at the same time."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from django.db import connection


def at_once(deed: Callable[[], object], times: int = 8) -> None:
    """Carry out `deed` in `times` threads that start together; the first error of any is raised."""
    start = Barrier(times)

    def alone(_number: int) -> object:
        try:
            start.wait(10)
            return deed()
        finally:
            connection.close()

    with ThreadPoolExecutor(times) as crowd:
        list(crowd.map(alone, range(times)))
