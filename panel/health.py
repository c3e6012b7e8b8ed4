"""GET /healthz: whether the panel can do its work, for monitors, load balancers and whoever waits for the start."""

import shutil
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt

from panel.core import clock, lease, live, ticking, web
from panel.core.actions import Action
from panel.core.models import Operation, Tick
from panel.core.operation_states import State

SILENT = timedelta(seconds=60)  # a worker or a clock that has not been heard of for longer is down
BEHIND = timedelta(minutes=10)  # an operation that has been due for longer shows that nobody works
LEAST_FREE = 256 * 1024 * 1024  # bytes on the disk of the data

HEALTH = Action("panel.health", "Health", public=True)


def database(now: datetime) -> dict[str, Any]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        cursor.fetchone()
    return {"ok": True, "engine": connection.vendor}


def live_channel(now: datetime) -> dict[str, Any]:
    return {"ok": live.channel().is_up()}


def worker(now: datetime) -> dict[str, Any]:
    """Somebody holds the lease, and what is due is being taken up."""
    heartbeat = lease.heartbeat()
    heard = _heard_of(heartbeat[1] if heartbeat else None, now)
    behind = Operation.objects.filter(state=State.DUE, due_at__lt=now - BEHIND).exists()
    return {**heard, "ok": heard["ok"] and not behind, "behind": behind}


def the_clock(now: datetime) -> dict[str, Any]:
    last = Tick.objects.filter(name=ticking.CLOCK).values_list("last_at", flat=True).first()
    return _heard_of(last, now)


def disk(now: datetime) -> dict[str, Any]:
    free = shutil.disk_usage(settings.CLAUSE_DATA).free
    return {"ok": free >= LEAST_FREE, "free_bytes": free}


def _heard_of(last: datetime | None, now: datetime) -> dict[str, Any]:
    return {"ok": last is not None and now - last < SILENT, "last": last and last.isoformat()}


PARTS: dict[str, Callable[[datetime], dict[str, Any]]] = {
    "database": database,
    "live": live_channel,
    "worker": worker,
    "clock": the_clock,
    "disk": disk,
}


def state(now: datetime) -> dict[str, Any]:
    """Every part's state; a part that cannot be asked is not well. Reasons stay in the log: this page is public."""
    parts = {name: _ask(part, now) for name, part in PARTS.items()}
    return {"status": "ok" if all(part["ok"] for part in parts.values()) else "failing", **parts}


def _ask(part: Callable[[datetime], dict[str, Any]], now: datetime) -> dict[str, Any]:
    try:
        return part(now)
    except Exception as error:
        return {"ok": False, "error": type(error).__name__}


@csrf_exempt
@never_cache
def _healthz(request: HttpRequest) -> JsonResponse:
    answer = state(clock.now())
    return JsonResponse(answer, status=200 if answer["status"] == "ok" else 503)


healthz = web.hook(HEALTH)(_healthz)
