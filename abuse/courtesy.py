"""Mail that strangers can provoke (ABU-1): whoever forges a sender must not be able to fill that person's mailbox.

A reporter who proved who they are is always answered. To anybody else only so many mails go out in a UTC day, counted
for each address and for each domain; what is kept back is told to the journal, and the report itself is kept as ever.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

from django.db import IntegrityError, transaction
from django.db.models import F

from abuse.models import CourtesyCount
from panel.core import due

TO_ADDRESS = 5
TO_DOMAIN = 100
KEPT = timedelta(days=2)


def spend(address: str, *, now: datetime) -> bool:
    """Count one mail to somebody unproven; False when the address or its domain has had enough for the day."""
    address = address.strip().lower()
    allowed = [(address, TO_ADDRESS), (address.rpartition("@")[2], TO_DOMAIN)]  # always locked in this order
    with transaction.atomic():
        counts = [_count(name, now) for name, _ in allowed]
        if any(row.sent >= most for row, (_, most) in zip(counts, allowed, strict=True)):
            return False
        CourtesyCount.objects.filter(pk__in=[row.pk for row in counts]).update(sent=F("sent") + 1)
    return True


def _count(name: str, now: datetime) -> CourtesyCount:
    """The locked count of one address or domain, of which only a digest is kept."""
    key = {"day": now.astimezone(UTC).date(), "digest": hashlib.sha256(name.encode()).hexdigest()}
    try:
        with transaction.atomic():
            CourtesyCount.objects.create(**key)
    except IntegrityError:
        pass
    return CourtesyCount.objects.select_for_update().get(**key)


@due.sweep("abuse.forget", every_seconds=3600)
def forget(now: datetime, *, dry_run: bool = False) -> due.SweepReport:
    """Delete the counts of past days."""
    old = CourtesyCount.objects.filter(day__lt=(now - KEPT).astimezone(UTC).date())
    if dry_run:
        return due.SweepReport(would=[f"forget {old.count()} counts"])
    return due.SweepReport(done=old.delete()[0])
