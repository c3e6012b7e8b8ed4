"""Connects each process to the runtime it belongs to."""

from django.apps import AppConfig
from django.conf import settings


class RuntimeConfig(AppConfig):
    name = "panel.runtime"
    label = "runtime"

    def ready(self) -> None:
        if not settings.CLAUSE_REDIS_URL:
            return  # alone: the live channel stays inside the process, and `serve` wakes its own workers
        from panel.core import hands, live, operations
        from panel.core.live.redis_channel import RedisChannel
        from panel.runtime import apart
        from panel.runtime.gathered import Gathered

        live.use(RedisChannel(settings.CLAUSE_REDIS_URL))
        if settings.PRODUCTION:
            operations.on_wake(Gathered(wake_celery))
            hands.use(apart.pool)


def wake_celery() -> None:
    """Tells Celery's workers that something is due. They look by themselves too: a lost message only delays."""
    from panel.celery import run_due

    run_due.apply_async(expires=60, retry=False)
