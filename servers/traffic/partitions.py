"""Raw readings and hours by the month: made ahead, dropped whole once their time is over (SRV-4, PRV-4).

On PostgreSQL both tables are partitioned by the UTC month of their instant; a default partition catches what no month
was made for, and gives it up when the month is. No foreign key leads into them. SQLite has plain tables.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db import connection, transaction

from panel import terms
from panel.core import due
from servers.models import TrafficHour, TrafficReading

AHEAD = 2  # months after the running one


@dataclass(frozen=True, slots=True)
class Kept:
    """A table, and the column whose month decides."""

    model: Any
    instant: str

    @property
    def table(self) -> str:
        return str(self.model._meta.db_table)

    @property
    def rest(self) -> str:
        """The default partition."""
        return f"{self.table}_rest"

    def partition(self, month: datetime) -> str:
        return f"{self.table}_{month:%Y_%m}"


READINGS, HOURS = Kept(TrafficReading, "at"), Kept(TrafficHour, "hour")


def month_of(instant: datetime) -> datetime:
    """The first instant of the UTC month that holds `instant`."""
    return instant.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def later(month: datetime, months: int) -> datetime:
    """The first instant of a UTC month so many after `month`; before it where `months` is negative."""
    count = month.year * 12 + month.month - 1 + months
    return month.replace(year=count // 12, month=count % 12 + 1)


def ends(now: datetime) -> list[tuple[Kept, datetime]]:
    """Each table with the month before which nothing of it is kept: hours are what invoices rest on, to the end of a
    year."""
    retention = terms.current(now).retention
    readings = later(month_of(now), -retention.readings_months)
    years = month_of(now).replace(year=now.astimezone(UTC).year - retention.accounting_years, month=1)
    return [(READINGS, readings), (HOURS, years)]


@due.sweep("servers.partitions", every_seconds=6 * 3600)
def keep(now: datetime, *, dry_run: bool = False) -> due.SweepReport:
    """Make the partitions of the months to come, and let go of months that are over for long enough."""
    report = due.SweepReport()
    apart = connection.vendor == "postgresql"
    wanted = [(kept, later(month_of(now), ahead)) for kept in (READINGS, HOURS) for ahead in range(AHEAD + 1)]
    for kept, month in wanted if apart else ():
        if _exists(kept.partition(month)):
            continue
        if dry_run:
            report.would.append(f"make {kept.partition(month)}")
        else:
            make(kept, month)
            report.done += 1
    for kept, before in ends(now):
        for name in _over(kept, before) if apart else ():
            if dry_run:
                report.would.append(f"drop {name}")
            else:
                _drop(kept, name)
                report.done += 1
        old = kept.model.objects.filter(**{f"{kept.instant}__lt": before})
        if dry_run:
            report.would += [f"delete {many} of {kept.table}"] if (many := old.count()) else []
        else:
            report.done += old.delete()[0]
    return report


@transaction.atomic
def make(kept: Kept, month: datetime) -> None:
    """The partition of a UTC month; what the default one has caught of it moves over."""
    name, end = kept.partition(month), later(month, 1)
    with connection.cursor() as cursor:
        cursor.execute(f"LOCK TABLE {kept.table} IN SHARE UPDATE EXCLUSIVE MODE")
        if _exists(name):
            return
        cursor.execute(f"CREATE TABLE {name} (LIKE {kept.table} INCLUDING DEFAULTS INCLUDING CONSTRAINTS)")
        caught = f"FROM {kept.rest} WHERE {kept.instant} >= %s AND {kept.instant} < %s"
        cursor.execute(f"SELECT 1 {caught} LIMIT 1", [month, end])
        if cursor.fetchone():
            cursor.execute(f"LOCK TABLE {kept.table} IN ACCESS EXCLUSIVE MODE")
            moved = f"WITH gone AS (DELETE {caught} RETURNING *) INSERT INTO {name} SELECT * FROM gone"  # noqa: S608
            cursor.execute(moved, [month, end])
        cursor.execute(f"ALTER TABLE {kept.table} ATTACH PARTITION {name} FOR VALUES FROM (%s) TO (%s)", [month, end])


def _exists(name: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass(%s) IS NOT NULL", [name])
        return bool(cursor.fetchone()[0])


def _over(kept: Kept, before: datetime) -> list[str]:
    """The month partitions that end not later than `before`."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = %s::regclass ORDER BY 1", [kept.table]
        )
        names = [name.strip('"') for (name,) in cursor.fetchall()]
    return [name for name in names if name != kept.rest and name < kept.partition(before)]


@transaction.atomic
def _drop(kept: Kept, name: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {kept.table} DETACH PARTITION {name}")
        cursor.execute(f"DROP TABLE {name}")
