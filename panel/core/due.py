"""What happens by itself. A sweep is a function of `now`; it may run late, twice, or for a chosen instant."""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from django.db import transaction

log = logging.getLogger(__name__)


@dataclass
class SweepReport:
    """What a sweep did (`done` rows), what failed, and, on a dry run, what it would do."""

    done: int = 0
    failed: list[str] = field(default_factory=list)
    would: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, object]:
        return {"done": self.done, "failed": self.failed, "would": self.would}


class SweepFunction(Protocol):
    def __call__(self, now: datetime, *, dry_run: bool = False) -> SweepReport: ...


@dataclass(frozen=True)
class Sweep:
    name: str
    every: timedelta
    run: SweepFunction


SWEEPS: dict[str, Sweep] = {}


def sweep(name: str, every_seconds: int) -> Callable[[SweepFunction], SweepFunction]:
    """Name a function of `now` as a sweep. It runs by itself only if panel/schedule.py lists it."""

    def register(run: SweepFunction) -> SweepFunction:
        SWEEPS[name] = Sweep(name, timedelta(seconds=every_seconds), run)
        return run

    return register


def each(ids: Iterable[int], deed: Callable[[int], object], *, report: SweepReport | None = None) -> SweepReport:
    """Carry out `deed` for every id, each in its own transaction; a failing row is recorded and stops no other."""
    report = report or SweepReport()
    for pk in ids:
        try:
            with transaction.atomic():
                deed(pk)
            report.done += 1
        except Exception as error:
            log.exception("sweep: row %s", pk)
            report.failed.append(f"{pk}: {type(error).__name__}: {error}")
    return report
