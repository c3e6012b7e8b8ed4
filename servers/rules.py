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
    State.RUNNING: frozenset({State.STOPPED, State.SUSPENDED, State.CREATING, State.DESTROYING}),
    State.STOPPED: frozenset({State.RUNNING, State.SUSPENDED, State.CREATING, State.DESTROYING}),
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
    """What can be asked of a server; from `CREATE` on they are the panel's own. To stop is to ask the machine to end,
    to cut is to take its power away."""

    START = "start"
    STOP = "stop"
    CUT = "cut"
    REBOOT = "reboot"
    RENAME = "rename"
    REBUILD = "rebuild"
    RESCUE = "rescue"
    LEAVE_RESCUE = "leave_rescue"
    PROTECT = "protect"
    UNPROTECT = "unprotect"
    CREATE = "create"
    SUSPEND = "suspend"
    RESUME = "resume"
    KEYS = "keys"
    RESIZE = "resize"
    DESTROY = "destroy"
    FIREWALL = "firewall"
    SNAPSHOT = "snapshot"
    RESTORE = "restore"
    ADDRESS = "address"


POWER_VERBS = frozenset({Verb.START, Verb.STOP, Verb.CUT, Verb.REBOOT})
ONE_AT_A_TIME = POWER_VERBS | {Verb.REBUILD, Verb.RESCUE, Verb.LEAVE_RESCUE, Verb.RESTORE}
"""Of these at most one is under way on a server."""
NEEDS: Mapping[Verb, str] = {
    Verb.START: "start_stop", Verb.CUT: "start_stop", Verb.STOP: "soft_stop", Verb.REBOOT: "reboot",
    Verb.REBUILD: "rebuild", Verb.RESCUE: "rescue", Verb.LEAVE_RESCUE: "rescue",
    Verb.KEYS: "keys", Verb.FIREWALL: "firewall", Verb.SNAPSHOT: "snapshots", Verb.RESTORE: "restore",
}  # fmt: skip
"""The capability that the place must have for a verb."""


class WhyNot(StrEnum):
    """Why a verb does not apply now; `actions` turns each into a sentence."""

    NOT_READY = "not_ready"
    FAILED = "failed"
    ENDED = "ended"
    SUSPENDED = "suspended"
    BUSY = "busy"
    ALREADY_ON = "already_on"
    ALREADY_OFF = "already_off"
    PROTECTED = "protected"
    NOT_PROTECTED = "not_protected"
    ENDS_ALREADY = "ends_already"
    IN_RESCUE = "in_rescue"
    NOT_IN_RESCUE = "not_in_rescue"
    NO_KEY = "no_key"
    NOT_HERE = "not_here"


_NOT_ON_THE_HOST: Mapping[str, WhyNot] = {
    State.ORDERED: WhyNot.NOT_READY,
    State.CREATING: WhyNot.NOT_READY,
    State.FAILED: WhyNot.FAILED,
    State.DESTROYING: WhyNot.ENDED,
    State.DESTROYED: WhyNot.ENDED,
    State.SUSPENDED: WhyNot.SUSPENDED,
}


@dataclass(frozen=True, slots=True)
class Standing:
    """What decides over a verb. `able`: the place can do it; `keys`: the account has an SSH key; `ends`: the end of the
    subscription is planned."""

    state: str
    busy: bool = False
    able: bool = True
    rescue: bool = False
    protected: bool = False
    keys: bool = True
    ends: bool = False


_ANYWHERE = frozenset({Verb.RENAME, Verb.PROTECT, Verb.UNPROTECT})
"""What asks nothing of the machine itself."""


def why_no_machine(state: str) -> WhyNot | None:
    """Why there is no machine that its owner may use; None where there is one."""
    return _NOT_ON_THE_HOST.get(state)


