"""The sweep that reads every counter: in parts by key, side by side, while the part before is being counted (SRV-4).

A place that can tells many machines' counters in one call. A machine that does not answer again and again is asked ever
more rarely, and a place that answers nobody is left alone until the next sweep. Nothing is lost by it: counters go on.
"""

import logging
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date, datetime
from threading import Lock
from typing import Any, TypeAlias

from django.db.models import Q, QuerySet

from panel.core import due
from panel.core.errors import ProviderError
from servers import metering, providers
from servers.models import Server
from servers.providers import Counters
from servers.traffic import in_bulk
from servers.traffic.in_bulk import Taken

log = logging.getLogger(__name__)

READERS = 8  # calls at the same time; the threads talk to places only, never to the database
PART = 5000  # servers read and counted at once: what is in memory at most twice
AT_ONCE = 500  # machines of one call, where the place can tell so many
PATIENCE = 3  # calls of a place in a row that may fail before it is left alone


@dataclass(frozen=True, slots=True)
class Machine:
    """What the sweep needs of a server."""

    pk: int
    reference: str
    place: str
    ref: str
    anchor_on: date
    terms_version: str
    warn_percent: int | None


_COLUMNS = (
    "pk", "reference", "place", "provider_ref", "subscription__anchor_on", "subscription__terms_version", "warn_percent"
)  # fmt: skip
Told: TypeAlias = "list[tuple[Machine, Counters | ProviderError]]"


@dataclass(slots=True)
class _Places:
    """How often in a row calls of each place have failed; shared by the readers."""

    failures: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    lock: Lock = field(default_factory=Lock)

    def heard(self, place: str, *, failed: bool) -> None:
        with self.lock:
            self.failures[place] = self.failures[place] + 1 if failed else 0

    def is_silent(self, place: str) -> bool:
        return self.failures[place] >= PATIENCE


@due.sweep("servers.meter", every_seconds=300)
def meter_all(now: datetime, *, dry_run: bool = False) -> due.SweepReport:
    """SRV-4: read every machine's counters. One that cannot be read stops no other."""
    if dry_run:
        names = _asked(now).values_list("reference", flat=True)
        return due.SweepReport(would=[f"read {name}" for name in names.order_by("pk")])
    report, places = due.SweepReport(), _Places()
    with ThreadPoolExecutor(READERS, thread_name_prefix="meter") as pool:
        reading: list[Future[Told]] = []
        for part in _parts(now):
            following = [pool.submit(_read, place, some, places, now) for place, some in _calls(part)]
            _count(reading, report, now)
            reading = following
        _count(reading, report, now)
    return report


def _asked(now: datetime) -> "QuerySet[Server]":
    """The servers whose meters are to be read; those that did not answer repeatedly only when it is time."""
    counted = Server.objects.on_the_host().filter(meter__isnull=False, meter__closed_at=None)
    return counted.filter(Q(meter__ask_again_at=None) | Q(meter__ask_again_at__lte=now))


def _parts(now: datetime) -> Iterator[list[Machine]]:
    last = 0
    rows: QuerySet[Server, Any] = _asked(now).order_by("pk").values_list(*_COLUMNS)
    while part := [Machine(*row) for row in rows.filter(pk__gt=last)[:PART]]:
        yield part
        last = part[-1].pk


def _calls(part: Sequence[Machine]) -> Iterator[tuple[str, list[Machine]]]:
    """A part cut into what is asked of a place by one reader."""
    by_place: dict[str, list[Machine]] = {}
    for machine in part:
        by_place.setdefault(machine.place, []).append(machine)
    for place, machines in by_place.items():
        many = AT_ONCE if _at_once(place) else max(1, len(machines) // (4 * READERS))
        for start in range(0, len(machines), many):
            yield place, machines[start : start + many]


def _at_once(place: str) -> bool:
    try:
        return providers.get(place).capabilities.counters_at_once
    except ProviderError:
        return True  # it fails for all of them at once


def _read(place: str, machines: list[Machine], places: _Places, now: datetime) -> Told:
    """What a place tells of these machines; in a reader's thread."""
    try:
        cloud = providers.get(place)
        if not cloud.capabilities.counters_at_once:
            return [(machine, _read_one(cloud, machine, places, now)) for machine in machines]
        if places.is_silent(place):
            raise _left_alone(place)
        found = cloud.counters_of([machine.ref for machine in machines], now=now)
    except Exception as error:
        places.heard(place, failed=True)
        return [(machine, _as_said(error, place)) for machine in machines]
    places.heard(place, failed=False)
    nothing = ProviderError("its place has no reading of it", code="not_found")
    return [(machine, found.get(machine.ref, nothing)) for machine in machines]


def _read_one(
    cloud: providers.CloudProvider, machine: Machine, places: _Places, now: datetime
) -> Counters | ProviderError:
    if places.is_silent(machine.place):
        return _left_alone(machine.place)
    try:
        read = cloud.counters(machine.ref, now=now)
    except Exception as error:
        said = _as_said(error, machine.place)
        places.heard(machine.place, failed=said.code in providers.NO_PLACE)
        return said
    places.heard(machine.place, failed=False)
    return read


def _left_alone(place: str) -> ProviderError:
    return ProviderError(f"{place} answered nobody", code="unreachable")


def _as_said(error: Exception, place: str) -> ProviderError:
    if isinstance(error, ProviderError):
        return error
    log.error("reading counters at %s", place, exc_info=error)
    return ProviderError(f"{type(error).__name__}: {error}")


def _count(reading: Sequence["Future[Told]"], report: due.SweepReport, now: datetime) -> None:
    """Wait for what is being read, and count it."""
    told = [one for future in reading for one in future.result()]
    taken, names, lost = [], {}, {}
    for machine, outcome in told:
        names[machine.pk] = machine.reference
        if isinstance(outcome, ProviderError):
            lost[machine.pk] = outcome
        else:
            said = (machine.anchor_on, machine.terms_version, machine.warn_percent)
            taken.append(Taken(machine.pk, *said, outcome))
    if taken:
        ingested = in_bulk.ingest(taken, now=now)
        report.done += ingested.done
        report.failed += [f"{names[pk]}: {why}" for pk, why in ingested.failed.items()]
    metering.missed(lost, now=now)
    report.failed += [f"{names[pk]}: {error}" for pk, error in lost.items()]
