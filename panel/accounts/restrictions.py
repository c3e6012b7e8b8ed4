"""The one model of limits, suspensions and closings, and the one question every app asks (ACC-8, ACC-13, SUB-8)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import IntegrityError, models, transaction

from panel.accounts.models import Account, Restriction
from panel.core import events
from panel.core.actors import Actor
from panel.core.models import subject_of
from panel.core.states import move

TRANSITIONS = {
    "waiting": frozenset({"active", "refused"}),
    "active": frozenset({"lifted"}),
}

# What a restriction of the whole account takes away. Log-in, invoices, paying, requests and cases always stay.
FORBIDDEN_BY_ACCOUNT = frozenset({"order", "use_service", "manage_servers"})


@transaction.atomic
def restrict(
    account: Account,
    *,
    scope: str,
    rule: str,
    statement: str,
    author: Actor,
    now: datetime,
    key: str,
    subject: models.Model | None = None,
    evidence: Mapping[str, Any] | None = None,
    waiting: bool = False,
) -> Restriction:
    """Decide a restriction, once per `key`. `waiting`: it is kept back until released (ABU-12).

    The statement of reasons is written before anything happens (ABU-10). Carrying it out follows the event
    `accounts.restriction.started`; whoever confirms the effect calls `took_effect`.
    """
    row = Restriction(
        account=account, key=key, scope=scope, rule=rule, statement=statement, author_kind=author.kind,
        author_id=author.user_id, evidence=dict(evidence or {}), decided_at=now,
        state=Restriction.State.WAITING if waiting else Restriction.State.ACTIVE,
        starts_at=None if waiting else now, **subject_of(subject),
    )  # fmt: skip
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError:
        return Restriction.objects.get(key=key)
    _tell("waiting" if waiting else "started", row, author, now)
    return row


@transaction.atomic
def release(restriction_id: int, *, actor: Actor, now: datetime) -> Restriction:
    """Let a waiting restriction begin (ABU-12)."""
    row = Restriction.objects.select_for_update().get(pk=restriction_id)
    move(row, Restriction.State.ACTIVE, TRANSITIONS)
    row.starts_at = now
    row.save(update_fields=["starts_at"])
    _tell("started", row, actor, now)
    return row


@transaction.atomic
def refuse(restriction_id: int, *, reason: str, actor: Actor, now: datetime) -> Restriction:
    """A waiting restriction is not applied; the reason is kept."""
    row = Restriction.objects.select_for_update().get(pk=restriction_id)
    move(row, Restriction.State.REFUSED, TRANSITIONS)
    return _end(row, reason, actor, now, "refused")


@transaction.atomic
def lift(restriction_id: int, *, reason: str, actor: Actor, now: datetime) -> Restriction:
    """End a restriction with a recorded reason (ACC-13); lifting twice changes nothing."""
    row = Restriction.objects.select_for_update().get(pk=restriction_id)
    if row.state != Restriction.State.ACTIVE:
        return row
    move(row, Restriction.State.LIFTED, TRANSITIONS)
    return _end(row, reason, actor, now, "lifted")


def _end(row: Restriction, reason: str, actor: Actor, now: datetime, verb: str) -> Restriction:
    row.lifted_at, row.lifted_by_id, row.lifted_reason = now, actor.user_id, reason
    row.save(update_fields=["lifted_at", "lifted_by_id", "lifted_reason"])
    _tell(verb, row, actor, now)
    return row


@transaction.atomic
def took_effect(restriction_id: int, *, now: datetime) -> Restriction:
    """The outside world confirmed it; the first confirmation counts (clocks of ABU-4 and ABU-5 run from it)."""
    row = Restriction.objects.select_for_update().get(pk=restriction_id)
    if row.effective_at is None:
        row.effective_at = now
        row.save(update_fields=["effective_at"])
    return row


def _tell(verb: str, row: Restriction, actor: Actor, now: datetime) -> None:
    events.record(
        f"accounts.restriction.{verb}", now=now, actor=actor, subject=row, account_id=row.account_id, rule=row.rule,
        data={"restriction": row.pk, "scope": row.scope, "on": row.subject_type, "on_id": row.subject_id},
    )  # fmt: skip


def blocking(account_id: int, verb: str, subject: models.Model | None = None) -> Restriction | None:
    """The one question: what forbids `verb` to this account, or on `subject`, now? None: nothing.

    Verbs: "order", "use_service", "manage_servers". Log-in, invoices, payment and answers are never taken away; closed
    ports take no verb away.
    """
    for row in Restriction.objects.in_force().filter(account_id=account_id).order_by("pk"):
        if row.scope == Restriction.Scope.ACCOUNT and verb in FORBIDDEN_BY_ACCOUNT:
            return row
        if subject is not None and verb != "order" and row.scope != Restriction.Scope.PORTS:
            named = subject_of(subject)
            if (row.subject_type, row.subject_id) == (named["subject_type"], named["subject_id"]):
                return row
    return None


def in_force_on(subject: models.Model) -> list[Restriction]:
    """The restrictions in force that name this very object, oldest first."""
    return list(Restriction.objects.in_force().filter(**subject_of(subject)).order_by("pk"))
