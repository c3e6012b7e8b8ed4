"""How a host does, read from outside: its processes in /proc of this machine, its disk, its cable."""

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

from servers.providers.local import power
from servers.providers.local.network import read_counters
from servers.providers.local.records import Record
from servers.watching.vitals_rules import Reading

TICK = os.sysconf("SC_CLK_TCK")
WORKS = frozenset({"R", "D"})


def read(home: Path, record: Record, now: datetime) -> Reading | None:
    """None while it is off. Processor time is that of every process which lives, and of those they waited for."""
    if not power.running(record) or record.boot is None:
        return None
    ticks = busy = memory = 0
    for pid in [record.boot.pid, *power.members(record.boot.pid)]:
        with suppress(OSError):  # it has ended meanwhile
            state, spent = _process(pid)
            ticks, busy, memory = ticks + spent, busy + (state in WORKS), memory + _memory(pid)
    counters = read_counters(record.interface)
    disk = home / ("scratch" if record.boot.rescue else "disk")
    room = os.statvfs(disk) if os.path.ismount(disk) else None
    up = time.clock_gettime(time.CLOCK_BOOTTIME)
    return Reading(
        epoch=f"{record.boot.boot_id}:{record.boot.pid}:{record.boot.started}", clock=up, cpu_seconds=ticks / TICK,
        busy=busy, memory_bytes=memory, memory_total=record.memory_mb * 2**20,
        disk_bytes=(room.f_blocks - room.f_bfree) * room.f_frsize if room else None,
        disk_total=room.f_blocks * room.f_frsize if room else None,
        rx_bytes=counters[1] if counters else None, tx_bytes=counters[2] if counters else None,
        started_at=now - timedelta(seconds=up - record.boot.started / TICK),
    )  # fmt: skip


def _process(pid: int) -> tuple[str, int]:
    """Its state, and ticks of the clock that it and the children it waited for were on a processor."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return fields[0], sum(map(int, fields[11:15]))


def _memory(pid: int) -> int:
    """Bytes that are its own, shared ones by their part."""
    return sum(_proportional(Path(f"/proc/{pid}/smaps_rollup")))


def _proportional(path: Path) -> Iterator[int]:
    for line in path.read_text().splitlines():
        if line.startswith("Pss:"):
            yield int(line.split()[1]) * 1024
