"""The pure law of servers: their states, which verb applies when and why not, and the traffic month (SRV-4, SRV-5)."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from itertools import pairwise

from panel.core import calendars


class State(StrEnum):
    """What the panel wants of a server, once carried out; what the host says is `Power`."""

    ORDERED = "ordered"
    CREATING = "creating"
    RUNNING = "running"
    STOPPED = "stopped"
    SUSPENDED = "suspended"
    DESTROYING = "destroying"
    DESTROYED = "destroyed"
    FAILED = "failed"


TRANSITIONS: Mapping[str, frozenset[str]] = {
    State.ORDERED: frozenset({State.CREATING, State.FAILED, State.DESTROYING}),
    State.CREATING: frozenset({State.RUNNING, State.FAILED, State.DESTROYING}),
    State.RUNNING: frozenset({State.STOPPED, State.SUSPENDED, State.DESTROYING}),
    State.STOPPED: frozenset({State.RUNNING, State.SUSPENDED, State.DESTROYING}),
    State.SUSPENDED: frozenset({State.RUNNING, State.STOPPED, State.DESTROYING}),
    State.FAILED: frozenset({State.CREATING, State.DESTROYING}),
    State.DESTROYING: frozenset({State.DESTROYED}),
    State.DESTROYED: frozenset(),
}

ALIVE = frozenset(State) - {State.DESTROYED}
ON_THE_HOST = frozenset({State.RUNNING, State.STOPPED, State.SUSPENDED})


class Power(StrEnum):
    """What the provider said last about the machine."""

    UNKNOWN = "unknown"
    PENDING = "pending"
    ON = "on"
    OFF = "off"
    GONE = "gone"


class Verb(StrEnum):
    """What can be asked of a server; the last six are the panel's own."""

    START = "start"
    STOP = "stop"
    REBOOT = "reboot"
    CREATE = "create"
    SUSPEND = "suspend"
    RESUME = "resume"
    KEYS = "keys"
    RESIZE = "resize"
    DESTROY = "destroy"


POWER_VERBS = frozenset({Verb.START, Verb.STOP, Verb.REBOOT})


class WhyNot(StrEnum):
    """Why a verb does not apply now; `actions` turns each into a sentence."""

    NOT_READY = "not_ready"
    FAILED = "failed"
    ENDED = "ended"
    SUSPENDED = "suspended"
    BUSY = "busy"
    ALREADY_ON = "already_on"
    ALREADY_OFF = "already_off"


_NOT_ON_THE_HOST: Mapping[str, WhyNot] = {
    State.ORDERED: WhyNot.NOT_READY,
    State.CREATING: WhyNot.NOT_READY,
    State.FAILED: WhyNot.FAILED,
    State.DESTROYING: WhyNot.ENDED,
    State.DESTROYED: WhyNot.ENDED,
    State.SUSPENDED: WhyNot.SUSPENDED,
}


def why_not(verb: Verb, *, state: str, busy: bool) -> WhyNot | None:
    """Why a person cannot ask `verb` of a server in `state` now; None when they can (SRV-8)."""
    if state in _NOT_ON_THE_HOST:
        if verb is Verb.KEYS and state == State.SUSPENDED:
            return None
        return _NOT_ON_THE_HOST[state]
    if verb in POWER_VERBS and busy:
        return WhyNot.BUSY
    if verb is Verb.START and state == State.RUNNING:
        return WhyNot.ALREADY_ON
    if verb in {Verb.STOP, Verb.REBOOT} and state == State.STOPPED:
        return WhyNot.ALREADY_OFF
    return None


def after(verb: Verb) -> State | None:
    """The state a server is in once `verb` is done; None where it does not change."""
    return {
        Verb.CREATE: State.RUNNING,
        Verb.START: State.RUNNING,
        Verb.STOP: State.STOPPED,
        Verb.SUSPEND: State.SUSPENDED,
        Verb.DESTROY: State.DESTROYED,
    }.get(verb)


def adopted(state: str, power: str) -> State | None:
    """The state that follows from what the host says, where no one asked the panel: switched off from inside, or on."""
    if state == State.RUNNING and power == Power.OFF:
        return State.STOPPED
    if state == State.STOPPED and power == Power.ON:
        return State.RUNNING
    return None


def is_down(state: str, power: str, reachable: bool | None) -> bool:
    """SUB-15: a server that should run is down while neither its place says that it is on nor its SSH answers.

    A machine that is on but silent is not: only its owner knows why. One that its owner switched off is not either.
    """
    return state == State.RUNNING and reachable is False and power in (Power.UNKNOWN, Power.GONE)


