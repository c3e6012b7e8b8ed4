"""Many threads, each with its own connection to the database, at their deeds at the same time."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

from django.db import connections

from panel.core.errors import RuleViolation


def together(deeds: Sequence[Callable[[], Any]], *, may_refuse: bool = False) -> list[Any]:
    """Carry the deeds out by as many threads, which start together; what each returned. The first error of any is
    raised; with `may_refuse` a RuleViolation is an answer like another."""
    start = Barrier(len(deeds))

    def alone(deed: Callable[[], Any]) -> Any:
        try:
            start.wait(30)
            return deed()
        except RuleViolation as refusal:
            if may_refuse:
                return refusal
            raise
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(deeds)) as crowd:
        return list(crowd.map(alone, deeds))


def at_once(deed: Callable[[], object], times: int = 8) -> None:
    """Carry out one deed in `times` threads."""
    together([deed] * times)
