"""Interruptions from their announcement to their end (SUB-10). Every step is a line of their log, which the status page
and the dashboards show; what people must hear of goes out by mail (`telling`)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import Max
from django.utils.translation import gettext as _

from panel import terms
from panel.core import due, events, references
from panel.core.actors import CLOCK, Actor
from panel.core.errors import RuleViolation
from panel.core.quantities import instant_in_words
from panel.core.states import move
from servers import places
from servers.maintaining import maintenance_rules as rules
from servers.maintaining import telling
from servers.maintaining.interruption_models import Interruption, InterruptionUpdate
from servers.maintaining.maintenance_rules import Kind, Said, State, WhyNot
from servers.models import Server

RULE = "SUB-10"


@dataclass(frozen=True, slots=True)
class Words:
    """What people read, in English and, where it was written, in French."""

    text: str
    french: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is announced. `place` "": the panel itself; `servers`: these alone, not the whole place; instants in UTC,
    `ends_at` None for an incident; `mailed`: an incident too is told by mail."""

    kind: Kind
    place: str
    title: Words
    reason: Words
    starts_at: datetime
    ends_at: datetime | None = None
    servers: Sequence[Server] = ()
    mailed: bool = True


@transaction.atomic
def announce(plan: Plan, *, actor: Actor, now: datetime) -> Interruption:
    """Put it on the status page and the dashboards, and owe everybody concerned a mail with reason and duration.

    RuleViolation with its field: planned work less than the notice of the terms ahead (SUB-10), an end before its
    beginning, a place nobody knows.
    """
    _check(plan, now=now)
    row = Interruption.objects.create(
        reference=references.new("INT"), kind=plan.kind, place=plan.place, title=plan.title.text,
        title_fr=plan.title.french, reason=plan.reason.text, reason_fr=plan.reason.french, starts_at=plan.starts_at,
        ends_at=plan.ends_at, announced_at=now, due_at=plan.starts_at,
    )  # fmt: skip
    row.servers.set(plan.servers)
    mailed = plan.mailed or plan.kind is not Kind.INCIDENT
    _say(row, Said.ANNOUNCED, Words(""), mailed=mailed, actor=actor, now=now)
    if plan.starts_at <= now:
        _begin(row)
    return row


def would_concern(plan: Plan, *, now: datetime) -> int:
    """How many accounts would be told; RuleViolation as for `announce`. Nothing is written."""
    _check(plan, now=now)
    if plan.servers:
        return len({server.account_id for server in plan.servers})
    return telling.concerned(Interruption(place=plan.place)).count()


def _check(plan: Plan, *, now: datetime) -> None:
    if plan.place and plan.place not in places.labels():
        raise RuleViolation(_("There is no such place."), field="place")
    if any(server.place != plan.place for server in plan.servers):
        raise RuleViolation(_("One of these servers is at another place."), field="servers")
    if plan.ends_at is None and plan.kind is not Kind.INCIDENT:
        raise RuleViolation(_("Maintenance is announced with its duration: give its end."), rule=RULE, field="ends_at")
    notice = terms.current(now).maintenance.notice
    match rules.why_not(plan.kind, plan.starts_at, plan.ends_at, now=now, notice=notice):
        case WhyNot.NOT_IN_TIME:
            sentence = _(
                "Planned maintenance is announced at least %(hours)s hours before, and the mails need up to an hour: "
                "it can begin on %(earliest)s. What cannot wait is an emergency."
            ) % {
                "hours": int(notice.total_seconds()) // 3600,
                "earliest": instant_in_words(rules.earliest(now, notice)),
            }
            raise RuleViolation(sentence, rule=RULE, field="starts_at")
        case WhyNot.PAST:
            raise RuleViolation(_("It cannot have begun so long ago."), rule=RULE, field="starts_at")
        case WhyNot.AHEAD:
            raise RuleViolation(_("An incident has begun; what lies ahead is maintenance."), field="starts_at")
        case WhyNot.BACKWARDS:
            raise RuleViolation(_("The end comes after the beginning, and lies ahead."), rule=RULE, field="ends_at")
        case WhyNot.TOO_LONG:
            sentence = _("Longer than %(days)s days: please announce it in parts.") % {"days": rules.LONGEST.days}
            raise RuleViolation(sentence, rule=RULE, field="ends_at")


@transaction.atomic
def note(row: Interruption, words: Words, *, mailed: bool, actor: Actor, now: datetime) -> InterruptionUpdate:
    """Another line of the log, shown to everybody; by mail too where it matters."""
    row = _held(row, *rules.OPEN)
    return _say(row, Said.NOTE, words, mailed=mailed, actor=actor, now=now)