def patience(seconds: int, attempts: int) -> int:
    """How long to wait before looking again at something slow: doubled every ten looks, at most five minutes."""
    return min(seconds << min(attempts // 10, 10), 300)


def names_a_rule(text: str) -> bool:
    """Whether `text` is the id of a rule of the contract, such as ABU-4."""
    return re.fullmatch(r"[A-Z]{3}-\d{1,2}", text) is not None


class Finding(StrEnum):
    """What a comparison of the panel with a place can bring to light."""

    MISSING = "missing"
    ORPHAN = "orphan"
    DUPLICATE = "duplicate"
    POWER = "power"
    BLOCK_MISSING = "block_missing"
    BLOCK_EXTRA = "block_extra"
    UNREACHABLE_PLACE = "place"
    METER = "meter"


# ---------------------------------------------------------------- the traffic month


@dataclass(frozen=True, slots=True)
class Month:
    """One month of SRV-4: from the subscription's anchor day to the next, both 00:00 Paris; `ends_on` is outside."""

    starts_on: date
    ends_on: date

    @property
    def starts_at(self) -> datetime:
        return calendars.start_of_paris_day(self.starts_on)

    @property
    def ends_at(self) -> datetime:
        return calendars.start_of_paris_day(self.ends_on)


def month_at(anchor: date, instant: datetime) -> Month:
    """SRV-4: the month counted from `anchor` that holds `instant`, for annual subscriptions too.

    An instant before the anchor belongs to the first month.
    """
    day = max(calendars.paris_date(instant), anchor)
    count = (day.year - anchor.year) * 12 + day.month - anchor.month
    if calendars.add_months(anchor, count) > day:
        count -= 1
    return Month(calendars.add_months(anchor, count), calendars.add_months(anchor, count + 1))


def spread(amount: int, since: datetime, until: datetime, edges: Iterable[datetime]) -> list[tuple[datetime, int]]:
    """Share `amount` bytes out by time over the slots that `edges` cut (since, until] into.

    Returns (start of slot, bytes), the parts adding up to `amount` exactly.
    """
    length = (until - since) // timedelta(microseconds=1)
    if length <= 0:
        return [(until, amount)]
    cuts = [since, *sorted(edge for edge in set(edges) if since < edge < until), until]
    parts, given = [], 0
    for start, end in pairwise(cuts):
        upto = amount * ((end - since) // timedelta(microseconds=1)) // length
        parts.append((start, upto - given))
        given = upto
    return parts


def hours_in(since: datetime, until: datetime) -> list[datetime]:
    """The full UTC hours strictly between two instants."""
    edge = since.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    found = []
    while edge < until:
        found.append(edge)
        edge += timedelta(hours=1)
    return found


GB = 10**9
PACE_OVER = timedelta(days=7)
TOO_EARLY = timedelta(hours=6)


@dataclass(frozen=True, slots=True)
class Forecast:
    """Bytes expected by the end of the month, and the pace they were reckoned from (shown on request)."""

    total: int
    bytes_a_day: int
    over: timedelta


def forecast(used: int, recent: int, *, observed: timedelta, left: timedelta) -> Forecast | None:
    """SRV-5: what the month will come to if the pace of `recent` bytes in the last `observed` time goes on.

    None while less than six hours were observed: too early to say anything honest.
    """
    if observed < TOO_EARLY:
        return None
    seconds, remaining = int(observed.total_seconds()), max(int(left.total_seconds()), 0)
    return Forecast(used + recent * remaining // seconds, recent * 86400 // seconds, observed)


def percent_used(used: int, included: int) -> int:
    """Whole percent of the allowance reached, rounded down; 0 where nothing is included."""
    return used * 100 // included if included else 0


def roomier(included: Mapping[str, int], held: str, used: int) -> str | None:
    """SUB-9: of packages by what they include, the smallest that includes `used`, else the largest; None unless it
    includes more than the one that is held."""
    more = {code: room for code, room in included.items() if room > included.get(held, 0)}
    enough = {code: room for code, room in more.items() if room >= used}
    if not more:
        return None
    return min(enough, key=lambda code: (enough[code], code)) if enough else max(more, key=lambda code: more[code])


def crossed(used: int, included: int, *, warn_at: Sequence[int], own: int | None, warned: int) -> list[int]:
    """SRV-5: the thresholds (percent) reached now and above the highest one already warned of, ascending."""
    reached = percent_used(used, included)
    wanted = set(warn_at) | ({own} if own else set())
    return sorted(percent for percent in wanted if warned < percent <= reached)
