"""The pure law of counters: what one more reading adds to a server's traffic (SRV-4). Integers, bytes, no clock.

Counters grow within an epoch and may begin anew, wrap, miss samples, come twice or late. Nothing is ever counted twice;
what was carried between the last reading and the loss of a counter is lost, and never guessed. A value that no link
can carry does not stay: a counter that falls back from it goes on where it was before.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
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


DOUBTED = frozenset({Flag.QUARANTINED, Flag.ACCEPTED})
"""What claimed more than the link can carry, whatever staff said of it."""
MOST_BYTES = 2**62 - 1
"""What a counter can hold for us: both directions together fit in 64 bits with a sign."""
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
class Claim:
    """What a doubted reading claimed, in bytes, since the reading before it."""

    rx: int
    tx: int
    since: datetime


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


def fits(rx: int, tx: int) -> bool:
    """Whether this can be a reading at all; what is no count of bytes is not even kept as a doubtful one."""
    return 0 <= rx <= MOST_BYTES and 0 <= tx <= MOST_BYTES


def delta(previous: Reading | None, current: Reading, link_bps: int, claims: Iterable[Claim] = ()) -> Delta:
    """What `current` adds after `previous`, the last reading that was heard (None: there is none).

    `link_bps` bounds each direction by itself (bits per second). A quarantined reading does become the last one: the
    next is compared with it, so that one absurd value that stays cannot spoil those after it. `claims` are those that
    `previous` stands upon, the newest first: asked for only where `current` falls within the epoch.
    """
    if previous is None:
        return Delta(current.rx, current.tx, Flag.NORMAL) if current.from_zero else Delta(0, 0, Flag.BASELINE)
    if current.at <= previous.at:
        return Delta(0, 0, Flag.REPLAY if current.at == previous.at else Flag.LATE)
    ground = _ground(previous, current, claims)
    rx, tx, flag = _grown(ground, current)
    if max(rx, tx) > at_most(current.at - ground.at, link_bps):
        return Delta(0, 0, Flag.QUARANTINED, claimed=(rx, tx))
    return Delta(rx, tx, flag)


def _ground(previous: Reading, current: Reading, claims: Iterable[Claim]) -> Reading:
    """What `current` is compared with. One that falls takes back what was claimed, not what was carried since: it goes
    on from the last good reading. The same whether staff accepted the claim or not, so that the order of their
    decision and of the fall makes no difference."""
    if not _fell(previous, current):
        return previous
    for claim in claims:
        previous = replace(previous, rx=previous.rx - claim.rx, tx=previous.tx - claim.tx, at=claim.since)
        if not _fell(previous, current):
            break
    return previous


def _fell(previous: Reading, current: Reading) -> bool:
    return current.epoch == previous.epoch and (current.rx < previous.rx or current.tx < previous.tx)


def _grown(previous: Reading, current: Reading) -> tuple[int, int, Flag]:
    """(rx, tx, flag) between two readings in their order, before asking whether it is plausible."""
    if current.epoch != previous.epoch:
        return (current.rx, current.tx, Flag.RESET) if current.from_zero else (0, 0, Flag.RESET)
    rx, tx = current.rx - previous.rx, current.tx - previous.tx
    if rx >= 0 and tx >= 0:
        return rx, tx, Flag.NORMAL
    if current.width == 32:
        return rx % 2**32, tx % 2**32, Flag.NORMAL
    # only a side that went back surely began anew; of the other one, what it held before is counted already
    return current.rx if rx < 0 else rx, current.tx if tx < 0 else tx, Flag.RESET


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