@transaction.atomic
def extend(row: Interruption, until: datetime, words: Words, *, actor: Actor, now: datetime) -> InterruptionUpdate:
    """It takes longer, until the UTC instant: told by mail. What was announced first excuses no more by it (SUB-15)."""
    row = _held(row, State.UNDER_WAY)
    if until <= max(now, row.until or now):
        raise RuleViolation(_("The new end lies after the one that was told before."), rule=RULE, field="until")
    if until - row.starts_at > rules.LONGEST:
        raise RuleViolation(_("That is too far ahead; please check the date."), rule=RULE, field="until")
    row.expected_at = until
    row.due_at = _ends_by_itself(row)
    row.save(update_fields=["expected_at", "due_at"])
    return _say(row, Said.EXTENDED, words, mailed=True, actor=actor, now=now)


@transaction.atomic
def finish(row: Interruption, words: Words, *, actor: Actor, now: datetime) -> InterruptionUpdate:
    """It is over, maybe earlier than announced."""
    return _end(_held(row, State.UNDER_WAY), words, actor=actor, now=now)


@transaction.atomic
def cancel(row: Interruption, words: Words, *, actor: Actor, now: datetime) -> InterruptionUpdate:
    """Announced work does not take place; told by mail to those who expect it."""
    row = _held(row, State.ANNOUNCED)
    move(row, State.CANCELLED, rules.TRANSITIONS)
    row.due_at, row.over_at = None, now
    row.save(update_fields=["due_at", "over_at"])
    return _say(row, Said.CANCELLED, words, mailed=True, actor=actor, now=now)


def _held(row: Interruption, *states: str) -> Interruption:
    held = Interruption.objects.select_for_update().get(pk=row.pk)
    if held.state not in states:
        raise RuleViolation(_("It is not in a state for this any more; the page shows how it stands now."))
    return held


def _begin(row: Interruption) -> None:
    move(row, State.UNDER_WAY, rules.TRANSITIONS)
    row.due_at = _ends_by_itself(row)
    row.save(update_fields=["due_at"])


def _ends_by_itself(row: Interruption) -> datetime | None:
    """When the clock ends it; nobody but a person knows that an incident is over."""
    return None if row.kind == Kind.INCIDENT else row.expected_at or row.ends_at


def _end(row: Interruption, words: Words, *, actor: Actor, now: datetime) -> InterruptionUpdate:
    move(row, State.OVER, rules.TRANSITIONS)
    row.due_at, row.over_at = None, now
    row.save(update_fields=["due_at", "over_at"])
    return _say(row, Said.OVER, words, mailed=False, actor=actor, now=now)


def _say(
    row: Interruption, what: Said, words: Words, *, mailed: bool, actor: Actor, now: datetime
) -> InterruptionUpdate:  # fmt: skip
    last = row.updates.aggregate(last=Max("number"))["last"] or 0
    update = InterruptionUpdate.objects.create(
        interruption=row, number=last + 1, what=what, text=words.text.strip(), text_fr=words.french.strip(),
        until=row.until, mailed=mailed, at=now, author_id=actor.user_id,
    )  # fmt: skip
    events.record(
        f"servers.interruption.{what}", now=now, actor=actor, subject=row, rule=RULE,
        data={"interruption": row.reference, "kind": row.kind, "place": row.place},
    )  # fmt: skip
    telling.owe(update, now=now)
    return update


# --- by the clock ----------------------------------------------------------------------------------------------------


@due.sweep("servers.maintenance", every_seconds=60)
def by_clock(now: datetime, *, dry_run: bool = False) -> due.SweepReport:
    """Begin what was announced for now, end what was announced until now, and tell those who came since (SUB-10)."""
    rows = Interruption.objects.filter(due_at__lte=now).order_by("due_at", "pk")
    if dry_run:
        return due.SweepReport(would=[f"{'begin' if row.state == State.ANNOUNCED else 'end'} {row}" for row in rows])
    report = due.each(rows.values_list("pk", flat=True), lambda pk: _next(pk, now=now))
    told = InterruptionUpdate.objects.filter(
        what=Said.ANNOUNCED, mailed=True, interruption__state__in=rules.OPEN, interruption__ends_at__gt=now
    )
    return due.each([update.pk for update in told if telling.newcomers(update)],
                    lambda pk: telling.owe_newcomers(pk, now=now), report=report)  # fmt: skip


def _next(pk: int, *, now: datetime) -> None:
    """Begin and end it, each at its own instant, however late this is asked."""
    row = Interruption.objects.select_for_update().get(pk=pk)
    while (at := row.due_at) is not None and at <= now:
        if row.state == State.ANNOUNCED:
            _begin(row)
            _say(row, Said.BEGUN, Words(""), mailed=False, actor=CLOCK, now=at)
        else:
            _end(row, Words(""), actor=CLOCK, now=at)
