"""How a machine does, for its page."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.translation import gettext as _

from panel.core.charts import Chart, Series
from panel.core.quantities import NO_BREAK
from servers import places
from servers.models import Server, Vitals
from servers.rules import ON_THE_HOST, Power
from servers.watching import vitals_rules
from servers.watching.vitals import topic
from servers.watching.vitals_rules import Rates, Reading

NONE = Rates()


class Told(StrEnum):
    """What there is to show."""

    NOTHING = "nothing"
    """The server has no machine."""
    NOT_HERE = "not_here"
    """Its place does not tell."""
    OFF = "off"
    SOON = "soon"
    """It was not read yet."""
    NOW = "now"
    STALE = "stale"
    """It could not be read for a while: the figures are of then."""


@dataclass(frozen=True, slots=True)
class Shown:
    """Bytes; `memory` and `disk`: used and whole, None where they are not told; `up`: as of `read_at`."""

    told: Told
    topic: str
    row: Vitals | None = None
    reading: Reading | None = None
    rates: Rates = NONE
    memory: tuple[int, int] | None = None
    disk: tuple[int, int] | None = None
    up: timedelta | None = None
    disk_is_full: bool = False

    @property
    def figures(self) -> bool:
        return self.told in (Told.NOW, Told.STALE)


def vitals_of(server: Server, *, now: datetime) -> Shown:
    """How `server` does, as far as it is known; one query."""
    told, row = _told(server, now)
    reading = row.reading if row is not None else None
    if row is None or reading is None or told not in (Told.NOW, Told.STALE):
        return Shown(told, topic(server), row)
    return Shown(
        told, topic(server), row, reading, row.rates, up=row.up,
        memory=_pair(reading.memory_bytes, reading.memory_total or server.size["memory_mb"] * 2**20),
        disk=(disk := _pair(reading.disk_bytes, reading.disk_total or server.size["disk_gb"] * 10**9)),
        disk_is_full=disk is not None and vitals_rules.is_full(*disk),
    )  # fmt: skip


def _told(server: Server, now: datetime) -> tuple[Told, Vitals | None]:
    if server.state not in ON_THE_HOST:
        return Told.NOTHING, None
    if not places.capabilities(server.place).vitals:
        return Told.NOT_HERE, None
    row = Vitals.objects.filter(server=server).first()
    if server.power in (Power.OFF, Power.GONE):
        return Told.OFF, row
    if row is None or row.read_at is None:
        return Told.SOON, row
    watched = row.watched_until is not None and row.watched_until > now
    stale = vitals_rules.is_stale(row.read_at, row.failing_since is not None, watched, now)
    return Told.STALE if stale else Told.NOW, row


def _pair(used: int | None, whole: int) -> tuple[int, int] | None:
    return None if used is None else (used, whole)


def chart(shown: Shown, *, now: datetime) -> Chart | None:
    """The processors' use of the last 24 hours, by hour; hours that nobody read are gaps. None before there are two."""
    if shown.row is None or len(shown.row.hours) < 2:
        return None
    points = vitals_rules.means(shown.row.hours, now)
    return Chart(
        title=_("Processors, last day"), show=percent_in_words,
        labels=[date_format(timezone.localtime(start), "H:i") for start, _mean in points],
        series=[Series(_("Processors"), [mean for _start, mean in points])],
    )  # fmt: skip


def percent_in_words(value: float) -> str:
    """`12 %`, one decimal below ten."""
    return f"{number_format(value, 0 if value >= 10 or value == int(value) else 1)}{NO_BREAK}%"
