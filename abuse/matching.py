"""Whose address was it at the time (ABU-1, SRV-3)? The history of holdings answers, never who holds it now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address, ip_network

from django.conf import settings

from servers.addressing.holdings import holders_between
from servers.models import Address, AddressHolding

TOLERATED_FUTURE = timedelta(minutes=10)


@dataclass(frozen=True)
class Match:
    """The one holding that is meant, or why there is none: never_ours, protected, no_time, future, gap, several."""

    holding: AddressHolding | None
    why: str = ""


def holder(ip: str, start: datetime | None, end: datetime | None, *, received_at: datetime) -> Match:
    """Who held `ip` throughout [start, end]. Only one account that held it the whole time is an answer; a stretch in
    which nobody or somebody else held it is staff's to judge."""
    if protected(ip):
        return Match(None, "protected")
    if not Address.objects.filter(ip=ip).exists():
        return Match(None, "never_ours")
    if start is None or end is None:
        return Match(None, "no_time")
    if end > received_at + TOLERATED_FUTURE and start > received_at:
        return Match(None, "future")
    found = holders_between(ip, start, end)
    if not found:
        return Match(None, "gap")
    if len({holding.account_id for holding in found}) > 1:
        return Match(None, "several")
    covered = start
    for holding in reversed(found):
        if holding.since > covered:
            return Match(None, "gap")
        covered = max(covered, holding.until or end)
    return Match(found[0]) if covered >= end else Match(None, "gap")


def protected(ip: str) -> bool:
    """Whether the address is one that is never cut off: the panel's own, or the network's."""
    return any(ip_address(ip) in ip_network(never) for never in settings.CLAUSE_NEVER_BLOCK)


def candidates(ip: str, start: datetime | None, end: datetime | None, *, received_at: datetime) -> list[AddressHolding]:
    """For staff: whoever held `ip` around the time, or in the ninety days before the report when no time is known."""
    if start is None or end is None:
        start, end = received_at - timedelta(days=90), received_at
    return holders_between(ip, start, end)