def why_not(verb: Verb, at: Standing) -> WhyNot | None:
    """Why a person cannot ask `verb` of a server now; None when they can (SRV-8)."""
    refused = _NOT_ON_THE_HOST.get(at.state)
    if verb in _ANYWHERE and refused is not WhyNot.ENDED:
        refused = None
    if refused and not (verb is Verb.KEYS and at.state == State.SUSPENDED):
        return refused
    reasons = (
        (WhyNot.NOT_HERE, not at.able),
        (WhyNot.BUSY, verb in ONE_AT_A_TIME | {Verb.SNAPSHOT} and at.busy),
        (WhyNot.ALREADY_ON, verb is Verb.START and at.state == State.RUNNING),
        (WhyNot.ALREADY_OFF, verb in {Verb.STOP, Verb.CUT, Verb.REBOOT} and at.state == State.STOPPED),
        (WhyNot.PROTECTED, verb in {Verb.REBUILD, Verb.RESTORE, Verb.DESTROY, Verb.PROTECT} and at.protected),
        (WhyNot.NOT_PROTECTED, verb is Verb.UNPROTECT and not at.protected),
        (WhyNot.ENDS_ALREADY, verb is Verb.PROTECT and at.ends),
        (WhyNot.IN_RESCUE, verb in {Verb.REBUILD, Verb.RESTORE, Verb.RESCUE} and at.rescue),
        (WhyNot.NOT_IN_RESCUE, verb is Verb.LEAVE_RESCUE and not at.rescue),
        (WhyNot.NO_KEY, verb is Verb.RESCUE and not at.keys),
    )
    return next((reason for reason, holds in reasons if holds), None)


def after(verb: Verb) -> State | None:
    """The state a server is in once `verb` is done; None where it does not change."""
    return {
        Verb.CREATE: State.RUNNING,
        Verb.START: State.RUNNING,
        Verb.STOP: State.STOPPED,
        Verb.CUT: State.STOPPED,
        Verb.REBUILD: State.RUNNING,
        Verb.RESTORE: State.RUNNING,
        Verb.RESCUE: State.RUNNING,
        Verb.LEAVE_RESCUE: State.RUNNING,
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


_HOST_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_LABEL = re.compile(r"[\w.-]{1,24}")
LONGEST_NAME = 63
MOST_LABELS = 8
LONGEST_FIRST_BOOT = 16_384  # bytes; what the smallest of the known places takes


def host_name(text: str) -> str | None:
    """The name of a server that `text` gives, in small letters; None where it is no host name."""
    name = text.strip().lower()
    return name if _HOST_NAME.fullmatch(name) else None


def labels(text: str) -> list[str] | None:
    """The labels that `text` names, divided by commas or spaces, in small letters, each once, sorted; None where one is
    too long or odd, or there are too many."""
    found = sorted(set(text.lower().replace(",", " ").split()))
    fit = len(found) <= MOST_LABELS and all(_LABEL.fullmatch(one) for one in found)
    return found if fit else None


def first_boot(text: str) -> str | None:
    """A script as a machine wants it: line ends of Unix, the last one closed; None where it is too long."""
    script = text.replace("\r\n", "\n").replace("\r", "\n").rstrip()
    script = f"{script}\n" if script else ""
    return script if len(script.encode()) <= LONGEST_FIRST_BOOT and "\0" not in script else None


SHUTDOWN_PATIENCE = timedelta(minutes=2)


def ignored(asked_at: datetime, now: datetime) -> bool:
    """Whether a machine that was asked to shut down had its time for it."""
    return now - asked_at >= SHUTDOWN_PATIENCE


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
    HOST_KEY = "host_key"
    FIREWALL = "firewall"
    ADDRESS_EXTRA = "address_extra"
    ADDRESS_LOST = "address_lost"
    COPY_LOST = "copy_lost"
    COPY_EXTRA = "copy_extra"
    PUSH = "push"
    UNPATCHED = "unpatched"


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


def percent_used(used: int, included: int, given: int = 0) -> int:
    """Whole percent of the allowance reached, rounded down; 0 where nothing is included. `given` of it was used by who
    had the server before: where they left nothing, 100 from the first byte on."""
    left = max(0, included - given)
    if left:
        return used * 100 // left
    return 100 if included and used else 0


def roomier(included: Mapping[str, int], held: str, used: int) -> str | None:
    """SUB-9: of packages by what they include, the smallest that includes `used`, else the largest; None unless it
    includes more than the one that is held."""
    more = {code: room for code, room in included.items() if room > included.get(held, 0)}
    enough = {code: room for code, room in more.items() if room >= used}
    if not more:
        return None
    return min(enough, key=lambda code: (enough[code], code)) if enough else max(more, key=lambda code: more[code])


def crossed(reached: int, *, warn_at: Sequence[int], own: int | None, warned: int) -> list[int]:
    """SRV-5: the thresholds (percent) up to the one `reached` and above the highest one already warned of,
    ascending."""
    wanted = set(warn_at) | ({own} if own else set())
    return sorted(percent for percent in wanted if warned < percent <= reached)
