"""The pure law of counters: what one more reading adds to a server's traffic (SRV-4). Integers, bytes, no clock.

Counters grow within an epoch and may begin anew, wrap, miss samples, come twice or late. Nothing is ever counted twice;
what was carried between the last reading and the loss of a counter is lost, and never guessed.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

MICROSECOND = timedelta(microseconds=1)
TOLERANCE_PERCENT = 10
"""How much faster than its link a counter may seem to run: clocks of reading and of counting are not the same."""
SLACK_BYTES = 1_000_000
"""What may arrive in one burst between two readings that follow each other closely."""


class Flag(StrEnum):
    """What kind of step a reading is; stored beside it as evidence."""

    NORMAL = "normal"
    BASELINE = "baseline"
    """The first reading of a counter we did not see begin."""
    RESET = "reset"
    """Counting began anew since the last reading: what is added is a lower bound."""
    QUARANTINED = "quarantined"
    """More than the link can carry: kept for staff, counted as nothing."""
    ACCEPTED = "accepted"
    """Quarantined, and counted since a person accepted it."""
    REPLAY = "replay"
    """Of the instant of the last reading: known already."""
    LATE = "late"
    """Earlier than the last reading, whose count holds what it tells: kept as evidence where it is not known yet."""


UNHEARD = frozenset({Flag.REPLAY, Flag.LATE})
"""What adds nothing and does not become the last reading."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A counter as it was read: cumulative bytes into (`rx`) and out of (`tx`) the server.

    `width` is 32 where the source wraps at 2**32; `from_zero` says that the epoch's counting began at 0 in our sight.
    """

    epoch: str
    rx: int
    tx: int
    at: datetime
    width: int = 64
    from_zero: bool = True


@dataclass(frozen=True, slots=True)
class Delta:
    """What a reading adds, in bytes. A quarantined one adds 0 and holds what it claimed in `claimed`, (rx, tx)."""

    rx: int
    tx: int
    flag: Flag
    claimed: tuple[int, int] = (0, 0)

    @property
    def total(self) -> int:
        """Both directions together, as SRV-4 counts."""
        return self.rx + self.tx


def delta(previous: Reading | None, current: Reading, link_bps: int) -> Delta:
    """What `current` adds after `previous`, the last reading that was heard (None: there is none).

    `link_bps` bounds each direction by itself (bits per second). A quarantined reading does become the last one: the
    next is compared with it, so that one absurd value cannot spoil those after it.
    """
    if previous is None:
        return Delta(current.rx, current.tx, Flag.NORMAL) if current.from_zero else Delta(0, 0, Flag.BASELINE)
    if current.at <= previous.at:
        return Delta(0, 0, Flag.REPLAY if current.at == previous.at else Flag.LATE)
    rx, tx, flag = _grown(previous, current)
    if max(rx, tx) > at_most(current.at - previous.at, link_bps):
        return Delta(0, 0, Flag.QUARANTINED, claimed=(rx, tx))
    return Delta(rx, tx, flag)


def _grown(previous: Reading, current: Reading) -> tuple[int, int, Flag]:
    """(rx, tx, flag) between two readings in their order, before asking whether it is plausible."""
    if current.epoch != previous.epoch:
        return (current.rx, current.tx, Flag.RESET) if current.from_zero else (0, 0, Flag.RESET)
    rx, tx = current.rx - previous.rx, current.tx - previous.tx
    if rx >= 0 and tx >= 0:
        return rx, tx, Flag.NORMAL
    if current.width == 32:
        return rx % 2**32, tx % 2**32, Flag.NORMAL
    return current.rx, current.tx, Flag.RESET  # the pair is one counter: if one side went back, both began anew


def at_most(elapsed: timedelta, link_bps: int) -> int:
    """Bytes that a link can carry in one direction in `elapsed`, with the tolerance."""
    return link_bps * (100 + TOLERANCE_PERCENT) * (elapsed // MICROSECOND) // (100 * 8 * 1_000_000) + SLACK_BYTES


EVERY = timedelta(minutes=5)
LONGEST_SILENCE = timedelta(hours=1)


def ask_again_after(misses: int) -> timedelta | None:
    """How long a machine that did not answer `misses` times in a row is left alone: not at all the first time, then
    twice as long each time, up to an hour."""
    if misses < 2:
        return None
    times: int = 2 ** min(misses - 1, 8)
    return min(EVERY * times, LONGEST_SILENCE)
