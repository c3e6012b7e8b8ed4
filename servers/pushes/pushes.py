"""A place says that a machine changed: verified, kept once, acknowledged, and then looked at (SRV-12).

The operation reads the machine at its place, so that neither the order of messages, nor their repetition, nor their age
changes the result; one that never comes costs the time until the next regular look.
"""

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext_lazy as _

from panel.core import due, operations
from panel.core.models import Operation
from servers import monitoring, providers, reconcile
from servers.models import CloudPush, Discrepancy, Server, ServerAction
from servers.pushes import push_rules
from servers.pushes.push_rules import Refused
from servers.rules import ON_THE_HOST, Finding, Power, State, Verb

KEPT = timedelta(days=30)
QUIET = timedelta(days=1)
"""After so long without a refused message nobody needs to look any more."""

RENEWED = timedelta(minutes=1)
"""How often a finding of refused messages is written anew at most."""


def secrets(place: str) -> list[str]:
    """What messages of `place` are signed with: `push_secret` of its configuration, one or several."""
    told = providers.places().get(place, {}).get("push_secret") or []
    return [told] if isinstance(told, str) else [str(one) for one in told]


def receive(place: str, raw: bytes, headers: Mapping[str, str], *, now: datetime) -> bool:
    """Keep a message of `place`, which has a secret; whether it is new. Refused when it is not the place's, which
    staff sees."""
    try:
        push_rules.verify(secrets(place), headers.get(push_rules.HEADER, ""), raw, now=now)
        push = push_rules.read(raw)
    except Refused as refused:
        _for_staff(place, str(refused), now=now)
        raise
    row = CloudPush(
        place=place, event_id=push.id, ref=push.ref, kind=push.kind, digest=hashlib.sha256(raw).hexdigest(),
        received_at=now,
    )  # fmt: skip
    try:
        with transaction.atomic():
            row.save(force_insert=True)
            operations.enqueue(
                LookAtMachine.kind, key=f"{LookAtMachine.kind}:{place}:{push.id}", now=now, subject=row,
                payload={"push": row.pk, "place": place, "ref": push.ref},
            )  # fmt: skip
    except IntegrityError:
        return False
    return True


def _for_staff(place: str, why: str, *, now: datetime) -> None:
    """One finding a place, however many come: it is written once in a while, since anybody can send one."""
    open_one = Discrepancy.objects.filter(place=place, kind=Finding.PUSH, ref=place, resolved_at=None)
    if open_one.filter(last_seen__gt=now - RENEWED).exists():
        return
    words = f"a message that is not this place's was refused: {why}"
    reconcile.keep(place, [reconcile.Seen(Finding.PUSH, place, words)], now, kinds=())


@operations.register
class LookAtMachine(operations.Handler):
    """What the place says of the machine now is applied as by any regular look; a creation under way goes on."""

    kind = "servers.pushed"
    label = _("Look at a machine that its place told of")
    kept = KEPT

    def perform(self, op: Operation, *, now: datetime) -> dict[str, Any]:
        place, ref = op.payload["place"], op.payload["ref"]
        here = Server.objects.filter(place=place, provider_ref=ref, state__in=ON_THE_HOST)
        server = here.select_related("vitals").first()
        node = providers.get(place).get(ref)
        if server is not None:
            power = node.power if node is not None else Power.GONE
            return {"power": str(power), "changed": monitoring.look_at(server, power, now=now)}
        creation = _creation_of(place, node) if node is not None else None
        if node is None or creation is None:
            return {"nobody": True}
        return {"hurried": node.power is Power.ON and operations.hurry(creation, now=now)}


def _creation_of(place: str, node: providers.Node) -> int | None:
    """The operation that waits for this machine to be made."""
    waiting = ServerAction.objects.filter(
        server__place=place, server__state__in=(State.ORDERED, State.CREATING), verb=Verb.CREATE,
        state=ServerAction.State.WAITING,
    ).select_related("server__subscription")  # fmt: skip
    tokens = {action.server.token: action.operation_id for action in waiting}
    marks = {providers.mark(token): operation for token, operation in tokens.items()}
    return {**marks, **tokens}.get(node.token)


@due.sweep("servers.pushes", every_seconds=3600)
def forget(now: datetime, *, dry_run: bool = False) -> due.SweepReport:
    """Messages that were acted upon long ago go; a finding of refused ones ends a day after the last."""
    old = CloudPush.objects.filter(received_at__lt=now - KEPT)
    if dry_run:
        return due.SweepReport(would=[f"forget {row}" for row in old])
    gone, _kinds = old.delete()
    return due.SweepReport(done=gone + reconcile.settle(Finding.PUSH, now - QUIET, now=now))
