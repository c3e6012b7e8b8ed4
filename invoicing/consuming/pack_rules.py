"""The pure law of prepaid packs (OPR-9): which pack pays for a use, until when one holds, and when its end is told.

In this order a use is paid for: from the pack that expires soonest, of those that expire together from the one bought
first; then from the allowance of the month, with what was carried over (OPR-8); then by the tiers (OPR-1).
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from panel.core.calendars import add_months, paris_date, start_of_paris_day


@dataclass(frozen=True, slots=True)
class Held:
    """A pack as it stands: `left` millionths of a unit, `months` until it expires without a use; `lapsed` is what it
    held when it expired."""

    key: int
    left: int
    bought_at: datetime
    used_at: datetime
    months: int
    expired: bool = False
    lapsed: int = 0
    kept_until: datetime | None = None

    @property
    def expires_at(self) -> datetime:
        """It is there to this instant, unless it is used before."""
        end = start_of_paris_day(expires_on(self.used_at, self.months))
        return max(end, self.kept_until) if self.kept_until else end

    def covers(self, at: datetime) -> bool:
        """Whether a use at `at` is one the pack was there for: bought by then, and not expired."""
        return self.bought_at <= at <= self.expires_at


def expires_on(used_at: datetime, months: int) -> date:
    """The first Paris day without the pack: it holds to 24:00 of the day so many months after the last use."""
    return add_months(paris_date(used_at), months) + timedelta(days=1)


def used(packs: Iterable[Held], at: datetime) -> list[Held]:
    """The packs after a use of their meter at `at`: it prolongs every pack that was there for it. One that expired
    before this use was told is there again, with what it held."""
    found = []
    for pack in packs:
        if pack.covers(at):
            left = pack.left + pack.lapsed if pack.expired else pack.left
            pack = replace(pack, left=left, used_at=max(pack.used_at, at), expired=False, lapsed=0)
        found.append(pack)
    return found


def shares(packs: Iterable[Held], at: datetime, wanted: int) -> dict[int, int]:
    """What each pack pays of `wanted` millionths used at `at`, by its key; never more than it holds."""
    found = {}
    there = [pack for pack in packs if pack.covers(at) and not pack.expired and pack.left]
    for pack in sorted(there, key=lambda one: (one.expires_at, one.bought_at, one.key)):
        part = min(pack.left, wanted)
        if part:
            found[pack.key] = part
            wanted -= part
    return found


def notice_due(expires: date, days: Sequence[int], told: Collection[int], now: datetime) -> int | None:
    """The notice that is due at `now`, in days before the last day; None when there is none. Of several that a late run
    finds, the nearest: it says the day, so an older one adds nothing. What nothing was told of is told even when its
    day has passed."""
    near = [one for one in days if last_day(expires) - timedelta(days=one) <= paris_date(now)]
    if not near or min(near) in told or (told and paris_date(now) >= expires):
        return None
    return min(near)


def last_day(expires: date) -> date:
    """The last day with the pack."""
    return expires - timedelta(days=1)


def kept_until(expires: date, days: Sequence[int], now: datetime) -> datetime | None:
    """Told now for the first time and later than its last notice should be: until when the pack is kept, so that
    nobody loses one without so many days to use it; None when there is time enough."""
    least = paris_date(now) + timedelta(days=min(days) + 1)
    return start_of_paris_day(least) if least > expires else None


def lost(units: int, price: int, returned: int) -> int:
    """The millionths that `returned` of the `price` of so many `units` (millionths too) had paid for, which was taken
    back for good: as many of them as are left go. What was used stays used, and is owed."""
    return units * returned // price if price > 0 else 0


def price_of(price: int, bought: int, before: int, going: int) -> int:
    """The cents of `price`, which is that of `bought` units, for the `going` that follow on the first `before`: however
    it is cut, the parts add up to the whole."""
    return price * (before + going) // bought - price * before // bought
