"""Readings that claim more than a link can carry: a person accepts what they claim, or discards it (SRV-4).

While one waits, the months that it reaches into are not billed and its server does not go to another account; so what
is accepted is counted, warned of and billed as if it had been plausible, in the hours and months it was carried in.
"""

from collections.abc import Iterable
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from panel.core import events
from panel.core.actors import Actor
from panel.core.errors import RuleViolation
from servers import actions, metering, rules
from servers.models import DoubtfulReading, Meter, Server, TrafficReading
from servers.traffic_rules import Flag

RULE = "SRV-4"
Doubt = DoubtfulReading.State


def accept(pk: int, *, reason: str, actor: Actor, now: datetime) -> DoubtfulReading:
    """Count what it claims. RuleViolation where it was decided already or a reason is missing."""
    with transaction.atomic():
        doubt = _decided(pk, Doubt.ACCEPTED, reason, actor, now)
        server = Server.objects.select_related("subscription", "account").get(pk=doubt.server_id)
        metering.share_out(server, doubt.rx_bytes, doubt.tx_bytes, doubt.since, doubt.at, now)
        raw = TrafficReading.objects.filter(server_id=server.pk, at=doubt.at)
        raw.update(added=doubt.claimed, verdict=Flag.ACCEPTED)
        return doubt


def discard(pk: int, *, reason: str, actor: Actor, now: datetime) -> DoubtfulReading:
    """Count nothing of it, for good."""
    with transaction.atomic():
        return _decided(pk, Doubt.DISCARDED, reason, actor, now)


def _decided(pk: int, state: str, reason: str, actor: Actor, now: datetime) -> DoubtfulReading:
    actions.DECIDE_READING.check(actor)
    words = reason.strip()
    if not words:
        raise RuleViolation(_("Say why you decide so."), rule=RULE, field="reason")
    found = DoubtfulReading.objects.get(pk=pk)
    Meter.objects.select_for_update().get(server=found.server_id)  # whoever counts for the server holds its meter
    doubt = DoubtfulReading.objects.select_for_update().get(pk=pk)
    if doubt.state != Doubt.WAITING:
        raise RuleViolation(_("This reading was decided on already."), rule=RULE)
    doubt.state, doubt.reason, doubt.decided_by, doubt.decided_at = state, words[:500], actor.user_id, now
    doubt.save(update_fields=["state", "reason", "decided_by", "decided_at"])
    events.record(
        f"servers.meter.{state}", now=now, actor=actor, subject=doubt.server, account_id=doubt.account_id, rule=RULE,
        data={"server_id": doubt.server_id, "reading": doubt.pk, "claimed": doubt.claimed},
    )  # fmt: skip
    return doubt


def waits(doubts: Iterable[DoubtfulReading], month: rules.Month) -> bool:
    """Whether one of these, which all wait, reaches into a traffic month."""
    return any(doubt.since < month.ends_at and doubt.at > month.starts_at for doubt in doubts)
