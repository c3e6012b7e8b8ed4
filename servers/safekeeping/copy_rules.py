"""The pure law of snapshots and backups: when one is due, how long it is kept, when the space is used up (SUB-14,
SRV-10)."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from panel.core.calendars import PARIS, days_later

GB = 10**9
DAY = 24  # hours
FIRST_HOUR, SPREAD = 1, 4 * 60  # backups begin at night, Paris time, spread over so many minutes
LONGEST_NAME = 60


class Kind(StrEnum):
    """Who asked for a copy: a person, or the clock."""

    SNAPSHOT = "snapshot"
    BACKUP = "backup"


class CopyState(StrEnum):
    """`LOST`: the place has it no more though nobody deleted it."""

    WAITING = "waiting"
    READY = "ready"
    FAILED = "failed"
    CANCELLED = "cancelled"
    DELETING = "deleting"
    DELETED = "deleted"
    LOST = "lost"


TRANSITIONS: Mapping[str, frozenset[str]] = {
    CopyState.WAITING: frozenset({CopyState.READY, CopyState.FAILED, CopyState.CANCELLED}),
    CopyState.FAILED: frozenset({CopyState.READY, CopyState.CANCELLED, CopyState.DELETING}),
    CopyState.READY: frozenset({CopyState.DELETING, CopyState.LOST}),
    CopyState.DELETING: frozenset({CopyState.DELETED}),
    CopyState.LOST: frozenset({CopyState.READY, CopyState.DELETING}),
}
SHOWN = (CopyState.WAITING, CopyState.READY, CopyState.FAILED, CopyState.DELETING, CopyState.LOST)
"""What still concerns the customer."""
TAKES_SPACE = (CopyState.WAITING, CopyState.READY, CopyState.DELETING)

LEVELS: Mapping[str, str] = {
    "vps-backup-1": "level_1", "vps-backup-2": "level_2", "vps-backup-3": "level_3", "vps-backup-own": "own"
}  # fmt: skip
"""The options of an order -> the level of the terms."""
OWN = "own"


def level_of(options: Mapping[str, int]) -> str:
    """The level of backup among the options that were ordered; "" for none."""
    return next((level for code, level in LEVELS.items() if options.get(code)), "")


# ---------------------------------------------------------------- when


@dataclass(frozen=True, slots=True)
class Rhythm:
    """Backups every `every_hours` from `anchor` on. Whole days keep the wall-clock time of Paris."""

    anchor: datetime
    every_hours: int

    def slot(self, number: int) -> datetime:
        """The instant of the `number`-th one, the anchor being 0."""
        step = timedelta(hours=self.every_hours)
        if self.every_hours % DAY:
            return self.anchor + number * step
        local = self.anchor.astimezone(PARIS).replace(tzinfo=None)
        return (local + number * step).replace(tzinfo=PARIS).astimezone(UTC)

    def last(self, now: datetime) -> datetime | None:
        """The latest slot that is not after `now`; None before the first."""
        number = self._number(now)
        return self.slot(number) if number >= 0 else None

    def following(self, now: datetime) -> datetime:
        """The first slot after `now`."""
        return self.slot(max(self._number(now) + 1, 0))

    def _number(self, now: datetime) -> int:
        number = (now - self.anchor) // timedelta(hours=self.every_hours)
        while self.slot(number) > now:
            number -= 1
        while self.slot(number + 1) <= now:
            number += 1
        return number


def first_slot(server_id: int, now: datetime) -> datetime:
    """The next night's instant for a server: each has its own minute, so that a place is not asked for all at once."""
    minutes = FIRST_HOUR * 60 + (server_id * 37) % SPREAD
    today = now.astimezone(PARIS).replace(tzinfo=None, hour=0, minute=0, second=0, microsecond=0)
    at = today + timedelta(minutes=minutes)
    found = at.replace(tzinfo=PARIS).astimezone(UTC)
    return found if found > now else (at + timedelta(days=1)).replace(tzinfo=PARIS).astimezone(UTC)


# ---------------------------------------------------------------- how long


@dataclass(frozen=True, slots=True)
class Kept:
    """A copy that is whole. `expires_at`: when it goes in any case; None while what it belongs to goes on."""

    pk: int
    kind: str
    taken_at: datetime
    expires_at: datetime | None = None


def to_delete(copies: Collection[Kept], keep_days: int | None, now: datetime) -> set[int]:
    """SUB-14: those whose time is over. Of the backups of a level that goes on (`keep_days`), the latest stays, however
    old it is; snapshots stay until somebody deletes them."""
    over = {copy.pk for copy in copies if copy.expires_at is not None and copy.expires_at <= now}
    if keep_days is None:
        return over
    backups = [copy for copy in copies if copy.kind == Kind.BACKUP and copy.expires_at is None]
    latest = max(backups, key=lambda copy: (copy.taken_at, copy.pk), default=None)
    return over | {
        copy.pk for copy in backups if copy is not latest and days_later(copy.taken_at, keep_days) <= now
    }  # fmt: skip


# ---------------------------------------------------------------- how much


def limit_bytes(disk_gb: int, percent: int) -> int:
    """SRV-10: what all backups of a server may take up."""
    return disk_gb * GB * percent // 100


def taken_up(sizes: Iterable[int], disk_gb: int) -> int:
    """What copies take up; one whose size nobody told counts as the whole disk."""
    return sum(size or disk_gb * GB for size in sizes)


def is_full(used: int, limit: int) -> bool:
    """SRV-10: the limit is reached; nothing more is transferred."""
    return used >= limit


def exceeds(used: int, limit: int) -> bool:
    """OPR-5: more is stored than the allowance."""
    return used > limit


@dataclass(frozen=True, slots=True)
class Stored:
    """A backup that is whole, and what it takes up."""

    pk: int
    taken_at: datetime
    bytes: int


def to_free(backups: Collection[Stored], used: int, limit: int) -> list[int]:
    """OPR-5: what must go, the oldest first, for the rest to be within the allowance. The last good one stays."""
    over, going = used - limit, []
    for backup in sorted(backups, key=lambda one: (one.taken_at, one.pk))[:-1]:
        if over <= 0:
            break
        going.append(backup.pk)
        over -= backup.bytes
    return going


def name_of(text: str) -> str | None:
    """The name of a snapshot that `text` gives, None where it is too long or empty."""
    name = " ".join(text.split())
    return name if 0 < len(name) <= LONGEST_NAME and name.isprintable() else None
