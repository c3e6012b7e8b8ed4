"""Production's way of calling what the embedded threads call: the table of operations is the truth, Celery only wakes.

`celery -A panel.celery worker` and, once, `celery -A panel.celery beat`.
"""

import os
import socket

import django
from celery import Celery
from django.apps import apps
from django.conf import settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "panel.settings")
if not apps.ready:
    django.setup()

from panel import schedule
from panel.core import clock, due, lease, operations, ticking

LOOK = 10.0  # seconds between two looks at what is due, should no wake come
HOLDER = f"celery@{socket.gethostname()}"
BATCH = 200  # operations a task carries out before it lets others in

app = Celery("clause", broker=settings.CELERY_BROKER_URL)
app.conf.update(
    task_ignore_result=True,
    task_acks_late=False,  # a lost message loses nothing
    worker_prefetch_multiplier=1,
    broker_connection_retry_on_startup=True,
    worker_hijack_root_logger=False,
    timezone="UTC",
    beat_schedule={
        "operations": {"task": "clause.run_due", "schedule": LOOK, "options": {"expires": LOOK}},
        **{
            name: {
                "task": "clause.sweep",
                "schedule": due.SWEEPS[name].every.total_seconds(),
                "args": [name],
                "options": {"expires": due.SWEEPS[name].every.total_seconds()},
            }
            for name in schedule.SWEEPS
        },
    },
)


@app.task(name="clause.run_due")  # type: ignore[untyped-decorator]
def run_due() -> None:
    """Carry out what is due. Many may run at once: each operation is claimed by one."""
    lease.take(HOLDER, now=clock.now())
    operations.run_due(limit=BATCH)


@app.task(name="clause.sweep")  # type: ignore[untyped-decorator]
def sweep(name: str) -> None:
    """Run one sweep of panel/schedule.py."""
    now = clock.now()
    ticking.pulse(now)
    ticking.run(name, now=now)
