"""Traffic that looks real and is the same for everybody who asks: bytes as a pure function of (machine, hour)."""

import math
from datetime import UTC, datetime, timedelta
from zlib import crc32

HOUR = timedelta(hours=1)
MICROSECONDS = 3_600_000_000
QUIETEST, SPAN = 300_000_000, 40_000_000_000  # bytes a day of the quietest machine, and what the busiest has more


def _draw(*key: object) -> float:
    """A number in [0, 1) that depends on `key` alone."""
    return crc32(":".join(map(str, key)).encode()) / 2**32


def usual(seed: str) -> int:
    """Bytes a day a machine carries when nobody said otherwise: most are quiet, a few are busy."""
    return QUIETEST + int(SPAN * _draw("usual", seed) ** 4)


def _shape(seed: str, hour: datetime) -> float:
    """The hour's weight, 1 on average: an evening hump, quieter weekends, a bad day now and then, and noise."""
    local = (hour.hour + 1 + 3 * _draw("zone", seed)) % 24
    day = 1 + 0.75 * math.sin((local - 14) / 24 * 2 * math.pi) + 0.25 * math.sin((local - 11) / 12 * 2 * math.pi)
    week = 0.8 if hour.weekday() >= 5 else 1.08
    burst = 3.5 if _draw("burst", seed, hour.date()) > 0.985 else 1.0
    noise = 0.6 + 0.8 * _draw("noise", seed, hour.isoformat())
    return max(day, 0.05) * week * burst * noise


def in_hour(seed: str, hour: datetime, bytes_a_day: int) -> tuple[int, int]:
    """(rx, tx) of the full UTC hour that starts at `hour`; a server sends more than it takes in."""
    total = int(bytes_a_day / 24 * _shape(seed, hour))
    rx = int(total * (0.12 + 0.16 * _draw("share", seed, hour.date())))
    return rx, total - rx


def between(seed: str, since: datetime, until: datetime, bytes_a_day: int) -> tuple[int, int]:
    """(rx, tx) carried in (since, until]; sums over neighbouring stretches that meet on a full hour are exact."""
    rx = tx = 0
    hour = since.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    while hour < until:
        whole_rx, whole_tx = in_hour(seed, hour, bytes_a_day)
        start = (max(since, hour) - hour) // timedelta(microseconds=1)
        end = (min(until, hour + HOUR) - hour) // timedelta(microseconds=1)
        rx += whole_rx * end // MICROSECONDS - whole_rx * start // MICROSECONDS
        tx += whole_tx * end // MICROSECONDS - whole_tx * start // MICROSECONDS
        hour += HOUR
    return rx, tx
