"""How a simulated machine does: plausible, the same for everybody who asks, and in keeping with what happens to it."""

import math
from datetime import datetime
from sqlite3 import Connection, Row
from zlib import crc32

from servers.providers import Size
from servers.providers.simulated import traffic
from servers.watching.vitals_rules import Reading

HOUR, MINUTE = 3600.0, 60.0


def sized(db: Connection, machine: int, size: Size) -> None:
    """What it has by its size."""
    db.execute(
        "UPDATE machine SET vcpu = ?, memory_mb = ?, disk_gb = ? WHERE id = ?",
        (size.vcpu, size.memory_mb, size.disk_gb, machine),
    )


def up_since(db: Connection, row: Row, now: datetime) -> datetime:
    """Since when it is on: this cloud has no clock, so it begins with the first look after the power came."""
    start = f"{row['epoch']} {row['build']} {row['rescue']}"
    known, _, since = row["up_since"].rpartition("|")
    if known == start and datetime.fromisoformat(since) <= now:
        return datetime.fromisoformat(since)
    db.execute("UPDATE machine SET up_since = ? WHERE id = ?", (f"{start}|{now.isoformat()}", row["id"]))
    return now


def read(db: Connection, row: Row, now: datetime) -> Reading:
    """Of a machine that is on."""
    ref, since = row["ref"], up_since(db, row, now)
    up = (now - since).total_seconds()
    share = _share(ref, now.timestamp())
    memory, disk = row["memory_mb"] * 2**20, row["disk_gb"] * 10**9
    used = 0.22 + 0.3 * _draw("disk", ref) if row["filled"] < 0 else row["filled"] / 100
    rx, tx = row["rx"], row["tx"]
    if row["counted_until"] and (last := datetime.fromisoformat(row["counted_until"])) < now:
        more_rx, more_tx = traffic.between(ref, last, now, row["bytes_a_day"])
        rx, tx = rx + more_rx, tx + more_tx
    return Reading(
        epoch=f"{ref}/{row['epoch']}/{since.isoformat()}", clock=up,
        cpu_seconds=row["vcpu"] * (_spent(ref, now.timestamp()) - _spent(ref, since.timestamp())),
        busy=int(row["vcpu"] * share + _draw("turn", ref, now.isoformat())),
        memory_bytes=int(memory * (0.25 + 0.3 * _draw("memory", ref) + share / 4)),
        memory_total=memory, disk_bytes=int(disk * used), disk_total=disk, rx_bytes=rx, tx_bytes=tx, started_at=since,
    )  # fmt: skip


def _draw(*key: str) -> float:
    """A number in [0, 1) that depends on `key` alone."""
    return crc32(":".join(key).encode()) / 2**32


def _waves(ref: str) -> list[tuple[float, float, float]]:
    """The swings of a machine's use: height, length in seconds, offset; they add up to less than its base."""
    base = 0.04 + 0.3 * _draw("busy", ref) ** 3
    return [
        (base * height, length, 2 * math.pi * _draw(str(length), ref))
        for height, length in ((0.5, 24 * HOUR), (0.3, HOUR), (0.15, MINUTE))
    ]


def _share(ref: str, at: float) -> float:
    """The part of its processors that is in use at an instant, in (0, 1)."""
    waves = _waves(ref)
    base = sum(height for height, _, _ in waves) / 0.95
    return base + sum(height * math.sin(2 * math.pi * at / length + offset) for height, length, offset in waves)


def _spent(ref: str, until: float) -> float:
    """The integral of `_share` from some fixed instant: it only grows."""
    waves = _waves(ref)
    base = sum(height for height, _, _ in waves) / 0.95
    return base * until - sum(
        height * length / (2 * math.pi) * math.cos(2 * math.pi * until / length + offset)
        for height, length, offset in waves
    )
