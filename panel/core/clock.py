"""The one clock. Only edges (views, tasks, commands, the worker) read it; everything inward takes `now`."""

from datetime import UTC, datetime


def now() -> datetime:
    """The present instant, aware, in UTC."""
    return datetime.now(UTC)
