"""The pure law of vitals: what two readings of a machine come to, when the next one is due, and what is too old."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

SOON, BASE = timedelta(seconds=5), timedelta(minutes=5)
"""How often a machine is read while somebody watches it, and while nobody does."""
STALE_WATCHED, STALE = timedelta(seconds=30), 3 * BASE
PATIENT_LOOKS, LONGEST_PAUSE = 4, timedelta(minutes=5)
CLOSE = 1.0  # seconds: readings nearer to each other say nothing of a rate
FULL_PERCENT = 95
HOURS_KEPT = 24
LOAD_OVER = 60.0  # seconds over which the load is averaged


@dataclass(frozen=True, slots=True)
class Reading:
    """What the host told of a machine that is on. Within one `epoch`, one start of it, `cpu_seconds` (of all its
    processors together) and the bytes only grow; `clock` counts the host's own steady seconds. None: it does not tell.
    """

    epoch: str
    clock: float
    cpu_seconds: float | None = None
    busy: int | None = None
    """Programs that run, or wait for a processor or a disk, at this instant."""
    memory_bytes: int | None = None
    memory_total: int | None = None
    disk_bytes: int | None = None
    disk_total: int | None = None
    rx_bytes: int | None = None
    tx_bytes: int | None = None
    started_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Rates:
    """Between two readings: percent of the machine's processors, averaged programs at work, bytes a second."""

    cpu_percent: float | None = None
    load: float | None = None
    rx_rate: float | None = None
    tx_rate: float | None = None
    seconds: float = 0.0
    """Over how long; 0 where there was nothing to compare with."""


def rates(before: Reading | None, known: Rates, reading: Reading, *, vcpu: int) -> Rates:
    """What `reading` comes to after `before`, whose rates were `known`. The first reading of an epoch has none but the
    load of its instant; one that follows at once leaves them as they were."""
    if before is None or before.epoch != reading.epoch:
        return Rates(load=None if reading.busy is None else float(reading.busy))
    seconds = reading.clock - before.clock
    if seconds < CLOSE:
        return known
    cpu = _each(before.cpu_seconds, reading.cpu_seconds, seconds)
    return Rates(
        cpu_percent=None if cpu is None else min(100.0, 100 * cpu / max(vcpu, 1)),
        load=_averaged(known.load, reading.busy, seconds),
        rx_rate=_each(before.rx_bytes, reading.rx_bytes, seconds),
        tx_rate=_each(before.tx_bytes, reading.tx_bytes, seconds),
        seconds=seconds,
    )


def _each(before: float | None, after: float | None, seconds: float) -> float | None:
    """How much a second; never less than nothing, where what ended took its part along."""
    return None if before is None or after is None else max(0.0, after - before) / seconds


def _averaged(known: float | None, busy: int | None, seconds: float) -> float | None:
    """As Unix reckons a load: what was known fades over a minute."""
    if busy is None:
        return None
    if known is None:
        return float(busy)
    fading = math.exp(-seconds / LOAD_OVER)
    return known * fading + busy * (1 - fading)


Hour = tuple[str, float, float]
"""The start of a UTC hour (ISO 8601), percent times seconds, seconds."""


def with_hour(hours: Sequence[Sequence[object]], found: Rates, now: datetime) -> list[Hour]:
    """The hours of the last day with the processor's use of `found` added to the present one, weighed by its length."""
    kept = [(str(start), float(str(sum_)), float(str(seconds))) for start, sum_, seconds in hours]
    if found.cpu_percent is None or not found.seconds:
        return kept
    hour = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0).isoformat()
    before = kept.pop() if kept and kept[-1][0] == hour else (hour, 0.0, 0.0)
    seconds = min(found.seconds, BASE.total_seconds())
    kept.append((hour, before[1] + found.cpu_percent * seconds, before[2] + seconds))
    return kept[-HOURS_KEPT:]


def means(hours: Sequence[Sequence[object]], now: datetime) -> list[tuple[datetime, float | None]]:
    """The mean percent of each of the last 24 hours, oldest first; None where nothing was read."""
    known = {str(start): float(str(sum_)) / float(str(seconds)) for start, sum_, seconds in hours if seconds}
    this = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    starts = [this - timedelta(hours=back) for back in range(HOURS_KEPT - 1, -1, -1)]
    return [(start, known.get(start.isoformat())) for start in starts]


def pause(misses: int) -> timedelta:
    """How long a machine that did not answer `misses` times in a row is left alone: at first not at all, then for half
    a minute, doubled each time."""
    if misses < PATIENT_LOOKS:
        return timedelta()
    return min(LONGEST_PAUSE, timedelta(seconds=30 << min(misses - PATIENT_LOOKS, 8)))


def is_stale(read_at: datetime, failing: bool, watched: bool, now: datetime) -> bool:
    """Whether what was read at `read_at` says nothing of now any more."""
    age = now - read_at
    return age > STALE or (failing and age > 2 * SOON) or (watched and age > STALE_WATCHED)


def percent(used: int | None, total: int | None) -> int | None:
    """Whole percent, rounded down; None where either is not known."""
    return None if used is None or not total else used * 100 // total


def is_full(used: int | None, total: int | None) -> bool:
    """Whether a disk has no room left to work with."""
    found = percent(used, total)
    return found is not None and found >= FULL_PERCENT
