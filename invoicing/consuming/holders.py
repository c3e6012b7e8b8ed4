"""Who had a metered service when: what is used until a transfer is for who gives it to pay, what comes after for who
takes it, whenever it is told (SUB-2, OPR-1)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import OuterRef, Subquery

from invoicing.models import ServiceTransfer, Subscription, TransferState, UsageEvent
from invoicing.subscribing.period_rules import Period
from panel.core.calendars import start_of_paris_day


@dataclass(frozen=True, slots=True)
class Turn:
    """An account had the service until that instant (excluded); the last turn is open."""

    account_id: int
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Part:
    """What of a month falls into one turn: the how manyth, whose, from when to when (excluded), and whether another
    turn follows in that month."""

    number: int
    account_id: int
    since: datetime
    until: datetime
    ends: bool


def turns_of(rows: Iterable[Subscription]) -> dict[int, list[Turn]]:
    """The turns of each subscription by its id, in order; one query however many there are. A use that was told before
    the transfer is the giver's, though the clock that told it was ahead of ours."""
    found: dict[int, list[Turn]] = {row.pk: [] for row in rows}
    done = ServiceTransfer.objects.filter(subscription__in=found, state=TransferState.ACCEPTED)
    ahead = UsageEvent.objects.filter(
        subscription=OuterRef("subscription"), account=OuterRef("account"), received_at__lte=OuterRef("ended_at"),
        at__gte=OuterRef("ended_at"),
    ).order_by("-at")  # fmt: skip
    told = done.annotate(ahead=Subquery(ahead.values("at")[:1])).order_by("ended_at", "pk")
    for pk, account_id, at, last in told.values_list("subscription", "account", "ended_at", "ahead"):
        found[pk].append(Turn(account_id, last + timedelta.resolution if last else at))
    for row in rows:
        found[row.pk].append(Turn(row.account_id, None))
    return found


def at(turns: Sequence[Turn], instant: datetime) -> int:
    """The account whose turn it was."""
    return next(turn.account_id for turn in turns if turn.until is None or instant < turn.until)


def parts(turns: Sequence[Turn], month: Period, now: datetime | None = None) -> list[Part]:
    """A month cut by its turns, in order; with `now` the service is just being handed over, and the month ends there
    for who gives it."""
    since, end = start_of_paris_day(month.start), start_of_paris_day(month.end)
    found: list[Part] = []
    for turn in turns:
        until = min(turn.until or now or end, end)
        if until > since:
            found.append(Part(len(found), turn.account_id, since, until, until < end))
            since = until
    return found
