"""The clock's own book: when each sweep last ran, with what outcome, and the stretches in which nothing ran at all.

The embedded clock and Celery's beat both run sweeps through `run`, so the book is the same in both.
"""

import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F, QuerySet

from panel.core import clock, due
from panel.core.models import ClockGap, Tick

log = logging.getLogger(__name__)

CLOCK = "clock"
PULSE = timedelta(seconds=10)  # how often the clock writes down that it runs
GAP = timedelta(minutes=5)  # silence longer than this is recorded; what it means is for the rules to say (ABU-12)
KEPT_FAILURES = 20


def pulse(now: datetime) -> None:
    """The clock runs: writes that down, and the gap if there was one. Two clocks at once record a gap once."""
    last = Tick.objects.filter(name=CLOCK).first()
    if last is None:
        try:
            with transaction.atomic():
                Tick.objects.create(name=CLOCK, last_at=now)
        except IntegrityError:
            pass
        return
    if now - last.last_at < PULSE:
        return
    with transaction.atomic():
        mine = Tick.objects.filter(name=CLOCK, last_at=last.last_at).update(last_at=now)
        if mine and now - last.last_at > GAP:
            ClockGap.objects.create(since=last.last_at, until=now)
            log.warning("the clock stood still from %s to %s", last.last_at.isoformat(), now.isoformat())


def silence(now: datetime) -> timedelta | None:
    """For how long the clock has not ticked; None when it never did."""
    last = Tick.objects.filter(name=CLOCK).first()
    return now - last.last_at if last else None


def run(name: str, *, now: datetime) -> due.SweepReport:
    """Runs a sweep for `now` and writes the outcome down, with the instant since which each run had failures; a sweep
    that breaks down is reported, never raised."""
    try:
        report = due.SWEEPS[name].run(now)
        broke = False
    except Exception as error:
        log.exception("sweep %s", name)
        report, broke = due.SweepReport(failed=[f"{type(error).__name__}: {error}"]), True
    book: dict[str, Any] = {
        "done": report.done, "failed": report.failed[:KEPT_FAILURES], "failures": len(report.failed)
    }  # fmt: skip
    if report.failed:
        before = Tick.objects.filter(name=name).values_list("last_report", flat=True).first() or {}
        book["since"] = before.get("since") or now.isoformat()
    Tick.objects.update_or_create(name=name, defaults={"last_at": now, "last_report": book})
    if broke or report.failed:
        Tick.objects.filter(name=name).update(failures=F("failures") + 1)
    return report


def failing() -> QuerySet[Tick]:
    """The sweeps whose last run had failures, or broke down; one that succeeds again is gone from here."""
    return Tick.objects.filter(name__in=due.SWEEPS, last_report__failures__gt=0).order_by("name")


def failing_since(tick: Tick) -> datetime:
    """Since when each run of a failing sweep had failures."""
    since = tick.last_report.get("since")
    return datetime.fromisoformat(since) if since else tick.last_at


def run_due(names: Sequence[str], *, now: datetime, stop: Callable[[], bool] = lambda: False) -> list[str]:
    """Runs those of `names` whose time has come, each with the instant at which it starts; returns which ran."""
    pulse(now)
    last = dict(Tick.objects.filter(name__in=names).values_list("name", "last_at"))
    ran: list[str] = []
    for name in names:
        if stop():
            break
        begun = clock.now() if ran else now
        if name in last and last[name] <= begun < last[name] + due.SWEEPS[name].every:
            continue
        run(name, now=begun)
        ran.append(name)
    return ran
