"""What the status page, the dashboards and staff read of interruptions."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.core.cache import cache
from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet, Subquery

from panel.core.calendars import paris_date, start_of_paris_day
from panel.core.prepared import Prepared, slot
from servers import places
from servers.maintaining import maintenance_rules as rules
from servers.maintaining import telling
from servers.maintaining.interruption_models import Interruption, InterruptionNotice
from servers.maintaining.maintenance_rules import OPEN, Condition, Kind, Said, State
from servers.models import Discrepancy, Outage, Server
from servers.rules import Finding

DAYS = 30
FRESH = 30  # seconds a count of every server is kept: anybody may ask for it
RECENT = 20
SEVERITY = {Kind.PLANNED: 1, Kind.EMERGENCY: 2, Kind.INCIDENT: 3}


@dataclass(frozen=True, slots=True)
class Day:
    """A Paris day of a place: the gravest kind of interruption that touched it, "" for none, and its titles."""

    on: date
    kind: str
    titles: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Component:
    """A line of the status page: a place, or the panel itself."""

    name: str
    label: str
    simulated: bool
    condition: Condition
    days: Sequence[Day]


@dataclass(frozen=True, slots=True)
class Status:
    """Everything the status page says."""

    components: Sequence[Component]
    under_way: Sequence[Interruption]
    ahead: Sequence[Interruption]
    past: Sequence[Interruption]

    @property
    def worst(self) -> Condition:
        order = list(Condition)
        return min((one.condition for one in self.components), key=order.index, default=Condition.UP)


def status(*, now: datetime, panel: str, language: str) -> Status:
    """How every place is, what is under way, what is announced and what was; `panel`: what the panel is called."""
    first = start_of_paris_day(paris_date(now) - timedelta(days=DAYS - 1))
    rows = Interruption.objects.filter(Q(starts_at__gte=first) | Q(over_at__gte=first) | Q(state__in=OPEN))
    partial = Exists(Interruption.servers.through.objects.filter(interruption=OuterRef("pk")))
    rows = rows.exclude(state=State.CANCELLED).annotate(partial=partial).prefetch_related("updates")
    found: list[Any] = list(rows)
    open_now = [row for row in found if row.state == State.UNDER_WAY]
    counts, silent = _counts(), _silent()
    components = []
    for name, label in [("", panel), *places.labels().items()]:
        here = [row for row in found if row.place == name]
        working = [Kind(row.kind) for row in here if row.state == State.UNDER_WAY and not row.partial]
        running, down = counts.get(name, (0, 0))
        condition = rules.condition(
            running=running, down=down, answers=name not in silent,
            working=max(working, key=SEVERITY.__getitem__, default=None),
        )  # fmt: skip
        days = _days(here, now=now, language=language)
        components.append(Component(name, label, bool(name) and places.is_simulated(name), condition, days))
    ahead = sorted((row for row in found if row.state == State.ANNOUNCED), key=lambda row: row.starts_at)
    past = sorted((row for row in found if row.state == State.OVER), key=lambda row: row.starts_at, reverse=True)
    return Status(components, open_now, ahead, past[:RECENT])


def _counts() -> dict[str, tuple[int, int]]:
    """By place: how many servers should run, and how many of them are down."""

    def counted() -> dict[str, tuple[int, int]]:
        running = Server.objects.filter(state="running").order_by().values("place").annotate(n=Count("pk"))
        down = Outage.objects.filter(until=None).order_by().values("server__place").annotate(n=Count("pk"))
        away = dict(down.values_list("server__place", "n"))
        return {place: (count, away.get(place, 0)) for place, count in running.values_list("place", "n")}

    found: dict[str, tuple[int, int]] = cache.get_or_set("servers.status.counts", counted, FRESH) or {}
    return found


def _silent() -> set[str]:
    """The places whose provider does not answer."""
    rows = Discrepancy.objects.filter(kind=Finding.UNREACHABLE_PLACE, resolved_at=None)
    return set(rows.values_list("place", flat=True))


def _days(rows: Sequence[Interruption], *, now: datetime, language: str) -> list[Day]:
    today, days = paris_date(now), []
    for back in range(DAYS - 1, -1, -1):
        day = today - timedelta(days=back)
        since, until = start_of_paris_day(day), start_of_paris_day(day + timedelta(days=1))
        touched = [
            row for row in rows
            if row.state != State.ANNOUNCED and row.starts_at < until and (row.over_at or now) >= since
        ]  # fmt: skip
        worst = max((Kind(row.kind) for row in touched), key=SEVERITY.__getitem__, default="")
        days.append(Day(day, str(worst), tuple(row.titled(language) for row in touched)))
    return days


# --- an account's own -------------------------------------------------------------------------------------------------


def _mine() -> QuerySet[Interruption]:
    alive = Server.objects.alive().filter(account=slot("account"))
    named = Interruption.servers.through.objects.filter(interruption=OuterRef("pk"))
    own = named.filter(server__in=alive.values("pk"))
    here = Exists(alive.filter(place=OuterRef("place"))) & (~Exists(named) | Exists(own))
    return Interruption.objects.filter(Q(place="") | here, state__in=OPEN).order_by("starts_at", "pk")


# what is announced or under way for an account: reference, kind, state, titles, from, until
MINE = Prepared(
    lambda: _mine().values_list(
        "reference", "kind", "state", "title", "title_fr", "starts_at", "expected_at", "ends_at"
    )
)


def on_server(server: Server) -> list[Interruption]:
    """What is announced or under way for one server, the next first."""
    rows = Interruption.objects.filter(place=server.place, state__in=OPEN).order_by("starts_at", "pk")
    return list(rows.filter(Q(servers=None) | Q(servers=server)).distinct())


# --- staff's ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Reach:
    """Whom an interruption concerns, and how far its announcement went: accounts, mails written, taken by the outgoing
    server, given up."""

    accounts: int
    servers: int
    written: int
    accepted: int
    failed: int


def reach(row: Interruption) -> Reach:
    opening = InterruptionNotice.objects.filter(update__interruption=row, update__what=Said.ANNOUNCED)
    told = opening.aggregate(
        written=Count("pk"), accepted=Count("mail__accepted_at"), failed=Count("mail__failed_at"),
    )  # fmt: skip
    return Reach(telling.concerned(row).count(), telling.servers_of(row).count(), **told)


def listed() -> QuerySet[Interruption]:
    """For staff's list: each with how many accounts had its announcement."""
    told = InterruptionNotice.objects.filter(update__interruption=OuterRef("pk"), update__what=Said.ANNOUNCED)
    counted = told.order_by().values("update__interruption").annotate(n=Count("pk")).values("n")
    return Interruption.objects.annotate(told=Subquery(counted)).order_by(F("due_at").asc(nulls_last=True), "-pk")
