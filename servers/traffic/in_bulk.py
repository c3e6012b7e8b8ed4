"""Readings of many machines by the set: what is ordinary in a few statements, the rest by `metering.record` (SRV-4).

Both follow one law, `traffic_rules`; a property test holds them together to the byte. What a batch writes is one
transaction. Two may run at once, on whichever servers: on PostgreSQL they take turns, and where a single reading moves
a meter meanwhile, the batch begins anew.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any

from django.db import connection, transaction

from panel import terms
from panel.core import live
from panel.core.errors import ProviderError
from servers import metering, rules, traffic_rules
from servers.models import Server, TrafficMonth
from servers.providers import Counters
from servers.traffic import set_sql

log = logging.getLogger(__name__)
LOCK = 4_101_000_001  # of PostgreSQL's advisory locks: readings by the set
TOPICS = 1000  # of one live message
TRIES = 3


@dataclass(frozen=True, slots=True)
class Taken:
    """A server's counters as they were read, beside what its subscription says of its traffic months."""

    server_id: int
    anchor_on: date
    terms_version: str
    warn_percent: int | None
    read: Counters


@dataclass(slots=True)
class Ingested:
    """How many readings were dealt with; by server what went wrong with the others, and which were left to Python."""

    done: int = 0
    failed: dict[int, str] = field(default_factory=dict)
    singly: int = 0


class _MovedMeanwhile(Exception):
    """A meter of the batch is not where it was when the batch was judged."""


def ingest(taken: Sequence[Taken], *, now: datetime) -> Ingested:
    """Count these readings, in their order in time for each server. One that cannot be counted stops no other."""
    report = Ingested()
    unfit = {one.server_id for one in taken if not traffic_rules.fits(one.read.rx_bytes, one.read.tx_bytes)}
    if unfit:
        metering.missed(dict.fromkeys(unfit, ProviderError(metering.NO_COUNT, code="failed")), now=now)
        report.failed = dict.fromkeys(unfit, metering.NO_COUNT)
        taken = [one for one in taken if one.server_id not in unfit]
    try:
        later = _attempt(taken, now)
    except Exception:
        log.exception("a batch of %s readings is counted one by one", len(taken))
        later = sorted(taken, key=lambda one: one.read.at)
    report.singly, report.done = len(later), len(taken) - len(later)
    servers = _servers(one.server_id for one in later)
    for one in later:
        if one.server_id in report.failed:
            continue
        try:
            metering.record(servers[one.server_id], one.read, now=now)
            report.done += 1
        except Exception as error:
            log.exception("metering server %s", one.server_id)
            report.failed[one.server_id] = f"{type(error).__name__}: {error}"
    return report


def _attempt(taken: Sequence[Taken], now: datetime) -> list[Taken]:
    """What is left to be counted singly, oldest first."""
    for turn in range(TRIES):
        try:
            with transaction.atomic():
                return _ordinary(taken, now)
        except _MovedMeanwhile:
            log.info("meters moved while %s readings were judged (%s)", len(taken), turn + 1)
    return sorted(taken, key=lambda one: one.read.at)


def _ordinary(taken: Sequence[Taken], now: datetime) -> list[Taken]:
    """Rounds of at most one reading a server, in the order of time; a server that is odd once stays so."""
    later: list[Taken] = []
    odd: set[int] = set()
    for some in _rounds(taken):
        fit = [one for one in some if one.server_id not in odd] if odd else some
        later += [one for one in some if one.server_id in odd] if odd else []
        if fit:
            left = _by_the_set(fit, now)
            odd |= left
            later += [one for one in fit if one.server_id in left] if left else []
    return later


def _rounds(taken: Sequence[Taken]) -> list[Sequence[Taken]]:
    if len({one.server_id for one in taken}) == len(taken):
        return [taken]
    rounds: list[list[Taken]] = []
    turn: dict[int, int] = {}
    for one in sorted(taken, key=lambda one: one.read.at):
        number = turn.get(one.server_id, 0)
        turn[one.server_id] = number + 1
        if number == len(rounds):
            rounds.append([])
        rounds[number].append(one)
    return list(rounds)


def _by_the_set(taken: Sequence[Taken], now: datetime) -> set[int]:
    """Count one reading of each server; gives the servers whose reading is not ordinary and was not touched."""
    numbers = {version: number for number, version in enumerate(sorted({one.terms_version for one in taken}))}
    warn_at = {number: terms.version(version).bandwidth.warn_at for version, number in numbers.items()}
    write = _on_postgresql if connection.vendor == "postgresql" else _on_sqlite
    told = write(taken, numbers, warn_at)
    _follow(told, now)
    odd = {row[1] for row in told if row[0] == "odd"}
    topics = [f"server:{one.server_id}" for one in taken if one.server_id not in odd]
    for start in range(0, len(topics), TOPICS):
        live.publish(topics[start : start + TOPICS], "servers.meter.read")
    return odd


