"""The journal as evidence: filters, and whether its chain still holds."""

from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet

from panel.accounts.models import Account, User
from panel.core import events
from panel.core.actors import Actor
from panel.core.models import Event, Seal, Tick

CHECK = "console.verify"
KEPT = 50


def find(filters: dict[str, str]) -> QuerySet[Event]:
    """Journal entries by kind (its beginning), rule, account (its reference), object ("server:12") and author
    (e-mail, clock)."""
    rows = Event.objects.select_related("seal")
    if kind := filters.get("kind", "").strip():
        rows = rows.filter(kind__startswith=kind)
    if rule := filters.get("rule", "").strip():
        rows = rows.filter(rule__iexact=rule)
    if reference := filters.get("account", "").strip():
        rows = rows.filter(account_id__in=Account.objects.filter(reference__iexact=reference).values("pk"))
    if about := filters.get("about", "").strip():
        rows = rows.filter(_about(about))
    if author := filters.get("author", "").strip():
        rows = rows.filter(_author(author))
    return rows


def _about(text: str) -> Q:
    kind, _, number = text.partition(":")
    named = Q(subject_type=kind) | Q(subject_type__endswith=f".{kind}")
    return named & Q(subject_id=int(number)) if number.isascii() and number.isdigit() else named


def _author(text: str) -> Q:
    if "@" in text:
        return Q(actor_kind="person", actor_id__in=User.objects.filter(email__iexact=text).values("pk"))
    return Q(actor_kind=text)


@transaction.atomic
def verify(*, actor: Actor, now: datetime) -> list[str]:
    """Walk the whole chain and keep the result; each break is a sentence."""
    broken = events.verify()
    report = {"broken": broken[:KEPT], "breaks": len(broken), "sealed": Seal.objects.count()}
    Tick.objects.update_or_create(name=CHECK, defaults={"last_at": now, "last_report": report})
    events.record("core.chain.verified", now=now, actor=actor, data={"broken": len(broken), "sealed": report["sealed"]})
    return broken


def last_check() -> dict[str, Any]:
    """When the chain was verified last, with what result, and how many entries wait for their seal."""
    tick = Tick.objects.filter(name=CHECK).first()
    newest = Seal.objects.order_by("-pk").values_list("event_id", flat=True).first() or 0
    waiting = Event.objects.filter(pk__gt=newest).count()
    return {"at": tick.last_at if tick else None, "report": tick.last_report if tick else {}, "waiting": waiting}
