"""Processor time, for ratios that hold on a machine with other things to do: waiting for one's turn does not count."""

import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from django.db import connection

Spent = Callable[[], float]


def spent_by(group: int) -> Spent:
    """Milliseconds of processor that a process group, the backends of our database and this process have used; of the
    wall clock where the system does not tell."""
    backends = _backends()

    def spent() -> float:
        ids = [*_members(group), *backends]
        try:
            return sum(_of(pid) for pid in ids) + time.process_time() * 1000
        except OSError:
            return time.perf_counter() * 1000

    return spent


def spent_with_the_database() -> Spent:
    """Seconds of processor that this process with its hands and all of PostgreSQL have used, those that are gone
    included; of the wall clock where the system does not tell."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_read_file('postmaster.pid')")
        server = cursor.fetchone()[0].split()[0]

    def spent() -> float:
        try:
            ticks = sum(_ticks(entry.name, server) for entry in Path("/proc").iterdir() if entry.name.isdecimal())
        except OSError:
            return time.perf_counter()
        return ticks / os.sysconf("SC_CLK_TCK") + time.process_time()

    return spent


def _ticks(pid: str, server: str) -> int:
    """User and system time of the server or of a child of ours (with their children that ended), or of a child of the
    server; 0 of any other process. Hands are children of a child of ours (panel/runtime/apart.py)."""
    try:
        figures = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    if pid == server or figures[1] == str(os.getpid()):
        return sum(map(int, figures[11:15]))
    return sum(map(int, figures[11:13])) if figures[1] == server else 0


def _backends() -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pid FROM pg_stat_activity WHERE datname = current_database()")
        return [pid for (pid,) in cursor.fetchall()]


def _members(group: int) -> Iterable[int]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                if os.getpgid(int(entry.name)) == group:
                    yield int(entry.name)
            except ProcessLookupError:
                continue


def _of(pid: int) -> float:
    """The first figure of schedstat: nanoseconds on a processor, of every thread."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) / 1e6
