"""Who runs worker and clock on this database: one row, one holder, a heartbeat.

A holder that falls silent for `SILENCE` loses the lease to whoever asks next. Losing it is safe at any instant, for
operations are claimed one by one and sweeps may run twice; the lease only keeps two copies from doing double work.
"""

from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.db.models import Q

from panel.core.models import RuntimeLease

RUNTIME = "runtime"
SILENCE = timedelta(seconds=20)


def take(holder: str, *, now: datetime, name: str = RUNTIME) -> bool:
    """Takes or renews the lease for `holder`; False while another holds it."""
    free = Q(holder=holder) | Q(heartbeat_at__lt=now - SILENCE)
    if RuntimeLease.objects.filter(free, name=name).update(holder=holder, heartbeat_at=now):
        return True
    try:
        with transaction.atomic():
            RuntimeLease.objects.create(name=name, holder=holder, heartbeat_at=now)
    except IntegrityError:
        return False
    return True


def release(holder: str, *, name: str = RUNTIME) -> None:
    """Gives the lease back, so that a successor need not wait."""
    RuntimeLease.objects.filter(name=name, holder=holder).delete()


def heartbeat(*, name: str = RUNTIME) -> tuple[str, datetime] | None:
    """The holder and its last sign of life, or None if nobody ever held the lease or the last one left in order."""
    row = RuntimeLease.objects.filter(name=name).first()
    return (row.holder, row.heartbeat_at) if row else None