def _follow(told: Iterable[tuple[Any, ...]], now: datetime) -> None:
    """What the set left over: bytes to be shared out by Python, hours of two holders, thresholds to warn of."""
    rows: dict[str, list[tuple[Any, ...]]] = {"apart": [], "clash": [], "told": []}
    for what, *values in told:
        if what in rows:
            rows[what].append(tuple(values))
    if not any(rows.values()):
        return
    servers = _servers(row[0] for some in rows.values() for row in some)
    for server_id, _month, since, until, rx, tx, _account, _many in rows["apart"]:
        metering.share_out(servers[server_id], rx, tx, _utc(since), _utc(until), now)
    for server_id, _month, hour, _until, rx, tx, account_id, _many in rows["clash"]:
        metering.add_hour(server_id, _utc(hour), (rx, tx), account_id)
    months = TrafficMonth.objects.in_bulk([row[1] for row in rows["told"]])
    for server_id, month_id, *_rest in sorted(rows["told"]):
        metering.warn(servers[server_id], months[month_id], now)


def _servers(ids: Iterable[int]) -> Mapping[int, Server]:
    return Server.objects.select_related("subscription", "account").in_bulk(sorted(set(ids)))


# ---------------------------------------------------------------- in the database's words


def _said(taken: Sequence[Taken], numbers: Mapping[str, int]) -> Iterator[tuple[Any, ...]]:
    """Each reading with its instant, hour and month as the database reads them, and the number of its terms."""
    for one in taken:
        read = one.read
        yield one, read, *_when(read.at), *_month(one.anchor_on, read.at), numbers[one.terms_version]


@lru_cache(maxsize=4096)
def _when(at: datetime) -> tuple[str, str]:
    """An instant, and the UTC hour that holds it, as text of the database."""
    hour = at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    return _words(at), _words(hour)


@lru_cache(maxsize=65536)
def _month(anchor_on: date, at: datetime) -> tuple[str, str]:
    """The traffic month that holds `at`: its first day, and the instant at which it begins."""
    month = rules.month_at(anchor_on, at)
    return str(month.starts_on), _words(month.starts_at)


def _plain(text: str) -> str:
    """`text` as COPY takes it."""
    if text.isprintable() and "\\" not in text:
        return text
    return text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")


def _words(instant: datetime) -> str:
    return str(connection.ops.adapt_datetimefield_value(instant))


def _utc(found: Any) -> datetime:
    instant = found if isinstance(found, datetime) else datetime.fromisoformat(found)
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


def _on_postgresql(
    taken: Sequence[Taken], numbers: Mapping[str, int], warn_at: Mapping[int, Sequence[int]]
) -> list[tuple[Any, ...]]:
    """By COPY into a staging table that ends with the transaction, and one statement."""
    text = "\n".join([
        f"{one.server_id}\t{at}\t{hour}\t{_plain(read.epoch)}\t{read.rx_bytes}\t{read.tx_bytes}\t{read.link_bps}\t"
        f"{read.width}\t{read.from_zero:d}\t{starts_on}\t{month_at}\t{one.warn_percent or 0}\t{number}"
        for one, read, at, hour, starts_on, month_at, number in _said(taken, numbers)
    ])  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
        cursor.execute("DROP TABLE IF EXISTS staged")  # of an earlier round of this transaction
        cursor.execute(set_sql.STAGE_POSTGRESQL)
        with cursor.copy(f"COPY staged ({set_sql.COLUMNS}) FROM STDIN") as copy:
            copy.write(text)
        cursor.execute(set_sql.postgresql(warn_at))
        found = cursor.fetchall()
    counts = {row[0]: row[-1] for row in found if row[0] in ("plain", "moved")}
    if counts["plain"] != counts["moved"]:
        raise _MovedMeanwhile
    return list(found)


def _on_sqlite(
    taken: Sequence[Taken], numbers: Mapping[str, int], warn_at: Mapping[int, Sequence[int]]
) -> list[tuple[Any, ...]]:
    rows = [
        (one.server_id, at, hour, read.epoch, read.rx_bytes, read.tx_bytes, read.link_bps, read.width,
         int(read.from_zero), starts_on, month_at, one.warn_percent or 0, number)
        for one, read, at, hour, starts_on, month_at, number in _said(taken, numbers)
    ]  # fmt: skip
    with connection.cursor() as cursor:
        for statement in set_sql.EMPTY_SQLITE:
            cursor.execute(statement)
        cursor.cursor.connection.executemany(set_sql.STAGE_SQLITE, rows)
        for statement in set_sql.sqlite(warn_at):
            cursor.execute(statement)
        cursor.execute(set_sql.LEFT_SQLITE)
        return list(cursor.fetchall())
