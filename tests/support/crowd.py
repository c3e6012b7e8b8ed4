"""Many threads, each with its own connection to the database, at their deeds at the same time."""

import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

from django.db import connection, connections
from django.test.utils import CaptureQueriesContext

from panel.core.errors import RuleViolation

LOCK = re.compile(r'FROM "(\w+)".* FOR (?:NO KEY )?UPDATE')
MOST = 40  # each with a connection: what a small PostgreSQL has room for, beside the other workers


def together(deeds: Sequence[Callable[[], Any]], *, may_refuse: bool = False) -> list[Any]:
    """Carry the deeds out by as many threads, MOST at a time, which start together; what each returned. The first error
    of any is raised; with `may_refuse` a RuleViolation is an answer like another."""
    threads = min(len(deeds), MOST)
    start = Barrier(threads)

    def alone(number: int, deed: Callable[[], Any]) -> Any:
        try:
            if number < threads:
                start.wait(30)
            return deed()
        except RuleViolation as refusal:
            if may_refuse:
                return refusal
            raise
        finally:
            connections.close_all()

    with ThreadPoolExecutor(threads) as crowd:
        return list(crowd.map(alone, range(len(deeds)), deeds))


def at_once(deed: Callable[[], object], times: int = 8) -> None:
    """Carry out one deed in `times` threads."""
    together([deed] * times)


def locks(deed: Callable[[], Any]) -> list[str]:
    """The tables of which a deed locks rows, in the order of their first lock."""
    with CaptureQueriesContext(connection) as asked:
        deed()
    found = [LOCK.search(one["sql"]) for one in asked.captured_queries]
    return list(dict.fromkeys(one[1] for one in found if one))
