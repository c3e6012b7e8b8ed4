"""Five minutes of the counters of 12,500 servers, against bare COPY of the same readings.

Each server's two counters are read once a minute, an hour turns in the middle; one reading in a hundred finds its
counter begun anew, one in a hundred is the last one over again. The product is `in_bulk.ingest` as the sweep calls it:
meters moved, raw readings kept, hours and months added to, thresholds asked, commit. The floors get the same readings
and only lay them down, in a table without index, key or log: a row a counter (25,000 a minute), which is how a store of
samples has them, and a row a server with both (12,500). The ratio is to the first. SQLite's floor is executemany.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from statistics import median
from typing import Any, TypeAlias

from bench import measure, seeding, stage

SERVERS, MINUTES, ROUNDS = 12_500, 5, 5
FIRST = datetime(2026, 6, 20, 10, 57, 30, tzinfo=UTC)
ANCHOR = date(2026, 6, 15)
BEFORE = 10**9  # where every counter stands a minute earlier
Contenders: TypeAlias = dict[str, Callable[[Sequence[Any]], None]]
ON_SQLITE = "from bench import bench_ingest; bench_ingest.on_sqlite()"


def servers() -> None:
    """A server of each account, whose meter was read a minute ago and whose traffic month has begun."""
    from django.db import connection

    from invoicing.models import Package, Subscription
    from invoicing.offering import catalogue
    from panel.accounts.models import Account
    from servers.models import Meter, Server, TrafficMonth

    catalogue.install_catalogue()
    package = Package.objects.get(code="vps-s").pk
    began, ids = FIRST - timedelta(days=30), range(1, SERVERS + 1)
    Account.objects.bulk_create(
        (Account(pk=n, reference=f"ACC-{n:08}", name=f"Owner {n}", billing_email=f"o{n}@customer.example",
                 created_at=began) for n in ids), batch_size=500)  # fmt: skip
    Subscription.objects.bulk_create(
        (Subscription(pk=n, reference=f"SUB-{n:08}", account_id=n, package_id=package, service_kind="vps",
                      interval="month", price_cents=590, anchor_on=ANCHOR, period_start=ANCHOR,
                      period_end=date(2026, 7, 15), usage_from=ANCHOR, terms_version=seeding.TERMS, started_at=began)
         for n in ids), batch_size=500)  # fmt: skip
    Server.objects.bulk_create(
        (Server(pk=n, reference=f"SRV-{n:08}", account_id=n, subscription_id=n, name=f"web-{n}", state="running",
                place=seeding.PLACE, provider_ref=f"vm-{n}", image="debian-12", size={}, included_bytes=10**12,
                ordered_at=began, ready_at=began) for n in ids), batch_size=500)  # fmt: skip
    Meter.objects.bulk_create((Meter(server_id=n, account_id=n) for n in ids), batch_size=500)
    TrafficMonth.objects.bulk_create(
        (TrafficMonth(server_id=n, account_id=n, starts_on=ANCHOR, ends_on=date(2026, 7, 15), included_bytes=10**12)
         for n in ids), batch_size=500)  # fmt: skip
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE")


def emptied() -> None:
    """As it was before the first minute."""
    from django.db import connection

    from servers.models import Meter, TrafficHour, TrafficMonth, TrafficReading

    Meter.objects.update(epoch="boot-0", rx_bytes=BEFORE, tx_bytes=BEFORE, at=FIRST - timedelta(minutes=1))
    TrafficMonth.objects.update(rx_bytes=0, tx_bytes=0, warned_percent=0)
    with connection.cursor() as cursor:
        for model in (TrafficReading, TrafficHour):
            clear = "TRUNCATE" if connection.vendor == "postgresql" else "DELETE FROM"
            cursor.execute(f"{clear} {model._meta.db_table}")
        if connection.vendor == "postgresql":
            cursor.execute(f"VACUUM FULL ANALYZE {Meter._meta.db_table}, {TrafficMonth._meta.db_table}")
            cursor.execute("CHECKPOINT")


def readings() -> tuple[list[list[Any]], dict[str, int]]:
    """Minute by minute what was taken, and what it must come to."""
    from servers.providers import Counters
    from servers.traffic.in_bulk import Taken

    counters = {n: Counters("boot-0", BEFORE, BEFORE, FIRST - timedelta(minutes=1)) for n in range(1, SERVERS + 1)}
    minutes, truth = [], {"bytes": 0, "readings": 0}
    for minute in range(MINUTES):
        at, taken = FIRST + timedelta(minutes=minute), []
        for n, last in counters.items():
            kind = (n + minute * 37) % 100
            rx, tx = 1_000 + n * 7919 % 10**7, 500 + n * 104_729 % 10**8
            if kind == 0 and minute:  # the last one over again
                read = last
            elif kind == 1:  # begun anew
                read = Counters(f"boot-{minute + 1}", rx, tx, at)
            else:
                read = Counters(last.epoch, last.rx_bytes + rx, last.tx_bytes + tx, at)
            if read is not last:
                truth["bytes"] += rx + tx  # a counter that began anew was lost right after the last reading
                truth["readings"] += 1
            counters[n] = read
            taken.append(Taken(n, ANCHOR, seeding.TERMS, None, read))
        minutes.append(taken)
    return minutes, truth


# --- the floors ------------------------------------------------------------------------------------------------------


def by_server(taken: Sequence[Any]) -> str:
    reads = [(one.server_id, one.read) for one in taken]
    return "\n".join(f"{n}\t{read.at}\t{read.epoch}\t{read.rx_bytes}\t{read.tx_bytes}" for n, read in reads)


def by_counter(taken: Sequence[Any]) -> str:
    reads = [(one.server_id, one.read) for one in taken]
    return "\n".join(
        f"{n}\trx\t{read.at}\t{read.epoch}\t{read.rx_bytes}\n{n}\ttx\t{read.at}\t{read.epoch}\t{read.tx_bytes}"
        for n, read in reads
    )


def copying(table: str, lines: Callable[[Sequence[Any]], str]) -> Callable[[Sequence[Any]], None]:
    from django.db import connection, transaction

    def write(taken: Sequence[Any]) -> None:
        with transaction.atomic(), connection.cursor() as cursor, cursor.copy(f"COPY {table} FROM STDIN") as copy:
            copy.write(lines(taken))

    return write


def on_postgresql() -> tuple[Contenders, Callable[[], None]]:
    """The contenders, and what empties the floors."""
    from django.db import connection

    kept = "at timestamptz, epoch text"
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE UNLOGGED TABLE floor_server (id bigint, {kept}, rx bigint, tx bigint)")
        cursor.execute(f"CREATE UNLOGGED TABLE floor_counter (id bigint, side text, {kept}, value bigint)")

    def clear() -> None:
        with connection.cursor() as cursor:
            cursor.execute("TRUNCATE floor_server, floor_counter")

    return {
        "COPY, a row a counter": copying("floor_counter", by_counter),
        "COPY, a row a server": copying("floor_server", by_server),
        "product": ingest,
    }, clear


def executing() -> tuple[Contenders, Callable[[], None]]:
    from django.db import connection, transaction

    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE floor_counter (id, side, at, epoch, value)")

    def write(taken: Sequence[Any]) -> None:
        rows = []
        for one in taken:
            read, at = one.read, str(one.read.at)
            rows.append((one.server_id, "rx", at, read.epoch, read.rx_bytes))
            rows.append((one.server_id, "tx", at, read.epoch, read.tx_bytes))
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.cursor.connection.executemany("INSERT INTO floor_counter VALUES (?, ?, ?, ?, ?)", rows)

    def clear() -> None:
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM floor_counter")

    return {"executemany, a row a counter": write, "product": ingest}, clear


# --- the product -----------------------------------------------------------------------------------------------------


def ingest(taken: Sequence[Any]) -> None:
    from servers.traffic import in_bulk

    report = in_bulk.ingest(taken, now=taken[0].read.at)
    if report.failed or report.singly:
        raise RuntimeError(f"{report.singly} singly, failed: {list(report.failed.items())[:3]}")


def sound(truth: dict[str, int]) -> dict[str, bool]:
    from django.db.models import F, Sum

    from servers.models import Meter, TrafficHour, TrafficMonth, TrafficReading

    both = Sum(F("rx_bytes") + F("tx_bytes"))
    hours = TrafficHour.objects.values_list("hour").annotate(bytes=both)
    return {
        f"{truth['bytes']:,} bytes in the months": (
            TrafficMonth.objects.aggregate(bytes=both)["bytes"] == truth["bytes"]
        ),
        "and in two hours": sum(amount for _hour, amount in hours) == truth["bytes"] and len(hours) == 2,
        "and in the readings, none twice": (
            TrafficReading.objects.count() == truth["readings"]
            and TrafficReading.objects.aggregate(bytes=Sum("added"))["bytes"] == truth["bytes"]
        ),
        "every meter stands at its last reading": (
            not Meter.objects.filter(at__lt=FIRST + timedelta(minutes=MINUTES - 2)).exists()
        ),
    }  # fmt: skip


def rounds(
    contenders: Contenders, clear: Callable[[], None], spent: Callable[[], float]
) -> tuple[dict[str, list[float]], dict[str, list[float]], dict[str, bool]]:
    """Seconds by the clock and of processor of each contender for the five minutes, and what was checked."""
    minutes, truth = readings()
    wall: dict[str, list[float]] = {name: [] for name in contenders}
    used: dict[str, list[float]] = {name: [] for name in contenders}
    for turn in range(ROUNDS + 1):  # the first warms up
        for name in list(contenders)[:: -1 if turn % 2 else 1]:
            (emptied if name == "product" else clear)()
            began, before = time.perf_counter(), spent()
            for taken in minutes:
                contenders[name](taken)
            wall[name].append(time.perf_counter() - began)
            used[name].append(spent() - before)
            if name == "product":
                checks = sound(truth)
    for taken in minutes:
        ingest(taken)
    checks |= {f"all of it over again: {name}": so for name, so in sound(truth).items()}
    return {name: each[1:] for name, each in wall.items()}, {name: each[1:] for name, each in used.items()}, checks


def report(name: str, wall: dict[str, list[float]], used: dict[str, list[float]], checks: dict[str, bool]) -> float:
    floor = next(iter(wall))
    counters = 2 * SERVERS * MINUTES
    rows = [
        (each, f"{counters / median(wall[each]):,.0f}", measure.ratio(wall[each], wall[floor]),
         f"{median(used[each]) / counters * 1e6:.2f}", measure.ratio(used[each], used[floor]))
        for each in wall
    ]  # fmt: skip
    measure.table((name, "counters/s", "x floor by the clock", "µs of processor each", "x floor by processor"), rows)
    measure.verdict(checks)
    return measure.ratio(used["product"], used[floor]).middle


def on_sqlite() -> None:
    """In a process of its own, on a file."""
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", interactive=False, verbosity=0)
    servers()
    contenders, clear = executing()
    found = report("ingest, SQLite", *rounds(contenders, clear, time.process_time))
    print(f"on SQLite, times executemany: {found:.2f}\n", flush=True)


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="clause-bench-") as folder:
        environment = {**os.environ, "CLAUSE_DATABASE_URL": "",
                       "CLAUSE_DATA": folder, "DJANGO_SETTINGS_MODULE": "panel.settings"}  # fmt: skip
        subprocess.run([sys.executable, "-c", ON_SQLITE], cwd=stage.ROOT, env=environment, check=True)
    with stage.production():
        from bench import processor

        servers()
        stage.durable()
        contenders, clear = on_postgresql()
        found = report("ingest", *rounds(contenders, clear, processor.spent_with_the_database()))
    measure.conclude("bench_ingest", found)


if __name__ == "__main__":
    main()
